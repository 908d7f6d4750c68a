/**
 * The 64-bit register ids of `KVM_GET_ONE_REG`, taken apart and put together (`linux/kvm.h`, `asm/kvm.h` of arm64
 * and of the former 32-bit arm).
 *
 * ```text
 *   63    56 55  52 51            28 27        16 15          0
 *   [ arch  | size | zero           | coprocessor | within it  ]
 * ```
 *
 * {@link decodeRegisterId} and {@link encodeRegisterId} are inverse of each other for every 64-bit value: an id that
 * fits no known form is of kind `other` and keeps its bits, so that a register which is younger than this library
 * passes through it unharmed.
 *
 * @packageDocumentation
 */
import { checkU64, checkUnsigned, outOfRange } from './argument.ts';

/** Architecture byte of a 32-bit arm register (32-bit kernels only; an arm64 kernel answers `EINVAL`). */
export const KVM_REG_ARM = 0x4000_0000_0000_0000n;
/** Architecture byte of an arm64 register. */
export const KVM_REG_ARM64 = 0x6000_0000_0000_0000n;

/** Widths: log2 of the bytes in bits 55:52. */
export const KVM_REG_SIZE_U8 = 0x0000_0000_0000_0000n;
export const KVM_REG_SIZE_U16 = 0x0010_0000_0000_0000n;
export const KVM_REG_SIZE_U32 = 0x0020_0000_0000_0000n;
export const KVM_REG_SIZE_U64 = 0x0030_0000_0000_0000n;
export const KVM_REG_SIZE_U128 = 0x0040_0000_0000_0000n;
export const KVM_REG_SIZE_U256 = 0x0050_0000_0000_0000n;
export const KVM_REG_SIZE_U512 = 0x0060_0000_0000_0000n;
export const KVM_REG_SIZE_U1024 = 0x0070_0000_0000_0000n;
export const KVM_REG_SIZE_U2048 = 0x0080_0000_0000_0000n;

/** Coprocessor numbers (bits 27:16), the kinds of register. 0 to 15 are true coprocessors of 32-bit arm. */
export const KVM_REG_ARM_COPROC = {
  /** `struct kvm_regs`. */
  KVM_REG_ARM_CORE: 0x10,
  /** Registers behind a selector: the cache sizes behind CSSELR_EL1. */
  KVM_REG_ARM_DEMUX: 0x11,
  /** Floating point of 32-bit arm. */
  KVM_REG_ARM_VFP: 0x12,
  KVM_REG_ARM64_SYSREG: 0x13,
  /** Firmware: PSCI version and the SMCCC workarounds. */
  KVM_REG_ARM_FW: 0x14,
  KVM_REG_ARM64_SVE: 0x15,
  /** Bit maps of the hypercall services that the guest is offered. */
  KVM_REG_ARM_FW_FEAT_BMAP: 0x16,
} as const;

const {
  KVM_REG_ARM_CORE: CORE,
  KVM_REG_ARM_DEMUX: DEMUX,
  KVM_REG_ARM_VFP: VFP,
  KVM_REG_ARM64_SYSREG: SYSREG,
  KVM_REG_ARM_FW: FW,
  KVM_REG_ARM64_SVE: SVE,
  KVM_REG_ARM_FW_FEAT_BMAP: FW_FEAT_BMAP,
} = KVM_REG_ARM_COPROC;

/** Where the Z, P and FFR registers begin within the SVE coprocessor; 32 slices each. */
const SVE_ZREG_BASE = 0;
const SVE_PREG_BASE = 0x400;
const SVE_FFR_BASE = 0x600;
const SVE_SLICES = 32;
const SVE_VLS = 0xffff;

/** Whose ids: 64-bit kernels have their own, and so had 32-bit ones until 5.6. */
export type Architecture = 'arm64' | 'arm';

interface Common {
  readonly arch: Architecture;
  /** Width of the value: a power of two from 1 to 32768 (KVM uses 4 to 256). */
  readonly bytes: number;
}

/** A member of `struct kvm_regs`. */
export interface CoreRegisterId extends Common {
  readonly kind: 'core';
  /** Offset in the struct, in bytes; a multiple of 4 up to 0x3fffc. */
  readonly offset: number;
}

/** A register behind a selector. */
export interface DemuxRegisterId extends Common {
  readonly kind: 'demux';
  /** Which selector (bits 15:8); 0 is CCSIDR, selected by CSSELR. */
  readonly id: number;
  /** The selector's value (bits 7:0). */
  readonly value: number;
}

/** An AArch64 system register, by the fields of its MRS instruction. */
export interface SystemRegisterId extends Common {
  readonly kind: 'sysreg';
  readonly arch: 'arm64';
  /** 2 bits. */
  readonly op0: number;
  /** 3 bits. */
  readonly op1: number;
  /** 4 bits. */
  readonly crn: number;
  /** 4 bits. */
  readonly crm: number;
  /** 3 bits. */
  readonly op2: number;
}

/** A pseudo-register of the firmware that KVM is to its guest, or a bit map of hypercall services. */
export interface FirmwareRegisterId extends Common {
  readonly kind: 'firmware' | 'firmware-bitmap';
  /** 16 bits. */
  readonly index: number;
}

/** The pseudo-register of the vector lengths, or FFR. */
export interface SveRegisterId extends Common {
  readonly kind: 'sve';
  readonly arch: 'arm64';
  readonly register: 'vls' | 'z' | 'p' | 'ffr';
  /** Which Z (0 to 31) or P (0 to 15) register; 0 for the others. */
  readonly n: number;
  /** Which slice of it, 0 to 31; today's kernels know 0 alone. 0 for VLS. */
  readonly slice: number;
}

/** A coprocessor register of 32-bit arm, by the fields of its MRC or MRRC instruction. */
export interface CoprocessorRegisterId extends Common {
  readonly kind: 'coprocessor';
  readonly arch: 'arm';
  /** 0 to 15; KVM has 15 (system control) and 14 (debug). */
  readonly coproc: number;
  /** 4 bits. */
  readonly opc1: number;
  /** 4 bits. */
  readonly crn: number;
  /** 4 bits. */
  readonly crm: number;
  /** 3 bits. */
  readonly opc2: number;
}

/** A floating-point register of 32-bit arm. */
export interface VfpRegisterId extends Common {
  readonly kind: 'vfp';
  readonly arch: 'arm';
  /** 16 bits: 0 to 31 the D registers, from 0x1000 the control registers. */
  readonly index: number;
}

/** Of another architecture, or of no form that is known: only its bits. */
export interface OtherRegisterId {
  readonly kind: 'other';
  readonly id: bigint;
}

/** A register id in fields. */
export type RegisterId =
  | CoreRegisterId
  | DemuxRegisterId
  | SystemRegisterId
  | FirmwareRegisterId
  | SveRegisterId
  | CoprocessorRegisterId
  | VfpRegisterId
  | OtherRegisterId;

/** Width of a register's value in bytes, from its id (`KVM_REG_SIZE`). */
export function registerBytes(id: bigint): number {
  return 1 << Number((id >> 52n) & 0xfn);
}

/** Width of a register's value in bits. */
export function registerBits(id: bigint): number {
  return registerBytes(id) * 8;
}

/**
 * Where each register's 64-bit words begin in a batch, of which it takes at least one; and behind the last the end.
 *
 * Looks at the ids as 32-bit halves: bigint arithmetic on some 300 ids would cost as much as several system calls.
 */
export function wordOffsets(ids: BigUint64Array): Uint32Array {
  // No ids may be those of an array that is detached, which has no halves.
  if (ids.length === 0) return new Uint32Array(1);
  const halves = new Uint32Array(ids.buffer, ids.byteOffset, 2 * ids.length);
  const offsets = new Uint32Array(ids.length + 1);
  for (let i = 0; i < ids.length; i++) {
    const size = (halves[2 * i + 1]! >>> 20) & 0xf;
    offsets[i + 1] = offsets[i]! + (size <= 3 ? 1 : 1 << (size - 3));
  }
  return offsets;
}

const HIGH_ARM = 0x4000_0000;
const HIGH_ARM64 = 0x6000_0000;

function makeId(arch: Architecture, bytes: number, coproc: number, low: number): bigint {
  const size = 31 - Math.clz32(bytes);
  if (bytes !== 1 << size || size > 15) throw outOfRange('bytes', 'a power of two from 1 to 32768', bytes);
  const high = (arch === 'arm64' ? HIGH_ARM64 : HIGH_ARM) + size * 0x10_0000;
  return (BigInt(high) << 32n) | BigInt(coproc * 0x1_0000 + low);
}

/** The id of an AArch64 system register (`ARM64_SYS_REG`): always 64 bits wide. */
export function sysRegId(op0: number, op1: number, crn: number, crm: number, op2: number): bigint {
  return encodeRegisterId({ kind: 'sysreg', arch: 'arm64', bytes: 8, op0, op1, crn, crm, op2 });
}

/**
 * The id of a member of arm64's `struct kvm_regs`.
 *
 * @param offset - its offset in the struct in bytes (`KVM_REG_ARM_CORE_REG` counts in units of 4)
 * @param bytes - its width
 */
export function coreRegId(offset: number, bytes = 8): bigint {
  return encodeRegisterId({ kind: 'core', arch: 'arm64', bytes, offset });
}

/** The id of an arm64 firmware register (`KVM_REG_ARM_FW_REG`). */
export function firmwareRegId(index: number): bigint {
  return encodeRegisterId({ kind: 'firmware', arch: 'arm64', bytes: 8, index });
}

/** The id of an arm64 firmware bit map (`KVM_REG_ARM_FW_FEAT_BMAP_REG`). */
export function firmwareBitmapRegId(index: number): bigint {
  return encodeRegisterId({ kind: 'firmware-bitmap', arch: 'arm64', bytes: 8, index });
}

/** The firmware's PSCI version (`KVM_REG_ARM_PSCI_VERSION`) on a kernel of this architecture. */
export function psciVersionId(arch: Architecture): bigint {
  return encodeRegisterId({ kind: 'firmware', arch, bytes: 8, index: 0 });
}

/** That of arm64. */
export const KVM_REG_ARM_PSCI_VERSION = psciVersionId('arm64');

/** The core register PSTATE, at its offset in `struct kvm_regs`. */
export const CORE_PSTATE = coreRegId(264);

/** Takes an id apart. Any 64-bit value has fields; {@link encodeRegisterId} puts them together again. */
export function decodeRegisterId(id: bigint): RegisterId {
  checkU64('id', id);
  // Halves as numbers: bigint arithmetic on each field would cost far more.
  const high = Number(id >> 32n);
  const low = Number(id & 0xffff_ffffn);
  const other: OtherRegisterId = { kind: 'other', id };
  const archBits = high & 0x7f00_0000;
  const arch = archBits === HIGH_ARM64 ? 'arm64' : 'arm';
  if (high >= 0x8000_0000 || (archBits !== HIGH_ARM64 && archBits !== HIGH_ARM)) return other;
  if ((high & 0x000f_ffff) !== 0 || low >= 0x1000_0000) return other;

  const bytes = 1 << ((high >> 20) & 0xf);
  const coproc = low >> 16;
  const index = low & 0xffff;
  switch (coproc) {
    case CORE:
      return { kind: 'core', arch, bytes, offset: index * 4 };
    case DEMUX:
      return { kind: 'demux', arch, bytes, id: index >> 8, value: index & 0xff };
    case FW:
      return { kind: 'firmware', arch, bytes, index };
    case FW_FEAT_BMAP:
      return { kind: 'firmware-bitmap', arch, bytes, index };
  }
  if (arch === 'arm') {
    if (coproc === VFP) return { kind: 'vfp', arch, bytes, index };
    if (coproc > 15 || index > 0x7fff) return other;
    const [opc1, crn, crm, opc2] = [(index >> 3) & 15, index >> 11, (index >> 7) & 15, index & 7];
    return { kind: 'coprocessor', arch, bytes, coproc, opc1, crn, crm, opc2 };
  }
  if (coproc === SYSREG) {
    const [op0, op1, crn] = [index >> 14, (index >> 11) & 7, (index >> 7) & 15];
    return { kind: 'sysreg', arch, bytes, op0, op1, crn, crm: (index >> 3) & 15, op2: index & 7 };
  }
  if (coproc === SVE) {
    const slice = index % SVE_SLICES;
    if (index === SVE_VLS) return { kind: 'sve', arch, bytes, register: 'vls', n: 0, slice: 0 };
    if (index < SVE_PREG_BASE) return { kind: 'sve', arch, bytes, register: 'z', n: index >> 5, slice };
    if (index < SVE_FFR_BASE)
      return { kind: 'sve', arch, bytes, register: 'p', n: (index - SVE_PREG_BASE) >> 5, slice };
    if (index < SVE_FFR_BASE + SVE_SLICES) return { kind: 'sve', arch, bytes, register: 'ffr', n: 0, slice };
  }
  return other;
}

/**
 * Puts an id together.
 *
 * @throws RangeError `ERR_OUT_OF_RANGE` for a field that does not fit its bits
 */
export function encodeRegisterId(fields: RegisterId): bigint {
  switch (fields.kind) {
    case 'core':
      checkUnsigned('offset', fields.offset, 0x3fffc);
      if (fields.offset % 4 !== 0) throw outOfRange('offset', 'a multiple of 4', fields.offset);
      return makeId(fields.arch, fields.bytes, CORE, fields.offset / 4);
    case 'demux':
      checkUnsigned('id', fields.id, 0xff);
      checkUnsigned('value', fields.value, 0xff);
      return makeId(fields.arch, fields.bytes, DEMUX, fields.id * 0x100 + fields.value);
    case 'sysreg': {
      const { op0, op1, crn, crm, op2 } = fields;
      checkUnsigned('op0', op0, 3);
      checkUnsigned('op1', op1, 7);
      checkUnsigned('crn', crn, 15);
      checkUnsigned('crm', crm, 15);
      checkUnsigned('op2', op2, 7);
      const low = (op0 << 14) | (op1 << 11) | (crn << 7) | (crm << 3) | op2;
      return makeId('arm64', fields.bytes, SYSREG, low);
    }
    case 'firmware':
    case 'firmware-bitmap':
      checkUnsigned('index', fields.index, 0xffff);
      return makeId(fields.arch, fields.bytes, fields.kind === 'firmware' ? FW : FW_FEAT_BMAP, fields.index);
    case 'sve':
      return makeId('arm64', fields.bytes, SVE, sveIndex(fields));
    case 'coprocessor': {
      const { coproc, opc1, crn, crm, opc2 } = fields;
      checkUnsigned('coproc', coproc, 15);
      checkUnsigned('opc1', opc1, 15);
      checkUnsigned('crn', crn, 15);
      checkUnsigned('crm', crm, 15);
      checkUnsigned('opc2', opc2, 7);
      return makeId('arm', fields.bytes, coproc, (crn << 11) | (crm << 7) | (opc1 << 3) | opc2);
    }
    case 'vfp':
      checkUnsigned('index', fields.index, 0xffff);
      return makeId('arm', fields.bytes, VFP, fields.index);
    case 'other':
      checkU64('id', fields.id);
      return fields.id;
  }
}

const SVE_LAYOUT = {
  vls: { base: SVE_VLS, count: 1, slices: 1 },
  z: { base: SVE_ZREG_BASE, count: 32, slices: SVE_SLICES },
  p: { base: SVE_PREG_BASE, count: 16, slices: SVE_SLICES },
  ffr: { base: SVE_FFR_BASE, count: 1, slices: SVE_SLICES },
} as const;

function sveIndex({ register, n, slice }: SveRegisterId): number {
  const { base, count, slices } = SVE_LAYOUT[register];
  checkUnsigned('n', n, count - 1);
  checkUnsigned('slice', slice, slices - 1);
  return base + n * SVE_SLICES + slice;
}
