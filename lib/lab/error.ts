/**
 * Why the lab cannot run something: one clear line, and the machine's last words where it had any.
 *
 * `code` is one of
 * - `ERR_LAB_UNAVAILABLE`: QEMU or its CPU model is missing, or the lab is not set up; the message has the cure;
 * - `ERR_LAB_SETUP`: set-up failed; nothing was added to the cache;
 * - `ERR_LAB_CRASHED`: the machine ended before the script did (kernel panic, QEMU refused to start);
 * - `ERR_LAB_TIMEOUT`: the machine was stopped because its time was up.
 */
export class LabError extends Error {
  override readonly name = 'LabError';
  readonly code: LabErrorCode;
  /** The tail of the kernel's console. */
  readonly console: string;

  constructor(code: LabErrorCode, message: string, details: { console?: string; cause?: unknown } = {}) {
    const { console = '', cause } = details;
    super(
      console === '' ? message : `${message}\n--- console ---\n${console}`,
      cause === undefined ? undefined : { cause },
    );
    this.code = code;
    this.console = console;
  }
}

/** What {@link LabError.code} can be. */
export type LabErrorCode = 'ERR_LAB_UNAVAILABLE' | 'ERR_LAB_SETUP' | 'ERR_LAB_CRASHED' | 'ERR_LAB_TIMEOUT';
