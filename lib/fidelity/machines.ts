/**
 * Which of the lab's machines a host was recorded on: its name says it.
 *
 * @packageDocumentation
 */
import { CPUS } from '../lab/machine.ts';
import type { LabOptions } from '../lab/run.ts';

/** What of a machine a profile depends on. */
export type RecordedMachine = Pick<LabOptions, 'kernel' | 'cpu'>;

/** The machine of `linux-6.12-neoverse-n1`; undefined for a host that the lab does not have. */
export function machineOf(host: string): RecordedMachine | undefined {
  const [, kernel, cpu = ''] = /^linux-([\d.]+)-(.+)$/.exec(host) ?? [];
  return Object.hasOwn(CPUS, cpu) ? { kernel, cpu } : undefined;
}
