/**
 * The flat structs of the ioctls, as bytes (`linux/kvm.h`, `asm/kvm.h` of arm64). Little-endian, as every host that
 * KVM and Node share. A pointer member stays zero: whoever makes the system call fills it in, at the offset that
 * is given here.
 *
 * @packageDocumentation
 */
import { checkU64, checkUnsigned, invalidType, outOfRange } from './argument.ts';

/** Bytes of each struct. */
export const STRUCT_SIZE = {
  kvm_vcpu_init: 32,
  kvm_vcpu_events: 64,
  kvm_enable_cap: 104,
  kvm_device_attr: 24,
  kvm_arm_counter_offset: 16,
  reg_mask_range: 64,
  kvm_dirty_log: 16,
  kvm_clear_dirty_log: 24,
} as const;

/** Offset of the pointer `addr` in `struct kvm_device_attr`. */
export const DEVICE_ATTR_ADDR = 16;

/** Offset of the pointer `addr` in `struct reg_mask_range`. */
export const REG_MASK_RANGE_ADDR = 0;

/** Offset of the pointer `dirty_bitmap` in `struct kvm_dirty_log`. */
export const DIRTY_LOG_BITMAP = 8;

/** Offset of the pointer `dirty_bitmap` in `struct kvm_clear_dirty_log`. */
export const CLEAR_DIRTY_LOG_BITMAP = 16;

/** How many u64 masks `KVM_ARM_GET_REG_WRITABLE_MASKS` writes (`KVM_ARM_FEATURE_ID_RANGE_SIZE`). */
export const FEATURE_ID_RANGE_SIZE = 3 * 8 * 8;

/** Bits of the feature words in `struct kvm_vcpu_init`: seven u32. */
export const VCPU_FEATURE_BITS = 7 * 32;

const U32_MAX = 0xffff_ffff;

function allocate(struct: keyof typeof STRUCT_SIZE): DataView<ArrayBuffer> {
  return new DataView(new ArrayBuffer(STRUCT_SIZE[struct]));
}

function open(struct: keyof typeof STRUCT_SIZE, bytes: Uint8Array): DataView {
  if (bytes.byteLength !== STRUCT_SIZE[struct]) {
    throw outOfRange(`length of struct ${struct}`, `${STRUCT_SIZE[struct]} bytes`, bytes.byteLength);
  }
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function bytesOf(view: DataView<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return new Uint8Array(view.buffer);
}

/** `struct kvm_vcpu_init`. */
export interface VcpuInit {
  /** `KVM_ARM_TARGET_*`, u32. */
  readonly target: number;
  /** One bit per `KVM_ARM_VCPU_*` feature, 224 bits: word n of the struct is bits 32n+31:32n. */
  readonly featureBits: bigint;
}

/** `struct kvm_vcpu_init` for `KVM_ARM_VCPU_INIT`; see {@link VcpuInit}. */
export function encodeVcpuInit(target: number, featureBits: bigint): Uint8Array<ArrayBuffer> {
  checkUnsigned('target', target, U32_MAX);
  if (typeof featureBits !== 'bigint') throw invalidType('featureBits', 'a bigint', featureBits);
  if (featureBits < 0n || featureBits >> BigInt(VCPU_FEATURE_BITS) !== 0n) {
    throw outOfRange('featureBits', `an unsigned ${VCPU_FEATURE_BITS}-bit bigint`, featureBits);
  }
  const view = allocate('kvm_vcpu_init');
  view.setUint32(0, target, true);
  for (let word = 0; word < 7; word++) {
    view.setUint32(4 + 4 * word, Number((featureBits >> BigInt(32 * word)) & 0xffff_ffffn), true);
  }
  return bytesOf(view);
}

/** Reads `struct kvm_vcpu_init`, as `KVM_ARM_PREFERRED_TARGET` fills it. */
export function decodeVcpuInit(bytes: Uint8Array): VcpuInit {
  const view = open('kvm_vcpu_init', bytes);
  let featureBits = 0n;
  for (let word = 6; word >= 0; word--) {
    featureBits = (featureBits << 32n) | BigInt(view.getUint32(4 + 4 * word, true));
  }
  return { target: view.getUint32(0, true), featureBits };
}

/**
 * `struct kvm_enable_cap`.
 *
 * @param cap - u32
 * @param flags - u32; no capability of arm64 has flags
 * @param args - up to four u64
 */
export function encodeEnableCap(cap: number, flags: number, args: BigUint64Array): Uint8Array<ArrayBuffer> {
  checkUnsigned('cap', cap, U32_MAX);
  checkUnsigned('flags', flags, U32_MAX);
  if (args.length > 4) throw outOfRange('args.length', 'at most 4', args.length);
  const view = allocate('kvm_enable_cap');
  view.setUint32(0, cap, true);
  view.setUint32(4, flags, true);
  args.forEach((arg, i) => {
    view.setBigUint64(8 + 8 * i, arg, true);
  });
  return bytesOf(view);
}

/**
 * `struct kvm_device_attr`; its pointer at {@link DEVICE_ATTR_ADDR} is left zero.
 *
 * @param group - u32
 * @param attr - u64
 */
export function encodeDeviceAttr(group: number, attr: bigint): Uint8Array<ArrayBuffer> {
  checkUnsigned('group', group, U32_MAX);
  checkU64('attr', attr);
  const view = allocate('kvm_device_attr');
  view.setUint32(4, group, true);
  view.setBigUint64(8, attr, true);
  return bytesOf(view);
}

/**
 * `struct reg_mask_range`; its pointer at {@link REG_MASK_RANGE_ADDR} is left zero.
 *
 * @param range - u32; 0 (`KVM_ARM_FEATURE_ID_RANGE`) is the only one that kernels know
 */
export function encodeRegMaskRange(range: number): Uint8Array<ArrayBuffer> {
  checkUnsigned('range', range, U32_MAX);
  const view = allocate('reg_mask_range');
  view.setUint32(8, range, true);
  return bytesOf(view);
}

/**
 * `struct kvm_arm_counter_offset`.
 *
 * @param offset - what the guest's counters lag behind the host's, u64, in ticks
 */
export function encodeCounterOffset(offset: bigint): Uint8Array<ArrayBuffer> {
  checkU64('offset', offset);
  const view = allocate('kvm_arm_counter_offset');
  view.setBigUint64(0, offset, true);
  return bytesOf(view);
}

/** `struct kvm_dirty_log`; its pointer at {@link DIRTY_LOG_BITMAP} is left zero. */
export function encodeDirtyLog(slot: number): Uint8Array<ArrayBuffer> {
  checkUnsigned('slot', slot, U32_MAX);
  const view = allocate('kvm_dirty_log');
  view.setUint32(0, slot, true);
  return bytesOf(view);
}

/** `struct kvm_clear_dirty_log`; its pointer at {@link CLEAR_DIRTY_LOG_BITMAP} is left zero. */
export function encodeClearDirtyLog(
  slot: number,
  firstPage: number,
  pageCount: number,
): Uint8Array<ArrayBuffer> {
  checkUnsigned('slot', slot, U32_MAX);
  checkUnsigned('firstPage', firstPage, Number.MAX_SAFE_INTEGER);
  checkUnsigned('pageCount', pageCount, U32_MAX);
  const view = allocate('kvm_clear_dirty_log');
  view.setUint32(0, slot, true);
  view.setUint32(4, pageCount, true);
  view.setBigUint64(8, BigInt(firstPage), true);
  return bytesOf(view);
}

/** `struct kvm_vcpu_events`: exceptions that wait for the guest. */
export interface VcpuEvents {
  /** An SError is pending. */
  readonly serrorPending: boolean;
  /** It has a syndrome; needs `KVM_CAP_ARM_INJECT_SERROR_ESR`. */
  readonly serrorHasEsr: boolean;
  /** Inject an external data abort (write only; needs `KVM_CAP_ARM_INJECT_EXT_DABT`). */
  readonly extDabtPending: boolean;
  /** The syndrome, u64, of which the kernel takes the ISS (24:0). */
  readonly serrorEsr: bigint;
}

/** `struct kvm_vcpu_events` for `KVM_SET_VCPU_EVENTS`. */
export function encodeVcpuEvents(events: VcpuEvents): Uint8Array<ArrayBuffer> {
  for (const flag of ['serrorPending', 'serrorHasEsr', 'extDabtPending'] as const) {
    if (typeof events[flag] !== 'boolean') throw invalidType(flag, 'a boolean', events[flag]);
  }
  checkU64('serrorEsr', events.serrorEsr);
  const view = allocate('kvm_vcpu_events');
  view.setUint8(0, Number(events.serrorPending));
  view.setUint8(1, Number(events.serrorHasEsr));
  view.setUint8(2, Number(events.extDabtPending));
  view.setBigUint64(8, events.serrorEsr, true);
  return bytesOf(view);
}

/** Reads `struct kvm_vcpu_events`; the kernel, too, takes any non-zero byte for true. */
export function decodeVcpuEvents(bytes: Uint8Array): VcpuEvents {
  const view = open('kvm_vcpu_events', bytes);
  return {
    serrorPending: view.getUint8(0) !== 0,
    serrorHasEsr: view.getUint8(1) !== 0,
    extDabtPending: view.getUint8(2) !== 0,
    serrorEsr: view.getBigUint64(8, true),
  };
}
