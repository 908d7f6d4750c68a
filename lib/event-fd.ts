/**
 * eventfds: how the kernel and a program tell each other that something happened, without a run in between.
 *
 * @packageDocumentation
 */
import { invalidType } from './abi/argument.ts';
import type { EventFdHandle } from './backend.ts';
import type { Kvm } from './kvm.ts';
import { Owned } from './resource.ts';

const EAGAIN = -11;

/**
 * A counter that both sides can add to (`eventfd(2)`), made by {@link Kvm.createEventFd}. See {@link Vm.assignIrqFd} and
 * {@link Vm.assignIoEventFd}.
 */
export class EventFd extends Owned<EventFdHandle> {
  /** @internal Use {@link Kvm.createEventFd}. */
  constructor(handle: EventFdHandle, kvm: Kvm) {
    super('EventFd', handle, kvm);
  }

  /** The descriptor's number; -1 on an emulated host. */
  get fd(): number {
    return this.handle.fd;
  }

  /** Adds 1. */
  signal(): void {
    this.check('eventfd write', this.handle.signal());
  }

  /** How often it was signalled since this was asked last: reads the counter and clears it. Does not wait. */
  take(): bigint {
    const count = this.handle.take();
    if (typeof count === 'bigint') return count;
    return count === EAGAIN ? 0n : BigInt(this.check('eventfd read', count));
  }

  /**
   * Has a function called each time that it was signalled, in a turn of the event loop of its own. Waiting for a signal
   * does not keep the process alive.
   *
   * @param listener - gets the count, which is taken by that; undefined: nobody any more
   * @example
   * ```ts
   * using doorbell = kvm.createEventFd();
   * doorbell.watch(count => console.log(`the guest rang ${count} times`));
   * ```
   */
  watch(listener: ((count: bigint) => void) | undefined): void {
    const { handle } = this;
    if (listener !== undefined && typeof listener !== 'function')
      throw invalidType('listener', 'a function or undefined', listener);
    const onSignal = () => {
      const count = handle.take();
      if (typeof count === 'bigint') listener?.(count);
    };
    this.check('eventfd watch', handle.watch(listener && onSignal));
  }

  /** @internal For the requests that take one. */
  static handleOf(event: EventFd): EventFdHandle {
    return event.handle;
  }
}
