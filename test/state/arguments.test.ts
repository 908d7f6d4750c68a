/** Any argument to any function of kvm-arm64/state: it answers, or throws an error with a code that names the argument. */
import { afterAll, describe, expect, it } from 'vitest';
import { Kvm } from '#lib/index.js';
import * as state from '#lib/state.js';
import { describeFinding } from '#lib/state.js';

const kvm = Kvm.open({ host: 'linux-6.12-max' });
const other = Kvm.open({ host: 'linux-6.18-max' });
const vm = kvm.createVm();
vm.addMemory({ guestPhysAddr: 0x4000_0000, size: 65_536 });
const vcpu = vm.createVcpu(0);
vcpu.init();
const saved = state.saveVm(vm);
const [ofVcpu] = saved.vcpus;
const common = state.baseline([kvm, other]);
const plan = state.planRestore(saved, other);

afterAll(() => {
  kvm.close();
  other.close();
});

/** Arguments that each function takes: all must be here, so that none that comes later is forgotten. */
const CALLS: Readonly<Record<string, readonly unknown[]>> = {
  applyBaseline: [vcpu, common],
  baseline: [[kvm, other], {}],
  compareHosts: [kvm, other, {}],
  decodeState: [state.encodeState(saved)],
  describeFinding: [plan.findings[0]],
  diffStates: [saved, saved],
  encodeState: [saved],
  planRestore: [saved, other, {}],
  preCopy: [vm, {}],
  restoreVcpu: [vcpu, ofVcpu, {}],
  restoreVm: [kvm, saved, {}],
  restoreVmFromFile: [kvm, '/nonexistent/guest.state', {}],
  saveVcpu: [vcpu],
  saveVcpus: [[vcpu]],
  saveVm: [vm, {}],
  saveVmToFile: [vm, '/nonexistent/guest.state', {}],
  stateToJson: [saved],
};

const WRONG: readonly unknown[] = [
  ...[undefined, null, 0, 1n, '', '/nonexistent/linux-6.12-max', Symbol('s'), () => 0],
  ...[{}, [], [null], [[]], { vcpus: [] }, { vcpus: [{}], provenance: {} }, { registers: [] }],
  ...[{ features: 'SVE' }, { omit: 'PC' }, { omit: 1 }, { source: {} }, { effect: 'refused' }],
  ...[kvm, vm, vcpu, saved, ofVcpu, common, new Uint8Array(64)],
];

const FUNCTIONS = Object.entries(state).filter(
  ([name, value]) => typeof value === 'function' && name !== 'RestoreError',
) as [string, (...args: unknown[]) => unknown][];

/** What comes of a call, with all that comes later. */
async function outcome(call: () => unknown): Promise<unknown> {
  try {
    const result = await call();
    if (typeof result === 'object' && result !== null && Symbol.asyncIterator in result)
      for await (const _ of result as AsyncIterable<unknown>);
    return undefined;
  } catch (error) {
    return error;
  }
}

describe('kvm-arm64/state', () => {
  it('has arguments for each of its functions here', () => {
    expect(FUNCTIONS.map(([name]) => name).toSorted()).toEqual(Object.keys(CALLS).toSorted());
  });

  it.each(FUNCTIONS)('%s() names what it cannot take', async (name, call) => {
    const uncoded: unknown[] = [];
    const given = CALLS[name]!;
    for (const position of given.keys()) {
      for (const wrong of WRONG) {
        const args = given.with(position, wrong);
        const error = await outcome(() => call(...args));
        const code = (error as { code?: unknown } | undefined)?.code;
        if (error !== undefined && typeof code !== 'string') uncoded.push({ position, wrong, error });
      }
    }
    expect(uncoded).toEqual([]);
  });

  it('says what would do', () => {
    const message = (call: () => unknown) => {
      try {
        call();
      } catch (error) {
        return (error as Error).message;
      }
      return undefined;
    };
    const none = null as never;
    expect(message(() => state.planRestore(kvm as never, saved as never))).toMatch(
      /^state must be a state as saveVcpu\(\)/,
    );
    expect(message(() => state.planRestore(saved, vm as never))).toMatch(/^kvm must be a Kvm/);
    expect(message(() => state.compareHosts(saved as never, kvm))).toMatch(/^source must be a Kvm/);
    expect(message(() => state.compareHosts(kvm, other, { feature: [] } as never))).toMatch(
      /did you mean features/,
    );
    expect(message(() => state.baseline(kvm as never))).toMatch(/^hosts must be an array of Kvm/);
    expect(message(() => state.applyBaseline(vcpu, none))).toMatch(/^found must be a baseline/);
    expect(message(() => state.restoreVm(kvm, ofVcpu as never))).toMatch(
      /^state must be a state as saveVm\(\)/,
    );
    expect(message(() => state.saveVcpus([]))).toMatch(/^vcpus must be at least one vCPU/);
    expect(message(() => describeFinding(none))).toMatch(/^finding must be a finding/);
  });
});
