/**
 * Random accesses to GICs on emulated hosts, held to what the guests and the program got from the kernels
 * (`gic-sequences/lab-sequences.ts` asks one).
 */
import { readdirSync, readFileSync } from 'node:fs';
import { brotliDecompressSync } from 'node:zlib';
import { Kvm } from 'kvm-arm64';
import { describe, expect, it } from 'vitest';
import { describeStep, play } from './gic-sequences/play.ts';
import { makeSequence } from './gic-sequences/sequence.ts';

interface Recording {
  readonly model: 2 | 3;
  /** The first seed. */
  readonly from: number;
  readonly answers: readonly (readonly string[])[];
}

/** Seeds whose sequences are not compared, by host, and why. */
const NOT_COMPARED: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  'linux-6.12-cortex-a57': {
    3: 'it ends interrupts that it has not taken, which is UNPREDICTABLE (IHI 0048B, 4.4.5)',
    6: 'it ends interrupts that it has not taken, which is UNPREDICTABLE (IHI 0048B, 4.4.5)',
    14: 'it has a timer on for an instruction: whether its interrupt comes is a matter of time',
  },
};

const FOLDER = new URL('gic-sequences/', import.meta.url);
const SUFFIX = '.json.br';
const hosts = readdirSync(FOLDER)
  .filter(name => name.endsWith(SUFFIX))
  .map(name => name.slice(0, -SUFFIX.length));

describe.each(hosts)('%s', host => {
  const { model, from, answers } = JSON.parse(
    brotliDecompressSync(readFileSync(new URL(host + SUFFIX, FOLDER))).toString(),
  ) as Recording;

  const compared = answers
    .map((expected, i) => ({ seed: from + i, expected }))
    .filter(({ seed }) => NOT_COMPARED[host]?.[seed] === undefined);

  it.each(compared)('does as its kernel with the sequence of seed $seed', ({ seed, expected }) => {
    const steps = makeSequence(seed, model);
    expect(steps.length).toBe(expected.length);
    const kvm = Kvm.open({ backend: 'emulated', host });
    const answered = play(kvm, model, steps);
    kvm.close();
    const at = answered.findIndex((answer, i) => answer !== expected[i]);
    const named = (list: readonly string[]) =>
      at < 0 ? 'alike' : `${describeStep(steps[at]!)}: ${list[at]}`;
    expect(named(answered)).toBe(named(expected));
  });
});
