/** What only real kernels do so far: interrupts. */
import type { Suite } from '#lib/testing.js';
import { gic } from '../contract/gic.ts';
import { interrupts } from './interrupts.ts';

export const suite: Suite = tools => {
  tools.describe('interrupts', () => interrupts(tools));
  tools.describe('gic', () => gic(tools));
};
