/**
 * Where things are: as on QEMU's machine `virt` (hw/arm/virt.c, `base_memmap`), or as in kvmtool
 * (arm/include/arm-common/kvm-arch.h). Both UARTs are in both, as images have one of them compiled in.
 */

/** A UART and its interrupt, a shared one. */
interface UartPlace {
  readonly base: number;
  readonly irq: number;
}

export interface Layout {
  readonly memory: number;
  readonly distributor: number;
  /** Of a GICv2. */
  readonly cpuInterface: number;
  /** Of a GICv3: where they begin with so many vCPUs. */
  readonly redistributors: (cpus: number) => number;
  readonly console: 'pl011' | '8250';
  readonly pl011: UartPlace;
  readonly uart8250: UartPlace;
}

const REDISTRIBUTOR_SIZE = 0x2_0000;
/** What `virt` has room for before the PL011, and where it has more. */
const QEMU_REDISTRIBUTORS = { low: 0x080a_0000, most: 123, high: 0x40_0000_0000 } as const;
const KVMTOOL_DISTRIBUTOR = 0x3fff_0000;

const UARTS = {
  pl011: { base: 0x0900_0000, irq: 33 },
  uart8250: { base: 0x0100_0000, irq: 42 },
} as const;

export const LAYOUTS = {
  qemu: {
    memory: 0x4000_0000,
    distributor: 0x0800_0000,
    cpuInterface: 0x0801_0000,
    redistributors: cpus =>
      cpus > QEMU_REDISTRIBUTORS.most ? QEMU_REDISTRIBUTORS.high : QEMU_REDISTRIBUTORS.low,
    console: 'pl011',
    ...UARTS,
  },
  kvmtool: {
    memory: 0x8000_0000,
    distributor: KVMTOOL_DISTRIBUTOR,
    cpuInterface: KVMTOOL_DISTRIBUTOR - 0x2_0000,
    redistributors: cpus => KVMTOOL_DISTRIBUTOR - cpus * REDISTRIBUTOR_SIZE,
    console: '8250',
    ...UARTS,
  },
} as const satisfies Readonly<Record<string, Layout>>;

export type LayoutName = keyof typeof LAYOUTS;

/** Bytes that a UART takes of the addresses. */
export const UART_SIZE = { pl011: 0x1000, '8250': 8 } as const;
