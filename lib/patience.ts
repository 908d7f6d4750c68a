/**
 * Patience with a guest that may never leave. It is counted in moments, of which a machine that stands still for seconds
 * takes but one: its timers are all due at once then, those of the guest among them.
 *
 * @packageDocumentation
 */
import { Worker } from 'node:worker_threads';

/** Milliseconds. */
const MOMENT = 50;

/** Calls back when patience is over; the function that it returns is for who need not wait any more. */
export function losePatience(milliseconds: number, over: () => void): () => void {
  let left = Math.ceil(milliseconds / MOMENT);
  const timer = setInterval(() => {
    if (--left > 0) return;
    clearInterval(timer);
    over();
  }, MOMENT);
  return () => clearInterval(timer);
}

/** Milliseconds after which a vCPU that holds this thread is taken for one that waits. */
const PATIENCE = 1500;

/** The number of the run that goes on, 0 between runs; and that of the run that was cut short last. */
let going: Int32Array | undefined;
let runs = 0;

/** Runs in a thread of its own: a signal to the process takes its main thread out of KVM_RUN. */
const WATCHDOG = `
const { workerData: { going, patience, moment } } = require('node:worker_threads');
for (;;) {
  Atomics.wait(going, 0, 0);
  const run = Atomics.load(going, 0);
  let left = patience;
  while (run !== 0 && left > 0 && Atomics.wait(going, 0, run, moment) === 'timed-out') left -= moment;
  if (left > 0) continue;
  Atomics.store(going, 1, run);
  process.kill(process.pid, 'SIGUSR2');
}`;

/** From here on a vCPU that holds the main thread in {@link watched} is taken out of its guest again and again. */
export function startWatchdog(): void {
  if (going !== undefined) return;
  going = new Int32Array(new SharedArrayBuffer(8));
  process.on('SIGUSR2', () => {});
  new Worker(WATCHDOG, { eval: true, workerData: { going, patience: PATIENCE, moment: MOMENT } }).unref();
}

/** Runs a vCPU on this thread, and says whether the watchdog, if there is one, has cut that short. */
export function watched<T>(run: () => T): { readonly result: T; readonly isCut: boolean } {
  if (going === undefined) return { result: run(), isCut: false };
  runs++;
  Atomics.store(going, 0, runs);
  Atomics.notify(going, 0);
  try {
    const result = run();
    return { result, isCut: Atomics.load(going, 1) === runs };
  } finally {
    Atomics.store(going, 0, 0);
    Atomics.notify(going, 0);
  }
}
