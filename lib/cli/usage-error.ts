/**
 * The error of a command line that makes no sense.
 *
 * @packageDocumentation
 */

/** Its message is one line: what is wrong, and the nearest valid word. */
export class UsageError extends Error {
  readonly code = 'ERR_USAGE';
}
