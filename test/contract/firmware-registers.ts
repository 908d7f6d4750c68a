/** The firmware registers beside the PSCI version (reference sections 1.2 and 1.3; arch/arm64/kvm/hypercalls.c). */
import assert from 'node:assert/strict';
import type { Suite } from '#lib/testing.js';
import {
  ID_AA64PFR1_EL1,
  STD_BMAP,
  STD_HYP_BMAP,
  VENDOR_HYP_BMAP,
  WORKAROUND_1,
  WORKAROUND_2,
  WORKAROUND_3,
} from './registers.ts';
import { refusesSet, sibling, stores, withVcpu } from './suite.ts';

/** ID_AA64PFR1_EL1.SSBS, 7:4. */
const SSBS = 0xf0n;

/** `KVM_ARM_SMCCC_*_FEATURES` (include/kvm/arm_hypercalls.h): all bits that 6.12 knows, set at first. */
const BITMAPS = [
  ['KVM_REG_ARM_STD_BMAP', STD_BMAP, 1n],
  ['KVM_REG_ARM_STD_HYP_BMAP', STD_HYP_BMAP, 1n],
  ['KVM_REG_ARM_VENDOR_HYP_BMAP', VENDOR_HYP_BMAP, 3n],
] as const;

export const firmwareRegisters: Suite = ({ describe, it, open }) => {
  // Neoverse N1 is not affected by Spectre-v2, as its ID_AA64PFR0_EL1.CSV2 says, and is in the list of those that need a
  // loop against Spectre-BHB (`is_spectre_bhb_affected`, arch/arm64/kernel/proton-pack.c).
  for (const [name, id, level] of [
    ['KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_1', WORKAROUND_1, 2n],
    ['KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_3', WORKAROUND_3, 1n],
  ] as const) {
    describe(name, () => {
      it(`is ${level} on this host; takes that level and lower ones, and keeps none`, () => {
        withVcpu(open, [], vcpu => {
          assert.equal(vcpu.getOneReg(id), level);
          for (let asked = 0n; asked <= level; asked++) {
            vcpu.setOneReg(id, asked);
            assert.equal(vcpu.getOneReg(id), level);
          }
        });
      });

      it('refuses higher levels, and bits above 3:0: EINVAL', () => {
        withVcpu(open, [], vcpu => {
          for (let asked = level + 1n; asked <= 15n; asked++) refusesSet('EINVAL', vcpu, id, asked);
          for (const bit of [4n, 5n, 31n, 32n, 63n]) refusesSet('EINVAL', vcpu, id, 1n << bit);
          assert.equal(vcpu.getOneReg(id), level);
        });
      });
    });
  }

  // get_kernel_wa_level: 0 where the guest has SSBS to protect itself, though the kernel mitigates; else NOT_REQUIRED.
  describe('KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_2', () => {
    it('is 0 where the guest has SSBS, as on this CPU; takes 0 and 1 alone', () => {
      withVcpu(open, [], vcpu => {
        assert.equal(vcpu.getOneReg(ID_AA64PFR1_EL1) & SSBS, 0x20n);
        for (const value of [0n, 1n]) {
          vcpu.setOneReg(WORKAROUND_2, value);
          assert.equal(vcpu.getOneReg(WORKAROUND_2), 0n);
        }
        for (const value of [2n, 3n, 4n, 15n, 0x10n, 0x11n, 0x12n, 0x13n, 0x20n, 1n << 32n]) {
          refusesSet('EINVAL', vcpu, WORKAROUND_2, value);
        }
      });
    });

    it('is 3 where the guest has not; takes 0 to 3, and 2 with ENABLED, 0x10', () => {
      withVcpu(open, [], vcpu => {
        stores(vcpu, ID_AA64PFR1_EL1, vcpu.getOneReg(ID_AA64PFR1_EL1) & ~SSBS);
        assert.equal(vcpu.getOneReg(WORKAROUND_2), 3n);
        for (const value of [0n, 1n, 2n, 3n, 0x12n]) {
          vcpu.setOneReg(WORKAROUND_2, value);
          assert.equal(vcpu.getOneReg(WORKAROUND_2), 3n);
        }
        for (const value of [4n, 15n, 0x10n, 0x11n, 0x13n, 0x1fn, 0x20n, 0x22n, 1n << 63n]) {
          refusesSet('EINVAL', vcpu, WORKAROUND_2, value);
        }
      });
    });
  });

  for (const [name, id, valid] of BITMAPS) {
    describe(name, () => {
      it(`is 0x${valid} at first: all that the kernel has; takes any part of it`, () => {
        withVcpu(open, [], vcpu => {
          assert.equal(vcpu.getOneReg(id), valid);
          for (let value = 0n; value <= valid; value++) stores(vcpu, id, value);
        });
      });

      it('refuses other bits: EINVAL, and nothing is stored', () => {
        withVcpu(open, [], vcpu => {
          stores(vcpu, id, 0n);
          for (const value of [valid + 1n, 4n, 0x10n, 1n << 31n, 1n << 32n, 1n << 63n, (1n << 63n) | 1n]) {
            refusesSet('EINVAL', vcpu, id, value);
          }
          assert.equal(vcpu.getOneReg(id), 0n);
        });
      });

      it('is that of the whole VM', () => {
        withVcpu(open, [], first => {
          const second = sibling(first, 1, []);
          first.setOneReg(id, 0n);
          assert.equal(second.getOneReg(id), 0n);
          second.setOneReg(id, 1n);
          assert.equal(first.getOneReg(id), 1n);
          assert.equal(sibling(first, 2, []).getOneReg(id), 1n);
        });
      });
    });
  }

  describe('the bitmaps', () => {
    it('are apart from each other', () => {
      withVcpu(open, [], vcpu => {
        vcpu.setOneReg(STD_HYP_BMAP, 0n);
        assert.equal(vcpu.getOneReg(STD_BMAP), 1n);
        assert.equal(vcpu.getOneReg(VENDOR_HYP_BMAP), 3n);
      });
    });
  });
};
