/** `npm run lab:setup` and `npm run lab -- SCRIPT [ARGS]`. */
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { basename, isAbsolute, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { LabError } from './error.ts';
import { PACKAGE_FOLDER } from './initrd.ts';
import { startLab } from './run.ts';
import { setup } from './setup.ts';

/** Exit status where there is none of the script. */
const LAB_FAILED = 99;

const COMMANDS: Readonly<Record<string, (args: string[]) => Promise<number>>> = {
  async setup(kernels) {
    const { stderr } = process;
    const show = (text: string) => stderr.write(stderr.isTTY ? `\r\x1b[K${text}` : `${text}\n`);
    const clear = () => void (stderr.isTTY && show(''));
    const progress = (step: string) => show(`lab: ${step}`);
    const ready = await setup({ kernels: kernels.length === 0 ? undefined : kernels, progress }).finally(clear);
    console.log(`lab: Linux ${ready.map(({ version }) => version).join(', ')} ready`);
    return 0;
  },

  async run(words) {
    const { values, positionals } = parseArgs({ args: words.slice(0, words.findIndex(word=>/\.[cm]?[jt]s$/.test(word))), options: { kernel: {type:'string'}, cpu: {type:'string'}, gic: {type:'string'}, mode: {type:'string'}, memory: {type:'string'}, cpus: {type:'string'}}});
    const [script, ...args] = words.slice(words.findIndex(word=>/\.[cm]?[jt]s$/.test(word)));
    const n = (v: string|undefined) => v === undefined ? undefined : Number(v);
    const machine: any = {...values, gic: n(values.gic), memory: n(values.memory), cpus: n(values.cpus)};
    if (script === undefined || !existsSync(script)) {
      console.error(
        script === undefined ? 'usage: npm run lab -- SCRIPT [ARGS]' : `lab: no such file: ${script}`,
      );
      return LAB_FAILED;
    }
    const source = resolve(script);
    const inPackage = relative(PACKAGE_FOLDER, source);
    const path = inPackage.startsWith('..') || isAbsolute(inPackage) ? basename(source) : inPackage;
    const lab = await startLab({ script: path, args, files: { [path]: source }, ...machine, timeoutMs: 3_600_000 });
    lab.stdout.pipe(process.stdout);
    lab.stderr.pipe(process.stderr);
    return (await lab.exit).status;
  },
};

// The default action of a signal skips the exit handlers, which stop QEMU and remove temporary folders.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => process.exit(128 + constants.signals[signal]));
}

// `npm run lab -- SCRIPT | head`: nobody reads on, so nothing need run on.
for (const stream of [process.stdout, process.stderr]) stream.once('error', () => process.exit(LAB_FAILED));

const [name = '', ...args] = process.argv.slice(2);
try {
  process.exitCode = await COMMANDS[name]!(args);
} catch (error) {
  if (!(error instanceof LabError)) throw error;
  console.error(`lab: ${error.message}`);
  process.exitCode = LAB_FAILED;
}
