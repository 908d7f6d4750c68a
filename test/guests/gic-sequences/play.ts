/** Plays a sequence of {@link file://./sequence.ts} on any host: what each step answered, as a line of text. */
import type { Kvm } from '#lib/kvm.js';
import { GicGuest, resultOf } from '../gic-guest.ts';
import { CPUS, NR_IRQS, type Step } from './sequence.ts';

export function play(kvm: Kvm, model: 2 | 3, steps: readonly Step[]): string[] {
  const guest = new GicGuest(kvm, { model, cpus: CPUS, irqs: NR_IRQS });
  // All programs are in memory before any runs.
  const answers = steps.map(step => {
    if (step.do !== 'run') return () => answer(guest, step);
    const run = guest.prepare(step.cpu, step.ops);
    return () => {
      let results: bigint[] = [];
      const result = resultOf(() => {
        results = run();
      });
      return result < 0 ? String(result) : results.map(value => value.toString(16)).join(' ');
    };
  });
  try {
    return answers.map(each => each());
  } finally {
    guest.vm.close();
  }
}

function answer(guest: GicGuest, step: Exclude<Step, { do: 'run' }>): string {
  switch (step.do) {
    case 'line':
      return String(guest.line(step.irq, step.level));
    case 'has':
      return String(hasAttr(guest, step.group, step.attr));
    case 'set':
      return String(guest.setAttr(step.group, step.attr, step.value, step.bytes));
    case 'get': {
      const value = guest.getAttr(step.group, step.attr, step.bytes);
      return typeof value === 'number' ? String(value) : value.toString(16);
    }
  }
}

const ENXIO = -6;

function hasAttr({ gic }: GicGuest, group: number, attr: bigint): number {
  let has = false;
  const result = resultOf(() => {
    has = gic.hasDeviceAttr(group, attr);
  });
  return result < 0 || has ? result : ENXIO;
}

/** A step in words, to find one in a failure. */
export function describeStep(step: Step): string {
  const text = (value: unknown) =>
    JSON.stringify(value, (_, one) =>
      typeof one === 'bigint' || typeof one === 'number' ? `0x${one.toString(16)}` : one,
    );
  return step.do === 'run' ? `${step.do} on ${step.cpu}: ${step.ops.map(text).join(' ')}` : text(step);
}
