/** What only real kernels do so far beside interrupts: eventfds that guests signal, and debugging. */
import type { Suite } from '#lib/testing.js';
import { ioEventFds } from '../contract/io-event-fds.ts';
import { debugging } from './debugging.ts';
import { suite as interrupts } from './with-interrupts.ts';

export const suite: Suite = tools => {
  interrupts(tools);
  tools.describe('debugging', () => debugging(tools));
  tools.describe('ioEventFds', () => ioEventFds(tools));
};
