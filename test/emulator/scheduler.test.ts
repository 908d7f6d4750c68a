/** Turns of vCPUs whose program answers between them. */
import { describe, expect, it } from 'vitest';
import { type Runnable, Scheduler } from '#lib/emulator/run/scheduler.js';
import type { Clock } from '#lib/emulator/state.js';

describe('a vCPU that comes out for its program', () => {
  it('is answered before time passes for one that waits, also where it had woken that', async () => {
    let slept = 0n;
    const clock = {
      sleep: (ticks: bigint) => {
        slept += ticks;
        return 0;
      },
    } as Clock;
    const scheduler = new Scheduler(clock);
    const stopWaiting = () => {};
    const waiting: Runnable = { id: 0, step: () => 'waits', ticksToWake: () => 1000n, stopWaiting };
    const printing: Runnable = {
      id: 1,
      step() {
        scheduler.wake(); // an interrupt line of the other has moved
        return 0;
      },
      ticksToWake: () => undefined,
      stopWaiting,
    };
    scheduler.start(waiting, () => {});
    for (let i = 0; i < 100; i++)
      await new Promise<void>(resolve => scheduler.start(printing, () => resolve()));
    scheduler.abandon(waiting);
    expect(slept).toBe(0n);
  });
});
