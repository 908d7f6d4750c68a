/**
 * How far a long command is, on stderr.
 *
 * @packageDocumentation
 */

/** A line that the next one takes the place of, on a terminal; elsewhere a line each. */
export function showProgress(step: string): void {
  const { stderr } = process;
  stderr.write(stderr.isTTY ? `\r\x1b[K${step} ...` : `${step} ...\n`);
}

/** Removes it from the terminal. */
export function clearProgress(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
}

/** The same for work of seconds: on a terminal alone. */
export function showStep(step: string): void {
  if (process.stderr.isTTY) showProgress(step);
}
