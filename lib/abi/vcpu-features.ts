/**
 * What a vCPU can be initialised as: features and targets of `struct kvm_vcpu_init` (`asm/kvm.h` of arm64).
 *
 * @packageDocumentation
 */
import { checkUnsigned, invalidType, invalidValue } from './argument.ts';
import type { Capability } from './capabilities.ts';
import { didYouMean } from './nearest.ts';
import type { Architecture } from './register-id.ts';
import { VCPU_FEATURE_BITS } from './structs.ts';

/** Feature bits by the kernel's name. */
export const KVM_ARM_VCPU = {
  /** Starts stopped, until another vCPU turns it on by PSCI. */
  KVM_ARM_VCPU_POWER_OFF: 0,
  KVM_ARM_VCPU_EL1_32BIT: 1,
  /** PSCI 0.2 or later, rather than 0.1. */
  KVM_ARM_VCPU_PSCI_0_2: 2,
  KVM_ARM_VCPU_PMU_V3: 3,
  KVM_ARM_VCPU_SVE: 4,
  KVM_ARM_VCPU_PTRAUTH_ADDRESS: 5,
  KVM_ARM_VCPU_PTRAUTH_GENERIC: 6,
  /** Nested virtualization. */
  KVM_ARM_VCPU_HAS_EL2: 7,
  KVM_ARM_VCPU_HAS_EL2_E2H0: 8,
  KVM_ARM_VCPU_PMU_V3_STRICT: 9,
} as const;

/** Those of 32-bit arm, whose PSCI_0_2 is another bit (`asm/kvm.h` of arm, up to Linux 5.6). */
const ARM32_VCPU: FeatureBits = { KVM_ARM_VCPU_POWER_OFF: 0, KVM_ARM_VCPU_PSCI_0_2: 1 };

type FeatureBits = { readonly [Name in keyof typeof KVM_ARM_VCPU]?: number };
const bitsOf = (architecture: Architecture): FeatureBits =>
  architecture === 'arm64' ? KVM_ARM_VCPU : ARM32_VCPU;

/** CPU targets by the kernel's name. All recent kernels answer `KVM_ARM_PREFERRED_TARGET` with the last one. */
export const KVM_ARM_TARGET = {
  KVM_ARM_TARGET_AEM_V8: 0,
  KVM_ARM_TARGET_FOUNDATION_V8: 1,
  KVM_ARM_TARGET_CORTEX_A57: 2,
  KVM_ARM_TARGET_XGENE_POTENZA: 3,
  KVM_ARM_TARGET_CORTEX_A53: 4,
  KVM_ARM_TARGET_GENERIC_V8: 5,
} as const;

type FullName = keyof typeof KVM_ARM_VCPU;
type ShortName = FullName extends `KVM_ARM_VCPU_${infer Name}` ? Name : never;

/** A vCPU feature by the kernel's name, with or without `KVM_ARM_VCPU_`. */
export type VcpuFeature = FullName | ShortName;

const PREFIX = 'KVM_ARM_VCPU_';
const shortNames = Object.keys(KVM_ARM_VCPU).map(name => name.slice(PREFIX.length)) as ShortName[];

/** The features by short name, for those who like to complete rather than to spell: `VcpuFeature.PSCI_0_2`. */
export const VcpuFeature = Object.fromEntries(shortNames.map(name => [name, name])) as {
  readonly [Name in ShortName]: Name;
};

/** The capability that a host has where its vCPUs can have a feature; every host has the one without. */
export const VCPU_FEATURE_CAPABILITY: Readonly<Record<ShortName, Capability | undefined>> = {
  POWER_OFF: undefined,
  EL1_32BIT: 'ARM_EL1_32BIT',
  PSCI_0_2: 'ARM_PSCI_0_2',
  PMU_V3: 'ARM_PMU_V3',
  SVE: 'ARM_SVE',
  PTRAUTH_ADDRESS: 'ARM_PTRAUTH_ADDRESS',
  PTRAUTH_GENERIC: 'ARM_PTRAUTH_GENERIC',
  HAS_EL2: 'ARM_EL2',
  HAS_EL2_E2H0: 'ARM_EL2_E2H0',
  PMU_V3_STRICT: 'ARM_PMU_V3_STRICT',
};

/**
 * The bit of a feature.
 *
 * @param feature - its name, or a bit number (0 to 223), which may be one that this library does not know
 * @throws TypeError `ERR_INVALID_ARG_VALUE` for an unknown name, with the nearest known one, or one that 32-bit arm
 * does not have
 */
export function featureBit(feature: VcpuFeature | number, architecture: Architecture = 'arm64'): number {
  if (typeof feature === 'number') {
    checkUnsigned('feature', feature, VCPU_FEATURE_BITS - 1);
    return feature;
  }
  if (typeof feature === 'string') {
    const name = feature.startsWith(PREFIX) ? feature : PREFIX + feature;
    const bits = bitsOf(architecture);
    const bit = Object.hasOwn(bits, name) ? bits[name as FullName] : undefined;
    if (bit !== undefined) return bit;
    if (Object.hasOwn(KVM_ARM_VCPU, name)) throw invalidValue('feature', 'one that 32-bit arm has', feature);
    const hint = didYouMean(name.slice(PREFIX.length), shortNames);
    throw invalidValue('feature', `a name of KVM_ARM_VCPU_*${hint}`, feature);
  }
  throw invalidType('feature', 'a name of KVM_ARM_VCPU_* or a bit number', feature);
}

/**
 * A set of features as the words of `struct kvm_vcpu_init` in one number.
 *
 * @throws as {@link featureBit}
 */
export function featureMask(
  features: readonly (VcpuFeature | number)[],
  architecture: Architecture = 'arm64',
): bigint {
  return features.reduce<bigint>(
    (mask, feature) => mask | (1n << BigInt(featureBit(feature, architecture))),
    0n,
  );
}

/** The short name of a feature bit, `'PSCI_0_2'`; `undefined` where it has none here. */
export function featureName(bit: number, architecture: Architecture = 'arm64'): ShortName | undefined {
  return shortNames.find(name => bitsOf(architecture)[`KVM_ARM_VCPU_${name}`] === bit);
}
