/** What a profile's behaviours change, where the recorded host has the other choice (Linux 6.12, arch/arm64/kvm). */
import { afterEach, describe, expect, it } from 'vitest';
import { loadHost, type ProfileBehaviours } from '#lib/emulator/profile.js';
import { Kvm, type Vcpu } from '#lib/emulator.js';

const recorded = loadHost('linux-6.12-neoverse-n1');
let kvm: Kvm;

/** A vCPU, not initialised, of a host that is the recorded one but for these behaviours. */
function vcpuWith(behaviours: Partial<ProfileBehaviours>): Vcpu {
  kvm = Kvm.open({ host: { ...recorded, behaviours: { ...recorded.behaviours, ...behaviours } } });
  return kvm.createVm().createVcpu(0);
}

afterEach(() => kvm.close());

const EINVAL = expect.objectContaining({ code: 'EINVAL' });

describe('a behaviour', () => {
  it('vcpuEventsNeedInit: KVM_{GET,SET}_VCPU_EVENTS before init are ENOEXEC', () => {
    const vcpu = vcpuWith({ vcpuEventsNeedInit: true });
    const ENOEXEC = expect.objectContaining({ code: 'ENOEXEC' });
    expect(() => vcpu.getVcpuEvents()).toThrowError(ENOEXEC);
    expect(() => vcpu.setVcpuEvents({ serrorPending: true })).toThrowError(ENOEXEC);
    vcpu.init();
    expect(vcpu.getVcpuEvents().serrorPending).toBe(false);
  });

  it('aarch32User: without AArch32 PSTATE takes no such mode (set_core_reg), and PMCR_EL0.LC is 1 (set_pmcr)', () => {
    const vcpu = vcpuWith({ aarch32User: false });
    vcpu.init({ features: ['PSCI_0_2', 'PMU_V3'] });
    expect(() => vcpu.setOneReg('PSTATE', 0x10n)).toThrowError(EINVAL);
    vcpu.setOneReg('PMCR_EL0', 0n);
    expect(vcpu.getOneReg('PMCR_EL0')).toBe(0x40n);
  });

  it('clidr level: CLIDR_EL1 without a level of coherence is EINVAL (set_clidr)', () => {
    const vcpu = vcpuWith({ clidr: 'level' });
    vcpu.init();
    expect(() => vcpu.setOneReg('CLIDR_EL1', 0n)).toThrowError(EINVAL);
    expect(() => vcpu.setOneReg('CLIDR_EL1', 0x0120_0000n)).not.toThrow(); // LoUIS 1, LoC 1
  });

  it('workaround2WithoutSsbs: the level that is left when ID_AA64PFR1_EL1.SSBS is 0 (get_kernel_wa_level)', () => {
    const vcpu = vcpuWith({ workaround2WithoutSsbs: 0 });
    vcpu.init();
    vcpu.setOneReg('ID_AA64PFR1_EL1', vcpu.getOneReg('ID_AA64PFR1_EL1') & ~0xf0n);
    expect(vcpu.getOneReg('KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_2')).toBe(0n);
    expect(() => vcpu.setOneReg('KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_2', 2n)).toThrowError(EINVAL);
  });
});
