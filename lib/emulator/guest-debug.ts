/**
 * KVM_SET_GUEST_DEBUG (`kvm_arch_vcpu_ioctl_set_guest_debug`, arch/arm64/kvm/guest.c).
 *
 * @packageDocumentation
 */
import { ERRNO } from '../abi/errno.ts';
import { type DebugRegisters, decodeGuestDebug, KVM_GUESTDBG } from '../abi/guest-debug.ts';
import type { Result } from '../backend.ts';
import type { VcpuState } from './state.ts';

/** What a debugger wants of a vCPU. */
export interface GuestDebug {
  readonly singleStep: boolean;
  /** What stands in for the guest's own registers; undefined: nothing does. */
  readonly hardware:
    | { readonly breakpoints: readonly DebugRegisters[]; readonly watchpoints: readonly DebugRegisters[] }
    | undefined;
}

const { KVM_GUESTDBG_ENABLE, KVM_GUESTDBG_SINGLESTEP, KVM_GUESTDBG_USE_SW_BP, KVM_GUESTDBG_USE_HW } =
  KVM_GUESTDBG;
const VALID = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP | KVM_GUESTDBG_USE_SW_BP | KVM_GUESTDBG_USE_HW;

/** A debugger that is there takes every BRK: USE_SW_BP has no meaning of its own. */
export function setGuestDebug(vcpu: VcpuState, bytes: Uint8Array): Result {
  // A 32-bit kernel has no debugging of guests (arch/arm/kvm/guest.c of 4.17).
  if (vcpu.vm.host.profile.architecture === 'arm') return -ERRNO.EINVAL;
  const { control, breakpoints, watchpoints } = decodeGuestDebug(bytes);
  if ((control & ~VALID) !== 0) return -ERRNO.EINVAL;
  if ((control & KVM_GUESTDBG_ENABLE) === 0) {
    vcpu.guestDebug = undefined;
    vcpu.stepPending = false;
    return 0;
  }
  vcpu.guestDebug = {
    singleStep: (control & KVM_GUESTDBG_SINGLESTEP) !== 0,
    hardware: (control & KVM_GUESTDBG_USE_HW) === 0 ? undefined : { breakpoints, watchpoints },
  };
  return 0;
}
