/**
 * Runs one command line: finds the command, opens KVM for it, prints what it reports or why it failed.
 *
 * @packageDocumentation
 */
import type { KvmError } from '../errors.ts';
import { Kvm, type OpenOptions } from '../index.ts';
import { version } from '../version.ts';
import type { Context } from './command.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { help } from './help.ts';
import { toJson } from './json.ts';
import { atTerminator, parse } from './parse.ts';

/**
 * Runs a command line. Results go to stdout, and so does the error as JSON with `--json`; a line for people about the
 * error goes to stderr in any case.
 *
 * @returns the exit code
 */
export async function run(args: readonly string[]): Promise<number> {
  // Before parsing, which may be what fails.
  const [own] = atTerminator(args);
  const asJson = own.includes('--json');
  let kvm: Kvm | undefined;
  const print = (data: object, text: string) =>
    process.stdout.write(asJson ? toJson({ ...answeredBy(kvm), ...data }) : withBackend(kvm, text));
  try {
    const { command, group, options, positionals, rest } = parse(args);
    if (command === undefined || options.has('help') || options.has('version')) {
      process.stdout.write(options.has('version') ? `${version()}\n` : help({ command, group }));
      return EXIT.ok;
    }
    const open: Context['open'] = () => {
      kvm ??= Kvm.open({
        backend: options.get('backend') as OpenOptions['backend'],
        host: options.get('host'),
      });
      return kvm;
    };
    const report = await command.run({ options, positionals, rest, open });
    if (typeof report === 'number') return report;
    const { data, text, exitCode = EXIT.ok } = report;
    print(data, text);
    return exitCode;
  } catch (error) {
    const exitCode = exitCodeOf(error);
    if (exitCode === undefined) throw error;
    const { code, message, hint, errno, syscall, request, register, path } = error as KvmError;
    print({ error: { code, message, hint, errno, syscall, request, register, path } }, '');
    process.stderr.write(`kvm-arm64: ${message}\n`);
    return exitCode;
  } finally {
    kvm?.close();
  }
}

function answeredBy(kvm: Kvm | undefined) {
  return { backend: kvm?.backend ?? null, host: kvm?.host ?? null };
}

/** Which backend answered is the first thing that people must know, of a refusal too. */
function withBackend(kvm: Kvm | undefined, text: string): string {
  const lines = [
    ...(kvm === undefined ? [] : [`Backend: ${kvm.backend} (${kvm.host})`]),
    ...(text === '' ? [] : [text]),
  ];
  return lines.map(line => `${line}\n`).join('\n');
}
