/**
 * Makes a call of {@link file://./cases.ts} in a VM of its own, and tells what came of it in a line. Which host that is
 * does not matter here: `enter` has the vCPU make the call.
 */
import { KVM_CAP } from '#lib/abi/capabilities.js';
import { ERRNO } from '#lib/abi/errno.js';
import { KVM_EXIT, KVM_RUN_SIZE } from '#lib/abi/exits.js';
import { KVM_MP_STATE } from '#lib/abi/mp-state.js';
import { parsePsciVersion } from '#lib/abi/psci.js';
import {
  CORE_PSTATE,
  coreRegId,
  firmwareBitmapRegId,
  KVM_REG_ARM_PSCI_VERSION,
  sysRegId,
} from '#lib/abi/register-id.js';
import { decodeVcpuInit, encodeVcpuInit, STRUCT_SIZE } from '#lib/abi/structs.js';
import { featureMask, type VcpuFeature } from '#lib/abi/vcpu-features.js';
import type { KvmHandle, Result, VcpuHandle, VmHandle } from '#lib/backend.js';
import type { CallCase, Other } from './cases.ts';

/** Where the guest's memory begins, and with it the instruction of the call. */
export const RAM = 0x4000_0000n;
/** The memory of stolen time; before the call all its bytes are {@link DIRT}. */
const STOLEN = 0x1000;
const DIRT = 0xa5;

export const X = Array.from({ length: 31 }, (_, n) => coreRegId(8 * n));
export const PC = coreRegId(256);
export const SCTLR_EL1 = sysRegId(3, 0, 1, 0, 0);
const SCTLR_EE = 1n << 25n;
const ID_AA64PFR1_EL1 = sysRegId(3, 0, 0, 4, 1);
/** KVM_ARM_VCPU_PVTIME_CTRL and KVM_ARM_VCPU_PVTIME_IPA. */
const PVTIME = 2;
const PVTIME_IPA = 0n;
const STOLEN_SIZE = 64;
/** Enough for a bit that is drawn by lot not to stay 0. */
const DRAWS = 50;

/** What became of the vCPU: it goes on, it waits for something, or KVM_RUN ended with this `struct kvm_run`. */
export type Entered = 'resumed' | 'blocks' | Uint8Array;

/** Has the vCPU, whose registers are set, make the call. It may be asked again, for another. */
export type Enter = (
  vcpu: VcpuHandle,
  instruction: Required<Pick<CallCase, 'conduit' | 'immediate'>>,
) => Promise<Entered>;

/** Prepares a new vCPU for {@link Enter}. */
export type Prepare = (code: Uint8Array, one: CallCase) => Enter;

class Refused extends Error {}

function must(result: Result): void {
  if (result < 0) throw new Refused();
}

function handle<Handle>(result: Handle | number): Handle {
  if (typeof result === 'number') throw new Error(`errno ${-result}`);
  return result;
}

/** What came of the call; undefined where the host has no VM that it could be made in. */
export async function play(kvm: KvmHandle, one: CallCase, prepare: Prepare): Promise<string | undefined> {
  const vm = handle(kvm.createVm(0n));
  const vcpus: VcpuHandle[] = [];
  try {
    return await playIn(vm, vcpus, one, prepare);
  } catch (error) {
    if (error instanceof Refused) return undefined;
    throw error;
  } finally {
    for (const vcpu of vcpus) vcpu.close();
    vm.close();
  }
}

async function playIn(vm: VmHandle, vcpus: VcpuHandle[], one: CallCase, prepare: Prepare): Promise<string> {
  const memory = new Uint8Array(newMemory());
  must(vm.setUserMemoryRegion(0, 0, RAM, memory));
  if (one.suspendEnabled) {
    must(vm.enableCap(KVM_CAP.KVM_CAP_ARM_SYSTEM_SUSPEND, 0, new BigUint64Array(4)));
  }
  if (one.filter !== undefined) setFilter(vm, one.filter);
  const { caller, others } = createVcpus(vm, vcpus, one);
  if (one.stolenTime) {
    memory.fill(DIRT, STOLEN, STOLEN + 2 * STOLEN_SIZE);
    const address = new Uint8Array(BigUint64Array.of(RAM + BigInt(STOLEN)).buffer);
    must(caller.setDeviceAttr(PVTIME, PVTIME_IPA, address));
  }
  const set = (id: bigint, value: bigint) => must(caller.setOneReg(id, value));
  const get = (vcpu: VcpuHandle, id: bigint) => handle(vcpu.getOneReg(id));
  if (one.version !== undefined) set(KVM_REG_ARM_PSCI_VERSION, parsePsciVersion(one.version));
  for (const [index, value] of Object.entries(one.bitmaps ?? {}))
    set(firmwareBitmapRegId(Number(index)), value);
  if (one.withoutSsbs) set(ID_AA64PFR1_EL1, get(caller, ID_AA64PFR1_EL1) & ~0xf0n);
  if (one.bigEndian) set(SCTLR_EL1, get(caller, SCTLR_EL1) | SCTLR_EE);
  for (const target of Object.values(others)) target.setOneReg(X[1]!, 0x5555n);

  set(PC, RAM);
  const enter = prepare(memory, one);
  const { conduit = 'hvc', immediate = 0 } = one;
  let x = [0n, 0n, 0n, 0n];
  let entered: Entered = 'resumed';
  for (let i = 0; i < (one.random ? DRAWS : 1) && entered === 'resumed'; i++) {
    for (const [n, value] of one.x.entries()) set(X[n]!, value);
    entered = await enter(caller, { conduit, immediate });
    x = x.map((bits, n) => bits | get(caller, X[n]!));
  }

  const all = [caller, ...Object.values(others)];
  const states = all.map(vcpu => vcpu.getMpState());
  const registers =
    one.time && x[0]! >> 31n === 0n ? 'the time' : x.map(value => value.toString(16)).join(' ');
  const parts = [registers];
  if (entered !== 'resumed') parts.push(entered === 'blocks' ? 'blocks' : describeExit(entered));
  if (states.some(state => state !== 0)) parts.push(`states ${states.join(' ')}`);
  if (one.others?.[1] === 'off') parts.push(...started(others[1]!, states[1]!));
  if (one.stolenTime)
    parts.push(
      `memory ${memory.subarray(STOLEN, STOLEN + STOLEN_SIZE).every(byte => byte === 0) ? 'cleared' : 'as it was'}`,
    );
  if (memory[STOLEN + STOLEN_SIZE] !== (one.stolenTime ? DIRT : 0)) parts.push('memory beyond changed');
  return parts.join(', ');
}

/** A vCPU that is on where it was off: it was reset, which the first look at it does. */
function started(target: VcpuHandle, state: number): string[] {
  if (state !== KVM_MP_STATE.KVM_MP_STATE_RUNNABLE) return [];
  const [pc, x0, x1, pstate, sctlr] = [PC, X[0]!, X[1]!, CORE_PSTATE, SCTLR_EL1].map(id =>
    handle(target.getOneReg(id)),
  );
  const ee = (sctlr! & SCTLR_EE) === 0n ? 'little' : 'big';
  return [
    `started at ${pc!.toString(16)} with ${x0!.toString(16)} ${x1!.toString(16)} in ${pstate!.toString(16)}, ${ee} endian`,
  ];
}

function newMemory(): SharedArrayBuffer {
  const { WebAssembly } = globalThis as unknown as {
    WebAssembly: { Memory: new (limits: object) => { buffer: SharedArrayBuffer } };
  };
  return new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }).buffer;
}

function setFilter(vm: VmHandle, { base, count, action }: NonNullable<CallCase['filter']>): void {
  const filter = new DataView(new ArrayBuffer(24));
  filter.setUint32(0, base, true);
  filter.setUint32(4, count, true);
  filter.setUint8(8, action);
  must(vm.setDeviceAttr(0, 0n, new Uint8Array(filter.buffer)));
}

function createVcpus(vm: VmHandle, vcpus: VcpuHandle[], { version, is32Bit, others = {} }: CallCase) {
  const preferred = new Uint8Array(STRUCT_SIZE.kvm_vcpu_init);
  must(vm.armPreferredTarget(preferred));
  const { target } = decodeVcpuInit(preferred);
  const features: VcpuFeature[] = [
    ...(version === '0.1' ? [] : (['PSCI_0_2'] as const)),
    ...(is32Bit ? (['EL1_32BIT'] as const) : []),
  ];
  const create = (id: number, kind: Other): VcpuHandle => {
    const vcpu = handle(vm.createVcpu(id));
    vcpus.push(vcpu);
    if (kind === 'uninitialised') return vcpu;
    const own = kind === 'off' ? ([...features, 'POWER_OFF'] as const) : features;
    must(vcpu.armVcpuInit(encodeVcpuInit(target, featureMask(own))));
    if (kind === 'suspended') must(vcpu.setMpState(KVM_MP_STATE.KVM_MP_STATE_SUSPENDED));
    return vcpu;
  };
  const caller = create(0, 'on');
  return {
    caller,
    others: Object.fromEntries(
      Object.entries(others).map(([id, kind]) => [id, create(Number(id), kind)]),
    ) as Record<number, VcpuHandle>,
  };
}

/** The members that a call fills, at their offsets in `struct kvm_run` (linux/kvm.h). */
function describeExit(bytes: Uint8Array): string {
  const run = new DataView(bytes.buffer, bytes.byteOffset, KVM_RUN_SIZE);
  const reason = run.getUint32(8, true);
  const u32 = (offset: number) => run.getUint32(offset, true).toString(16);
  const u64 = (offset: number) => run.getBigUint64(offset, true).toString(16);
  if (reason === KVM_EXIT.KVM_EXIT_SYSTEM_EVENT) return `SYSTEM_EVENT ${u32(32)} ${u32(36)} ${u64(40)}`;
  if (reason === KVM_EXIT.KVM_EXIT_HYPERCALL) return `HYPERCALL ${u64(32)} ${u64(40)} ${u64(88)} ${u64(96)}`;
  return `exit ${reason}`;
}

export const isInterrupted = (result: Result) => result === -ERRNO.EINTR;
