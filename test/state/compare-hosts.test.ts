import { describe, expect, it } from 'vitest';
import { compareHosts, describeFinding, type Finding } from '#lib/state.js';
import { open } from './open.ts';

const compare = (source: string, destination: string) => compareHosts(open(source), open(destination));
const named = (findings: readonly Finding[], name: string) => findings.find(finding => finding.name === name);

describe('compareHosts', () => {
  it.each([
    ['linux-6.12-neoverse-n1', 'linux-6.12-neoverse-n1', 'identical'],
    ['linux-5.10-cortex-a57', 'linux-5.10-cortex-a57', 'identical'],
    // More features, and nothing in the way of a guest that has none of them.
    ['linux-6.12-max', 'linux-6.12-max-sve', 'superset'],
    // The other way a guest must do without SVE.
    ['linux-6.12-max-sve', 'linux-6.12-max', 'compatible'],
    // PSCI_VERSION is a register that only the newer one has, with a newer version in it.
    ['linux-4.14', 'linux-4.17', 'compatible'],
    ['linux-4.17', 'linux-4.14', 'incompatible'],
    ['linux-6.18-max', 'linux-6.12-max', 'incompatible'],
    ['linux-4.17', 'linux-4.17-arm', 'incompatible'],
  ] as const)('%s to %s: %s', (source, destination, verdict) => {
    expect(compare(source, destination).verdict).toBe(verdict);
  });

  it('says which PSCI version both accept', () => {
    const { findings, features } = compare('linux-6.18-max', 'linux-6.12-max');
    expect(features).toEqual(['PSCI_0_2', 'PMU_V3', 'PTRAUTH_ADDRESS', 'PTRAUTH_GENERIC']);
    const psci = named(findings, 'KVM_REG_ARM_PSCI_VERSION')!;
    expect(psci).toMatchObject({
      effect: 'refused',
      code: 'EINVAL',
      source: 0x10003n,
      destination: 0x10001n,
      guestNotices: true,
      remedy: { action: 'write', on: 'source', value: 0x10001n },
    });
    expect(psci.remedy?.text).toBe('pin PSCI to 1.1 before the guest starts');
    expect(describeFinding(psci)).toBe(
      'KVM_REG_ARM_PSCI_VERSION: the destination refuses it (EINVAL): 1.3, there 1.1',
    );
  });

  it('knows what a guest has not used', () => {
    const { findings } = compare('linux-6.18-max', 'linux-6.12-max');
    // 0: no bit of it is offered, with or without the register (Linux 6.15).
    expect(named(findings, 'KVM_REG_ARM_VENDOR_HYP_BMAP_2')).toMatchObject({
      effect: 'lacked',
      code: 'ENOENT',
      guestNotices: false,
      remedy: { action: 'omit' },
    });
    // Registers that became conditional with Linux 6.13.
    const back = compare('linux-6.12-max', 'linux-6.18-max').findings;
    for (const name of ['TCR2_EL1', 'PIRE0_EL1', 'PIR_EL1'])
      expect(named(back, name)).toMatchObject({ effect: 'lacked', guestNotices: false });
  });

  it('names the fields of ID registers, and the value that both take', () => {
    const { findings } = compare('linux-6.12-max', 'linux-6.1-max');
    const dfr0 = named(findings, 'ID_AA64DFR0_EL1')!;
    expect(dfr0.fields).toEqual([
      { name: 'DebugVer', source: 9n, destination: 6n },
      { name: 'PMUVer', source: 6n, destination: 5n },
    ]);
    const source = open('linux-6.12-max').createVm().createVcpu(0);
    source.init({ features: ['PSCI_0_2', 'PMU_V3'] });
    source.setOneReg('ID_AA64DFR0_EL1', dfr0.remedy!.value!);
    const destination = open('linux-6.1-max').createVm().createVcpu(0);
    destination.init({ features: ['PSCI_0_2', 'PMU_V3'] });
    destination.setOneReg('ID_AA64DFR0_EL1', source.getOneReg('ID_AA64DFR0_EL1'));
    // HCX cannot be taken back on that kernel, and is not there on the other CPU.
    const mmfr1 = named(findings, 'ID_AA64MMFR1_EL1')!;
    expect(mmfr1.fields).toEqual([{ name: 'HCX', source: 1n, destination: 0n }]);
    expect(mmfr1.remedy).toBeUndefined();
  });

  it('finds what a newer kernel offers to a guest that came without', () => {
    const { findings } = compare('linux-5.10-max', 'linux-6.1-max');
    expect(named(findings, 'KVM_REG_ARM_VENDOR_HYP_BMAP')).toMatchObject({
      effect: 'added',
      destination: 3n,
      guestNotices: true,
      remedy: { on: 'destination', value: 0n },
    });
  });

  it('compares the features that are asked for', () => {
    const a = open('linux-6.12-neoverse-n1');
    const { features } = compareHosts(a, open('linux-6.12-max'), { features: ['PSCI_0_2'] });
    expect(features).toEqual(['PSCI_0_2']);
  });
});
