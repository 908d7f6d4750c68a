/**
 * Interrupt lines, messages and their eventfds: the structs of `KVM_IRQ_LINE`, `KVM_SIGNAL_MSI`, `KVM_SET_GSI_ROUTING`,
 * `KVM_IRQFD` and `KVM_IOEVENTFD` (`linux/kvm.h`, `asm/kvm.h` of arm64).
 *
 * @packageDocumentation
 */
import { checkU64, checkUnsigned } from './argument.ts';

/** Bytes of each struct. */
export const INTERRUPT_STRUCT_SIZE = {
  kvm_irq_level: 8,
  kvm_msi: 32,
  kvm_irq_routing: 8,
  kvm_irq_routing_entry: 48,
  kvm_irqfd: 32,
  kvm_ioeventfd: 64,
} as const;

/** Bits 27:24 of `irq` in `struct kvm_irq_level`. */
export const KVM_ARM_IRQ_TYPE = {
  /** An input of a vCPU, where the GIC is the program's. */
  KVM_ARM_IRQ_TYPE_CPU: 0,
  KVM_ARM_IRQ_TYPE_SPI: 1,
  KVM_ARM_IRQ_TYPE_PPI: 2,
} as const;

/** The numbers of a vCPU's inputs ({@link KVM_ARM_IRQ_TYPE}: CPU). */
export const KVM_ARM_IRQ_CPU = { KVM_ARM_IRQ_CPU_IRQ: 0, KVM_ARM_IRQ_CPU_FIQ: 1 } as const;

/** Flags of `struct kvm_irqfd`. */
export const KVM_IRQFD_FLAG = { KVM_IRQFD_FLAG_DEASSIGN: 1, KVM_IRQFD_FLAG_RESAMPLE: 2 } as const;

/** Flags of `struct kvm_ioeventfd`. */
export const KVM_IOEVENTFD_FLAG = {
  KVM_IOEVENTFD_FLAG_DATAMATCH: 1,
  KVM_IOEVENTFD_FLAG_PIO: 2,
  KVM_IOEVENTFD_FLAG_DEASSIGN: 4,
} as const;

/** In the flags of a message: its device id counts. Needs an ITS. */
export const KVM_MSI_VALID_DEVID = 1;

/** Types of a routing entry that arm64 has. */
export const KVM_IRQ_ROUTING = { KVM_IRQ_ROUTING_IRQCHIP: 1, KVM_IRQ_ROUTING_MSI: 2 } as const;

/** How many entries a routing table can have (`KVM_MAX_IRQ_ROUTES`, include/linux/kvm_host.h). */
export const MAX_IRQ_ROUTES = 4096;

const U32_MAX = 0xffff_ffff;

/** The highest vCPU that {@link encodeIrq} can name: vcpu2 in 31:28 and vcpu in 23:16. */
export const MAX_IRQ_VCPU = 0xfff;

/**
 * The field `irq` of `struct kvm_irq_level`.
 *
 * @param type - a value of {@link KVM_ARM_IRQ_TYPE}
 * @param vcpu - 0 to 4095; above 255 it needs `KVM_CAP_ARM_IRQ_LINE_LAYOUT_2`
 * @param id - u16: an interrupt's number at the GIC, or {@link KVM_ARM_IRQ_CPU}
 */
export function encodeIrq(type: number, vcpu: number, id: number): number {
  checkUnsigned('type', type, 0xf);
  checkUnsigned('vcpu', vcpu, MAX_IRQ_VCPU);
  checkUnsigned('id', id, 0xffff);
  return (((vcpu >> 8) << 28) | (type << 24) | ((vcpu & 0xff) << 16) | id) >>> 0;
}

/** `struct kvm_irq_level`. */
export function encodeIrqLevel(irq: number, level: number): Uint8Array<ArrayBuffer> {
  return bytesOf(u32s(INTERRUPT_STRUCT_SIZE.kvm_irq_level, irq, level));
}

/** A message-signalled interrupt: what a device would write, and where. */
export interface Msi {
  /** The doorbell that it writes to, u64: on arm64 `GITS_TRANSLATER` of an ITS. */
  readonly address: bigint;
  /** u32: the event. */
  readonly data: number;
  /** Which device writes, u32. Every message to an ITS has one. */
  readonly deviceId?: number | undefined;
}

/** `struct kvm_msi`. */
export function encodeMsi(msi: Msi): Uint8Array<ArrayBuffer> {
  const { flags, devid } = deviceIdOf(msi);
  return bytesOf(u32s(INTERRUPT_STRUCT_SIZE.kvm_msi, ...addressWords(msi), msi.data, flags, devid));
}

/** Where an interrupt line leads: to a pin of the GIC, which is SPI 32 + `pin`, or to a message. */
export type GsiRoute =
  | { readonly gsi: number; readonly pin: number }
  | { readonly gsi: number; readonly msi: Msi };

/** A `struct kvm_irq_routing_entry`. */
export function encodeGsiRoute(route: GsiRoute): Uint8Array<ArrayBuffer> {
  const size = INTERRUPT_STRUCT_SIZE.kvm_irq_routing_entry;
  if ('pin' in route) {
    const irqchip = 0; // arm64 has one
    return bytesOf(u32s(size, route.gsi, KVM_IRQ_ROUTING.KVM_IRQ_ROUTING_IRQCHIP, 0, 0, irqchip, route.pin));
  }
  const { flags, devid } = deviceIdOf(route.msi);
  const type = KVM_IRQ_ROUTING.KVM_IRQ_ROUTING_MSI;
  return bytesOf(u32s(size, route.gsi, type, flags, 0, ...addressWords(route.msi), route.msi.data, devid));
}

/** `struct kvm_irq_routing`, with the entries that follow it. */
export function encodeGsiRouting(entries: Uint8Array): Uint8Array<ArrayBuffer> {
  const { kvm_irq_routing: header, kvm_irq_routing_entry: entry } = INTERRUPT_STRUCT_SIZE;
  const bytes = new Uint8Array(header + entries.length);
  new DataView(bytes.buffer).setUint32(0, entries.length / entry, true);
  bytes.set(entries, header);
  return bytes;
}

/** `struct kvm_irqfd`. Descriptors are i32: -1 stands for none. */
export function encodeIrqfd(
  fd: number,
  gsi: number,
  flags: number,
  resamplefd: number,
): Uint8Array<ArrayBuffer> {
  return bytesOf(u32s(INTERRUPT_STRUCT_SIZE.kvm_irqfd, fd >>> 0, gsi, flags, resamplefd >>> 0));
}

/**
 * `struct kvm_ioeventfd`.
 *
 * @param len - bytes of the access: 1, 2, 4 or 8; 0: any
 * @param datamatch - the value that counts where the flags have DATAMATCH
 */
export function encodeIoeventfd(
  fd: number,
  addr: bigint,
  len: number,
  flags: number,
  datamatch: bigint,
): Uint8Array<ArrayBuffer> {
  checkU64('addr', addr);
  checkU64('datamatch', datamatch);
  const view = u32s(INTERRUPT_STRUCT_SIZE.kvm_ioeventfd, 0, 0, 0, 0, len, fd >>> 0, flags);
  view.setBigUint64(0, datamatch, true);
  view.setBigUint64(8, addr, true);
  return bytesOf(view);
}

function deviceIdOf({ deviceId }: Msi): { flags: number; devid: number } {
  return deviceId === undefined ? { flags: 0, devid: 0 } : { flags: KVM_MSI_VALID_DEVID, devid: deviceId };
}

function addressWords({ address }: Msi): [low: number, high: number] {
  checkU64('address', address);
  return [Number(address & 0xffff_ffffn), Number(address >> 32n)];
}

/** A struct that begins with these. */
function u32s(size: number, ...words: readonly number[]): DataView<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(size));
  words.forEach((word, i) => {
    checkUnsigned(`word ${i}`, word, U32_MAX);
    view.setUint32(4 * i, word, true);
  });
  return view;
}

function bytesOf(view: DataView<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return new Uint8Array(view.buffer);
}
