/** The command line. */
import { parseArgs } from 'node:util';
import type { OpenOptions, PsciVersion } from 'kvm-arm64';
import { LAYOUTS, type LayoutName } from './layouts.ts';

/** What is wrong is said in one line, with what to do. */
export class UsageError extends Error {}

export interface Options {
  readonly image: string;
  readonly cpus: number;
  /** MiB. */
  readonly memory: number;
  readonly initrd: string | undefined;
  readonly args: string;
  readonly gic: 'auto' | 'none' | 2 | 3;
  readonly psci: PsciVersion | undefined;
  readonly pmu: boolean;
  readonly layout: LayoutName;
  readonly open: OpenOptions;
  /** Seconds. */
  readonly timeout: number | undefined;
}

export const HELP = `Runs a flat image, or an arm64 Linux Image, as the guest of a VM.

    node dist/examples/flat-image.js IMAGE [options]

  --cpus N              vCPUs (1)
  --memory MIB          memory (256)
  --initrd FILE         given to the image in the device tree
  --args TEXT           its command line (bootargs)
  --gic 2|3|none        interrupt controller (the newest that the host has)
  --psci VERSION        the PSCI version that it finds (the newest that the host has)
  --pmu                 give the vCPUs a performance monitor
  --layout qemu|kvmtool where memory and devices are (qemu)
  --backend auto|native|emulated, --host NAME|FILE
                        who answers: this machine's KVM, or an emulated host
  --clock virtual|host  whose time passes on an emulated host (virtual)
  --timeout SECONDS     stop it after that time

The image begins with its first byte at EL1, with the MMU off and X0 at the device tree. Its console is stdin and
stdout; on a terminal, Ctrl-A X ends it.

Exit codes: what the image says by a line "EXIT: STATUS=n" (n >> 1, as kvm-unit-tests do); else 0 where it turns the
machine off, 120 where it resets it, 121 where it crashes or cannot go on. 2 wrong usage, 3 no KVM to use or the host
refuses, 124 the time is over.
`;

/** What is clear of redistributors at 256 GiB (`QEMU_REDISTRIBUTORS`), as on QEMU's machine (hw/arm/virt.c, LEGACY_RAMLIMIT_GB). */
export const MOST_MEMORY = 255 * 1024;

const OPTIONS = {
  cpus: { type: 'string', default: '1' },
  memory: { type: 'string', default: '256' },
  initrd: { type: 'string' },
  args: { type: 'string', default: '' },
  gic: { type: 'string', default: 'auto' },
  psci: { type: 'string' },
  pmu: { type: 'boolean', default: false },
  layout: { type: 'string', default: 'qemu' },
  backend: { type: 'string' },
  host: { type: 'string' },
  clock: { type: 'string' },
  timeout: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/** What other programs call it. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  append: 'args',
  smp: 'cpus',
  mem: 'memory',
  m: 'memory',
  machine: 'layout',
};

/** @throws UsageError. Undefined: asked for help */
export function parseOptions(args: string[]): Options | undefined {
  const { values, positionals } = parse(args);
  if (values.help) return undefined;
  const [image, surplus] = positionals;
  if (image === undefined) throw new UsageError('which image? See --help');
  if (surplus !== undefined)
    throw new UsageError(`one image, please; got ${surplus} as well (what the image is told goes in --args)`);
  const gic = oneOf('gic', values.gic, ['auto', 'none', '2', '3']);
  return {
    image,
    cpus: integer('cpus', values.cpus, 512),
    memory: integer('memory', values.memory, MOST_MEMORY),
    initrd: values.initrd,
    args: values.args,
    gic: gic === '2' ? 2 : gic === '3' ? 3 : gic,
    psci: values.psci as PsciVersion | undefined,
    pmu: values.pmu,
    layout: oneOf('layout', values.layout, Object.keys(LAYOUTS) as LayoutName[]),
    open: {
      backend: values.backend && oneOf('backend', values.backend, ['auto', 'native', 'emulated']),
      host: values.host,
      clock: values.clock && oneOf('clock', values.clock, ['virtual', 'host']),
    } as OpenOptions,
    timeout: values.timeout === undefined ? undefined : integer('timeout', values.timeout, 2 ** 20),
  };
}

function parse(args: string[]) {
  try {
    return parseArgs({ args, options: OPTIONS, allowPositionals: true });
  } catch (error) {
    const [, option = ''] = /option '-{1,2}([\w-]+)/i.exec((error as Error).message) ?? [];
    const meant = ELSEWHERE[option];
    if (meant !== undefined) throw new UsageError(`--${option} is --${meant} here; see --help`);
    // A value that begins with a dash. Node's sentence about it has no end that fits in a line.
    if (/argument is ambiguous/.test((error as Error).message))
      throw new UsageError(
        `--${option} needs a value; one that begins with a dash is given as --${option}=-…`,
      );
    const [said] = (error as Error).message.split(/\.(?:\s|$)/);
    throw new UsageError(`${said}; see --help`);
  }
}

function integer(name: string, text: string, most: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > most)
    throw new UsageError(`--${name} takes a number from 1 to ${most}; got ${JSON.stringify(text)}`);
  return value;
}

function oneOf<T extends string>(name: string, value: string, choices: readonly T[]): T {
  const found = choices.find(choice => choice === value);
  if (found === undefined)
    throw new UsageError(`--${name} takes one of ${choices.join(', ')}; got ${JSON.stringify(value)}`);
  return found;
}
