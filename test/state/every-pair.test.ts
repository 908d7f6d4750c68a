/**
 * Every ordered pair of hosts of one architecture, recorded and modelled, unpinned and pinned to the baseline of the two: what the plan says beforehand is
 * what becomes of a used vCPU, which here is copied by a loop that knows nothing of plans.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { HOSTS } from '#lib/emulator/profile.js';
import { Kvm, type KvmError, type Vcpu } from '#lib/emulator.js';
import { applyBaseline, baseline, planRestore, type SavedState, saveVcpus } from '#lib/state.js';

const hosts = new Map(HOSTS.map(host => [host, Kvm.open({ host })]));
afterAll(() => {
  for (const kvm of hosts.values()) kvm.close();
});

const FEATURES = { arm64: ['PSCI_0_2', 'PMU_V3'], arm: ['PSCI_0_2'] } as const;

/** What a guest has changed. */
const USED = {
  arm64: [
    ['PC', 0x4008_0000n],
    ['X19', 0xdead_beefn],
    ['TTBR0_EL1', 0x1234_5000n],
    ['V7', 2n ** 100n],
  ],
  arm: [
    ['arm:PC', 0x4008_0000n],
    ['arm:R4', 0xdead_beefn],
  ],
} as const;

function use(vcpu: Vcpu): SavedState {
  vcpu.setRegs(USED[vcpu.vm.kvm.architecture]);
  return saveVcpus([vcpu]);
}

/** The registers that were refused, by a naive copy on a VM of its own: each alone, in the order of the list. */
function copy(state: SavedState, kvm: Kvm, omit: readonly bigint[]): string[] {
  const vm = kvm.createVm();
  try {
    const vcpu = vm.createVcpu(0);
    vcpu.init({ features: FEATURES[kvm.architecture] });
    return [...state.vcpus[0]!.registers].flatMap(([id, value]) => {
      if (omit.includes(id)) return [];
      try {
        vcpu.setOneReg(id, value);
        return [];
      } catch (error) {
        const { register, code } = error as KvmError;
        return [`${register?.name} ${code}`];
      }
    });
  } finally {
    vm.close();
  }
}

function predicted(state: SavedState, kvm: Kvm, omit: readonly bigint[]): string[] {
  return planRestore(state, kvm, { omit })
    .findings.filter(({ effect }) => effect === 'lacked' || effect === 'refused')
    .map(({ name, code }) => `${name} ${code}`);
}

const pairs = HOSTS.flatMap(from => HOSTS.map(to => [from, to] as const)).filter(
  ([from, to]) => hosts.get(from)!.architecture === hosts.get(to)!.architecture,
);

describe('predicted is what happened', () => {
  const count = { unpinned: 0, pinned: 0, loadsUnpinned: 0, loadsPinned: 0, holds: 0 };

  it.each(pairs)('%s to %s', (from, to) => {
    const [source, destination] = [hosts.get(from)!, hosts.get(to)!];
    const features = FEATURES[source.architecture];
    const plain = source.createVm();
    const fresh = plain.createVcpu(0);
    fresh.init({ features });
    const unpinned = use(fresh);
    plain.close();
    const happened = copy(unpinned, destination, []);
    expect(predicted(unpinned, destination, []).sort()).toEqual(happened.toSorted());
    count.unpinned++;
    if (happened.length === 0) count.loadsUnpinned++;

    const common = baseline([source, destination], { features });
    const pinned = source.createVm();
    const vcpu = pinned.createVcpu(0);
    applyBaseline(vcpu, common);
    const state = use(vcpu);
    pinned.close();
    const after = copy(state, destination, common.omit);
    expect(predicted(state, destination, common.omit).sort()).toEqual(after.toSorted());
    // And the baseline keeps its word.
    if (common.spoilers.length === 0) {
      expect(after).toEqual([]);
      count.holds++;
    }
    count.pinned++;
    if (after.length === 0) count.loadsPinned++;
  });

  it('in each of them', () => {
    expect(count).toMatchObject({ unpinned: pairs.length, pinned: pairs.length });
    expect(count.loadsPinned).toBeGreaterThan(count.loadsUnpinned);
    console.log(
      `plan accuracy: ${count.unpinned + count.pinned} of ${2 * pairs.length}; load: ${count.loadsUnpinned} unpinned, ${count.loadsPinned} pinned; baselines that hold: ${count.holds}`,
    );
  });
});
