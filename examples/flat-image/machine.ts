/** The machine: a VM with memory, vCPUs, an interrupt controller and UARTs, and an image in it. */
import type { Exit, GuestMemory, Kvm, Vcpu, Vm } from 'kvm-arm64';
import { KvmError } from 'kvm-arm64';
import { Bus } from './bus.ts';
import type { Console } from './console.ts';
import { flattenDeviceTree } from './device-tree.ts';
import { place, readImage, readInput } from './image.ts';
import { LAYOUTS, type Layout, UART_SIZE } from './layouts.ts';
import { machineTree } from './machine-tree.ts';
import { type Options, UsageError } from './options.ts';
import type { Uart } from './uart.ts';
import { Uart8250 } from './uart-8250.ts';
import { UartPl011 } from './uart-pl011.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;
/** The image, its initrd and device tree are in the first region; more memory comes in regions behind it. */
const LARGEST_REGION = 3 * GIB;
const PMU_PPI = 23;

/** Why the machine came to its end. */
export type End =
  | { readonly kind: 'off' | 'reset' }
  /** Nothing that the guest asked for. */
  | { readonly kind: 'crash' | 'stopped'; readonly why: string };

export class Machine {
  readonly gic: 2 | 3 | undefined;
  readonly console: Uart;
  readonly #vm: Vm;
  readonly #vcpus: readonly Vcpu[];
  readonly #bus: Bus;
  #end: (end: End) => void = () => {};

  /** @throws UsageError for what cannot be given to a machine; KvmError for what the host refuses */
  constructor(kvm: Kvm, options: Options, terminal: Console, warn: (text: string) => void) {
    const layout: Layout = LAYOUTS[options.layout];
    const image = readImage(options.image);
    const initrd = options.initrd === undefined ? undefined : readInput(options.initrd, 'the initrd');
    const size = options.memory * MIB;
    const at = place(image, Math.min(size, LARGEST_REGION), initrd?.length ?? 0);

    this.#vm = kvm.createVm();
    const [memory] = addMemory(this.#vm, layout.memory, size);
    memory.bytes.set(image.bytes, image.textOffset);
    if (initrd !== undefined) memory.bytes.set(initrd, at.initrd);
    this.#vcpus = createVcpus(this.#vm, options);
    this.gic = createGic(this.#vm, layout, options);
    if (options.pmu) for (const vcpu of this.#vcpus) vcpu.initPmu({ irq: PMU_PPI });

    const [first] = this.#vcpus as readonly [Vcpu];
    if (options.psci !== undefined) first.setPsciVersion(options.psci);
    const tree = machineTree({
      layout,
      memory: size,
      mpidrs: this.#vcpus.map(vcpu => vcpu.getOneReg('MPIDR_EL1')),
      gic: this.gic,
      psci: first.psciVersion,
      timer: first.getTimerIrqs(),
      pmu: options.pmu ? PMU_PPI : undefined,
      args: options.args,
      initrd: initrd && {
        start: layout.memory + at.initrd,
        end: layout.memory + at.initrd + initrd.length,
      },
    });
    memory.bytes.set(flattenDeviceTree(tree), at.tree);
    // X1 to X3 are 0, the MMU is off, and PSTATE is EL1h with all interrupts masked: so vCPUs begin.
    first.setOneReg('PC', BigInt(layout.memory + image.textOffset));
    first.setOneReg('X0', BigInt(layout.memory + at.tree));

    const port = (irq: number) => ({
      transmit: (byte: number) => terminal.transmit(byte),
      setIrq: (level: boolean) => {
        if (this.gic !== undefined) this.#vm.setIrqLine({ type: 'spi', id: irq, level });
      },
    });
    const pl011 = new UartPl011(port(layout.pl011.irq));
    const uart8250 = new Uart8250(port(layout.uart8250.irq));
    this.console = layout.console === 'pl011' ? pl011 : uart8250;
    this.#bus = new Bus(
      [
        { base: layout.pl011.base, size: UART_SIZE.pl011, device: pl011 },
        { base: layout.uart8250.base, size: UART_SIZE['8250'], device: uart8250 },
      ],
      warn,
    );
  }

  /** The PSCI version that the guest finds. */
  get psci(): string {
    return this.#vcpus[0]!.psciVersion;
  }

  /** Runs all vCPUs, until the guest ends the machine or {@link stop} does. Then they stand still. */
  async run(): Promise<End> {
    const ended = new Promise<End>(resolve => {
      this.#end = resolve;
    });
    const runs = this.#vcpus.map(vcpu => this.#drive(vcpu));
    const end = await ended;
    this.#end = () => {};
    this.#ended = true;
    for (const vcpu of this.#vcpus) vcpu.kick();
    await Promise.all(runs);
    return end;
  }

  #ended = false;

  stop(why: string): void {
    this.#end({ kind: 'stopped', why });
  }

  /** Where each vCPU is: what there is to say of a machine that was stopped. */
  get places(): string {
    return this.#vcpus
      .map(vcpu => `vCPU ${vcpu.id} at 0x${vcpu.getOneReg('PC').toString(16)}, ${vcpu.getMpState()}`)
      .join('; ');
  }

  async #drive(vcpu: Vcpu): Promise<void> {
    try {
      while (!this.#ended) {
        const end = this.#handle(vcpu, await vcpu.run());
        if (end !== undefined) return this.#end(end);
      }
    } catch (error) {
      if (!(error instanceof KvmError)) throw error;
      this.#end({ kind: 'crash', why: `vCPU ${vcpu.id}: ${error.message}` });
    }
  }

  #handle(vcpu: Vcpu, exit: Exit): End | undefined {
    switch (exit.reason) {
      case 'MMIO':
        this.#bus.access(exit);
        return undefined;
      case 'INTR':
        return undefined;
      case 'SYSTEM_EVENT':
        if (exit.type === 'SHUTDOWN') return { kind: 'off' };
        if (exit.type === 'RESET') return { kind: 'reset' };
        return { kind: 'crash', why: `vCPU ${vcpu.id}: the system event ${exit.type}` };
      case 'ARM_NISV': {
        const address = `0x${exit.faultIpa.toString(16)}`;
        const why = `an access near ${address} by an instruction that KVM cannot emulate`;
        return { kind: 'crash', why: `vCPU ${vcpu.id}: ${why}` };
      }
      default:
        return { kind: 'crash', why: `vCPU ${vcpu.id} left its guest: ${exit.reason}` };
    }
  }
}

function addMemory(vm: Vm, base: number, size: number): [first: GuestMemory, ...more: GuestMemory[]] {
  const count = Math.ceil(size / LARGEST_REGION);
  const regions = Array.from({ length: count }, (_, i) => {
    const offset = i * LARGEST_REGION;
    return vm.addMemory({ guestPhysAddr: base + offset, size: Math.min(LARGEST_REGION, size - offset) });
  });
  return regions as [GuestMemory, ...GuestMemory[]];
}

/** All but the first are off, until the guest turns them on. */
function createVcpus(vm: Vm, { cpus, pmu }: Options): Vcpu[] {
  const most = vm.checkExtension('MAX_VCPUS');
  if (cpus > most) throw new UsageError(`--cpus ${cpus}: this host gives a VM at most ${most}`);
  const features = ['PSCI_0_2', ...(pmu ? ['PMU_V3' as const] : [])] as const;
  if (pmu && !vm.checkExtension('ARM_PMU_V3'))
    throw new UsageError('--pmu: this host has none that it could give its guests');
  // With it, an access that KVM cannot emulate comes out with its address, and not as ENOSYS.
  if (vm.checkExtension('ARM_NISV_TO_USER')) vm.enableCap('ARM_NISV_TO_USER');
  return Array.from({ length: cpus }, (_, id) => {
    const vcpu = vm.createVcpu(id);
    vcpu.init({ features: id === 0 ? [...features] : [...features, 'POWER_OFF'] });
    return vcpu;
  });
}

const GIC_DEVICES = { 2: 'ARM_VGIC_V2', 3: 'ARM_VGIC_V3' } as const;

function createGic(vm: Vm, layout: Layout, { gic: wanted, cpus }: Options): 2 | 3 | undefined {
  if (wanted === 'none') return undefined;
  const had = ([2, 3] as const).filter(version => vm.canCreateDevice(GIC_DEVICES[version]));
  const version = wanted === 'auto' ? had.at(-1) : wanted;
  if (version === undefined || !had.includes(version)) {
    const cure = had.length > 0 ? `it has version ${had.join(' and ')}: --gic ${had.at(-1)}` : '--gic none';
    throw new UsageError(
      `this host cannot give a VM a GIC${version === undefined ? '' : `v${version}`}; ${cure}`,
    );
  }
  const gic = vm.createGic({
    version,
    distributor: layout.distributor,
    cpuInterface: layout.cpuInterface,
    redistributors: layout.redistributors(cpus),
  });
  gic.init();
  return version;
}
