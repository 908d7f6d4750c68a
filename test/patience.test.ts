/** Patience with guests, on a machine that stands still. */
import { setTimeout } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { losePatience, watched } from '#lib/patience.js';

/** As a machine does whose CPUs others have taken: all timers are due when it goes on. */
function standStill(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

it('is not lost while the machine stands still', async () => {
  let isLost = false;
  const lost = new Promise<void>(resolve => {
    losePatience(500, () => {
      isLost = true;
      resolve();
    });
  });
  standStill(1000);
  await setTimeout(1);
  expect(isLost).toBe(false);
  await lost;
  expect(isLost).toBe(true);
});

it('is not lost by who need not wait any more', async () => {
  let isLost = false;
  const stop = losePatience(50, () => {
    isLost = true;
  });
  stop();
  await setTimeout(200);
  expect(isLost).toBe(false);
});

it('is endless without a watchdog', () => {
  expect(watched(() => 'left')).toEqual({ result: 'left', isCut: false });
});
