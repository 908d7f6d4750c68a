/** What a profile's behaviours change, where the recorded host has the other choice (Linux 6.12, arch/arm64/kvm). */
import { afterEach, describe, expect, it } from 'vitest';
import { loadHost } from '#lib/emulator/load-host.js';
import type { ProfileBehaviours } from '#lib/emulator/profile.js';
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

  it('serrorTakenAtOnce: an exception that nothing masks is taken at once (commit_pending_events, guest.c)', () => {
    const vcpu = vcpuWith({ abortTakenAtOnce: true, serrorTakenAtOnce: true });
    vcpu.init();
    vcpu.setRegs([
      ['PC', 0x1234n],
      ['VBAR_EL1', 0x8000n],
      ['SCTLR_EL1', (1n << 44n) | (1n << 23n)], // DSSBS, SPAN
      ['PSTATE', 0xf120_0e04n], // EL1t with D, NZCV, DIT and SS, and A clear
    ]);
    vcpu.setVcpuEvents({ serrorPending: true, serrorHasEsr: true, serrorEsr: 0n });
    // SP_EL0's SError vector, and PSTATE as enter_exception64 has it (hyp/exception.c)
    expect(vcpu.getOneReg('PC')).toBe(0x8180n);
    expect(vcpu.getOneReg('PSTATE')).toBe(0xf100_13c5n);
    expect(vcpu.getOneReg('ELR_EL1')).toBe(0x1234n);
    expect(vcpu.getOneReg('SPSR_EL1')).toBe(0xf120_0e04n);
    expect(vcpu.getOneReg('ESR_EL1')).toBe(0xbc00_0000n);
    expect(vcpu.getVcpuEvents().serrorPending).toBe(false);

    vcpu.setVcpuEvents({ serrorPending: true, extDabtPending: true });
    expect(vcpu.getOneReg('PC')).toBe(0x8200n); // from EL1h, and PSTATE.A has the SError wait
    expect(vcpu.getVcpuEvents().serrorPending).toBe(true);
    expect(vcpu.getOneReg('ESR_EL1')).toBe(0x9400_0010n);
  });

  it('abortSyndrome: ESR_EL1 of those exceptions has IL (inject_abt64, kvm_inject_serror_esr)', () => {
    const vcpu = vcpuWith({ abortTakenAtOnce: true, serrorTakenAtOnce: true, abortSyndrome: '96000010' });
    vcpu.init();
    vcpu.setVcpuEvents({ extDabtPending: true });
    expect(vcpu.getOneReg('ESR_EL1')).toBe(0x9600_0010n);
    vcpu.setOneReg('PSTATE', 0x5n);
    vcpu.setVcpuEvents({ serrorPending: true, serrorHasEsr: true, serrorEsr: 0x11n });
    expect(vcpu.getOneReg('ESR_EL1')).toBe(0xbe00_0011n);
  });

  it('pmu assigned: PM*SET and PM*CLR become what is written (set_pmreg)', () => {
    const vcpu = vcpuWith({ pmu: 'assigned' });
    vcpu.init({ features: ['PMU_V3'] });
    vcpu.setOneReg('PMCNTENSET_EL0', 3n);
    vcpu.setOneReg('PMCNTENSET_EL0', 4n);
    expect(vcpu.getOneReg('PMCNTENSET_EL0')).toBe(4n);
    vcpu.setOneReg('PMCNTENCLR_EL0', 8n);
    expect(vcpu.getOneReg('PMCNTENSET_EL0')).toBe(8n);
  });

  it('timerControl masked: CNTV_CTL is 64 bits and never shows ISTATUS (arch_timer_set_user)', () => {
    const vcpu = vcpuWith({ timerControl: 'masked' });
    vcpu.init();
    vcpu.setOneReg('KVM_REG_ARM_TIMER_CTL', 0xf_0000_0007n);
    expect(vcpu.getOneReg('KVM_REG_ARM_TIMER_CTL')).toBe(0xf_0000_0003n);
  });

  it('emptyFilterRefused: a SMCCC filter of no functions is EINVAL (kvm_smccc_set_filter)', () => {
    vcpuWith({ emptyFilterRefused: true });
    expect(() => kvm.createVm().setDeviceAttr(0, 0n, new Uint8Array(24))).toThrowError(EINVAL);
  });

  it('identitySettledByRun: the first run takes the GIC that the VM has not, and ends changes (kvm_finalize_sys_regs, set_id_reg)', () => {
    const EBUSY = expect.objectContaining({ code: 'EBUSY' });
    for (const isSettled of [true, false]) {
      const vcpu = vcpuWith({ identitySettledByRun: isSettled });
      vcpu.init();
      expect(vcpu.getOneReg('ID_AA64PFR0_EL1') & (0xfn << 24n)).toBe(1n << 24n);
      vcpu.kick();
      expect(vcpu.runSync().reason).toBe('INTR');
      expect(vcpu.getOneReg('ID_AA64PFR0_EL1') & (0xfn << 24n)).toBe(isSettled ? 0n : 1n << 24n);
      const dfr0 = vcpu.getOneReg('ID_AA64DFR0_EL1');
      const write = (value: bigint) => () => vcpu.setOneReg('ID_AA64DFR0_EL1', value);
      expect(write(dfr0)).not.toThrow();
      // WRPs less by one, which the kernel takes; BRPs, which it never does; DebugVer 5, which is no architecture.
      if (isSettled) expect(write(dfr0 - (1n << 20n))).toThrowError(EBUSY);
      else expect(write(dfr0 - (1n << 20n))).not.toThrow();
      expect(write(dfr0 ^ (1n << 12n))).toThrowError(isSettled ? EBUSY : EINVAL);
      expect(write((dfr0 & ~0xfn) | 5n)).toThrowError(EINVAL);
      // CLIDR_EL1 and MPIDR_EL1 belong to the vCPU.
      vcpu.setOneReg('MPIDR_EL1', 0x8000_0007n);
    }
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
