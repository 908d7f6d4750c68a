/**
 * The physical counter of a host, CNTPCT_EL0 as the kernel itself reads it.
 *
 * @packageDocumentation
 */
import type { Clock } from './state.ts';

const NANOSECONDS = 1_000_000_000n;

/** A counter of this frequency that runs with the machine's monotonic clock. */
export function hostClock(counterHz: number): Clock {
  return { now: () => BigInt.asUintN(64, (process.hrtime.bigint() * BigInt(counterHz)) / NANOSECONDS) };
}
