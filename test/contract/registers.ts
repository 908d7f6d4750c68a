/** Register ids that several suites use, as reference section 1 and 3 and asm/kvm.h have them. */

/** System register ids: `0x6030000000130000 | op0 << 14 | op1 << 11 | CRn << 7 | CRm << 3 | op2`. */
export function sys(op0: number, op1: number, crn: number, crm: number, op2: number): bigint {
  return 0x6030_0000_0013_0000n | BigInt((op0 << 14) | (op1 << 11) | (crn << 7) | (crm << 3) | op2);
}

export const X = (n: number): bigint => 0x6030_0000_0010_0000n + BigInt(2 * n);
export const V = (n: number): bigint => 0x6040_0000_0010_0054n + BigInt(4 * n);
export const SP = 0x6030_0000_0010_003en;
export const PC = 0x6030_0000_0010_0040n;
export const PSTATE = 0x6030_0000_0010_0042n;
export const SP_EL1 = 0x6030_0000_0010_0044n;
export const ELR_EL1 = 0x6030_0000_0010_0046n;
/** EL1, ABT, UND, IRQ, FIQ. */
export const SPSR = (n: number): bigint => 0x6030_0000_0010_0048n + BigInt(2 * n);
export const FPSR = 0x6020_0000_0010_00d4n;
export const FPCR = 0x6020_0000_0010_00d5n;

export const PSCI_VERSION = 0x6030_0000_0014_0000n;
export const WORKAROUND_1 = 0x6030_0000_0014_0001n;
export const WORKAROUND_2 = 0x6030_0000_0014_0002n;
export const WORKAROUND_3 = 0x6030_0000_0014_0003n;
export const STD_BMAP = 0x6030_0000_0016_0000n;
export const STD_HYP_BMAP = 0x6030_0000_0016_0001n;
export const VENDOR_HYP_BMAP = 0x6030_0000_0016_0002n;

/** The ids of CNT and CVAL are swapped against their encodings (asm/kvm.h). */
export const TIMER = {
  CTL: 0x6030_0000_0013_df19n,
  CNT: 0x6030_0000_0013_df1an,
  CVAL: 0x6030_0000_0013_df02n,
};
export const PTIMER = {
  CTL: 0x6030_0000_0013_df11n,
  CNT: 0x6030_0000_0013_df01n,
  CVAL: 0x6030_0000_0013_df12n,
};

export const MIDR_EL1 = 0x6030_0000_0013_c000n;
export const MPIDR_EL1 = 0x6030_0000_0013_c005n;
export const REVIDR_EL1 = 0x6030_0000_0013_c006n;
export const AIDR_EL1 = 0x6030_0000_0013_c807n;
export const ID_DFR0_EL1 = 0x6030_0000_0013_c00an;
export const ID_AA64PFR0_EL1 = 0x6030_0000_0013_c020n;
export const ID_AA64PFR1_EL1 = 0x6030_0000_0013_c021n;
export const ID_AA64DFR0_EL1 = 0x6030_0000_0013_c028n;
export const ID_AA64ISAR0_EL1 = 0x6030_0000_0013_c030n;
export const ID_AA64MMFR0_EL1 = 0x6030_0000_0013_c038n;
export const SCTLR_EL1 = 0x6030_0000_0013_c080n;
export const TTBR0_EL1 = 0x6030_0000_0013_c100n;
export const VBAR_EL1 = 0x6030_0000_0013_c600n;
export const CLIDR_EL1 = 0x6030_0000_0013_c801n;
export const CTR_EL0 = 0x6030_0000_0013_d801n;
export const PMCR_EL0 = 0x6030_0000_0013_dce0n;
export const CCSIDR = (csselr: number): bigint => 0x6020_0000_0011_0000n + BigInt(csselr);

/** What a register has after init whose value the architecture leaves open (`reset_unknown`, sys_regs.h). */
export const RESET_UNKNOWN = 0x1de7_ec7e_dbad_c0den;
