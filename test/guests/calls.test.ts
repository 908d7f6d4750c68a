/** The emulated host against what a kernel's guests got for their calls; `calls/lab-calls.ts` asks a kernel. */
import { expect, it } from 'vitest';
import { openEmulated } from '#lib/emulator/system.js';
import { CASES } from './calls/cases.ts';
import { enterWithin } from './calls/enter.ts';
import recorded from './calls/linux-6.12-max.json' with { type: 'json' };
import { play } from './calls/play.ts';

/** Long enough for an emulated guest to be waiting, when it does. */
const PATIENCE = 400;

it('a guest gets the answers of Linux 6.12', async () => {
  const kvm = openEmulated('linux-6.12-max');
  const answers: Record<string, string> = {};
  for (const [name, one] of CASES) {
    // The emulated CPU has no AArch32.
    if (one.is32Bit) continue;
    const answer = await play(kvm, one, enterWithin(PATIENCE));
    if (answer !== undefined) answers[name] = answer;
  }
  const is32Bit = new Set([...CASES].filter(([, one]) => one.is32Bit).map(([name]) => name));
  const expected = Object.entries(recorded.answers).filter(([name]) => !is32Bit.has(name));
  expect(expected.length).toBeGreaterThan(1000);
  expect(answers).toEqual(Object.fromEntries(expected));
}, 180_000);
