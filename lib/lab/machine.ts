/** The virtual machine: a board with an EL2, so that the kernel in it offers KVM. */
import { PORTS } from './guest.ts';

/** The program that emulates it. */
export const QEMU = 'qemu-system-aarch64';

/** What differs between runs. */
export interface Machine {
  readonly kernel: string;
  readonly initrd: string;
  /** A CPU model of QEMU. */
  readonly cpu: string;
  /** Memory in MiB. */
  readonly memory: number;
}

/** The channels out of the machine, in the order of the descriptors 3, 4, … that QEMU inherits. */
export const CHANNELS = ['console', 'control', 'stdout', 'stderr'] as const;

/** QEMU's arguments. Each channel is one end of a socket pair; no file, no name, nothing to clean up. */
export function qemuArguments({ kernel, initrd, cpu, memory }: Machine): string[] {
  return [
    ...['-M', 'virt,virtualization=on,gic-version=3', '-accel', 'tcg,thread=multi', '-cpu', cpu],
    ...['-smp', '2', '-m', String(memory), '-nodefaults', '-display', 'none', '-no-reboot'],
    ...['-kernel', kernel, '-initrd', initrd],
    // A panic reboots at once, which -no-reboot turns into QEMU's end.
    ...['-append', 'console=ttyAMA0 quiet panic=-1'],
    ...CHANNELS.flatMap((name, index) => ['-chardev', `socket,id=${name},fd=${index + 3}`]),
    ...['-serial', 'chardev:console', '-device', 'virtio-serial-pci'],
    ...Object.entries(PORTS).flatMap(([name, number]) => [
      '-device',
      `virtserialport,chardev=${name},nr=${number}`,
    ]),
  ];
}
