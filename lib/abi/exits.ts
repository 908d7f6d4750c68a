/**
 * Why a vCPU left its guest: `struct kvm_run` (linux/kvm.h), decoded. Offsets are absolute within the struct.
 *
 * @packageDocumentation
 */

/** What of `struct kvm_run` is passed: all to `s.regs` of arm64, which has `device_irq_level`. */
export const KVM_RUN_SIZE = 312;

/** The union that holds an exit's details, which the program may answer in. */
const UNION = 32;
const UNION_END = 288;

/** Exit reasons that arm64 has. */
export const KVM_EXIT = {
  KVM_EXIT_HYPERCALL: 3,
  KVM_EXIT_DEBUG: 4,
  KVM_EXIT_MMIO: 6,
  KVM_EXIT_FAIL_ENTRY: 9,
  KVM_EXIT_INTR: 10,
  KVM_EXIT_INTERNAL_ERROR: 17,
  KVM_EXIT_SYSTEM_EVENT: 24,
  KVM_EXIT_ARM_NISV: 28,
  KVM_EXIT_DIRTY_RING_FULL: 31,
  KVM_EXIT_MEMORY_FAULT: 39,
  KVM_EXIT_ARM_SEA: 41,
  KVM_EXIT_ARM_LDST64B: 42,
} as const;

/** Types of {@link SystemEventExit}. */
export const KVM_SYSTEM_EVENT = {
  KVM_SYSTEM_EVENT_SHUTDOWN: 1,
  KVM_SYSTEM_EVENT_RESET: 2,
  KVM_SYSTEM_EVENT_CRASH: 3,
  KVM_SYSTEM_EVENT_WAKEUP: 4,
  KVM_SYSTEM_EVENT_SUSPEND: 5,
  KVM_SYSTEM_EVENT_SEV_TERM: 6,
  KVM_SYSTEM_EVENT_TDX_FATAL: 7,
} as const;

/** In the flags of a RESET: it was `SYSTEM_RESET2`. */
export const KVM_SYSTEM_EVENT_RESET_FLAG_PSCI_RESET2 = 1n;
/** In the flags of a SHUTDOWN: it was `SYSTEM_OFF2`. */
export const KVM_SYSTEM_EVENT_SHUTDOWN_FLAG_PSCI_OFF2 = 1n;

/** Flags of {@link HypercallExit}. */
const KVM_HYPERCALL_EXIT_SMC = 1n;
const KVM_HYPERCALL_EXIT_16BIT = 2n;

/** In `kvm_run.flags` of a debug exit. */
export const KVM_DEBUG_ARCH_HSR_HIGH_VALID = 1;

/** A type of {@link SystemEventExit} by name: `'SHUTDOWN'`. */
export type SystemEvent = keyof typeof KVM_SYSTEM_EVENT extends `KVM_SYSTEM_EVENT_${infer Name}`
  ? Name
  : never;

/** The guest read or wrote an address without memory. */
export interface MmioExit {
  readonly reason: 'MMIO';
  readonly physAddr: bigint;
  readonly isWrite: boolean;
  /**
   * The bytes, 1, 2, 4 or 8, in the guest's order: what it wrote. For a read, fill them before the vCPU runs again: the
   * next run completes it. They are good until then.
   */
  readonly data: Uint8Array;
}

/** The guest asked its firmware to end or suspend the system, or the vCPU was woken. */
export interface SystemEventExit {
  readonly reason: 'SYSTEM_EVENT';
  /** By name, or its number where it has none. */
  readonly type: SystemEvent | number;
  /**
   * Bit 0 of a RESET: it was `SYSTEM_RESET2`; of a SHUTDOWN: it was `SYSTEM_OFF2`. 0 where the kernel tells none (before
   * Linux 5.18).
   */
  readonly flags: bigint;
  /** All words that the kernel gave (Linux 5.18+), of which the flags are the first. */
  readonly data: readonly bigint[];
}

/** A call of the guest that an SMCCC filter forwards. Arguments and results are in the registers X0 and on. */
export interface HypercallExit {
  readonly reason: 'HYPERCALL';
  /** The function id. */
  readonly nr: bigint;
  /** It was an SMC rather than an HVC. */
  readonly isSmc: boolean;
  /** The instruction was a T32 one, of 16 bits. */
  readonly is16Bit: boolean;
  readonly flags: bigint;
}

/** An access to no memory by an instruction that KVM cannot decode; needs `KVM_CAP_ARM_NISV_TO_USER`. */
export interface ArmNisvExit {
  readonly reason: 'ARM_NISV';
  readonly esrIss: bigint;
  readonly faultIpa: bigint;
}

/** A 64-byte load or store (LD64B, ST64B) to no memory. */
export interface ArmLdst64bExit {
  readonly reason: 'ARM_LDST64B';
  readonly esrIss: bigint;
  readonly faultIpa: bigint;
}

/** `kick()`, or a signal to the thread. The guest goes on with the next run. */
export interface IntrExit {
  readonly reason: 'INTR';
}

/** A breakpoint, watchpoint or single step that `KVM_SET_GUEST_DEBUG` asked for. */
export interface DebugExit {
  readonly reason: 'DEBUG';
  /** The exception's syndrome (ESR_EL2); 31:0 on kernels that give no more. */
  readonly hsr: bigint;
  /** The address that a watchpoint met. */
  readonly far: bigint;
}

/** The vCPU could not enter the guest, on the CPU that its thread was on. */
export interface FailEntryExit {
  readonly reason: 'FAIL_ENTRY';
  /** Bit 0: that CPU is not one of those that the vCPU's PMU can be on. */
  readonly hardwareEntryFailureReason: bigint;
  readonly cpu: number;
}

/** KVM cannot go on. */
export interface InternalErrorExit {
  readonly reason: 'INTERNAL_ERROR';
  readonly suberror: number;
  readonly data: readonly bigint[];
}

/** The guest touched memory that cannot be mapped. */
export interface MemoryFaultExit {
  readonly reason: 'MEMORY_FAULT';
  readonly flags: bigint;
  readonly gpa: bigint;
  readonly size: bigint;
}

/** The vCPU's dirty ring must be collected before it goes on. */
export interface DirtyRingFullExit {
  readonly reason: 'DIRTY_RING_FULL';
}

/** A synchronous external abort; needs `KVM_CAP_ARM_SEA_TO_USER` (Linux 6.19+). */
export interface ArmSeaExit {
  readonly reason: 'ARM_SEA';
  /** Bit 0: `gpa` is valid. */
  readonly flags: bigint;
  readonly esr: bigint;
  readonly gva: bigint;
  readonly gpa: bigint;
}

/** A reason that this library does not know. */
export interface OtherExit {
  readonly reason: 'OTHER';
  /** `KVM_EXIT_*`. */
  readonly number: number;
  /** The union of `struct kvm_run` (offsets 32 to 287): a copy. */
  readonly bytes: Uint8Array;
}

/** Why a vCPU left its guest, told apart by `reason`. */
export type Exit =
  | MmioExit
  | SystemEventExit
  | HypercallExit
  | ArmNisvExit
  | ArmLdst64bExit
  | IntrExit
  | DebugExit
  | FailEntryExit
  | InternalErrorExit
  | MemoryFaultExit
  | DirtyRingFullExit
  | ArmSeaExit
  | OtherExit;

const EVENT_NAMES = new Map(
  Object.entries(KVM_SYSTEM_EVENT).map(([name, number]) => [
    number as number,
    name.replace('KVM_SYSTEM_EVENT_', '') as SystemEvent,
  ]),
);

type Decoder = (run: DataView, mmioData: readonly Uint8Array[]) => Exit;

const u64 = (run: DataView, offset: number): bigint => run.getBigUint64(offset, true);
const u32 = (run: DataView, offset: number): number => run.getUint32(offset, true);

/** `{ ndata, data[16] }`, as two of the structs end. */
function words(run: DataView): bigint[] {
  return Array.from({ length: Math.min(u32(run, 36), 16) }, (_, i) => u64(run, 40 + 8 * i));
}

/** By exit reason. */
const DECODERS: Readonly<Record<number, Decoder>> = {
  [KVM_EXIT.KVM_EXIT_MMIO]: (run, mmioData) => ({
    reason: 'MMIO',
    physAddr: u64(run, 32),
    isWrite: run.getUint8(52) !== 0,
    data: mmioData[Math.min(u32(run, 48), 8)]!,
  }),
  [KVM_EXIT.KVM_EXIT_SYSTEM_EVENT]: run => ({
    reason: 'SYSTEM_EVENT',
    type: EVENT_NAMES.get(u32(run, 32)) ?? u32(run, 32),
    // Before Linux 5.18 this was all, and zero.
    flags: u32(run, 36) > 0 ? u64(run, 40) : 0n,
    data: words(run),
  }),
  [KVM_EXIT.KVM_EXIT_HYPERCALL]: run => {
    const flags = u64(run, 96);
    return {
      reason: 'HYPERCALL',
      nr: u64(run, 32),
      isSmc: (flags & KVM_HYPERCALL_EXIT_SMC) !== 0n,
      is16Bit: (flags & KVM_HYPERCALL_EXIT_16BIT) !== 0n,
      flags,
    };
  },
  [KVM_EXIT.KVM_EXIT_ARM_NISV]: run => ({
    reason: 'ARM_NISV',
    esrIss: u64(run, 32),
    faultIpa: u64(run, 40),
  }),
  [KVM_EXIT.KVM_EXIT_ARM_LDST64B]: run => ({
    reason: 'ARM_LDST64B',
    esrIss: u64(run, 32),
    faultIpa: u64(run, 40),
  }),
  [KVM_EXIT.KVM_EXIT_INTR]: () => ({ reason: 'INTR' }),
  [KVM_EXIT.KVM_EXIT_DEBUG]: run => {
    const isHighValid = (run.getUint16(14, true) & KVM_DEBUG_ARCH_HSR_HIGH_VALID) !== 0;
    const high = isHighValid ? u32(run, 36) : 0;
    return { reason: 'DEBUG', hsr: (BigInt(high) << 32n) | BigInt(u32(run, 32)), far: u64(run, 40) };
  },
  [KVM_EXIT.KVM_EXIT_FAIL_ENTRY]: run => ({
    reason: 'FAIL_ENTRY',
    hardwareEntryFailureReason: u64(run, 32),
    cpu: u32(run, 40),
  }),
  [KVM_EXIT.KVM_EXIT_INTERNAL_ERROR]: run => ({
    reason: 'INTERNAL_ERROR',
    suberror: u32(run, 32),
    data: words(run),
  }),
  [KVM_EXIT.KVM_EXIT_MEMORY_FAULT]: run => ({
    reason: 'MEMORY_FAULT',
    flags: u64(run, 32),
    gpa: u64(run, 40),
    size: u64(run, 48),
  }),
  [KVM_EXIT.KVM_EXIT_DIRTY_RING_FULL]: () => ({ reason: 'DIRTY_RING_FULL' }),
  [KVM_EXIT.KVM_EXIT_ARM_SEA]: run => ({
    reason: 'ARM_SEA',
    flags: u64(run, 32),
    esr: u64(run, 40),
    gva: u64(run, 48),
    gpa: u64(run, 56),
  }),
};

/**
 * Decodes the exits of one vCPU. The views on its bytes are made once: to make one takes as long as a system call.
 */
export class ExitDecoder {
  readonly #bytes: Uint8Array;
  readonly #run: DataView;
  /** The data of an MMIO exit, by its length. */
  readonly #mmioData: readonly Uint8Array[];

  /**
   * @param bytes - the first {@link KVM_RUN_SIZE} bytes of `struct kvm_run`, whenever something is decoded; the data of
   * an MMIO exit is a view on them
   */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#run = new DataView(bytes.buffer, bytes.byteOffset, KVM_RUN_SIZE);
    this.#mmioData = Array.from({ length: 9 }, (_, length) => bytes.subarray(40, 40 + length));
  }

  /** `exit_reason`. */
  get reason(): number {
    return u32(this.#run, 8);
  }

  /** Why the vCPU left its guest. */
  decode(): Exit {
    const { reason } = this;
    const decoder = DECODERS[reason];
    if (decoder !== undefined) return decoder(this.#run, this.#mmioData);
    return { reason: 'OTHER', number: reason, bytes: this.#bytes.slice(UNION, UNION_END) };
  }
}
