/**
 * What an emulated host is, and what its VMs and vCPUs remember. The kernel's names where it has them
 * (`struct kvm_arch`, `struct kvm_vcpu_arch`).
 *
 * @packageDocumentation
 */
import type { Result } from '../backend.ts';
import type { Cpu } from './cpu/cpu.ts';
import type { Exit as CpuExit } from './cpu/exits.ts';
import type { Machine } from './cpu/machine.ts';
import type { CpuInterface } from './gic/cpu-interface.ts';
import type { Gic } from './gic/gic.ts';
import type { GuestDebug } from './guest-debug.ts';
import type { IoEventFds } from './io-event-fds.ts';
import type { HostProfile } from './profile.ts';
import type { FilterAction } from './smccc-filter.ts';

/** Where a register's value lies. */
export interface Storage {
  readonly cell: number;
  readonly scope: 'vcpu' | 'vm';
}

/** Both directions of KVM_{GET,SET}_ONE_REG for a register that a vCPU has. */
export interface RegisterAccess extends Storage {
  get(vcpu: VcpuState): bigint | Result;
  /** @param value - of the register's width */
  set(vcpu: VcpuState, value: bigint): Result;
  /** The value after init, where it depends on the vCPU. */
  reset?(vcpu: VcpuState): bigint;
  /** Whether the vCPU has it now, where that can change. */
  isPresent?(vcpu: VcpuState): boolean;
}

/** What a vCPU with certain features is made of. */
export interface Configuration {
  /** KVM_GET_REG_LIST, with the registers that may be absent. */
  readonly list: BigUint64Array;
  /** The registers that may be absent. */
  readonly conditional: readonly RegisterAccess[];
  readonly registers: ReadonlyMap<bigint, RegisterAccess>;
  /** Registers that answer under any coprocessor but these, too. */
  readonly anyCoprocessor: { readonly registers: ReadonlySet<bigint>; readonly except: ReadonlySet<bigint> };
  /** Reset values by cell; cells of the VM's own registers lie in {@link vmResets}. */
  readonly resets: readonly bigint[];
  readonly vmResets: readonly bigint[];
  /** Registers whose reset value depends on the vCPU. */
  readonly computed: readonly RegisterAccess[];
  /** The host's greatest vector length, in quadwords; 0 without SVE. */
  readonly sveMaxVq: number;
  /** How many event counters the PMU has that the kernel chooses; undefined where it chooses none. */
  readonly pmuCounters: bigint | undefined;
  /** Cells of the vCPU that a further init leaves alone. */
  readonly surviving: readonly number[];
}

/** A host that answers. */
export interface HostModel {
  readonly profile: HostProfile;
  /** The configuration for a set of feature bits (without POWER_OFF), if the host accepts it. */
  configuration(features: number): Configuration | undefined;
}

/** A memory slot of a VM. */
export interface MemorySlot {
  readonly flags: number;
  readonly guestPhysAddr: bigint;
  readonly bytes: Uint8Array;
  /** A bit for each page that the guest has written; undefined where that is not logged. */
  readonly dirty: Uint8Array | undefined;
}

/** What a VM takes for its host's time. */
export interface Clock {
  /** Ticks of the host's physical counter, of 64 bits; never less than the time before. */
  now(): bigint;
  /** A system call is made. */
  pass(): void;
  /** Runs a CPU, whose instructions take time. */
  run(cpu: Cpu, budget: number): CpuExit;
  /** How many instructions a CPU executes in so many ticks. */
  instructionsFor(ticks: bigint): number;
  /** Lets so many ticks pass in which nobody runs: the milliseconds to wait for that, 0 where they have passed at once. */
  sleep(ticks: bigint): number;
}

/** What runs the guest of a vCPU; made by its first KVM_RUN. */
export interface Runner {
  run(bytes: Uint8Array): Result;
  start(bytes: Uint8Array, done: (result: Result) => void): Result;
  /** Something has changed that the guest may be waiting for. */
  wake(): void;
  /** The levels of the vCPU's interrupt inputs have changed. */
  inputsChanged(): void;
  /** Puts the registers where the ioctls look for them. */
  settle(): void;
  /** The vCPU has been initialised anew: what the last exit left open is gone. */
  forget(): void;
  /** Ends a run that goes on, without an answer. */
  abandon(): void;
}

/** The state of a VM. */
export interface VmState {
  readonly host: HostModel;
  /** Bits of a guest physical address. */
  readonly ipaBits: number;
  readonly clock: Clock;
  /** By slot. */
  readonly memory: Map<number, MemorySlot>;
  readonly ioEventFds: IoEventFds;
  /** Of the first vCPU that was initialised. */
  configuration: Configuration | undefined;
  /** Bits of KVM_ARM_VCPU_INIT, where they are the VM's (Linux 6.5 and later); 0 until then, and on other hosts. */
  features: number;
  /** What EL1 is in this VM, fixed by the first KVM_ARM_VCPU_INIT of a host whose features are the vCPU's. */
  is32Bit: boolean | undefined;
  /** Values of VM-wide registers, by cell; filled by the first init. */
  cells: bigint[];
  /** KVM_REG_ARM_PSCI_VERSION as it was set; 0 while it was not. */
  psciVersion: bigint;
  /** PMCR_EL0.N, VM-wide. */
  pmcrN: bigint;
  /** How many event counters its PMU has; undefined while there is none. */
  pmuCounters: bigint | undefined;
  /** Which events its PMU counts, range by range: the last one has the say, and the first for all that is in none. */
  readonly pmuFilter: { readonly start: number; readonly end: number; readonly allows: boolean }[];
  /** KVM_CAP_ARM_WRITABLE_IMP_ID_REGS is enabled. */
  identityUnlocked: boolean;
  /** What the guest's virtual and physical counters lag behind the host's, in ticks. */
  voffset: bigint;
  poffset: bigint;
  /** KVM_ARM_SET_COUNTER_OFFSET was used: from then on writes of the counters are ignored. */
  counterOffsetSet: boolean;
  /** Ranges of the SMCCC filter; undefined until the first one is installed. */
  smcccFilter: { readonly start: number; readonly end: number; readonly action: FilterAction }[] | undefined;
  /** KVM_CAP_ARM_EAGER_SPLIT_CHUNK_SIZE */
  eagerSplitChunkSize: bigint;
  /** KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 is enabled. */
  manualDirtyProtect: boolean;
  /** Bytes of each vCPU's dirty ring; 0: none. */
  dirtyRingSize: number;
  /** KVM_CAP_ARM_NISV_TO_USER is enabled. */
  nisvToUser: boolean;
  /** KVM_CAP_ARM_SYSTEM_SUSPEND is enabled. */
  systemSuspend: boolean;
  /** Of the random numbers that the firmware gives. */
  randomState: bigint;
  /** Its interrupt controller in the kernel; undefined while there is none. */
  gic: Gic | undefined;
  /** The PPIs of the timers, by attribute of the group KVM_ARM_VCPU_TIMER_CTRL; fixed once a vCPU has run with a GIC. */
  timerPpis: number[];
  timerPpisFixed: boolean;
  /** How many vCPUs its GIC can have; undefined without one. */
  maxVcpus: number | undefined;
  /** Something went wrong for good: all that is asked of it and its vCPUs is EIO (`kvm_vm_dead`). */
  isDead: boolean;
  /** All that were created, by id: closing one does not take it out of the VM. */
  readonly vcpus: Map<number, VcpuState>;
  /** What its CPUs share; undefined until the first of them runs. */
  machine: Machine | undefined;
}

/** The state of a vCPU. */
export interface VcpuState {
  readonly vm: VmState;
  readonly id: number;
  /** Undefined until KVM_ARM_VCPU_INIT. */
  configuration: Configuration | undefined;
  /** Bits of KVM_ARM_VCPU_INIT, where they are the vCPU's (`vcpu->arch.features` before Linux 6.5); 0 on other hosts. */
  features: number;
  /** SVE and pointer authentication, switched on by an init that then failed: nothing switches them off again. */
  switchedOn: number;
  /** Register values, by cell. */
  cells: bigint[];
  mpState: number;
  /** The pending SError's syndrome (VSESR_EL2); undefined: none is pending. */
  serror: bigint | undefined;
  /** KVM_ARM_VCPU_FINALIZE fixed the vector lengths. */
  sveFinalized: boolean;
  /** The greatest vector length, in quadwords; 0 without SVE. */
  sveMaxVq: number;
  /** The PMU was initialised (KVM_ARM_VCPU_PMU_V3_INIT). */
  pmuCreated: boolean;
  /** The PMU's overflow interrupt; 0: none was set. */
  pmuIrq: number;
  /** A data abort is to be taken by the next run; its syndrome is in ESR_EL1 already. */
  abortPending: boolean;
  /** What CPU_ON has left to do: reset it, and begin there; big-endian where the caller was. */
  pendingReset: { readonly pc: bigint; readonly x0: bigint; readonly isBigEndian: boolean } | undefined;
  /** What KVM_SET_GUEST_DEBUG has enabled; undefined: nothing. */
  guestDebug: GuestDebug | undefined;
  /** The debugger's step is done, but not its exit (`HOST_SS_ACTIVE_PENDING`). */
  stepPending: boolean;
  /** Where the guest finds its stolen time; undefined while no address is set. */
  stolenTime: bigint | undefined;
  /** The levels of its interrupt inputs. */
  irq: boolean;
  fiq: boolean;
  /** Its interface to the VM's GIC; undefined while there is none. */
  gic: CpuInterface | undefined;
  /** Its timers have their interrupts (`timer->enabled`). */
  timersEnabled: boolean;
  /** It could be entered once (`vcpu_has_run_once`). */
  hasRun: boolean;
  /** It is in KVM_RUN. */
  isRunning: boolean;
  /** The next run, or the one that goes on, is to end. */
  kicked: boolean;
  runner: Runner | undefined;
}
