/**
 * The firmware pseudo-registers whose rules a table cannot hold (`kvm_arm_set_fw_reg`, arch/arm64/kvm/hypercalls.c).
 * The other workarounds and the bit maps are plain values with the rules that were recorded.
 *
 * @packageDocumentation
 */
import { ERRNO } from '../../abi/errno.ts';
import { firmwareRegId, psciVersionId, sysRegId } from '../../abi/register-id.ts';
import { guestPsciVersion, hasPsci } from '../psci.ts';
import { cellsOf, idDigit, type SpecialRegister } from './register-access.ts';

/** One version for the whole VM, seen through every vCPU; never reset, and no check that the VM has not run. */
const psciVersion: SpecialRegister = ({ cell, scope, profile }) => {
  const toBigInts = (values: readonly string[]) => values.map(value => BigInt(`0x${value}`));
  const accepted = {
    with: toBigInts(profile.psci.withFeature),
    without: toBigInts(profile.psci.withoutFeature),
  };
  return {
    cell,
    scope,
    get(vcpu) {
      return profile.psci.readNeedsFeature && !hasPsci(vcpu) ? -ERRNO.EINVAL : guestPsciVersion(vcpu);
    },
    set(vcpu, value) {
      const choices = hasPsci(vcpu) ? accepted.with : accepted.without;
      if (!choices.includes(value)) return -ERRNO.EINVAL;
      vcpu.vm.psciVersion = value;
      return 0;
    },
  };
};

/** Levels of KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_2 (asm/kvm.h). */
const WORKAROUND_2 = { NOT_AVAIL: 0, UNKNOWN: 1, AVAIL: 2, NOT_REQUIRED: 3 } as const;
const LEVEL_MASK = 0xfn;
const ENABLED = 0x10n;

const ID_AA64PFR1_EL1 = sysRegId(3, 0, 0, 4, 1);
const SSBS_DIGIT = 1;

/** Nothing is stored: a write only asks whether this host protects at least as well. */
const workaround2: SpecialRegister = ({ cell, scope, profile }) => ({
  cell,
  scope,
  get(vcpu) {
    const hasSsbs = idDigit(vcpu, ID_AA64PFR1_EL1, SSBS_DIGIT) !== 0;
    return hasSsbs ? cellsOf(vcpu, scope)[cell]! : BigInt(profile.behaviours.workaround2WithoutSsbs);
  },
  set(vcpu, value) {
    const level = Number(value & LEVEL_MASK);
    const isEnabled = (value & ENABLED) !== 0n;
    if ((value & ~(LEVEL_MASK | ENABLED)) !== 0n || level > WORKAROUND_2.NOT_REQUIRED) return -ERRNO.EINVAL;
    if (isEnabled && level !== WORKAROUND_2.AVAIL) return -ERRNO.EINVAL;
    const wanted = level >= WORKAROUND_2.AVAIL ? WORKAROUND_2.NOT_REQUIRED : WORKAROUND_2.NOT_AVAIL;
    return Number(this.get(vcpu)) < wanted ? -ERRNO.EINVAL : 0;
  },
});

/** The special firmware registers, by id. */
export const firmwareRegisters: readonly (readonly [bigint, SpecialRegister])[] = [
  [psciVersionId('arm64'), psciVersion],
  [psciVersionId('arm'), psciVersion],
  [firmwareRegId(2), workaround2],
];
