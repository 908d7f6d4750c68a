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
import { enterDataAbort32, enterException } from './exceptions.ts';
import { hasFeature } from './registers/register-access.ts';
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
const LOW_HALF = 0xffff_ffffn;

/** In the exception class of a data abort: it comes from the same exception level, rather than from a lower one. */
const FROM_CURRENT = 1n << 26n;
const EC_SERROR = 0x2fn << 26n;

/** ESR_ELx.IL, the length of the instruction: 32 bits, or unknown. */
const ESR_IL = 1n << 25n;

/** PSTATE.A: an SError waits. */
const PSTATE_A = 1n << 8n;

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

/** Makes what the struct says pending, or has the vCPU take it. */
export function setEvents(vcpu: VcpuState, bytes: Uint8Array): Result {
  const { serrorTakenAtOnce } = vcpu.vm.host.profile.behaviours;
  const refused = refusal(vcpu);
  if (refused !== undefined) return refused;
  if (MUST_BE_ZERO.some(([from, to]) => bytes.subarray(from, to).some(byte => byte !== 0)))
    return -ERRNO.EINVAL;
  const events = decodeVcpuEvents(bytes);
  if (serrorTakenAtOnce) {
    // The abort masks an SError that comes with it.
    if (events.extDabtPending) injectDataAbort(vcpu);
    return injectSerror(vcpu, events);
  }
  const result = injectSerror(vcpu, events);
  if (result === 0 && events.extDabtPending) injectDataAbort(vcpu);
  return result;
}

function injectSerror(
  vcpu: VcpuState,
  { serrorPending, serrorHasEsr, serrorEsr }: ReturnType<typeof decodeVcpuEvents>,
): Result {
  if (!serrorPending) return 0;
  if (serrorHasEsr && (!hasRas(vcpu) || (serrorEsr & ~ISS_MASK) !== 0n)) return -ERRNO.EINVAL;
  const syndrome = serrorHasEsr ? serrorEsr : ESR_ISV;
  if (vcpu.vm.host.profile.behaviours.serrorTakenAtOnce && !masksSerror(vcpu)) takeSerror(vcpu, syndrome);
  else vcpu.serror = syndrome;
  return 0;
}

/** Where a register of this configuration lies. */
function cellOf({ configuration }: VcpuState, id: bigint): number {
  return configuration!.registers.get(id)!.cell;
}

function masksSerror(vcpu: VcpuState): boolean {
  return (vcpu.cells[cellOf(vcpu, CORE_PSTATE)]! & PSTATE_A) !== 0n;
}

/** Taken to AArch64 even by a vCPU with a 32-bit EL1, whose data aborts in turn are not taken: so the kernels do. */
function takeSerror(vcpu: VcpuState, syndrome: bigint): void {
  vcpu.cells[cellOf(vcpu, ESR_EL1)] = EC_SERROR | (abortSyndrome(vcpu) & ESR_IL) | syndrome;
  enterException(vcpu, 'serror');
}

function abortSyndrome(vcpu: VcpuState): bigint {
  return BigInt(`0x${vcpu.vm.host.profile.behaviours.abortSyndrome}`);
}

/** The abort shows in ESR_EL1 and FAR_EL1 at once, even where the vector is not taken yet. */
function injectDataAbort(vcpu: VcpuState): void {
  if (vcpu.configuration === undefined) return;
  const { cells } = vcpu;
  const { abortTakenAtOnce, abort32TakenAtOnce } = vcpu.vm.host.profile.behaviours;
  const esr = cellOf(vcpu, ESR_EL1);
  const far = cellOf(vcpu, FAR_EL1);
  if (hasFeature(vcpu, KVM_ARM_VCPU.KVM_ARM_VCPU_EL1_32BIT)) {
    // `inject_abt32`: FAR_EL1 is IFAR and DFAR, of which this is DFAR, and ESR_EL1 is DFSR.
    const isLpae = (cells[cellOf(vcpu, TCR_EL1)]! & TTBCR_EAE) !== 0n;
    const dfsr = isLpae ? DFSR_EXTABT_LPAE : DFSR_EXTABT;
    if (abort32TakenAtOnce) enterDataAbort32(vcpu);
    // A kernel that does it there writes the 32-bit register alone.
    cells[esr] = abort32TakenAtOnce ? (cells[esr]! & ~LOW_HALF) | dfsr : dfsr;
    cells[far] = cells[far]! & ~LOW_HALF;
  } else {
    const mode = cells[cellOf(vcpu, CORE_PSTATE)]! & 0x1fn;
    const isLower = (mode & 0x10n) !== 0n || (mode & 0xfn) === 0n;
    cells[esr] = abortSyndrome(vcpu) & (isLower ? ~FROM_CURRENT : -1n);
    cells[far] = 0n;
    if (abortTakenAtOnce) enterException(vcpu, 'sync');
    else vcpu.abortPending = true;
  }
}
