/**
 * The two proposals of February 2018 against a guest that finds another PSCI version after a migration, exactly as
 * posted: "[PATCH v3 08/18] arm/arm64: KVM: Add PSCI version selection API" and the answer to it on kvmarm.
 *
 * @packageDocumentation
 */
import type { Rule } from './rule.ts';

const THE_REST: Rule = {
  rule: 'All else is as in linux-4.14 (on 32-bit arm: linux-4.17-arm), so that hosts differ by the proposal alone',
  source: 'the tables of the discussion, which compare a kernel with the proposal and one without',
};

/** The firmware register as it was posted, which is not as it was merged. */
export const FIRMWARE_REGISTER_V3: readonly Rule[] = [
  THE_REST,
  {
    rule: 'PSCI_VERSION cannot be read without the feature PSCI_0_2: EINVAL. It is listed for every vCPU all the same',
    source: 'kvm_arm_get_fw_reg, kvm_arm_get_fw_num_regs and kvm_arm_copy_fw_reg_indices of the posting',
    apply: host => ({ ...host, psci: { ...host.psci, readNeedsFeature: true } }),
  },
  {
    rule: 'PSCI_VERSION cannot be written without the feature: EINVAL; with it 0.2 and 1.0 are taken, 0.1 never',
    source: 'kvm_arm_set_fw_reg of the posting (its text speaks of 1.0 and 1.1, its code knows 0.2 and 1.0)',
    apply: host => ({ ...host, psci: { ...host.psci, withoutFeature: [] } }),
  },
];

/** KVM_ARM_VCPU_FORCE_PSCI_0_2. */
const FORCE_PSCI_0_2 = 4;

/** The vCPU feature. */
export const FEATURE_BIT: readonly Rule[] = [
  THE_REST,
  {
    rule: 'A fifth vCPU feature, bit 4, KVM_ARM_VCPU_FORCE_PSCI_0_2, goes with any others',
    source: 'arch/arm64/include/asm/kvm_host.h and uapi/asm/kvm.h of the answer',
    apply: host => ({
      ...host,
      knownFeatures: 5,
      configurations: host.configurations.map(configuration => ({
        ...configuration,
        features: configuration.features.flatMap(set => [set, set + (1 << FORCE_PSCI_0_2)]),
      })),
    }),
  },
  {
    rule: 'With PSCI_0_2 a guest finds 1.0, with bit 4 as well 0.2; without PSCI_0_2 it finds 0.1',
    source: 'kvm_psci_version of the answer',
    apply: host => ({
      ...host,
      psci: {
        ...host.psci,
        latest: '10000',
        forcedBy: { feature: FORCE_PSCI_0_2, name: 'FORCE_PSCI_0_2', version: '2' },
      },
    }),
  },
];
