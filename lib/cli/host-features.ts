/**
 * Names of vCPU features as the host has them: a modelled one may have a feature that no kernel got.
 *
 * @packageDocumentation
 */
import { featureBit, featureName, type VcpuFeature } from '../abi/vcpu-features.ts';
import type { HostProfile } from '../emulator/profile.ts';

/** The name of a feature bit, or its number; without a profile, on this machine's KVM. */
export function nameOfFeature(bit: number, profile?: HostProfile): string {
  const own = profile?.psci.forcedBy;
  return (bit === own?.feature ? own.name : featureName(bit, profile?.architecture)) ?? String(bit);
}

/**
 * The bit of a feature that is given by name or number; without a profile, on this machine's KVM.
 *
 * @throws TypeError, RangeError as `featureBit`
 */
export function bitOfFeature(text: string, profile?: HostProfile): number {
  const own = profile?.psci.forcedBy;
  if (own !== undefined && text.replace(/^KVM_ARM_VCPU_/, '') === own.name) return own.feature;
  return featureBit(/^\d+$/.test(text) ? Number(text) : (text as VcpuFeature), profile?.architecture);
}
