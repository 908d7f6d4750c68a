import { describe, expect, it } from 'vitest';
import { formatRegister } from '#lib/emulator.js';
import { applyBaseline, baseline, restoreVcpu, saveVcpu } from '#lib/state.js';
import { open } from './open.ts';

const openAll = (...names: string[]) => names.map(open);

describe('baseline', () => {
  it('is the newest PSCI version that all accept, and what not all have is left out', () => {
    const common = baseline(openAll('linux-6.12-max', 'linux-6.18-max', 'linux-7.3-max'));
    expect(common.spoilers).toEqual([]);
    expect(common.features).toEqual(['PSCI_0_2', 'PMU_V3', 'PTRAUTH_ADDRESS', 'PTRAUTH_GENERIC']);
    expect(common.registers.toJSON()).toEqual({ KVM_REG_ARM_PSCI_VERSION: '0x10001' });
    expect(common.omit.map(formatRegister).sort()).toEqual(
      ['KVM_REG_ARM_VENDOR_HYP_BMAP_2', 'PIRE0_EL1', 'PIR_EL1', 'PMMIR_EL1', 'TCR2_EL1'].sort(),
    );
  });

  it('lets a state move between all hosts, there and back', () => {
    const hosts = openAll('linux-6.12-max', 'linux-6.18-max', 'linux-7.3-max-sve');
    const common = baseline(hosts);
    let vcpu = hosts[0]!.createVm().createVcpu(0);
    applyBaseline(vcpu, common);
    vcpu.setOneReg('X5', 77n);
    for (const kvm of [...hosts.slice(1), ...hosts.toReversed()]) {
      const next = kvm.createVm().createVcpu(0);
      applyBaseline(next, common);
      restoreVcpu(next, saveVcpu(vcpu), common);
      expect([next.psciVersion, next.getOneReg('X5')]).toEqual(['1.1', 77n]);
      vcpu = next;
    }
  });

  it('writes ID registers down to what an older kernel has fixed', () => {
    const [old, young] = openAll('linux-6.1-max', 'linux-6.18-max');
    const common = baseline([old!, young!]);
    expect(common.spoilers).toEqual([]);
    const vcpu = young!.createVm().createVcpu(0);
    applyBaseline(vcpu, common);
    const reference = old!.createVm().createVcpu(0);
    reference.init({ features: ['PSCI_0_2', 'PMU_V3'] });
    for (const name of ['ID_AA64DFR0_EL1', 'CLIDR_EL1'])
      expect(vcpu.getOneReg(name), name).toBe(reference.getOneReg(name));
  });

  it('takes the vector lengths that all have', () => {
    const hosts = openAll('linux-6.12-max-sve', 'linux-7.3-max-sve');
    const common = baseline(hosts, { features: ['PSCI_0_2', 'SVE'] });
    expect(common).toMatchObject({ features: ['PSCI_0_2', 'SVE'], spoilers: [] });
    const vcpu = hosts[1]!.createVm().createVcpu(0);
    applyBaseline(vcpu, common);
    const next = hosts[0]!.createVm().createVcpu(0);
    restoreVcpu(next, saveVcpu(vcpu), common);
    expect(next.getOneReg('KVM_REG_ARM64_SVE_VLS')).toBe(vcpu.getOneReg('KVM_REG_ARM64_SVE_VLS'));
  });

  it('says which host spoils it, and by what', () => {
    const { spoilers } = baseline(openAll('linux-6.12-max', 'linux-6.12-neoverse-n1', 'linux-6.18-max'));
    expect(spoilers).toContainEqual({
      host: 'linux-6.12-neoverse-n1',
      name: 'MIDR_EL1',
      reason: 'has 0x414fd0c1 and does not take 0xf0510',
    });
    const mixed = baseline(openAll('linux-4.17', 'linux-4.17-arm')).spoilers;
    expect(mixed).toMatchObject([{ host: 'linux-4.17-arm', name: 'architecture' }]);
  });

  it('says which hosts lack a feature: by default of those that some have, else of those that were asked for', () => {
    const hosts = openAll('linux-6.12-max', 'linux-6.12-max-sve');
    const without = { feature: 'SVE', hosts: ['linux-6.12-max'] };
    expect(baseline(hosts).lacking).toEqual([without]);
    const features = ['PSCI_0_2', 'SVE', 'HAS_EL2'] as const;
    expect(baseline(hosts, { features }).lacking).toEqual([
      without,
      { feature: 'HAS_EL2', hosts: ['linux-6.12-max', 'linux-6.12-max-sve'] },
    ]);
  });

  it('wants two hosts', () => {
    expect(() => baseline(openAll('linux-6.12-max'))).toThrow(RangeError);
  });
});
