/**
 * What behaves as an eventfd (eventfd(2)).
 *
 * @packageDocumentation
 */
import { ERRNO } from '../abi/errno.ts';
import type { EventFdHandle, Result } from '../backend.ts';

/** The greatest value of an eventfd's counter. */
const FULL = 0xffff_ffff_ffff_fffen;

/** What takes signals as they come. */
interface Consumer {
  onSignal(): void;
  /** It empties the counter. */
  readonly drains: boolean;
}

/** `EventFdHandle` of the emulated host. */
export class EmulatedEventFd implements EventFdHandle {
  readonly fd = -1;
  /** Undefined after close. */
  #counter: bigint | undefined = 0n;
  #onSignal: (() => void) | undefined;
  #turn: NodeJS.Immediate | undefined;
  /** Who takes each signal as it comes: interrupt lines. */
  readonly #consumers = new Set<Consumer>();

  signal(): Result {
    if (this.#counter === undefined) return -ERRNO.EBADF;
    if (this.#counter === FULL) return -ERRNO.EAGAIN;
    this.#counter++;
    for (const { onSignal, drains } of this.#consumers) {
      if (drains) this.#counter = 0n;
      onSignal();
    }
    this.#schedule();
    return 0;
  }

  get isOpen(): boolean {
    return this.#counter !== undefined;
  }

  get isSignalled(): boolean {
    return this.#counter !== undefined && this.#counter > 0n;
  }

  /** Has a function called at each signal; returns what ends that. */
  consume(consumer: Consumer): () => void {
    this.#consumers.add(consumer);
    return () => this.#consumers.delete(consumer);
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
    this.#consumers.clear();
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
