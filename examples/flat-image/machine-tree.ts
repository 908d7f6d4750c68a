/** The device tree of the machine, as guests of QEMU's `virt` and of kvmtool know it. */
import { cells64, type DeviceTreeNode } from './device-tree.ts';
import { type Layout, UART_SIZE } from './layouts.ts';

/** What differs from one machine to another. */
export interface MachineFacts {
  readonly layout: Layout;
  /** Bytes. */
  readonly memory: number;
  /** MPIDR_EL1 of each vCPU. */
  readonly mpidrs: readonly bigint[];
  readonly gic: 2 | 3 | undefined;
  /** The PSCI version that the guest finds. */
  readonly psci: string;
  readonly timer: { readonly virtual: number; readonly physical: number };
  /** The PPI of the performance monitor, where there is one. */
  readonly pmu: number | undefined;
  readonly args: string;
  /** Where the initrd is. */
  readonly initrd: { readonly start: number; readonly end: number } | undefined;
}

/** Cells of an interrupt: which kind, its number within that, and how it is triggered. */
const SPI = 0;
const PPI = 1;
const LEVEL_HIGH = 4;
const FIRST_SPI = 32;
const FIRST_PPI = 16;

/** What the architecture's other timers have on `virt`. No guest here finds them, but the binding wants them first and last. */
const SECURE_TIMER = 29;
const HYP_TIMER = 26;

const GIC_PHANDLE = 1;
const CLOCK_PHANDLE = 2;

/** Affinity fields of MPIDR_EL1. */
const AFFINITY = 0xff_00ff_ffffn;

const GIC_FRAMES = {
  2: ({ distributor, cpuInterface }: Layout) => [distributor, 0x1000, cpuInterface, 0x2000],
  3: ({ distributor, redistributors }: Layout, cpus: number) => [
    distributor,
    0x1_0000,
    redistributors(cpus),
    0x2_0000 * cpus,
  ],
} as const;

export function machineTree(facts: MachineFacts): DeviceTreeNode {
  const { layout, memory, gic, pmu } = facts;
  return {
    properties: {
      compatible: 'linux,dummy-virt',
      model: 'kvm-arm64 flat-image',
      '#address-cells': [2],
      '#size-cells': [2],
      ...(gic === undefined ? {} : { 'interrupt-parent': [GIC_PHANDLE] }),
    },
    children: {
      chosen: chosen(facts),
      [`memory@${hex(layout.memory)}`]: {
        properties: { device_type: 'memory', reg: [...cells64(layout.memory), ...cells64(memory)] },
      },
      cpus: cpus(facts),
      psci: { properties: { compatible: psciCompatible(facts.psci), method: 'hvc' } },
      timer: timer(facts),
      ...(gic === undefined ? {} : { [`intc@${hex(layout.distributor)}`]: gicNode(facts, gic) }),
      ...(pmu === undefined
        ? {}
        : { pmu: { properties: { compatible: 'arm,armv8-pmuv3', interrupts: ppi(facts, pmu) } } }),
      'apb-pclk': {
        properties: {
          compatible: 'fixed-clock',
          '#clock-cells': [0],
          'clock-frequency': [24_000_000],
          'clock-output-names': 'clk24mhz',
          phandle: [CLOCK_PHANDLE],
        },
      },
      [`pl011@${hex(layout.pl011.base)}`]: {
        properties: {
          compatible: ['arm,pl011', 'arm,primecell'],
          reg: [...cells64(layout.pl011.base), ...cells64(UART_SIZE.pl011)],
          interrupts: spi(layout.pl011.irq),
          clocks: [CLOCK_PHANDLE, CLOCK_PHANDLE],
          'clock-names': ['uartclk', 'apb_pclk'],
        },
      },
      [`serial@${hex(layout.uart8250.base)}`]: {
        properties: {
          compatible: 'ns16550a',
          reg: [...cells64(layout.uart8250.base), ...cells64(UART_SIZE['8250'])],
          interrupts: spi(layout.uart8250.irq),
          'clock-frequency': [1_843_200],
        },
      },
    },
  };
}

function chosen({ layout, args, initrd }: MachineFacts): DeviceTreeNode {
  const path =
    layout.console === 'pl011' ? `/pl011@${hex(layout.pl011.base)}` : `/serial@${hex(layout.uart8250.base)}`;
  return {
    properties: {
      bootargs: args,
      'stdout-path': path,
      ...(initrd === undefined
        ? {}
        : { 'linux,initrd-start': cells64(initrd.start), 'linux,initrd-end': cells64(initrd.end) }),
    },
  };
}

function cpus({ mpidrs }: MachineFacts): DeviceTreeNode {
  const nodes = mpidrs.map(mpidr => {
    const affinity = mpidr & AFFINITY;
    const properties = {
      device_type: 'cpu',
      compatible: 'arm,armv8',
      'enable-method': 'psci',
      reg: cells64(affinity),
    };
    return [`cpu@${affinity.toString(16)}`, { properties }] as const;
  });
  return { properties: { '#address-cells': [2], '#size-cells': [0] }, children: Object.fromEntries(nodes) };
}

/** The binding's words say which functions may be called (Documentation/devicetree/bindings/arm/psci.yaml). */
function psciCompatible(version: string): string[] {
  return version === '0.2' ? ['arm,psci-0.2'] : ['arm,psci-1.0', 'arm,psci-0.2'];
}

/** Secure, non-secure physical, virtual, hypervisor: in this order. */
function timer(facts: MachineFacts): DeviceTreeNode {
  const { physical, virtual } = facts.timer;
  const interrupts = [SECURE_TIMER, physical, virtual, HYP_TIMER].flatMap(irq => ppi(facts, irq));
  return { properties: { compatible: 'arm,armv8-timer', interrupts, 'always-on': true } };
}

function gicNode({ layout, mpidrs }: MachineFacts, version: 2 | 3): DeviceTreeNode {
  return {
    properties: {
      compatible: version === 2 ? 'arm,cortex-a15-gic' : 'arm,gic-v3',
      '#interrupt-cells': [3],
      '#address-cells': [2],
      '#size-cells': [2],
      'interrupt-controller': true,
      ranges: true,
      reg: GIC_FRAMES[version](layout, mpidrs.length).flatMap(cells64),
      phandle: [GIC_PHANDLE],
    },
  };
}

function spi(irq: number): number[] {
  return [SPI, irq - FIRST_SPI, LEVEL_HIGH];
}

/** A GICv2 is told at which of its CPUs, a bit each from 8 on, a private interrupt is (arm,gic.yaml). */
function ppi({ gic, mpidrs }: MachineFacts, irq: number): number[] {
  const cpus = gic === 2 ? ((1 << mpidrs.length) - 1) << 8 : 0;
  return [PPI, irq - FIRST_PPI, LEVEL_HIGH | cpus];
}

function hex(value: number): string {
  return value.toString(16);
}
