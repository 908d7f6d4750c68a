/**
 * Which PSCI version a vCPU's guest finds (`kvm_psci_version`, virt/kvm/arm/psci.c and include/kvm/arm_psci.h): on every
 * host, also where no register shows it.
 *
 * @packageDocumentation
 */
import { featureBit } from '../abi/vcpu-features.ts';
import { hasFeature } from './registers/register-access.ts';
import type { VcpuState } from './state.ts';

/** KVM_ARM_PSCI_0_1: what a vCPU without the feature PSCI_0_2 has. */
const PSCI_0_1 = 1n;

/** Whether the vCPU has the feature PSCI_0_2. */
export function hasPsci(vcpu: VcpuState): boolean {
  return hasFeature(vcpu, featureBit('PSCI_0_2', vcpu.vm.host.profile.architecture));
}

/** As a value of KVM_REG_ARM_PSCI_VERSION. */
export function guestPsciVersion(vcpu: VcpuState): bigint {
  const { latest, forcedBy } = vcpu.vm.host.profile.psci;
  if (!hasPsci(vcpu)) return PSCI_0_1;
  if (forcedBy !== undefined && hasFeature(vcpu, forcedBy.feature)) return BigInt(`0x${forcedBy.version}`);
  return vcpu.vm.psciVersion === 0n ? BigInt(`0x${latest}`) : vcpu.vm.psciVersion;
}
