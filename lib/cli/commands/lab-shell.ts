/**
 * `kvm-arm64 lab shell`
 *
 * @packageDocumentation
 */
import { labShell as openShell } from '../../lab/shell.ts';
import type { Command } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { MACHINE_OPTIONS, machineOf } from '../machine-options.ts';

/** A look around in a machine of the lab. */
export const labShell: Command = {
  name: 'lab shell',
  summary: 'a shell in such a machine, to look around',
  details: 'The machine ends with the shell: exit, or Ctrl-D. What is changed in it is gone then.',
  options: MACHINE_OPTIONS,
  examples: ['lab shell', 'lab shell --kernel 7 --cpu max-sve'],

  async run(context) {
    await openShell(context.options.get('kernel'), machineOf(context));
    return EXIT.ok;
  },
};
