/**
 * An eventfd through the addon.
 *
 * @packageDocumentation
 */
import type { EventFdHandle, Result } from '../backend.ts';
import type { Addon, Fd } from './addon.ts';

/** The seam's eventfd. */
export class NativeEventFd implements EventFdHandle {
  readonly #addon: Addon;
  readonly #fd: Fd;

  constructor(addon: Addon, fd: Fd) {
    this.#addon = addon;
    this.#fd = fd;
  }

  get fd(): number {
    return this.#addon.fdNumber(this.#fd);
  }

  signal(): Result {
    return this.#addon.signalEventFd(this.#fd);
  }

  take(): bigint | Result {
    return this.#addon.takeEventFd(this.#fd);
  }

  watch(onSignal: (() => void) | undefined): Result {
    return this.#addon.watchEventFd(this.#fd, onSignal);
  }

  close(): void {
    this.#addon.close(this.#fd);
  }
}
