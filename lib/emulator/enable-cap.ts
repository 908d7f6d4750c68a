/**
 * KVM_ENABLE_CAP on a VM (`kvm_vm_ioctl_enable_cap_generic`, virt/kvm/kvm_main.c; `kvm_vm_ioctl_enable_cap`,
 * arch/arm64/kvm/arm.c). Which capabilities the host accepts stands in its profile; here is what their arguments may be.
 *
 * @packageDocumentation
 */
import { KVM_CAP } from '../abi/capabilities.ts';
import { ERRNO } from '../abi/errno.ts';
import type { Result } from '../backend.ts';
import type { VmState } from './state.ts';

/** KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE and, with it, KVM_DIRTY_LOG_INITIALLY_SET (linux/kvm.h). */
const MANUAL_PROTECT_ENABLE = 1n;
const MANUAL_CAPS = 3n;

/** KVM_DIRTY_RING_MAX_ENTRIES × sizeof(struct kvm_dirty_gfn). */
const DIRTY_RING_MAX = 65536 * 16;
const PAGE_SIZE = 4096;

type Enable = (vm: VmState, arg: bigint) => Result;

const dirtyRing: Enable = (vm, arg) => {
  const size = Number(BigInt.asUintN(32, arg));
  if (size === 0 || (size & (size - 1)) !== 0 || size < PAGE_SIZE) return -ERRNO.EINVAL;
  if (size > DIRTY_RING_MAX) return -ERRNO.E2BIG;
  if (vm.dirtyRingSize !== 0 || vm.vcpus.size > 0) return -ERRNO.EINVAL;
  vm.dirtyRingSize = size;
  return 0;
};

/** By capability number; one that is not here takes any argument. */
const ENABLE: Readonly<Record<number, Enable>> = {
  [KVM_CAP.KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2](vm, arg) {
    const isEnabled = (arg & MANUAL_PROTECT_ENABLE) !== 0n;
    if ((arg & ~(isEnabled ? MANUAL_CAPS : MANUAL_PROTECT_ENABLE)) !== 0n) return -ERRNO.EINVAL;
    vm.manualDirtyProtect = isEnabled;
    return 0;
  },
  [KVM_CAP.KVM_CAP_HALT_POLL]: (_, arg) => (arg > 0xffff_ffffn ? -ERRNO.EINVAL : 0),
  [KVM_CAP.KVM_CAP_DIRTY_LOG_RING_ACQ_REL]: dirtyRing,
  [KVM_CAP.KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP]: vm => (vm.dirtyRingSize === 0 ? -ERRNO.EINVAL : 0),
  [KVM_CAP.KVM_CAP_ARM_MTE]: vm => (vm.vcpus.size === 0 ? 0 : -ERRNO.EINVAL),
  [KVM_CAP.KVM_CAP_ARM_NISV_TO_USER](vm) {
    vm.nisvToUser = true;
    return 0;
  },
  [KVM_CAP.KVM_CAP_ARM_SYSTEM_SUSPEND](vm) {
    vm.systemSuspend = true;
    return 0;
  },
  [KVM_CAP.KVM_CAP_ARM_WRITABLE_IMP_ID_REGS](vm) {
    if (vm.vcpus.size > 0) return -ERRNO.EINVAL;
    vm.identityUnlocked = true;
    return 0;
  },
  [KVM_CAP.KVM_CAP_ARM_EAGER_SPLIT_CHUNK_SIZE](vm, arg) {
    const sizes = BigInt(vm.host.profile.capabilities[KVM_CAP.KVM_CAP_ARM_SUPPORTED_BLOCK_SIZES] ?? 0);
    const isPowerOfTwo = (arg & (arg - 1n)) === 0n;
    if (arg !== 0n && !(isPowerOfTwo && (arg & sizes) !== 0n)) return -ERRNO.EINVAL;
    vm.eagerSplitChunkSize = arg;
    return 0;
  },
};

/** Those whose flags the kernel does not look at. */
const IGNORES_FLAGS: ReadonlySet<number> = new Set([KVM_CAP.KVM_CAP_DIRTY_LOG_RING_ACQ_REL]);

/** KVM_ENABLE_CAP on a VM. */
export function enableCap(vm: VmState, cap: number, flags: number, args: BigUint64Array): Result {
  if (!vm.host.profile.enableCaps.includes(cap)) return -ERRNO.EINVAL;
  if (flags !== 0 && !IGNORES_FLAGS.has(cap)) return -ERRNO.EINVAL;
  return ENABLE[cap]?.(vm, args[0]!) ?? 0;
}
