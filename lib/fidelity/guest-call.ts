/**
 * A guest's call of its firmware as a call of the seam: the vCPU gets two instructions in memory of its own, HVC or SMC and
 * a read from no memory, and runs until it leaves, for good or because it waits.
 *
 * @packageDocumentation
 */
import { ERRNO, errnoName } from '../abi/errno.ts';
import { KVM_EXIT, KVM_RUN_SIZE } from '../abi/exits.ts';
import { KVM_MP_STATE } from '../abi/mp-state.ts';
import { coreRegId } from '../abi/register-id.ts';
import type { VcpuHandle, VmHandle } from '../backend.ts';
import { KvmError } from '../errors.ts';
import { allocate } from '../memory.ts';
import { watched } from '../patience.ts';
import { hexBytes } from './calls.ts';
import { comparedResults } from './not-compared.ts';

/** Memory of each VM whose guests call, and where the two instructions are. */
export const GUEST_RAM = 0x4000_0000n;
export const GUEST_RAM_SIZE = 0x1_0000;
/** ldr xzr, <end of memory>. */
const READ_NOTHING = 0x5800_001f | ((GUEST_RAM_SIZE / 4 - 1) << 5);
const INSTRUCTIONS = { hvc: 0xd400_0002, smc: 0xd400_0003 } as const;

/** How a guest calls. */
export type Conduit = keyof typeof INSTRUCTIONS;

const X = [0, 1, 2, 3].map(n => coreRegId(8 * n));
const PC = coreRegId(256);

/** The VM of a vCPU, with the memory that it was given, and the vCPU's `struct kvm_run`. */
interface Caller {
  readonly vm: VmHandle;
  readonly run: Uint8Array;
}

const callers = new WeakMap<VcpuHandle, Caller>();
const memories = new WeakMap<VmHandle, Uint8Array>();

/** A vCPU is new: which VM is its own cannot be asked later. */
export function noteVcpu(vm: VmHandle, vcpu: VcpuHandle | number): void {
  if (typeof vcpu !== 'number') callers.set(vcpu, { vm, run: new Uint8Array(KVM_RUN_SIZE) });
}

/** The memory of a VM's guests; it is there from the first time on that anybody asks. */
export function guestMemory(vm: VmHandle): Uint8Array {
  let memory = memories.get(vm);
  if (memory === undefined) {
    memory = allocate(GUEST_RAM_SIZE);
    vm.setUserMemoryRegion(0, 0, GUEST_RAM, memory);
    memories.set(vm, memory);
  }
  return memory;
}

/**
 * Makes a call with X0 to X3.
 *
 * @returns X0 to X3 afterwards, and why the vCPU left, unless it was to go on
 */
export function guestCall(vcpu: VcpuHandle, conduit: Conduit, x: readonly bigint[]): string {
  const { vm, run } = callers.get(vcpu)!;
  const words = Uint32Array.of(INSTRUCTIONS[conduit], READ_NOTHING);
  guestMemory(vm).set(new Uint8Array(words.buffer));
  if (vcpu.getMpState() === KVM_MP_STATE.KVM_MP_STATE_STOPPED) return 'stopped';
  for (const [n, id] of [...X.entries(), [x.length, PC] as const]) {
    const result = vcpu.setOneReg(id, x[n] ?? GUEST_RAM);
    if (result < 0) return errnoName(-result);
  }
  const left = leave(vcpu, run);
  const results = X.map(id => vcpu.getOneReg(id)).map(value => (typeof value === 'bigint' ? value : 0n));
  const shown = comparedResults(x[0]!, results);
  // What is not compared now is not to be seen later.
  if (shown !== results) for (const id of X) vcpu.setOneReg(id, 0n);
  return [...shown.map(value => value.toString(16)), ...left].join(' ');
}

/** Runs until the read of nothing, or what else ends it. */
function leave(vcpu: VcpuHandle, run: Uint8Array): string[] {
  try {
    const { result } = watched(() => vcpu.run(run));
    if (result === -ERRNO.EINTR) return ['waits'];
    if (result < 0) return [errnoName(-result)];
  } catch (error) {
    if (error instanceof KvmError && error.code === 'ERR_WAITS_FOREVER') return ['waits'];
    throw error;
  }
  const view = new DataView(run.buffer);
  const reason = view.getUint32(8, true);
  if (reason !== KVM_EXIT.KVM_EXIT_MMIO) return [`exit ${reason}`, ...members(reason, run)];
  // The access is completed without another instruction.
  vcpu.kick();
  vcpu.run(run);
  return [];
}

/** The members of an exit that a call may have (linux/kvm.h): of a system event, and of a hypercall. */
function members(reason: number, run: Uint8Array): string[] {
  if (reason === KVM_EXIT.KVM_EXIT_SYSTEM_EVENT) return [hexBytes(run.subarray(32, 48))];
  if (reason === KVM_EXIT.KVM_EXIT_HYPERCALL)
    return [hexBytes(run.subarray(32, 40)), hexBytes(run.subarray(96, 104))];
  return [];
}
