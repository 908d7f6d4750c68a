import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatRegister, parseRegister } from '#lib/abi/register-names.js';
import { numbered, systemRegisters } from '#lib/abi/system-registers.js';
import { anyRegisterId } from './ids.ts';

describe('names and ids are inverse', () => {
  test('for every 64-bit id', () => {
    fc.assert(
      fc.property(anyRegisterId, id => {
        expect(parseRegister(formatRegister(id))).toBe(id);
      }),
      { numRuns: 5000 },
    );
  });

  test('for every id of 64-bit system registers, core registers and firmware', () => {
    for (const coproc of [0x10n, 0x13n, 0x14n]) {
      const names = new Set<string>();
      for (let index = 0n; index <= 0xffffn; index++) {
        const id = 0x6030_0000_0000_0000n | (coproc << 16n) | index;
        const name = formatRegister(id);
        if (parseRegister(name) !== id) expect.fail(`${name} is not 0x${id.toString(16)}`);
        names.add(name.toUpperCase());
      }
      expect(names.size).toBe(0x10000);
    }
  });

  test('in capitals or not', () => {
    fc.assert(
      fc.property(anyRegisterId, id => {
        expect(parseRegister(formatRegister(id).toLowerCase())).toBe(id);
        expect(parseRegister(formatRegister(id).toUpperCase())).toBe(id);
      }),
    );
  });
});

// asm/kvm.h of arm64 (Linux 7.2) and struct kvm_regs; SVE and timers as in tools/testing/selftests/kvm/arm64/get-reg-list.c.
test.each([
  ['X0', 0x6030_0000_0010_0000n],
  ['X1', 0x6030_0000_0010_0002n],
  ['X30', 0x6030_0000_0010_003cn],
  ['SP', 0x6030_0000_0010_003en],
  ['PC', 0x6030_0000_0010_0040n],
  ['PSTATE', 0x6030_0000_0010_0042n],
  ['SP_EL1', 0x6030_0000_0010_0044n],
  ['ELR_EL1', 0x6030_0000_0010_0046n],
  ['SPSR_EL1', 0x6030_0000_0010_0048n],
  ['SPSR_ABT', 0x6030_0000_0010_004an],
  ['SPSR_UND', 0x6030_0000_0010_004cn],
  ['SPSR_IRQ', 0x6030_0000_0010_004en],
  ['SPSR_FIQ', 0x6030_0000_0010_0050n],
  ['V0', 0x6040_0000_0010_0054n],
  ['V31', 0x6040_0000_0010_00d0n],
  ['FPSR', 0x6020_0000_0010_00d4n],
  ['FPCR', 0x6020_0000_0010_00d5n],
  ['KVM_REG_ARM64_SVE_VLS', 0x6060_0000_0015_ffffn],
  ['Z0', 0x6080_0000_0015_0000n],
  ['Z31', 0x6080_0000_0015_03e0n],
  ['P0', 0x6050_0000_0015_0400n],
  ['P15', 0x6050_0000_0015_05e0n],
  ['FFR', 0x6050_0000_0015_0600n],
  ['KVM_REG_ARM_PSCI_VERSION', 0x6030_0000_0014_0000n],
  ['KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_1', 0x6030_0000_0014_0001n],
  ['KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_2', 0x6030_0000_0014_0002n],
  ['KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_3', 0x6030_0000_0014_0003n],
  ['KVM_REG_ARM_FW_REG(4)', 0x6030_0000_0014_0004n],
  ['KVM_REG_ARM_STD_BMAP', 0x6030_0000_0016_0000n],
  ['KVM_REG_ARM_STD_HYP_BMAP', 0x6030_0000_0016_0001n],
  ['KVM_REG_ARM_VENDOR_HYP_BMAP', 0x6030_0000_0016_0002n],
  ['KVM_REG_ARM_VENDOR_HYP_BMAP_2', 0x6030_0000_0016_0003n],
  ['KVM_REG_ARM_FW_FEAT_BMAP_REG(4)', 0x6030_0000_0016_0004n],
  ['KVM_REG_ARM_DEMUX_ID_CCSIDR(0)', 0x6020_0000_0011_0000n],
  // The two ids of the virtual timer that the kernel swapped: CNT has the encoding of CNTV_CVAL_EL0 (3, 3, 14, 3, 2).
  ['KVM_REG_ARM_TIMER_CTL', 0x6030_0000_0013_df19n],
  ['KVM_REG_ARM_TIMER_CNT', 0x6030_0000_0013_df1an],
  ['KVM_REG_ARM_TIMER_CVAL', 0x6030_0000_0013_df02n],
  // The physical timer is as it should be.
  ['KVM_REG_ARM_PTIMER_CTL', 0x6030_0000_0013_df11n],
  ['KVM_REG_ARM_PTIMER_CNT', 0x6030_0000_0013_df01n],
  ['KVM_REG_ARM_PTIMER_CVAL', 0x6030_0000_0013_df12n],
  ['MIDR_EL1', 0x6030_0000_0013_c000n],
  ['MPIDR_EL1', 0x6030_0000_0013_c005n],
  ['REVIDR_EL1', 0x6030_0000_0013_c006n],
  ['ID_AA64PFR0_EL1', 0x6030_0000_0013_c020n],
  ['ID_AA64DFR0_EL1', 0x6030_0000_0013_c028n],
  ['SCTLR_EL1', 0x6030_0000_0013_c080n],
  ['TTBR0_EL1', 0x6030_0000_0013_c100n],
  ['VBAR_EL1', 0x6030_0000_0013_c600n],
  ['CLIDR_EL1', 0x6030_0000_0013_c801n],
  ['AIDR_EL1', 0x6030_0000_0013_c807n],
  ['CTR_EL0', 0x6030_0000_0013_d801n],
  ['PMCR_EL0', 0x6030_0000_0013_dce0n],
  ['DBGBVR15_EL1', 0x6030_0000_0013_807cn],
  ['PMEVCNTR30_EL0', 0x6030_0000_0013_df5en],
  ['PMEVTYPER8_EL0', 0x6030_0000_0013_df68n],
  ['SYS_SP_EL1', 0x6030_0000_0013_e208n],
  // Unallocated, but the kernel lists it (ID_UNALLOCATED(3, 3)): no name, so its fields.
  ['S3_0_C0_C3_3', 0x6030_0000_0013_c01bn],
  // Another width than the register's own, and ids without any form.
  ['PC:u32', 0x6020_0000_0010_0040n],
  ['SCTLR_EL1:u32', 0x6020_0000_0013_c080n],
  ['0x6030000000100001', 0x6030_0000_0010_0001n],
  ['0x0000000000000000', 0n],
  // 32-bit arm, arch/arm/include/uapi/asm/kvm.h of Linux 4.19.
  ['arm:R0', 0x4020_0000_0010_0000n],
  ['arm:PC', 0x4020_0000_0010_000fn],
  ['arm:SPSR_FIQ', 0x4020_0000_0010_0025n],
  ['arm:KVM_REG_ARM_PSCI_VERSION', 0x4030_0000_0014_0000n],
  ['arm:KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_1', 0x4030_0000_0014_0001n],
  ['arm:KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_2', 0x4030_0000_0014_0002n],
  ['arm:KVM_REG_ARM_TIMER_CTL', 0x4020_0000_000f_7181n],
  ['arm:KVM_REG_ARM_TIMER_CNT', 0x4030_0000_000f_0708n],
  ['arm:KVM_REG_ARM_TIMER_CVAL', 0x4030_0000_000f_0718n],
  ['arm:CP15_0_C1_C0_0', 0x4020_0000_000f_0800n],
])('%s is %x', (name, id) => {
  expect(formatRegister(id)).toBe(name);
  expect(parseRegister(name)).toBe(id);
});

describe('what else is understood', () => {
  test.each([
    ['sctlr_el1', 'SCTLR_EL1'],
    ['psci_version', 'KVM_REG_ARM_PSCI_VERSION'],
    ['ARM:PSCI_VERSION', 'arm:KVM_REG_ARM_PSCI_VERSION'],
    ['S3_0_C1_C0_0', 'SCTLR_EL1'],
    ['s3_3_c14_c3_2', 'KVM_REG_ARM_TIMER_CNT'],
    ['CNTV_CTL_EL0', 'KVM_REG_ARM_TIMER_CTL'],
    ['CNTVCT_EL0', 'KVM_REG_ARM_TIMER_CNT'],
    ['CNTV_CVAL_EL0', 'KVM_REG_ARM_TIMER_CVAL'],
    ['CNTP_CTL_EL0', 'KVM_REG_ARM_PTIMER_CTL'],
    ['CNTPCT_EL0', 'KVM_REG_ARM_PTIMER_CNT'],
    ['CNTP_CVAL_EL0', 'KVM_REG_ARM_PTIMER_CVAL'],
    ['SP_EL0', 'SP'],
    ['0X603000000013C080', 'SCTLR_EL1'],
    ['KVM_REG_ARM_FW_REG(0)', 'KVM_REG_ARM_PSCI_VERSION'],
    ['X0:u64', 'X0'],
  ])('%s is %s', (text, name) => {
    expect(formatRegister(parseRegister(text))).toBe(name);
  });
});

describe('what is refused', () => {
  test.each([
    ['SCTRL_EL1', 'did you mean SCTLR_EL1?'],
    ['PSCI_VERSON', 'did you mean PSCI_VERSION?'],
    ['KVM_REG_ARM_PSCI_VERSON', 'did you mean KVM_REG_ARM_PSCI_VERSION?'],
    ['DBGBVR16_EL1', 'did you mean DBGBVR1'],
    ['X31', 'did you mean X'],
    ['R0', '(did you mean X0, or arm:R0 of 32-bit arm?)'],
    ['cpsr', 'arm:CPSR of 32-bit arm?)'],
    ['', 'got ""'],
    [':u32', 'got ":u32"'],
    ['PC:', 'got "PC:"'],
    [' PC', 'got " PC"'],
    ['S3_0_C01_C0_0', 'got "S3_0_C01_C0_0"'],
    ['arm:S3_0_C1_C0_0', 'got "arm:S3_0_C1_C0_0"'],
    ['CP15_0_C1_C0_0', 'got "CP15_0_C1_C0_0"'],
    ['0x', 'got "0x"'],
    ['0x10000000000000000', 'got "0x10000000000000000"'],
    // Its capital is an ASCII I, but it is not one.
    ['M\u0131DR_EL1', 'did you mean MIDR_EL1?'],
    ['toString', 'got "toString"'],
  ])('%j', (text, message) => {
    expect(() => parseRegister(text)).toThrow(
      expect.objectContaining({
        name: 'TypeError',
        code: 'ERR_INVALID_ARG_VALUE',
        message: expect.stringContaining(message),
      }),
    );
  });

  test.each([
    'S4_0_C1_C0_0',
    'S3_8_C1_C0_0',
    'S3_0_C16_C0_0',
    'FW_REG(65536)',
    'DEMUX_ID_CCSIDR(256)',
    'PC:u33',
    'PC:u4',
  ])('%s: a field or width that does not fit', text => {
    expect(() => parseRegister(text)).toThrow(
      expect.objectContaining({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' }),
    );
  });

  test('anything else, with nothing but these errors', () => {
    const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.stringMatching(/^[A-Z0-9_:()]*$/));
    fc.assert(
      fc.property(text, name => {
        try {
          expect(typeof parseRegister(name)).toBe('bigint');
        } catch (error) {
          expect((error as { code?: string }).code).toMatch(/^ERR_(INVALID_ARG_VALUE|OUT_OF_RANGE)$/);
        }
      }),
    );
    for (const value of [undefined, null, 5, 5n, {}, []]) {
      expect(() => parseRegister(value as unknown as string)).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
      );
    }
  });
});

describe('the table of system registers', () => {
  const registers = systemRegisters();

  test('has each name and each encoding once', () => {
    expect(new Set(registers.map(({ name }) => name)).size).toBe(registers.length);
    expect(new Set(registers.map(({ encoding }) => encoding)).size).toBe(registers.length);
    expect(registers.length).toBeGreaterThanOrEqual(1100);
  });

  test('holds sixteen bits, op0 2 or 3', () => {
    for (const { name, encoding } of registers) {
      expect(name).toMatch(/^[A-Z][A-Za-z0-9_]+$/);
      expect(encoding).toBeGreaterThanOrEqual(0x8000);
      expect(encoding).toBeLessThanOrEqual(0xffff);
    }
  });

  test('families', () => {
    expect(numbered('R<8-10>_EL1')).toEqual(['R8_EL1', 'R9_EL1', 'R10_EL1']);
    expect(numbered('R_EL1')).toEqual(['R_EL1']);
  });
});
