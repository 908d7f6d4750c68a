/**
 * The options that describe a machine of the lab.
 *
 * @packageDocumentation
 */
import { DEFAULT_KERNEL } from '../lab/kernels.ts';
import { CPUS, type MachineOptions } from '../lab/machine.ts';
import type { Context, Options } from './command.ts';
import { UsageError } from './usage-error.ts';

/** Options of the commands that boot a machine. */
export const MACHINE_OPTIONS: Options = {
  kernel: {
    value: 'KERNEL',
    summary: `a version that lab setup has fetched (${DEFAULT_KERNEL}; 7 for the newest 7.x), or the path of an Image; default: ${DEFAULT_KERNEL}`,
  },
  cpu: {
    value: 'CPU',
    summary: `${Object.keys(CPUS).join(', ')}, or any CPU model of QEMU; default: neoverse-n1`,
  },
  gic: {
    value: 'VERSION',
    choices: ['2', '3'],
    summary: 'version of the interrupt controller; default: 2 with cortex-a57, else 3',
  },
  mode: {
    value: 'MODE',
    choices: ['vhe', 'nvhe'],
    summary: "where KVM runs: at EL2 with the kernel, or apart from it; default: the kernel's choice",
  },
  memory: {
    value: 'MIB',
    summary: 'memory of the machine; default: 2048, or more where the project is large',
  },
  cpus: { value: 'N', summary: 'number of CPUs; default: 2' },
};

/**
 * The machine that the options describe.
 *
 * @throws UsageError
 */
export function machineOf({ options }: Context): MachineOptions {
  const gic = options.get('gic');
  return {
    cpu: options.get('cpu'),
    gic: gic === undefined ? undefined : gic === '2' ? 2 : 3,
    mode: options.get('mode') as MachineOptions['mode'],
    memory: positive(options, 'memory'),
    cpus: positive(options, 'cpus'),
  };
}

/**
 * The value of an option that counts something; `undefined` where it was not given.
 *
 * @throws UsageError
 */
export function positive(options: Context['options'], name: string): number | undefined {
  const text = options.get(name);
  if (text === undefined) return undefined;
  if (!/^[1-9]\d{0,8}$/.test(text)) {
    throw new UsageError(`--${name} takes a positive whole number; got ${JSON.stringify(text)}`);
  }
  return Number(text);
}
