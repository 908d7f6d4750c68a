/**
 * What behaves as an eventfd (eventfd(2)) where the kernel has no part in it.
 *
 * @packageDocumentation
 */
import { ERRNO } from '../abi/errno.ts';
import type { EventFdHandle, Result } from '../backend.ts';

/** The greatest value of an eventfd's counter. */
const FULL = 0xffff_ffff_ffff_fffen;

/** `EventFdHandle` of the emulated host. */
export class EmulatedEventFd implements EventFdHandle {
  readonly fd = -1;
  /** Undefined after close. */
  #counter: bigint | undefined = 0n;
  #onSignal: (() => void) | undefined;
  #turn: NodeJS.Immediate | undefined;

  get isOpen(): boolean {
    return this.#counter !== undefined;
  }

  signal(): Result {
    if (this.#counter === undefined) return -ERRNO.EBADF;
    if (this.#counter === FULL) return -ERRNO.EAGAIN;
    this.#counter++;
    this.#schedule();
    return 0;
  }

  take(): bigint | Result {
    if (this.#counter === undefined) return -ERRNO.EBADF;
    if (this.#counter === 0n) return -ERRNO.EAGAIN;
    const counter = this.#counter;
    this.#counter = 0n;
    return counter;
  }

  watch(onSignal: (() => void) | undefined): Result {
    if (this.#counter === undefined) return -ERRNO.EBADF;
    this.#onSignal = onSignal;
    this.#schedule();
    return 0;
  }

  close(): void {
    this.#counter = this.#onSignal = undefined;
  }

  /** One turn at a time, for as long as somebody watches and the counter is not 0. An event loop waits for no `unref()`ed one. */
  #schedule(): void {
    if (this.#onSignal === undefined || !this.#counter || this.#turn !== undefined) return;
    this.#turn = setImmediate(() => {
      this.#turn = undefined;
      if (this.#counter) this.#onSignal?.();
      this.#schedule();
    });
  }
}
