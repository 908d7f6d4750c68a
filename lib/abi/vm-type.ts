/**
 * The machine type that `KVM_CREATE_VM` takes (`KVM_VM_TYPE_ARM_IPA_SIZE`, linux/kvm.h): bits 7:0 are the bits of the
 * guest's physical address space.
 *
 * @packageDocumentation
 */

/** What the kernel takes for 0 (`KVM_PHYS_SHIFT`, arch/arm64/include/asm/kvm_arm.h). */
export const DEFAULT_IPA_BITS = 40;
