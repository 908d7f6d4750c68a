/** KVM_GET_ONE_REG and KVM_SET_ONE_REG with ids that name no register of the vCPU: ENOENT against EINVAL. */
import assert from 'node:assert/strict';
import type { Suite } from '#lib/testing.js';
import { FPSR, PC, PSCI_VERSION, X } from './registers.ts';
import { type Code, refused, refusesGet, refusesSet, rejects, untyped, withVcpu } from './suite.ts';

/** `kvm_arm_get_reg`, `kvm_arm_set_reg` (guest.c) and what they call; reference section 3. */
const TABLE: readonly (readonly [what: string, code: Code, ids: readonly bigint[]])[] = [
  [
    'an architecture byte that is not 0x60',
    'EINVAL',
    [
      0n,
      0x2030_0000_0014_0000n, // x86
      0x4030_0000_0014_0000n, // KVM_REG_ARM_PSCI_VERSION of 32-bit arm
      0x4020_0000_0010_0000n, // R0 of 32-bit arm
      0x6130_0000_0010_0000n,
      0xe030_0000_0010_0000n,
      0xffff_ffff_ffff_ffffn,
    ],
  ],
  [
    'anything in bits 51:32, even over a register that is there',
    'EINVAL',
    [0x6030_0001_0010_0000n, 0x6038_0000_0010_0000n, 0x6030_8000_0014_0000n, 0x6030_0001_0013_c080n],
  ],
  ['a coprocessor without registers', 'ENOENT', [0x6030_0000_0000_0000n, 0x6030_0000_0012_0000n]],
  ['an unknown coprocessor', 'ENOENT', [0x6030_0000_0017_0000n, 0x6030_0000_0fff_0000n]],
  [
    'a core offset beyond struct kvm_regs, or a register that would end there',
    'ENOENT',
    [
      0x6030_0000_0010_00d8n, // 216: the first beyond
      0x6030_0000_0010_ffffn,
      0x6030_0000_1010_0000n, // bits 31:28 belong to the offset
      0x6020_0000_0010_00d7n, // reserved[1]: 215 + 1 is not below 216
      0x6030_0000_0010_00d6n,
      0x6040_0000_0010_00d4n, // FPSR as 128 bits
      0x6080_0000_0010_00a0n,
      0x60f0_0000_0010_0000n,
    ],
  ],
  [
    'a core offset that is misaligned',
    'EINVAL',
    [
      0x6030_0000_0010_0001n, // the upper half of X0
      0x6030_0000_0010_0041n,
      0x6040_0000_0010_0055n,
      0x6040_0000_0010_0056n,
    ],
  ],
  [
    'a core offset where no register is: the padding behind SPSR, and reserved[0]',
    'EINVAL',
    [0x6030_0000_0010_0052n, 0x6020_0000_0010_0052n, 0x6020_0000_0010_00d6n],
  ],
  [
    'a core register with another width',
    'EINVAL',
    [
      0x6000_0000_0010_0000n,
      0x6020_0000_0010_0000n,
      0x6040_0000_0010_0000n,
      0x6020_0000_0010_0042n,
      0x6030_0000_0010_0054n,
      0x6050_0000_0010_0054n,
      0x6030_0000_0010_00d4n,
      0x6010_0000_0010_00d5n,
    ],
  ],
  [
    'a firmware register that 6.12 does not have',
    'ENOENT',
    [0x6030_0000_0014_0004n, 0x6030_0000_0014_ffffn, 0x6030_0000_0016_0003n, 0x6030_0000_0016_ffffn],
  ],
  [
    'a firmware register with another width',
    'ENOENT',
    [
      0x6020_0000_0014_0000n,
      0x6040_0000_0014_0000n,
      0x6000_0000_0014_0001n,
      0x6020_0000_0016_0000n,
      0x6080_0000_0016_0002n,
    ],
  ],
  [
    'a system register that is none',
    'ENOENT',
    [
      0x6030_0000_0013_0000n, // op0 0
      0x6030_0000_0013_c001n, // S3_0_C0_C0_1
      0x6030_0000_0013_ffffn,
      0x6030_0000_1013_c080n, // SCTLR_EL1 with a stray bit
    ],
  ],
  [
    'a system register that is trapped but not saved',
    'ENOENT',
    [
      0x6030_0000_0013_8084n, // OSLAR_EL1
      0x6030_0000_0013_c230n, // ICC_PMR_EL1
      0x6030_0000_0013_c800n, // CCSIDR_EL1
      0x6030_0000_0013_c298n, // ERRIDR_EL1
    ],
  ],
  [
    'a system register that this vCPU or CPU has not',
    'ENOENT',
    [
      0x6030_0000_0013_c090n, // ZCR_EL1: SVE
      0x6030_0000_0013_c085n, // RGSR_EL1: MTE
      0x6030_0000_0013_c108n, // APIAKEYLO_EL1: pointer authentication
      0x6030_0000_0013_e080n, // SCTLR_EL2: nested virtualization
      0x6030_0000_0013_dce0n, // PMCR_EL0: PMU_V3
    ],
  ],
  [
    'a system register with another width, invariant ones as well',
    'ENOENT',
    [
      0x6020_0000_0013_c080n,
      0x6040_0000_0013_c080n,
      0x6020_0000_0013_c000n,
      0x6000_0000_0013_c006n,
      0x6080_0000_0013_c020n,
    ],
  ],
  [
    'a timer register with another width',
    'ENOENT',
    [0x6020_0000_0013_df19n, 0x6040_0000_0013_df1an, 0x6020_0000_0013_df01n],
  ],
  [
    'SVE registers of a vCPU without SVE',
    'ENOENT',
    [
      0x6060_0000_0015_ffffn, // VLS
      0x6080_0000_0015_0000n, // Z0
      0x6080_0000_0015_03e0n, // Z31
      0x6080_0000_0015_0001n, // Z0, slice 1
      0x6050_0000_0015_0400n, // P0
      0x6050_0000_0015_05e0n, // P15
      0x6050_0000_0015_0600n, // FFR
      0x6050_0000_0015_061fn, // FFR, slice 31
    ],
  ],
  [
    'what is no SVE register within that coprocessor',
    'EINVAL',
    [
      0x6030_0000_0015_0000n, // Z0 as 64 bits
      0x6080_0000_0015_0400n, // P0 as 2048 bits
      0x6050_0000_0015_0620n, // beyond FFR
      0x6050_0000_0015_0000n,
      0x6030_0000_0015_ffffn, // VLS as 64 bits
    ],
  ],
  [
    'a cache size beyond CSSELR_MAX, 14, or behind another selector',
    'ENOENT',
    [0x6020_0000_0011_000en, 0x6020_0000_0011_00ffn, 0x6020_0000_0011_0100n, 0x6020_0000_1011_0000n],
  ],
  [
    'a cache size with another width',
    'ENOENT',
    [0x6030_0000_0011_0000n, 0x6010_0000_0011_0000n, 0x6080_0000_0011_0000n],
  ],
];

export const registerErrors: Suite = ({ describe, it, open }) => {
  describe('KVM_GET_ONE_REG and KVM_SET_ONE_REG refuse', () => {
    for (const [what, code, ids] of TABLE) {
      it(`${what}: ${code}`, () => {
        withVcpu(open, ['PSCI_0_2'], vcpu => {
          for (const id of ids) {
            refusesGet(code, vcpu, id);
            refusesSet(code, vcpu, id, 0n);
          }
        });
      });
    }

    it('no id by leaving something behind', () => {
      withVcpu(open, ['PSCI_0_2'], vcpu => {
        for (const [, , ids] of TABLE) vcpu.setRegs(ids.map(id => [id, 1n]));
        assert.equal(vcpu.getOneReg(PSCI_VERSION), 0x1_0001n);
        for (let n = 0; n <= 30; n++) assert.equal(vcpu.getOneReg(X(n)), 0n);
        assert.equal(vcpu.getOneReg(FPSR), 0n);
      });
    });
  });

  describe('the library refuses, before the kernel is asked,', () => {
    it('values that do not fit the width of the id', () => {
      withVcpu(open, ['PSCI_0_2'], vcpu => {
        for (const [id, bits] of [
          [0x6000_0000_0014_0000n, 8n],
          [0x6010_0000_0014_0000n, 16n],
          [FPSR, 32n],
          [PC, 64n],
          [0x6040_0000_0010_0054n, 128n],
          [0x6080_0000_0015_0000n, 2048n],
        ] as const) {
          for (const value of [1n << bits, (1n << bits) + 5n, 1n << 4000n, -1n, -(1n << bits)]) {
            rejects('ERR_OUT_OF_RANGE', () => vcpu.setOneReg(id, value));
            rejects('ERR_OUT_OF_RANGE', () => vcpu.setRegs([[id, value]]));
          }
        }
        assert.equal(vcpu.getOneReg(PC), 0n);
      });
    });

    it('values that are no bigint', () => {
      withVcpu(open, ['PSCI_0_2'], vcpu => {
        for (const value of [0, '0', undefined, null, {}, [0n]]) {
          rejects('ERR_INVALID_ARG_TYPE', () => vcpu.setOneReg(PC, untyped(value)));
        }
      });
    });

    it('ids that are no 64-bit number, and unknown names', () => {
      withVcpu(open, ['PSCI_0_2'], vcpu => {
        for (const id of [-1n, 1n << 64n]) {
          rejects('ERR_OUT_OF_RANGE', () => vcpu.getOneReg(id));
          rejects('ERR_OUT_OF_RANGE', () => vcpu.setOneReg(id, 0n));
        }
        for (const id of [0x60, null, undefined, {}, [PC]]) {
          rejects('ERR_INVALID_ARG_TYPE', () => vcpu.getOneReg(untyped(id)));
        }
        const { message } = rejects('ERR_INVALID_ARG_VALUE', () => vcpu.getOneReg('SCTRL_EL1'));
        assert.match(message, /SCTLR_EL1/);
      });
    });
  });

  describe('the error of a register', () => {
    it('names it, by name or by the fields of its id', () => {
      withVcpu(open, ['PSCI_0_2'], vcpu => {
        const unknown = refused(
          'ENOENT',
          'KVM_GET_ONE_REG',
          () => vcpu.getOneReg('PMCR_EL0'),
          0x6030_0000_0013_dce0n,
        );
        assert.deepEqual(unknown.register, { id: 0x6030_0000_0013_dce0n, name: 'PMCR_EL0' });
        assert.equal(unknown.hint, 'This vCPU has no such register, or not of this width');
        assert.equal(refusesGet('ENOENT', vcpu, 0x6030_0000_0013_c001n).register?.name, 'S3_0_C0_C0_1');
        assert.equal(refusesGet('EINVAL', vcpu, 0n).hint, 'An id of arm64 begins with 0x60');
        assert.equal(
          refusesGet('EINVAL', vcpu, 0x6020_0000_0010_0000n).hint,
          'No core register has this offset and width',
        );
      });
    });
  });
};
