/**
 * The features of the CPU that a host gives its guests.
 *
 * @packageDocumentation
 */
import { sysRegId } from '../abi/register-id.ts';
import { KVM_ARM_VCPU } from '../abi/vcpu-features.ts';
import { type CpuGap, gapsOf } from './cpu/a64/gaps.ts';
import { featuresOf } from './cpu/features.ts';
import { loadHost } from './load-host.ts';
import { modelOf } from './model.ts';
import { pmuGap } from './pmu-events.ts';
import type { HostProfile } from './profile.ts';

const ID_AA64PFR0_EL1 = sysRegId(3, 0, 0, 4, 0);
const SYSTEM_REGISTERS = sysRegId(0, 0, 0, 0, 0);
const EL1_32BIT = 1 << KVM_ARM_VCPU.KVM_ARM_VCPU_EL1_32BIT;

/**
 * The optional features, by the names of `cpu/features.ts`, that the ID registers claim for a vCPU with these features
 * (bits) after `KVM_ARM_VCPU_INIT`. Kernels before 4.15 show their guests the registers of the machine, which their
 * profiles do not have: those are the basis's. A guest of 32 bits has but `AArch32`.
 *
 * @throws KvmError `ERR_BAD_PROFILE`
 */
export function cpuFeatures(profile: HostProfile, features: number): ReadonlySet<string> {
  if (profile.architecture === 'arm' || (features & EL1_32BIT) !== 0) return new Set(['AArch32']);
  const { basis } = profile.provenance;
  const configuration = modelOf(profile).configuration(features);
  if (basis !== undefined && !configuration?.registers.has(ID_AA64PFR0_EL1))
    return cpuFeatures(loadHost(basis), features);
  if (configuration === undefined) return new Set();
  const { registers, resets, vmResets } = configuration;
  return featuresOf(encoding => {
    const found = registers.get(SYSTEM_REGISTERS | BigInt(encoding));
    return found === undefined ? 0n : (found.scope === 'vm' ? vmResets : resets)[found.cell]!;
  });
}

/**
 * What of a host's CPU the interpreter does not execute, of all feature sets that the host accepts, and its PMU not count.
 *
 * @throws KvmError `ERR_BAD_PROFILE`
 */
export function cpuGaps(profile: HostProfile): readonly CpuGap[] {
  const sets = profile.configurations.flatMap(({ features }) => features);
  const ofCpu = gapsOf(new Set(sets.flatMap(features => [...cpuFeatures(profile, features)])));
  const ofPmu = pmuGap(profile);
  return ofPmu === undefined ? ofCpu : [...ofCpu, ofPmu];
}
