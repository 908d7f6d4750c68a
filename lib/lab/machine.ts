/** The virtual machine: a board with an EL2, so that the kernel in it offers KVM. */
import { PORTS } from './guest.ts';

/** The program that emulates it. */
export const QEMU = 'qemu-system-aarch64';

/** A CPU of the lab. */
interface Cpu {
  /** QEMU's model, with its properties. */
  readonly model: string;
  /** The interrupt controller that comes with it unless another is asked for. */
  readonly gic: 2 | 3;
  readonly summary: string;
}

/** CPUs by name. QEMU's own pointer authentication hash is slow; `pauth-impdef` is a fast one. */
export const CPUS = {
  max: { model: 'max,sve=off,pauth-impdef=on', gic: 3, summary: 'all that QEMU knows, but SVE' },
  'max-sve': { model: 'max,pauth-impdef=on', gic: 3, summary: 'all that QEMU knows' },
  'neoverse-n1': { model: 'neoverse-n1', gic: 3, summary: 'Graviton2, Ampere Altra' },
  'cortex-a57': { model: 'cortex-a57', gic: 2, summary: 'an old board: no VHE, GICv2' },
} as const satisfies Readonly<Record<string, Cpu>>;

/** The machine to boot. */
export interface MachineOptions {
  /** A name of {@link CPUS}, or any CPU model of QEMU. Default: `neoverse-n1`. */
  readonly cpu?: string | undefined;
  /** Version of the interrupt controller. Default: 2 for `cortex-a57`, else 3. */
  readonly gic?: 2 | 3 | undefined;
  /** Where the kernel's KVM runs: beside the kernel at EL2, or apart from it. Default: the kernel's choice. */
  readonly mode?: 'vhe' | 'nvhe' | undefined;
  /** MiB. Default: 2048, or more where the project is large. */
  readonly memory?: number | undefined;
  /** Default: 2. */
  readonly cpus?: number | undefined;
}

/** The channels out of the machine, in the order of the descriptors 3, 4, … that QEMU inherits. */
export const CHANNELS = ['console', ...(Object.keys(PORTS) as (keyof typeof PORTS)[])] as const;

/** Options with the memory settled. */
type Sized = MachineOptions & { readonly memory: number };

/** The CPU of a machine, with what it comes with. */
function cpuOf({ cpu = 'neoverse-n1' }: MachineOptions): Pick<Cpu, 'model' | 'gic'> {
  return Object.hasOwn(CPUS, cpu) ? CPUS[cpu as keyof typeof CPUS] : { model: cpu, gic: 3 };
}

/** A machine in words: `cortex-a57 with GICv2 (QEMU TCG)`. */
export function describeMachine(options: MachineOptions): string {
  const { model, gic } = cpuOf(options);
  return [
    model.split(',', 1)[0],
    ...(model.includes('sve=off') ? ['without SVE'] : []),
    ...((options.gic ?? gic) === 2 ? ['with GICv2'] : []),
    ...(options.mode === undefined ? [] : [`in ${options.mode} mode`]),
    '(QEMU TCG)',
  ].join(' ');
}

/** What the machine boots: paths. */
export interface Boot {
  readonly kernel: string;
  readonly initrd: string;
}

/** QEMU's arguments for a machine whose channels are one end of a socket pair each: no name, nothing to clean up. */
export function runArguments(boot: Boot, options: Sized): string[] {
  return [
    ...machineArguments(boot, options),
    ...CHANNELS.flatMap((name, index) => ['-chardev', `socket,id=${name},fd=${index + 3}`]),
    ...['-serial', 'chardev:console', '-device', 'virtio-serial-pci'],
    ...Object.entries(PORTS).flatMap(([name, number]) => [
      '-device',
      `virtserialport,chardev=${name},nr=${number}`,
    ]),
  ];
}

/** QEMU's arguments for a machine with its console on this terminal, whose Ctrl-C is for the machine. */
export function shellArguments(boot: Boot, options: Sized): string[] {
  return [
    ...machineArguments(boot, options),
    ...['-chardev', 'stdio,id=console,signal=off', '-serial', 'chardev:console'],
  ];
}

function machineArguments({ kernel, initrd }: Boot, options: Sized): string[] {
  const { mode, memory, cpus = 2 } = options;
  const { model, gic } = cpuOf(options);
  return [
    ...['-M', `virt,virtualization=on,gic-version=${options.gic ?? gic}`],
    ...['-accel', 'tcg,thread=multi', '-cpu', model, '-smp', String(cpus), '-m', String(memory)],
    ...['-nodefaults', '-display', 'none', '-no-reboot', '-kernel', kernel, '-initrd', initrd],
    // A panic reboots at once, which -no-reboot turns into QEMU's end.
    ...['-append', `console=ttyAMA0 quiet panic=-1${mode === 'nvhe' ? ' kvm-arm.mode=nvhe' : ''}`],
  ];
}
