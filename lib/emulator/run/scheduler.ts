/**
 * The vCPUs of a VM that run, in turns on one thread: fair, and the same each time. The event loop goes on between turns.
 *
 * @packageDocumentation
 */
import type { Result } from '../../backend.ts';
import { KvmError } from '../../errors.ts';
import type { Clock } from '../state.ts';

/** Instructions that a vCPU executes before the next has its go, some 0.1 ms of its time: a prime, or turns would always change
 * at the same place of a loop. */
const SLICE = 9973;
/** Slices before the event loop has its go: a few milliseconds. */
const SLICES_PER_TURN = 20;
const LONGEST_TIMER = 0x7fff_ffff;

/** A vCPU in the eyes of the scheduler. */
export interface Runnable {
  readonly id: number;
  /** Executes about so many instructions: the result of KVM_RUN, or why it has none yet. */
  step(budget: number): Result | 'ran' | 'waits';
  /** Ticks until something wakes it that it waits for; undefined: nothing that it knows of. */
  ticksToWake(): bigint | undefined;
  /** It waits no more: its run ends without what it waited for, as by a signal. */
  stopWaiting(): void;
}

/** Those of a VM that are in KVM_RUN. */
export class Scheduler {
  readonly #clock: Clock;
  /** Runs that the event loop drives, each with whom to tell. */
  readonly #runs = new Map<Runnable, (result: Result) => void>();
  #turn: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Keeps the process alive while all wait, as the thread of a real vCPU does. */
  #alive: NodeJS.Timeout | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Runs a vCPU until it leaves its guest; the others that run have their turns meanwhile. */
  runSync(runnable: Runnable): Result {
    for (;;) {
      let anyRan = false;
      for (const other of this.#inOrder(runnable)) {
        const step = other.step(SLICE);
        if (step === 'ran') anyRan = true;
        if (typeof step !== 'number') continue;
        if (other === runnable) return step;
        anyRan = true;
        this.#finish(other, step);
      }
      if (!anyRan) this.#sleepSync(runnable);
    }
  }

  start(runnable: Runnable, done: (result: Result) => void): void {
    this.#runs.set(runnable, done);
    this.#alive ??= setInterval(() => {}, LONGEST_TIMER);
    this.wake();
  }

  /** Takes a run out without a result. */
  abandon(runnable: Runnable): void {
    this.#runs.delete(runnable);
    this.#restIfIdle();
  }

  /** Somebody who waited may go on. */
  wake(): void {
    if (this.#runs.size > 0) this.#turn ??= setImmediate(() => this.#takeTurn());
  }

  /** By id, so that the order in which the program started them does not matter. */
  #inOrder(also?: Runnable): Runnable[] {
    const all = also === undefined ? [...this.#runs.keys()] : [...this.#runs.keys(), also];
    return all.sort((a, b) => a.id - b.id);
  }

  #takeTurn(): void {
    clearTimeout(this.#timer);
    const goesOn = this.#runSlices();
    // Not before: who is woken meanwhile must not come before the program, which is told of results first.
    this.#turn = undefined;
    if (goesOn) this.wake();
  }

  /** False where all wait for something that the event loop brings. */
  #runSlices(): boolean {
    for (let slice = 0; slice < SLICES_PER_TURN && this.#runs.size > 0; ) {
      let anyRan = false;
      let anyDone = false;
      for (const runnable of this.#inOrder()) {
        const step = runnable.step(SLICE);
        if (step !== 'waits') anyRan = true;
        if (typeof step === 'number') {
          this.#finish(runnable, step);
          anyDone = true;
        }
        slice++;
      }
      // The program answers before the others go on: how far they get must not depend on how quick it is.
      if (anyDone) return true;
      if (!anyRan && !this.#sleep()) return false;
    }
    return true;
  }

  #finish(runnable: Runnable, result: Result): void {
    const done = this.#runs.get(runnable);
    this.#runs.delete(runnable);
    setImmediate(() => done?.(result));
    this.#restIfIdle();
  }

  #restIfIdle(): void {
    if (this.#runs.size > 0) return;
    clearInterval(this.#alive);
    clearTimeout(this.#timer);
    this.#alive = undefined;
  }

  #ticksToWake(runnables: readonly Runnable[]): bigint | undefined {
    const all = runnables.map(runnable => runnable.ticksToWake()).filter(ticks => ticks !== undefined);
    return all.reduce<bigint | undefined>(
      (least, ticks) => (least === undefined || ticks < least ? ticks : least),
      undefined,
    );
  }

  /** All wait: lets time pass until one of them goes on. False where the event loop is to wait for that. */
  #sleep(): boolean {
    const ticks = this.#ticksToWake([...this.#runs.keys()]);
    if (ticks === undefined) return false;
    const milliseconds = this.#clock.sleep(ticks);
    if (milliseconds === 0) return true;
    this.#timer = setTimeout(() => this.wake(), Math.min(milliseconds, LONGEST_TIMER));
    return false;
  }

  #sleepSync(runnable: Runnable): void {
    const ticks = this.#ticksToWake(this.#inOrder(runnable));
    if (ticks === undefined) {
      runnable.stopWaiting();
      throw new KvmError(
        'ERR_WAITS_FOREVER',
        'ERR_WAITS_FOREVER: The guest waits, and nothing can wake it while this thread waits for the guest: use run()',
        { request: 'KVM_RUN' },
      );
    }
    const milliseconds = this.#clock.sleep(ticks);
    if (milliseconds > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
  }
}
