/** Interrupt controllers, and guests that have one, as one suite for any host. */
import type { Suite } from '#lib/testing.js';
import { gic } from '../contract/gic.ts';
import { counting } from './counting.ts';
import { gicDelivery } from './gic-delivery.ts';
import { interrupts } from './interrupts.ts';

export const suite: Suite = tools => {
  tools.describe('interrupts', () => interrupts(tools));
  tools.describe('delivery', () => gicDelivery(tools));
  tools.describe('counting', () => counting(tools));
  tools.describe('gic', () => gic(tools));
};
