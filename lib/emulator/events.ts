/**
 * KVM_{GET,SET}_VCPU_EVENTS (`__kvm_arm_vcpu_{get,set}_events`, arch/arm64/kvm/guest.c; `inject_abt64`, inject_fault.c).
 *
 * @packageDocumentation
 */
import { KVM_CAP } from '../abi/capabilities.ts';
import { ERRNO } from '../abi/errno.ts';
import { CORE_PSTATE, sysRegId } from '../abi/register-id.ts';
import { decodeVcpuEvents, encodeVcpuEvents } from '../abi/structs.ts';
import { KVM_ARM_VCPU } from '../abi/vcpu-features.ts';
import type { Result } from '../backend.ts';
import { hasFeature } from './register-access.ts';
import type { VcpuState } from './state.ts';

/** Bits of `struct kvm_vcpu_events` that must be 0: pad[5] at 3, reserved[12] at 16. */
const MUST_BE_ZERO = [
  [3, 8],
  [16, 64],
] as const;

/** ESR_ELx.ISS, 24:0, and the bit that says it is implementation defined. */
const ISS_MASK = 0x1ff_ffffn;
const ESR_ISV = 1n << 24n;

const ESR_EL1 = sysRegId(3, 0, 5, 2, 0);
const FAR_EL1 = sysRegId(3, 0, 6, 0, 0);
const TCR_EL1 = sysRegId(3, 0, 2, 0, 2);

/** AArch32: TTBCR.EAE chooses the long-descriptor format of DFSR, with its bit 9 set. */
const TTBCR_EAE = 1n << 31n;
const DFSR_EXTABT_LPAE = 0x210n;
const DFSR_EXTABT = 0x8n;

/** A data abort from the same exception level, or from a lower one, with a synchronous external abort as its cause. */
const EC_DABT = { current: 0x25n << 26n, lower: 0x24n << 26n };
const FSC_EXTABT = 0x10n;

/** Whether the CPU has the RAS extension, with which an SError has a syndrome. */
function hasRas(vcpu: VcpuState): boolean {
  return (vcpu.vm.host.profile.capabilities[KVM_CAP.KVM_CAP_ARM_INJECT_SERROR_ESR] ?? 0) > 0;
}

/** Before Linux 4.19 the requests are unknown; later ones may want an init first. */
function refusal(vcpu: VcpuState): Result | undefined {
  const { capabilities, behaviours } = vcpu.vm.host.profile;
  if (!capabilities[KVM_CAP.KVM_CAP_VCPU_EVENTS]) return -ERRNO.EINVAL;
  return behaviours.vcpuEventsNeedInit && vcpu.configuration === undefined ? -ERRNO.ENOEXEC : undefined;
}

/** Fills the struct. */
export function getEvents(vcpu: VcpuState, events: Uint8Array): Result {
  const refused = refusal(vcpu);
  if (refused !== undefined) return refused;
  events.set(
    encodeVcpuEvents({
      serrorPending: vcpu.serror !== undefined,
      serrorHasEsr: hasRas(vcpu),
      extDabtPending: false,
      serrorEsr: hasRas(vcpu) ? (vcpu.serror ?? 0n) : 0n,
    }),
  );
  return 0;
}

/** Makes what the struct says pending. */
export function setEvents(vcpu: VcpuState, bytes: Uint8Array): Result {
  const refused = refusal(vcpu);
  if (refused !== undefined) return refused;
  if (MUST_BE_ZERO.some(([from, to]) => bytes.subarray(from, to).some(byte => byte !== 0)))
    return -ERRNO.EINVAL;
  const { serrorPending, serrorHasEsr, extDabtPending, serrorEsr } = decodeVcpuEvents(bytes);
  if (serrorPending && serrorHasEsr) {
    if (!hasRas(vcpu) || (serrorEsr & ~ISS_MASK) !== 0n) return -ERRNO.EINVAL;
    vcpu.serror = serrorEsr;
  } else if (serrorPending) {
    vcpu.serror = ESR_ISV;
  }
  if (extDabtPending) injectDataAbort(vcpu);
  return 0;
}

/** The abort shows in ESR_EL1 and FAR_EL1 at once; the vector is taken by the next run. */
function injectDataAbort(vcpu: VcpuState): void {
  if (vcpu.configuration === undefined) return;
  const { registers } = vcpu.configuration;
  const is32Bit = hasFeature(vcpu, KVM_ARM_VCPU.KVM_ARM_VCPU_EL1_32BIT);
  const cell = (id: bigint) => registers.get(id)!.cell;
  const { cells } = vcpu;
  if (is32Bit) {
    // `inject_abt32`: FAR_EL1 is IFAR and DFAR, of which this is DFAR, and ESR_EL1 is DFSR.
    const isLpae = (cells[cell(TCR_EL1)]! & TTBCR_EAE) !== 0n;
    cells[cell(ESR_EL1)] = isLpae ? DFSR_EXTABT_LPAE : DFSR_EXTABT;
    cells[cell(FAR_EL1)] = cells[cell(FAR_EL1)]! & ~0xffff_ffffn;
  } else {
    const mode = cells[cell(CORE_PSTATE)]! & 0x1fn;
    const isLower = (mode & 0x10n) !== 0n || (mode & 0xfn) === 0n;
    cells[cell(ESR_EL1)] = (isLower ? EC_DABT.lower : EC_DABT.current) | FSC_EXTABT;
    cells[cell(FAR_EL1)] = 0n;
  }
}
