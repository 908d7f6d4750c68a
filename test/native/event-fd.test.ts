import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import type { EventFdHandle } from '#lib/backend.js';
import { EmulatedEventFd } from '#lib/emulator/event-fd.js';
import { NativeEventFd } from '#lib/native/event-fd.js';
import { addon, fixture, must, withAddon } from './support.ts';

const EBADF = -9;
const EAGAIN = -11;
const EINVAL = -22;

/** Opened on any device: KVM has no part in an eventfd. */
function openNativeEventFd(): EventFdHandle {
  const any = must(addon.open('/dev/null'));
  const event = must(addon.createEventFd(any));
  addon.close(any);
  return new NativeEventFd(addon, event);
}

withAddon('an eventfd of either backend (eventfd(2))', () => {
  let event: EventFdHandle | undefined;
  afterEach(() => event?.close());

  const opened = (open: () => EventFdHandle): EventFdHandle => {
    event = open();
    return event;
  };

  for (const [backend, open] of [
    ['native', openNativeEventFd],
    ['emulated', () => new EmulatedEventFd()],
  ] as const) {
    test(`${backend}: counts its signals, and taking clears them`, () => {
      const event = opened(open);
      expect(event.take()).toBe(EAGAIN);
      expect([event.signal(), event.signal(), event.signal()]).toEqual([0, 0, 0]);
      expect(event.take()).toBe(3n);
      expect(event.take()).toBe(EAGAIN);
    });

    test(`${backend}: is watched for as long as its counter is not 0`, async () => {
      const event = opened(open);
      let calls = 0;
      await new Promise<void>(resolve => {
        const watching = setInterval(() => {}, 1000); // a watch does not keep the process alive
        event.watch(() => {
          if (++calls < 3) return;
          clearInterval(watching);
          event.take();
          resolve();
        });
        event.signal();
      });
      await sleep(10);
      expect(calls).toBe(3);
    });

    test(`${backend}: a watch that was ended calls nothing`, async () => {
      const event = opened(open);
      const calls: string[] = [];
      event.watch(() => calls.push('first'));
      event.watch(undefined);
      event.signal();
      await sleep(10);
      expect(calls).toEqual([]);
    });

    test(`${backend}: answers EBADF once it is closed`, () => {
      const event = opened(open);
      event.close();
      event.close();
      expect([event.signal(), event.take(), event.watch(() => {}), event.watch(undefined)]).toEqual(
        new Array(4).fill(EBADF),
      );
      expect(event.fd).toBe(-1);
    });
  }

  test('the addon reads and watches nothing but eventfds', () => {
    const any = must(addon.open('/dev/zero'));
    expect([addon.signalEventFd(any), addon.takeEventFd(any), addon.watchEventFd(any, () => {})]).toEqual(
      new Array(3).fill(EINVAL),
    );
    addon.close(any);
    expect(addon.createEventFd(any)).toBe(EBADF);
  });

  test('a thousand, watched and closed, leave no descriptor', async () => {
    const before = readdirSync('/proc/self/fd').length;
    for (let i = 0; i < 1000; i++) {
      const one = openNativeEventFd();
      one.watch(() => {});
      one.close();
    }
    await sleep(10);
    expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before);
  });

  test.each([
    ['left', 0],
    ['unwatched', 0],
    ['closed', 0],
    ['terminated', 1],
  ])('a worker whose watch was %s ends', async (mode, code) => {
    const { stdout, stderr } = await fixture('watching', [mode]);
    expect({ stdout, stderr }).toEqual({ stdout: `${JSON.stringify({ code })}\n`, stderr: '' });
  });
});
