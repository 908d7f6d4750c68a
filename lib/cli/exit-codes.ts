/**
 * The program's exit codes: part of its interface, as scripts branch on them.
 *
 * @packageDocumentation
 */
import { KvmError } from '../errors.ts';
import { LabError } from '../lab/error.ts';
import { UsageError } from './usage-error.ts';

/** Exit codes by meaning. */
export const EXIT = { ok: 0, refused: 1, usage: 2, noNative: 3, lab: 99 } as const;

/** What `--help` says of them. */
export const EXIT_MEANINGS: readonly (readonly [code: number, meaning: string])[] = [
  [EXIT.ok, 'it is done'],
  [
    EXIT.refused,
    'the host refused; of compare, plan and baseline: it does not load; of state diff: they differ',
  ],
  [EXIT.usage, 'wrong usage'],
  [
    EXIT.noNative,
    'native KVM cannot be used here: what doctor finds, or the backend that was asked for needs it',
  ],
  [EXIT.lab, "the lab failed; of lab run, every other code is the script's"],
];

/** What the library says of a value that came from the command line or the environment. */
const BAD_VALUE: readonly unknown[] = [
  'ERR_INVALID_ARG_VALUE',
  'ERR_OUT_OF_RANGE',
  'ERR_BAD_PROFILE',
  'ERR_BAD_STATE',
];

/** The exit code for an error; `undefined` for one that only a fault of this program explains. */
export function exitCodeOf(error: unknown): number | undefined {
  if (error instanceof LabError) return EXIT.lab;
  if (error instanceof UsageError) return EXIT.usage;
  if (error instanceof Error && 'code' in error && BAD_VALUE.includes(error.code)) return EXIT.usage;
  if (!(error instanceof KvmError)) return undefined;
  return error.code === 'ERR_BACKEND_UNAVAILABLE' ? EXIT.noNative : EXIT.refused;
}
