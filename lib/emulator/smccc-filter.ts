/**
 * The SMCCC filter, the one device attribute that a VM has (`kvm_smccc_set_filter`, arch/arm64/kvm/hypercalls.c):
 * which hypercalls of the guest the kernel handles, denies or hands to the program.
 *
 * @packageDocumentation
 */
import { ERRNO } from '../abi/errno.ts';
import type { Result } from '../backend.ts';
import { hasRun } from './registers/register-access.ts';
import type { VmState } from './state.ts';
import { readStruct } from './user-memory.ts';

/** KVM_ARM_VM_SMCCC_CTRL and KVM_ARM_VM_SMCCC_FILTER (asm/kvm.h). */
const GROUP = 0;
const FILTER = 0n;

/** `struct kvm_smccc_filter`: base u32, nr_functions u32, action u8, pad[15]. */
const FILTER_SIZE = 24;
/** `enum kvm_smccc_filter_action`. */
const ACTIONS = ['handle', 'deny', 'forward'] as const;

/** What becomes of a call. */
export type FilterAction = (typeof ACTIONS)[number];

/** Arm's own calls, which no filter may touch (SMCCC_ARCH_RANGE_* and SMC64_ARCH_RANGE_*). */
const RESERVED = [
  { start: 0x8000_0000, end: 0x8000_ffff, action: 'handle' },
  { start: 0xc000_0000, end: 0xc000_ffff, action: 'handle' },
] as const;

/** KVM_HAS_DEVICE_ATTR on a VM. */
export function hasSmcccAttr({ host }: VmState, group: number, attr: bigint): Result {
  if (!host.profile.behaviours.vmAttributes) return -ERRNO.EINVAL;
  return group === GROUP && attr === FILTER ? 0 : -ERRNO.ENXIO;
}

/** KVM_SET_DEVICE_ATTR on a VM. */
export function setSmcccAttr(vm: VmState, group: number, attr: bigint, data: Uint8Array): Result {
  const known = hasSmcccAttr(vm, group, attr);
  if (known !== 0) return known;
  const view = new DataView(readStruct(data, FILTER_SIZE).buffer);
  const start = view.getUint32(0, true);
  const count = view.getUint32(4, true);
  const end = (start + count - 1) >>> 0;
  for (let i = 9; i < FILTER_SIZE; i++) if (view.getUint8(i) !== 0) return -ERRNO.EINVAL;
  if (count === 0 && vm.host.profile.behaviours.emptyFilterRefused) return -ERRNO.EINVAL;
  const action = ACTIONS[view.getUint8(8)];
  if (end < start || action === undefined) return -ERRNO.EINVAL;
  if (hasRun(vm)) return -ERRNO.EBUSY;
  vm.smcccFilter ??= [...RESERVED];
  if (vm.smcccFilter.some(range => start <= range.end && end >= range.start)) return -ERRNO.EEXIST;
  vm.smcccFilter.push({ start, end, action });
  return 0;
}

/** What the filter says of a function id. */
export function filterAction({ smcccFilter = [] }: VmState, id: number): FilterAction {
  return smcccFilter.find(({ start, end }) => id >= start && id <= end)?.action ?? 'handle';
}
