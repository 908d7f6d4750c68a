/**
 * `kvm-arm64 lab run`
 *
 * @packageDocumentation
 */
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { startLab } from '../../lab/run.ts';
import type { Command } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { MACHINE_OPTIONS, machineOf, positive } from '../machine-options.ts';
import { UsageError } from '../usage-error.ts';

const HOUR = 3600;

/** A Node program on a real arm64 kernel. */
export const labRun: Command = {
  name: 'lab run',
  rest: 'node SCRIPT ARGS',
  summary: 'run a Node program on a real arm64 kernel with KVM, in an emulated machine',
  details: `The project around the working directory is there at the same path, with its node_modules. Output comes back as
it is written, and the exit code of the program is that of this command. Of files, only those in the folder of
--out come back. The program finds Node 22 whatever runs this command, no network, and no standard input.`,
  options: {
    ...MACHINE_OPTIONS,
    timeout: { value: 'SECONDS', summary: `the machine is stopped after this time; default: ${HOUR}` },
    out: { value: 'FOLDER', summary: 'what the program leaves in this folder comes back at the end' },
  },
  examples: [
    'lab run -- node script.js',
    'lab run --kernel 5.10 --cpu cortex-a57 -- node script.ts argument',
  ],

  async run(context) {
    const { options, rest } = context;
    const [program, script, ...args] = rest;
    if (program !== 'node' || script === undefined) {
      throw new UsageError(`lab run takes node and a script after --; got ${JSON.stringify(rest.join(' '))}`);
    }
    if (!script.startsWith('-')) checkScript(resolve(script));
    const lab = await startLab({
      ...machineOf(context),
      script,
      args,
      kernel: options.get('kernel'),
      out: options.get('out'),
      timeoutMs: (positive(options, 'timeout') ?? HOUR) * 1000,
    });
    for (const name of ['stdout', 'stderr'] as const) {
      // Nobody reads on (`| head`), so nothing need run on.
      process[name].once('error', () => process.exit(EXIT.lab));
      lab[name].pipe(process[name]);
    }
    return (await lab.exit).status;
  },
};

/** Finds it as Node does, which may add an extension: before a boot, which is long. */
function checkScript(path: string): void {
  try {
    createRequire(import.meta.url).resolve(path);
  } catch {
    throw new UsageError(`lab run finds no script ${path}`);
  }
}
