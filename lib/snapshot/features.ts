/**
 * Which vCPU features a host accepts.
 *
 * @packageDocumentation
 */
import { featureMask, featureName, KVM_ARM_VCPU } from '../abi/vcpu-features.ts';
import { KvmError } from '../errors.ts';
import type { Kvm } from '../kvm.ts';
import type { Vcpu } from '../vcpu.ts';

/** Features that are accepted only with another (`kvm_vcpu_init_check_features`, arch/arm64/kvm/arm.c). */
const NEEDS: Readonly<Record<number, number>> = {
  [KVM_ARM_VCPU.KVM_ARM_VCPU_PTRAUTH_ADDRESS]: KVM_ARM_VCPU.KVM_ARM_VCPU_PTRAUTH_GENERIC,
  [KVM_ARM_VCPU.KVM_ARM_VCPU_PTRAUTH_GENERIC]: KVM_ARM_VCPU.KVM_ARM_VCPU_PTRAUTH_ADDRESS,
  [KVM_ARM_VCPU.KVM_ARM_VCPU_HAS_EL2_E2H0]: KVM_ARM_VCPU.KVM_ARM_VCPU_HAS_EL2,
  [KVM_ARM_VCPU.KVM_ARM_VCPU_PMU_V3_STRICT]: KVM_ARM_VCPU.KVM_ARM_VCPU_PMU_V3,
};

const SVE = featureMask(['SVE']);

/** The bits that are set, lowest first. */
export function bitsOf(mask: bigint): number[] {
  return Array.from(mask.toString(2))
    .reverse()
    .flatMap((digit, bit) => (digit === '1' ? [bit] : []));
}

/** The names of features, or their bits where they have none. */
export function featureNames(kvm: Kvm, mask: bigint): string[] {
  return bitsOf(mask).map(bit => featureName(bit, kvm.architecture) ?? `feature ${bit}`);
}

/** The features among these that a host accepts, each tried on a scratch VM. */
export function acceptedFeatures(kvm: Kvm, mask: bigint): bigint {
  if (accepts(kvm, mask)) return mask;
  const each = bitsOf(mask).filter(bit => {
    const other = kvm.architecture === 'arm64' ? NEEDS[bit] : undefined;
    return accepts(kvm, (1n << BigInt(bit)) | (other === undefined ? 0n : 1n << BigInt(other)));
  });
  return each.reduce((all, bit) => all | (1n << BigInt(bit)), 0n);
}

function accepts(kvm: Kvm, mask: bigint): boolean {
  return onScratch(kvm, vcpu => {
    try {
      vcpu.init({ features: bitsOf(mask) });
      return true;
    } catch (error) {
      if (error instanceof KvmError && error.request === 'KVM_ARM_VCPU_INIT') return false;
      throw error;
    }
  });
}

/** Does something with a vCPU of a VM that is closed again. */
export function onScratch<Result>(kvm: Kvm, use: (vcpu: Vcpu) => Result): Result {
  const vm = kvm.createVm();
  try {
    return use(vm.createVcpu(0));
  } finally {
    vm.close();
  }
}

/** Does something with one that has these features, and whose registers can be listed. */
export function onReadyScratch<Result>(kvm: Kvm, mask: bigint, use: (vcpu: Vcpu) => Result): Result {
  return onScratch(kvm, vcpu => {
    vcpu.init({ features: bitsOf(mask) });
    if (hasSve(kvm, mask)) vcpu.finalize('SVE');
    return use(vcpu);
  });
}

/** Whether SVE is among the features; its bit means something else where the host has no such capability. */
export function hasSve(kvm: Kvm, mask: bigint): boolean {
  return (mask & SVE) !== 0n && kvm.checkExtension('ARM_SVE') > 0;
}
