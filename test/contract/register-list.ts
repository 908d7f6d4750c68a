/** KVM_GET_REG_LIST: which registers, in which order, and that each can be read and written back. */
import assert from 'node:assert/strict';
import { registerBits } from '#lib/abi/register-id.js';
import { formatRegister } from '#lib/abi/register-names.js';
import type { Suite } from '#lib/testing.js';
import { withVcpu } from './suite.ts';

const numbered = (count: number, name: (n: number) => string) =>
  Array.from({ length: count }, (_, n) => name(n));

/** `copy_core_reg_indices` (guest.c): struct kvm_regs by offset. */
const CORE = [
  ...numbered(31, n => `X${n}`),
  ...['SP', 'PC', 'PSTATE', 'SP_EL1', 'ELR_EL1'],
  ...['SPSR_EL1', 'SPSR_ABT', 'SPSR_UND', 'SPSR_IRQ', 'SPSR_FIQ'],
  ...numbered(32, n => `V${n}`),
  ...['FPSR', 'FPCR'],
];

/** `kvm_arm_fw_reg_ids` (hypercalls.c). */
const FIRMWARE = [
  'KVM_REG_ARM_PSCI_VERSION',
  'KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_1',
  'KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_2',
  'KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_3',
  'KVM_REG_ARM_STD_BMAP',
  'KVM_REG_ARM_STD_HYP_BMAP',
  'KVM_REG_ARM_VENDOR_HYP_BMAP',
];

/** `timer_reg_list` (guest.c). */
const TIMERS = ['TIMER_CTL', 'TIMER_CNT', 'TIMER_CVAL', 'PTIMER_CTL', 'PTIMER_CNT', 'PTIMER_CVAL'].map(
  name => `KVM_REG_ARM_${name}`,
);

/** `invariant_sys_regs` (sys_regs.c). */
const INVARIANT = ['MIDR_EL1', 'REVIDR_EL1', 'AIDR_EL1'];

const debug = (n: number) => ['BVR', 'BCR', 'WVR', 'WCR'].map(kind => `DBG${kind}${n}_EL1`);

/**
 * `sys_reg_descs` (sys_regs.c), in its order, without what is trapped but not saved, and what this CPU lacks (SVE, MTE,
 * pointer authentication, POE, EL2). ID registers that are hidden or not allocated are listed, and read as zero.
 */
const SYSTEM = (hasPmu: boolean) => [
  ...debug(0),
  ...debug(1),
  ...['MDCCINT_EL1', 'MDSCR_EL1'],
  ...Array.from({ length: 14 }, (_, n) => debug(n + 2)).flat(),
  ...['OSLSR_EL1', 'DBGVCR32_EL2', 'MPIDR_EL1'],
  ...['ID_PFR0_EL1', 'ID_PFR1_EL1', 'ID_DFR0_EL1', 'ID_AFR0_EL1'],
  ...numbered(4, n => `ID_MMFR${n}_EL1`),
  ...numbered(6, n => `ID_ISAR${n}_EL1`),
  ...['ID_MMFR4_EL1', 'ID_ISAR6_EL1'],
  ...['MVFR0_EL1', 'MVFR1_EL1', 'MVFR2_EL1', 'S3_0_C0_C3_3', 'ID_PFR2_EL1', 'ID_DFR1_EL1', 'ID_MMFR5_EL1'],
  'S3_0_C0_C3_7',
  ...['ID_AA64PFR0_EL1', 'ID_AA64PFR1_EL1', 'ID_AA64PFR2_EL1', 'S3_0_C0_C4_3', 'ID_AA64ZFR0_EL1'],
  ...['ID_AA64SMFR0_EL1', 'S3_0_C0_C4_6', 'ID_AA64FPFR0_EL1'],
  ...['ID_AA64DFR0_EL1', 'ID_AA64DFR1_EL1', 'ID_AA64DFR2_EL1', 'S3_0_C0_C5_3'],
  ...['ID_AA64AFR0_EL1', 'ID_AA64AFR1_EL1', 'S3_0_C0_C5_6', 'S3_0_C0_C5_7'],
  ...['ID_AA64ISAR0_EL1', 'ID_AA64ISAR1_EL1', 'ID_AA64ISAR2_EL1', 'ID_AA64ISAR3_EL1'],
  ...numbered(4, n => `S3_0_C0_C6_${n + 4}`),
  ...numbered(5, n => `ID_AA64MMFR${n}_EL1`),
  ...numbered(3, n => `S3_0_C0_C7_${n + 5}`),
  ...['SCTLR_EL1', 'ACTLR_EL1', 'CPACR_EL1', 'TTBR0_EL1', 'TTBR1_EL1', 'TCR_EL1', 'TCR2_EL1'],
  ...['AFSR0_EL1', 'AFSR1_EL1', 'ESR_EL1', 'FAR_EL1', 'PAR_EL1'],
  ...(hasPmu ? ['PMINTENSET_EL1', 'PMINTENCLR_EL1'] : []),
  ...['MAIR_EL1', 'PIRE0_EL1', 'PIR_EL1', 'AMAIR_EL1', 'VBAR_EL1', 'DISR_EL1'],
  ...['CONTEXTIDR_EL1', 'TPIDR_EL1', 'CNTKCTL_EL1', 'CLIDR_EL1', 'CSSELR_EL1', 'CTR_EL0'],
  ...(hasPmu
    ? [
        ...['PMCR_EL0', 'PMCNTENSET_EL0', 'PMCNTENCLR_EL0', 'PMOVSCLR_EL0', 'PMSWINC_EL0', 'PMSELR_EL0'],
        ...['PMCCNTR_EL0', 'PMUSERENR_EL0', 'PMOVSSET_EL0'],
      ]
    : []),
  ...['TPIDR_EL0', 'TPIDRRO_EL0'],
  ...(hasPmu
    ? [...numbered(31, n => `PMEVCNTR${n}_EL0`), ...numbered(31, n => `PMEVTYPER${n}_EL0`), 'PMCCFILTR_EL0']
    : []),
  ...['DACR32_EL2', 'IFSR32_EL2', 'FPEXC32_EL2'],
];

/** `write_demux_regids` (sys_regs.c): CSSELR_MAX of them, whatever caches there are. */
const DEMUX = numbered(14, n => `KVM_REG_ARM_DEMUX_ID_CCSIDR(${n})`);

const expected = (hasPmu: boolean) => [
  ...CORE,
  ...FIRMWARE,
  ...TIMERS,
  ...INVARIANT,
  ...SYSTEM(hasPmu),
  ...DEMUX,
];

/** Widths in bits; every other register has 64. */
function widthOf(name: string): number {
  if (/^V\d/.test(name)) return 128;
  return /^FP[SC]R$/.test(name) || name.includes('DEMUX') ? 32 : 64;
}

/**
 * Pairs that are listed with the register that sets before the one that clears (`set_pmreg`, sys_regs.c): writing both
 * back sets the bits and clears them again. PMOVSCLR_EL0 stands before PMOVSSET_EL0 and does no harm.
 */
const CLEARED = new Set(['PMINTENSET_EL1', 'PMINTENCLR_EL1', 'PMCNTENSET_EL0', 'PMCNTENCLR_EL0']);

/** The feature sets of this CPU, and how long the list is with each. */
const CONFIGURATIONS = [
  { features: [], hasPmu: false, count: 259 },
  { features: ['PSCI_0_2'], hasPmu: false, count: 259 },
  { features: ['PMU_V3'], hasPmu: true, count: 333 },
  { features: ['PSCI_0_2', 'PMU_V3'], hasPmu: true, count: 333 },
] as const;

export const registerList: Suite = ({ describe, it, open }) => {
  for (const { features, hasPmu, count } of CONFIGURATIONS) {
    describe(`KVM_GET_REG_LIST with features [${features.join(', ')}]`, () => {
      it(`names ${count} registers: core, firmware, bitmaps, timers, invariant, system, cache sizes`, () => {
        withVcpu(open, features, vcpu => {
          const list = vcpu.getRegList();
          assert.deepEqual(Array.from(list, formatRegister), expected(hasPmu));
          assert.equal(list.length, count);
          assert.equal(new Set(list).size, count);
        });
      });

      it('gives ids of the width of each register', () => {
        withVcpu(open, features, vcpu => {
          for (const id of vcpu.getRegList()) {
            const name = formatRegister(id);
            assert.equal(registerBits(id), widthOf(name), name);
          }
        });
      });

      it('lists nothing that cannot be read, or not be written back', () => {
        withVcpu(open, features, vcpu => {
          const all = vcpu.getRegs();
          assert.deepEqual([...all.status], new Array(count).fill(0));
          assert.deepEqual([...vcpu.setRegs(all).status], new Array(count).fill(0));
        });
      });

      it('reads the same after it has been written back, but for what counts and what is cleared', () => {
        withVcpu(open, features, vcpu => {
          const before = vcpu.getRegs();
          vcpu.setRegs(before);
          const after = new Map(vcpu.getRegs());
          for (const [id, value] of before) {
            const name = formatRegister(id);
            if (name.endsWith('_CNT')) continue;
            assert.equal(after.get(id), CLEARED.has(name) ? 0n : value, name);
          }
        });
      });
    });
  }

  describe('KVM_GET_REG_LIST', () => {
    it('is the same list each time, and an array of its own', () => {
      withVcpu(open, ['PSCI_0_2'], vcpu => {
        const first = vcpu.getRegList();
        const copy = first.slice();
        first.fill(0n);
        assert.deepEqual(vcpu.getRegList(), copy);
      });
    });
  });
};
