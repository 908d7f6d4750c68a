/** What a suite may do when it registers its cases, and the order in which a case runs. */
import { describe, expect, it } from 'vitest';
import { Kvm } from '#lib/index.js';
import { casesOf, collect } from '#lib/testing/collect.js';
import type { CaseContext, Suite, SuiteTools } from '#lib/testing.js';

const collected = (suite: Suite) => casesOf(collect(suite, () => Kvm.open({ backend: 'emulated' }), 1000));

describe('a case', () => {
  it('runs between the hooks of its groups, though it fails; its own error is told', async () => {
    const log: string[] = [];
    const hooks = ({ beforeEach: early, afterEach: late }: SuiteTools, name: string) => {
      for (const n of [1, 2]) early(() => void log.push(`before ${name} ${n}`));
      for (const n of [1, 2]) late(() => void log.push(`after ${name} ${n}`));
      late(() => {
        throw new Error('later');
      });
    };
    const [first] = collected(tools => {
      hooks(tools, 'all');
      tools.describe('group', () => {
        hooks(tools, 'group');
        tools.it('case', async () => {
          await Promise.resolve();
          log.push('case');
          throw new Error('first');
        });
      });
    });
    await expect(first!.run()).rejects.toThrow('first');
    expect(log).toEqual([
      ...['before all 1', 'before all 2', 'before group 1', 'before group 2', 'case'],
      ...['after group 2', 'after group 1', 'after all 2', 'after all 1'],
    ]);
  });

  it('does not run when a hook before it fails', async () => {
    let ran = false;
    const [first] = collected(({ beforeEach: early, it }) => {
      early(() => Promise.reject(new Error('no')));
      it('case', () => {
        ran = true;
      });
    });
    await expect(first!.run()).rejects.toThrow('no');
    expect(ran).toBe(false);
  });

  it('has what it opened closed, and those of another case left open', async () => {
    const kvms: Kvm[] = [];
    let goOn = () => {};
    const [short, long] = collected(({ it, open }) => {
      it('short', () => void kvms.push(open()));
      it('long', () => {
        kvms.push(open());
        return new Promise(resolve => {
          goOn = resolve;
        });
      });
    });
    const end = long!.run();
    await short!.run();
    expect(kvms.map(({ closed }) => closed)).toEqual([false, true]);
    goOn();
    await end;
    expect(kvms.map(({ closed }) => closed)).toEqual([true, true]);
  });

  it('can skip itself, with the reason', async () => {
    const [first] = collected(({ it }) => it('case', ({ skip }: CaseContext) => skip('no SVE')));
    expect(await first!.run()).toBe('no SVE');
  });
});

describe('a suite', () => {
  const WRONG: readonly (readonly [what: string, suite: Suite, message: string])[] = [
    ['without cases', () => {}, 'the suite has no cases'],
    [
      'with two cases of one name',
      ({ it }) => {
        for (const title of ['a', 'a']) it(title, () => {});
      },
      'two cases have the name ["","a"]',
    ],
    [
      'with a group that registers later',
      ({ describe }) => describe('late', async () => {}),
      'describe("late") cannot be async',
    ],
    ['that opens KVM itself', ({ open }) => open(), 'open() is for a case and its hooks'],
  ];
  it.each(WRONG)('%s is refused', (_, suite, message) => {
    expect(() => collected(suite)).toThrow(message);
  });

  it('is told when a case registers another', async () => {
    const [first] = collected(({ it }) => it('outer', () => it('inner', () => {})));
    await expect(first!.run()).rejects.toThrow('it() is for a suite, and not for a case');
  });
});
