#!/usr/bin/env node
/**
 * The program `kvm-arm64`.
 *
 * @packageDocumentation
 */
import { constants } from 'node:os';
import { run } from './run.ts';

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // A reader that has seen enough (`| head`) is no failure.
  if (error.code !== 'EPIPE') throw error;
});
// The default action of a signal skips the exit handlers, which stop a machine and remove temporary folders.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => process.exit(128 + constants.signals[signal]));
}
process.exitCode = await run(process.argv.slice(2));
