/**
 * What defines a vCPU, taken from it.
 *
 * @packageDocumentation
 */
import { release } from 'node:os';
import { checkIterable, outOfRange } from '../abi/argument.ts';
import { ERRNO } from '../abi/errno.ts';
import { KVM_MP_STATE, mpStateNumber } from '../abi/mp-state.ts';
import type { Architecture } from '../abi/register-id.ts';
import type { SmcccRange } from '../abi/smccc-filter.ts';
import type { VcpuEvents } from '../abi/structs.ts';
import { KvmError } from '../errors.ts';
import type { Kvm } from '../kvm.ts';
import { RegisterBatch } from '../register-batch.ts';
import type { Vcpu } from '../vcpu.ts';
import type { PmuOptions } from '../vcpu-attributes.ts';
import { version } from '../version.ts';
import type { EnabledCapability } from '../vm.ts';
import { checkVcpu } from './arguments.ts';
import type { GicState } from './gic-state.ts';
import type { MemoryState } from './memory-state.ts';

/** A vCPU at rest. PSCI version, bit maps of hypercall services, counters and vector lengths are registers, too. */
export interface VcpuState {
  readonly architecture: Architecture;
  /** The id that it was created with. */
  readonly id: number;
  /** `KVM_ARM_TARGET_*` that it was initialised with. */
  readonly target: number;
  /** Its features, one bit per `KVM_ARM_VCPU_*`. */
  readonly featureBits: bigint;
  /** All registers that the kernel lists for it, in the kernel's order. */
  readonly registers: RegisterBatch;
  /** `KVM_MP_STATE_*`. */
  readonly mpState: number;
  /** A pending SError. A pending data abort is none of it: no kernel tells of one. */
  readonly events: VcpuEvents;
  /** What {@link Vcpu.initPmu} was given; absent where it was not called. */
  readonly pmu?: PmuOptions | undefined;
  /** Where its guest finds its stolen time; absent where nowhere. */
  readonly pvTime?: bigint | undefined;
}

/** Where a state comes from. */
export interface Provenance {
  /** A device path, or the name of an emulated host. */
  readonly host: string;
  /** `'native'` or `'emulated'`. */
  readonly backend: string;
  /** The kernel's release, as `uname -r` has it; absent of an emulated host, whose name says it. */
  readonly kernel?: string;
  /** The program that saved it. */
  readonly tool: string;
  /** When, in ISO 8601. */
  readonly saved: string;
}

/** What of a VM must be there before its vCPUs are. */
export interface VmSettings {
  /** Bits of its guest physical address space. */
  readonly ipaBits: number;
  /** What was enabled by {@link Vm.enableCap}, in that order. */
  readonly capabilities: readonly EnabledCapability[];
  /** What {@link Vm.setSmcccFilter} has set; absent where nothing was. */
  readonly smcccFilter?: readonly SmcccRange[] | undefined;
  /** The PPIs of the timers: virtual, physical, and with Linux 6.4 those of EL2; absent where they are the kernel's own. */
  readonly timerIrqs?: readonly number[] | undefined;
}

/** vCPUs of one VM, what is around them, and where they come from: what a state file holds. */
export interface SavedState {
  readonly provenance: Provenance;
  /** Absent where vCPUs alone were saved, as `memory` is. */
  readonly vm?: VmSettings | undefined;
  /** Its interrupt controller; absent where it has none. */
  readonly gic?: GicState | undefined;
  readonly vcpus: readonly VcpuState[];
  readonly memory?: readonly MemoryState[] | undefined;
}

const NO_EVENTS: VcpuEvents = {
  serrorPending: false,
  serrorHasEsr: false,
  extDabtPending: false,
  serrorEsr: 0n,
};

/**
 * Saves a vCPU: with one call below the language boundary for all its registers. It must not run meanwhile. An exit for
 * MMIO is completed first ({@link Vcpu.completeMmio}): what a guest reads must be in the exit's `data` by then.
 *
 * @throws KvmError `ERR_NOT_INITIALIZED`: {@link Vcpu.init} was not called on this object, and the kernel does not tell
 * features; EPERM: SVE is not finalized; with `register`: the kernel lists it and does not give its value
 * @example
 * ```ts
 * const state = saveVcpu(vcpu);
 * state.registers.get('PC'); // 0n
 * ```
 */
export function saveVcpu(vcpu: Vcpu): VcpuState {
  checkVcpu('vcpu', vcpu);
  const init = vcpu.initializedWith;
  if (init === undefined) throw notInitialized(vcpu);
  const { kvm } = vcpu.vm;
  vcpu.completeMmio();
  const { pmu } = vcpu;
  const pvTime = vcpu.getPvTime();
  const read = vcpu.getRegs();
  const refused = read.status.findIndex(status => status < 0 && status !== -ERRNO.ENOENT);
  if (refused >= 0) throw read.errorAt(refused)!;
  // Before Linux 4.19 a kernel lists ids behind which it then finds no register.
  const registers = read.failed > 0 ? RegisterBatch.from(read) : read;
  return {
    architecture: kvm.architecture,
    id: vcpu.id,
    target: init.target,
    featureBits: init.featureBits,
    registers,
    mpState:
      kvm.checkExtension('MP_STATE') > 0
        ? mpStateNumber(vcpu.getMpState())
        : KVM_MP_STATE.KVM_MP_STATE_RUNNABLE,
    events: kvm.checkExtension('VCPU_EVENTS') > 0 ? vcpu.getVcpuEvents() : NO_EVENTS,
    ...(pmu && { pmu }),
    ...(pvTime !== undefined && { pvTime }),
  };
}

/**
 * Saves vCPUs of one VM, with the provenance that a file should have.
 *
 * @throws as {@link saveVcpu}
 * @example
 * ```ts
 * const state = saveVcpus([vcpu]);
 * state.provenance.host; // 'linux-6.12-neoverse-n1'
 * ```
 */
export function saveVcpus(vcpus: Iterable<Vcpu>): SavedState {
  checkIterable('vcpus', vcpus);
  const list = [...vcpus];
  const [first] = list;
  if (first === undefined) throw outOfRange('vcpus', 'at least one vCPU', 'none');
  for (const [i, vcpu] of list.entries()) checkVcpu(`vcpus[${i}]`, vcpu);
  return { provenance: provenanceOf(first.vm.kvm), vcpus: list.map(saveVcpu) };
}

/** Here and now. */
export function provenanceOf({ backend, host }: Kvm): Provenance {
  return {
    host,
    backend,
    ...(backend === 'native' && { kernel: release() }),
    tool: `kvm-arm64 ${version()}`,
    saved: new Date().toISOString(),
  };
}

function notInitialized(vcpu: Vcpu): KvmError {
  return new KvmError(
    'ERR_NOT_INITIALIZED',
    `ERR_NOT_INITIALIZED: vCPU ${vcpu.id} was not initialised by vcpu.init(), and the kernel does not tell features`,
    { hint: 'Call vcpu.init() before you save it' },
  );
}
