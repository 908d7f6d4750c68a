/** KVM_ARM_VCPU_INIT: targets, features, the order of the checks, and what a further init resets. */
import assert from 'node:assert/strict';
import type { Suite } from '#lib/testing.js';
import type { Vcpu, VcpuInitOptions } from '#lib/vcpu.js';
import {
  AIDR_EL1,
  CCSIDR,
  CLIDR_EL1,
  ELR_EL1,
  FPCR,
  FPSR,
  ID_AA64ISAR0_EL1,
  MPIDR_EL1,
  PC,
  PSCI_VERSION,
  PSTATE,
  PTIMER,
  RESET_UNKNOWN,
  SCTLR_EL1,
  SP,
  SP_EL1,
  SPSR,
  STD_BMAP,
  STD_HYP_BMAP,
  sys,
  TIMER,
  TTBR0_EL1,
  V,
  VBAR_EL1,
  VENDOR_HYP_BMAP,
  X,
} from './registers.ts';
import {
  refused,
  refusesGet,
  rejects,
  sibling,
  stores,
  untyped,
  withNewVcpu,
  withVcpu,
  withVm,
} from './suite.ts';

const INIT = 'KVM_ARM_VCPU_INIT';

/** What this CPU lacks: AArch32 at EL1, SVE, pointer authentication (one bit alone is refused anyway). */
const UNSUPPORTED: readonly NonNullable<VcpuInitOptions['features']>[] = [
  ['EL1_32BIT'],
  ['SVE'],
  ['PTRAUTH_ADDRESS'],
  ['PTRAUTH_GENERIC'],
  ['PTRAUTH_ADDRESS', 'PTRAUTH_GENERIC'],
  ['PSCI_0_2', 'SVE'],
];

/** `kvm_reset_vcpu` (arch/arm64/kvm/reset.c) and the reset functions of sys_regs.c. */
const RESET: readonly (readonly [id: bigint, name: string, value: bigint])[] = [
  [X(0), 'X0', 0n],
  [X(30), 'X30', 0n],
  [SP, 'SP', 0n],
  [PC, 'PC', 0n],
  [PSTATE, 'PSTATE', 0x3c5n], // VCPU_RESET_PSTATE_EL1: EL1h, D, A, I and F masked
  [SPSR(1), 'SPSR_ABT', 0n],
  [SPSR(4), 'SPSR_FIQ', 0n],
  [V(0), 'V0', 0n],
  [V(31), 'V31', 0n],
  [FPSR, 'FPSR', 0n],
  [FPCR, 'FPCR', 0n],
  [SCTLR_EL1, 'SCTLR_EL1', 0x00c5_0078n],
  [TTBR0_EL1, 'TTBR0_EL1', RESET_UNKNOWN],
  [VBAR_EL1, 'VBAR_EL1', 0n],
  [sys(2, 0, 0, 0, 4), 'DBGBVR0_EL1', 0n],
  [sys(2, 0, 1, 1, 4), 'OSLSR_EL1', 8n], // OSLSR_EL1_OSLM_IMPLEMENTED
  [sys(3, 0, 2, 0, 2), 'TCR_EL1', 0n],
  [sys(3, 0, 5, 2, 0), 'ESR_EL1', RESET_UNKNOWN],
  [sys(3, 2, 0, 0, 0), 'CSSELR_EL1', RESET_UNKNOWN],
  [sys(3, 4, 5, 3, 0), 'FPEXC32_EL2', 0x700n],
];

/** Values to write that each of these registers takes. */
const CHANGED: Readonly<Record<string, bigint>> = { PSTATE: 0x3c0n, OSLSR_EL1: 10n };

export const init: Suite = ({ describe, it, open }) => {
  describe('KVM_ARM_VCPU_INIT: target', () => {
    it('takes the preferred target, 5, by default and by number', () => {
      withNewVcpu(open, vcpu => {
        vcpu.init();
        vcpu.init({ target: 5 });
        vcpu.init({ target: undefined, features: undefined });
        assert.equal(vcpu.psciVersion, '1.1');
      });
    });

    it('refuses the targets of other CPUs and unknown ones: EINVAL', () => {
      // kvm_target_cpu (guest.c): Neoverse N1 has no number of its own.
      withNewVcpu(open, vcpu => {
        for (const target of [0, 1, 2, 3, 4, 6, 0xffff_ffff]) {
          refused('EINVAL', INIT, () => vcpu.init({ target }));
        }
      });
    });

    it('refuses what is no target or feature before the kernel is asked', () => {
      withNewVcpu(open, vcpu => {
        for (const target of [-1, 5.5, 0x1_0000_0000])
          rejects('ERR_OUT_OF_RANGE', () => vcpu.init({ target }));
        for (const target of ['5', 5n, null]) {
          rejects('ERR_INVALID_ARG_TYPE', () => vcpu.init({ target: untyped(target) }));
        }
        rejects('ERR_INVALID_ARG_VALUE', () => vcpu.init({ features: [untyped('PSCI_0_3')] }));
        for (const feature of [224, -1, 0.5])
          rejects('ERR_OUT_OF_RANGE', () => vcpu.init({ features: [feature] }));
        for (const features of [[2n], [null], 'PSCI_0_2', 4, null, {}]) {
          rejects('ERR_INVALID_ARG_TYPE', () => vcpu.init({ features: untyped(features) }));
        }
        for (const options of [null, 5, 'PSCI_0_2']) {
          rejects('ERR_INVALID_ARG_TYPE', () => vcpu.init(untyped(options)));
        }
        refusesGet('ENOEXEC', vcpu, PC);
      });
    });
  });

  // kvm_vcpu_init_check_features (arm.c).
  describe('KVM_ARM_VCPU_INIT: features', () => {
    it('takes every feature of this CPU, by name, by full name, by bit, and repeated', () => {
      withVm(open, vm => {
        const all = vm.createVcpu(0);
        all.init({ features: ['PSCI_0_2', 'KVM_ARM_VCPU_PMU_V3', 2, 3, 'POWER_OFF'] });
        assert.equal(all.psciVersion, '1.1');
      });
      withVcpu(open, [], vcpu => assert.equal(vcpu.psciVersion, '0.1'));
    });

    it('refuses feature bits that the kernel does not know: ENOENT from bit 7 on', () => {
      // KVM_VCPU_MAX_FEATURES is 7 until 6.16; HAS_EL2 is bit 7.
      withNewVcpu(open, vcpu => {
        for (const bit of [7, 8, 9, 10, 31]) refused('ENOENT', INIT, () => vcpu.init({ features: [bit] }));
        refused('ENOENT', INIT, () => vcpu.init({ features: ['HAS_EL2'] }));
      });
    });

    it('refuses anything in words 1 to 6 of features[]: ENOENT', () => {
      withNewVcpu(open, vcpu => {
        for (const bit of [32, 63, 64, 96, 128, 160, 192, 223]) {
          refused('ENOENT', INIT, () => vcpu.init({ features: [bit] }));
        }
      });
    });

    it('refuses features that this CPU lacks: EINVAL', () => {
      withNewVcpu(open, vcpu => {
        for (const features of UNSUPPORTED) refused('EINVAL', INIT, () => vcpu.init({ features }));
      });
    });

    it('checks the target, then unknown bits, then unsupported features', () => {
      withNewVcpu(open, vcpu => {
        refused('EINVAL', INIT, () => vcpu.init({ target: 0, features: [7] }));
        refused('ENOENT', INIT, () => vcpu.init({ features: ['SVE', 7] }));
        refused('ENOENT', INIT, () => vcpu.init({ features: ['SVE', 32] }));
      });
    });

    it('leaves no trace of a first init that failed', () => {
      withNewVcpu(open, vcpu => {
        refused('EINVAL', INIT, () => vcpu.init({ features: ['PMU_V3', 'SVE'] }));
        refused('ENOENT', INIT, () => vcpu.init({ features: ['PMU_V3', 7] }));
        refused('EINVAL', INIT, () => vcpu.init({ target: 0, features: ['PMU_V3', 'POWER_OFF'] }));
        refusesGet('ENOEXEC', vcpu, PC);
        assert.equal(vcpu.getMpState(), 'RUNNABLE');
        vcpu.init({ features: [] }); // would be EINVAL had one of them settled the features of the VM
        refusesGet('ENOENT', vcpu, 0x6030_0000_0013_dce0n); // PMCR_EL0
      });
    });

    it('leaves no trace of a further init that failed', () => {
      withVcpu(open, ['PSCI_0_2'], vcpu => {
        stores(vcpu, X(5), 5n);
        refused('EINVAL', INIT, () => vcpu.init({ features: ['PSCI_0_2', 'SVE', 'POWER_OFF'] }));
        refused('EINVAL', INIT, () => vcpu.init({ features: ['POWER_OFF'] }));
        assert.equal(vcpu.getOneReg(X(5)), 5n);
        assert.equal(vcpu.getMpState(), 'RUNNABLE');
        assert.equal(vcpu.psciVersion, '1.1');
      });
    });

    it('wants the same features of all vCPUs of a VM, and of each init (since 6.5): EINVAL', () => {
      withVcpu(open, ['PSCI_0_2'], first => {
        const second = first.vm.createVcpu(1);
        for (const features of [[], ['PMU_V3'], ['PSCI_0_2', 'PMU_V3']] as const) {
          refused('EINVAL', INIT, () => second.init({ features }));
          refused('EINVAL', INIT, () => first.init({ features }));
        }
        second.init({ features: ['PSCI_0_2'] });
        first.init({ features: ['PSCI_0_2'] });
      });
    });

    it('says in the hint what the host lacks, or what it may be', () => {
      const hintOf = (code: 'EINVAL' | 'ENOENT', vcpu: Vcpu, options: VcpuInitOptions) =>
        refused(code, INIT, () => vcpu.init(options)).hint ?? '';
      withVcpu(open, ['PSCI_0_2'], vcpu => {
        assert.equal(hintOf('EINVAL', vcpu, { features: ['SVE'] }), 'This host has no SVE');
        const two = hintOf('EINVAL', vcpu, { features: ['SVE', 'PSCI_0_2', 'EL1_32BIT'] });
        assert.equal(two, 'This host has no EL1_32BIT and no SVE');
        assert.match(
          hintOf('EINVAL', vcpu, { features: ['PMU_V3'] }),
          /differ from those of the VM's first vCPU/,
        );
        assert.match(hintOf('EINVAL', vcpu, { target: 0 }), /lacks the target/);
        assert.match(hintOf('ENOENT', vcpu, { features: [7] }), /does not know one of the feature bits/);
      });
    });
  });

  // kvm_arch_vcpu_ioctl_vcpu_init (arm.c): since 6.5 the bit holds for the call alone.
  describe('KVM_ARM_VCPU_INIT: POWER_OFF', () => {
    it('stops the vCPU; an init without it makes it runnable again', () => {
      withNewVcpu(open, vcpu => {
        vcpu.init({ features: ['PSCI_0_2', 'POWER_OFF'] });
        assert.equal(vcpu.getMpState(), 'STOPPED');
        vcpu.init();
        assert.equal(vcpu.getMpState(), 'RUNNABLE');
        vcpu.init({ features: ['PSCI_0_2', 'POWER_OFF'] });
        assert.equal(vcpu.getMpState(), 'STOPPED');
      });
    });

    it('is no feature that vCPUs must agree on', () => {
      withNewVcpu(open, first => {
        first.init({ features: ['PSCI_0_2', 'POWER_OFF'] });
        assert.equal(sibling(first, 1, ['PSCI_0_2']).getMpState(), 'RUNNABLE');
        assert.equal(first.getMpState(), 'STOPPED');
      });
    });

    it('is left out where the state was set by hand: init makes a suspended vCPU runnable', () => {
      withVcpu(open, ['PSCI_0_2'], vcpu => {
        for (const state of ['STOPPED', 'SUSPENDED'] as const) {
          vcpu.setMpState(state);
          vcpu.init();
          assert.equal(vcpu.getMpState(), 'RUNNABLE');
        }
      });
    });
  });

  describe('KVM_ARM_VCPU_INIT: reset', () => {
    it('gives registers their reset values', () => {
      withVcpu(open, ['PSCI_0_2'], vcpu => {
        for (const [id, name, value] of RESET) assert.equal(vcpu.getOneReg(id), value, name);
      });
    });

    it('gives them again by a further init', () => {
      withVcpu(open, ['PSCI_0_2'], vcpu => {
        for (const [id, name] of RESET) stores(vcpu, id, CHANGED[name] ?? 0x5an);
        vcpu.setOneReg(TIMER.CTL, 3n);
        vcpu.setOneReg(PTIMER.CTL, 3n);
        vcpu.init();
        for (const [id, name, value] of RESET) assert.equal(vcpu.getOneReg(id), value, name);
        // ENABLE and IMASK are cleared (kvm_timer_vcpu_reset); ISTATUS is computed.
        assert.equal(vcpu.getOneReg(TIMER.CTL) & 3n, 0n);
        assert.equal(vcpu.getOneReg(PTIMER.CTL) & 3n, 0n);
      });
    });

    it('leaves SP_EL1, ELR_EL1 and SPSR_EL1 alone, which no reset function of 6.12 touches', () => {
      withVcpu(open, ['PSCI_0_2'], vcpu => {
        const kept = [SP_EL1, ELR_EL1, SPSR(0)];
        for (const id of kept) {
          assert.equal(vcpu.getOneReg(id), 0n);
          stores(vcpu, id, 0x1234_5678_9abc_def0n);
        }
        vcpu.init();
        for (const id of kept) assert.equal(vcpu.getOneReg(id), 0x1234_5678_9abc_def0n);
      });
    });

    it('leaves the PSCI version and the hypercall bitmaps alone', () => {
      withVcpu(open, ['PSCI_0_2'], vcpu => {
        stores(vcpu, PSCI_VERSION, 0x1_0000n);
        for (const id of [STD_BMAP, STD_HYP_BMAP, VENDOR_HYP_BMAP]) stores(vcpu, id, 0n);
        vcpu.init();
        assert.equal(vcpu.getOneReg(PSCI_VERSION), 0x1_0000n);
        for (const id of [STD_BMAP, STD_HYP_BMAP, VENDOR_HYP_BMAP]) assert.equal(vcpu.getOneReg(id), 0n);
      });
    });

    it('leaves ID registers alone, those of the VM and those of the vCPU', () => {
      // reset_vm_ftr_id_reg and reset_vcpu_ftr_id_reg (sys_regs.c): once per VM, once per vCPU.
      withVcpu(open, ['PSCI_0_2'], vcpu => {
        const isar0 = vcpu.getOneReg(ID_AA64ISAR0_EL1);
        assert.equal((isar0 >> 44n) & 0xfn, 1n, 'Neoverse N1 has DotProd');
        stores(vcpu, ID_AA64ISAR0_EL1, isar0 & ~(0xfn << 44n));
        stores(vcpu, MPIDR_EL1, 0x8000_0007n);
        stores(vcpu, CLIDR_EL1, 0x0200_0023n);
        vcpu.init();
        assert.equal(vcpu.getOneReg(ID_AA64ISAR0_EL1), isar0 & ~(0xfn << 44n));
        assert.equal(vcpu.getOneReg(MPIDR_EL1), 0x8000_0007n);
        assert.equal(vcpu.getOneReg(CLIDR_EL1), 0x0200_0023n);
        assert.equal(vcpu.getOneReg(AIDR_EL1), 0n);
      });
    });

    it("leaves the cache sizes and the timers' comparators alone", () => {
      withVcpu(open, ['PSCI_0_2'], vcpu => {
        stores(vcpu, CCSIDR(2), 0x3fe0_3an);
        stores(vcpu, TIMER.CVAL, 0x1234_5678_9abcn);
        stores(vcpu, PTIMER.CVAL, 0x9abc_1234_5678n);
        vcpu.init();
        assert.equal(vcpu.getOneReg(CCSIDR(2)), 0x3fe0_3an);
        assert.equal(vcpu.getOneReg(TIMER.CVAL), 0x1234_5678_9abcn);
        assert.equal(vcpu.getOneReg(PTIMER.CVAL), 0x9abc_1234_5678n);
      });
    });

    it('takes back a pending SError (vcpu_reset_hcr)', () => {
      withVcpu(open, ['PSCI_0_2'], vcpu => {
        vcpu.setVcpuEvents({ serrorPending: true });
        vcpu.init();
        assert.equal(vcpu.getVcpuEvents().serrorPending, false);
      });
    });

    it('touches no other vCPU', () => {
      withVcpu(open, ['PSCI_0_2'], first => {
        const second = sibling(first, 1, ['PSCI_0_2']);
        stores(second, X(3), 3n);
        second.setMpState('STOPPED');
        first.init();
        assert.equal(second.getOneReg(X(3)), 3n);
        assert.equal(second.getMpState(), 'STOPPED');
      });
    });
  });
};
