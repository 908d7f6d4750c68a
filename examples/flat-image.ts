/**
 * A small VMM: runs flat images that follow the convention of kvm-unit-tests and kvmtool, and arm64 Linux images.
 *
 *     node dist/examples/flat-image.js --help
 *     node dist/examples/flat-image.js selftest.flat --cpus 2 --args 'setup smp=2 mem=256'
 *     node dist/examples/flat-image.js Image --initrd initrd.cpio --args 'console=ttyAMA0' --psci 0.2
 */
import { Kvm, KvmError } from 'kvm-arm64';
import { Console, connectInput } from './flat-image/console.ts';
import { type End, Machine } from './flat-image/machine.ts';
import { HELP, type Options, parseOptions, UsageError } from './flat-image/options.ts';

/** Exit codes, but for those that the image tells. They are in {@link HELP}. */
const EXIT = { off: 0, reset: 120, crash: 121, stopped: 124, usage: 2, refused: 3 } as const;

const say = (text: string) => console.error(`flat-image: ${text}`);

process.exitCode = await main();

async function main(): Promise<number> {
  try {
    const options = parseOptions(process.argv.slice(2));
    if (options !== undefined) return await run(options);
    process.stdout.write(HELP);
    return 0;
  } catch (error) {
    if (error instanceof UsageError || error instanceof TypeError || error instanceof RangeError) {
      say(error.message);
      return EXIT.usage;
    }
    if (!(error instanceof KvmError)) throw error;
    say(error.message);
    return error.code === 'ERR_BAD_PROFILE' ? EXIT.usage : EXIT.refused;
  }
}

async function run(options: Options): Promise<number> {
  const kvm = Kvm.open(options.open);
  try {
    const terminal = new Console(process.stdout);
    const machine = new Machine(kvm, options, terminal, say);
    const gic = machine.gic === undefined ? 'no GIC' : `GICv${machine.gic}`;
    say(
      `${kvm.backend} KVM: ${kvm.host}; ${options.cpus} vCPU, ${options.memory} MiB, ${gic}, PSCI ${machine.psci}`,
    );
    const disconnect = connectInput(process.stdin, machine.console, () => machine.stop('Ctrl-A X'));
    process.stdout.on('error', ({ message }) => machine.stop(`its console is gone: ${message}`));
    const { timeout } = options;
    const timer = timeout && setTimeout(() => machine.stop(`it ran for ${timeout} seconds`), timeout * 1000);
    const end = await machine.run();
    clearTimeout(timer);
    disconnect();
    terminal.flush();
    explain(end, machine);
    return end.kind === 'off' || end.kind === 'reset' ? (terminal.status ?? EXIT[end.kind]) : EXIT[end.kind];
  } finally {
    kvm.close();
  }
}

function explain(end: End, machine: Machine): void {
  if (end.kind === 'reset') say('the guest asked for a reset');
  if ('why' in end) say(`${end.kind}: ${end.why}; ${machine.places}`);
}
