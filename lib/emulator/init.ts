/**
 * KVM_ARM_VCPU_INIT (`kvm_vcpu_set_target` and, from Linux 6.7, `kvm_vcpu_init_check`, arch/arm64/kvm/arm.c;
 * `kvm_reset_vcpu`, reset.c).
 *
 * @packageDocumentation
 */
import { ERRNO } from '../abi/errno.ts';
import { KVM_MP_STATE } from '../abi/mp-state.ts';
import { coreRegId, sysRegId } from '../abi/register-id.ts';
import { KVM_ARM_VCPU } from '../abi/vcpu-features.ts';
import type { Result } from '../backend.ts';
import { hasFeature } from './registers/register-access.ts';
import type { Configuration, VcpuState } from './state.ts';

const { KVM_MP_STATE_RUNNABLE, KVM_MP_STATE_STOPPED } = KVM_MP_STATE;

const bit = (feature: keyof typeof KVM_ARM_VCPU) => 1 << KVM_ARM_VCPU[feature];
const POWER_OFF = bit('KVM_ARM_VCPU_POWER_OFF');
const EL1_32BIT = bit('KVM_ARM_VCPU_EL1_32BIT');

/**
 * Initialises a vCPU, or initialises it again.
 *
 * @param featureBits - `struct kvm_vcpu_init`'s words as one number
 */
export function initVcpu(vcpu: VcpuState, target: number, featureBits: bigint): Result {
  const { targets, knownFeatures, behaviours } = vcpu.vm.host.profile;
  if (!targets.accepted.includes(target)) return -ERRNO.EINVAL;
  const asked = Number(BigInt.asUintN(knownFeatures, featureBits));
  const hasUnknown = featureBits >> BigInt(knownFeatures) !== 0n;
  const take = behaviours.featuresPerVcpu ? takeOwnFeatures : takeVmFeatures;
  const configuration = take(vcpu, asked, hasUnknown);
  if (typeof configuration === 'number') return configuration;
  reset(vcpu, configuration);
  vcpu.mpState = ((asked | vcpu.features) & POWER_OFF) === 0 ? KVM_MP_STATE_RUNNABLE : KVM_MP_STATE_STOPPED;
  vcpu.serror = undefined;
  vcpu.pendingReset = undefined;
  return 0;
}

/** From Linux 6.5 on all vCPUs of a VM have the features of the first; POWER_OFF holds for the call alone. */
function takeVmFeatures({ vm }: VcpuState, asked: number, hasUnknown: boolean): Configuration | Result {
  if (hasUnknown) return -ERRNO.ENOENT;
  const features = asked & ~POWER_OFF;
  const configuration = vm.host.configuration(features);
  if (configuration === undefined) return -ERRNO.EINVAL;
  if (vm.configuration !== undefined && vm.configuration !== configuration) return -ERRNO.EINVAL;
  vm.features = features;
  return configuration;
}

/**
 * Before, each vCPU has its own and keeps them, POWER_OFF among them. The kernel notes bit after bit: where it then
 * meets one that it does not know, those before stay noted, and the next init has them, too.
 */
function takeOwnFeatures(vcpu: VcpuState, asked: number, hasUnknown: boolean): Configuration | Result {
  if (vcpu.configuration !== undefined && asked !== vcpu.features) return -ERRNO.EINVAL;
  vcpu.features |= asked;
  if (hasUnknown) return -ERRNO.ENOENT;
  const configuration = switchOn(vcpu);
  if (configuration === undefined) {
    vcpu.configuration = undefined;
    vcpu.features = 0;
    return -ERRNO.EINVAL;
  }
  return configuration;
}

/** What is switched on in this order, and stays so where a later step fails. */
const SWITCHES = [
  bit('KVM_ARM_VCPU_SVE'),
  bit('KVM_ARM_VCPU_PTRAUTH_ADDRESS') | bit('KVM_ARM_VCPU_PTRAUTH_GENERIC'),
];

/** The first steps of `kvm_reset_vcpu` before Linux 6.5; undefined where one of them fails. */
function switchOn(vcpu: VcpuState): Configuration | undefined {
  const { host } = vcpu.vm;
  const { widthOfAllVcpus, beforeSve } = host.profile.behaviours;
  if (beforeSve) return host.configuration(vcpu.features & ~POWER_OFF);
  if (!widthOfAllVcpus && !fixWidth(vcpu)) return undefined;
  for (const group of SWITCHES) {
    const wanted = vcpu.features & group;
    if (wanted === 0) continue;
    if (host.configuration(wanted) === undefined) return undefined;
    vcpu.switchedOn |= wanted;
  }
  if (widthOfAllVcpus && !allHaveWidthOf(vcpu)) return undefined;
  return host.configuration((vcpu.features | vcpu.switchedOn) & ~POWER_OFF);
}

/** The first init that comes so far decides for the VM, even if it then fails (`kvm_set_vm_width`). */
function fixWidth(vcpu: VcpuState): boolean {
  const { vm } = vcpu;
  const is32Bit = hasFeature(vcpu, KVM_ARM_VCPU.KVM_ARM_VCPU_EL1_32BIT);
  if (vm.is32Bit !== undefined) return vm.is32Bit === is32Bit;
  if (is32Bit && vm.host.configuration(EL1_32BIT) === undefined) return false;
  vm.is32Bit = is32Bit;
  return true;
}

/** Linux 5.10 looks at each vCPU's features (`vcpu_allowed_register_width`): 64-bit while it has none. */
function allHaveWidthOf(vcpu: VcpuState): boolean {
  return [...vcpu.vm.vcpus.values()].every(
    other => (other.features & EL1_32BIT) === (vcpu.features & EL1_32BIT),
  );
}

const PC = coreRegId(256);
const X0 = coreRegId(0);
const SCTLR_EL1 = sysRegId(3, 0, 1, 0, 0);
const SCTLR_EE = 1n << 25n;

/** What CPU_ON of another vCPU has left to do (`kvm_reset_vcpu`, arch/arm64/kvm/reset.c). */
export function applyPendingReset(vcpu: VcpuState): void {
  const { configuration, pendingReset } = vcpu;
  if (pendingReset === undefined || configuration === undefined) return;
  vcpu.pendingReset = undefined;
  reset(vcpu, configuration);
  const set = (id: bigint, value: bigint) => {
    vcpu.cells[configuration.registers.get(id)!.cell] = value;
  };
  set(PC, pendingReset.pc);
  set(X0, pendingReset.x0);
  if (pendingReset.isBigEndian) {
    set(SCTLR_EL1, vcpu.cells[configuration.registers.get(SCTLR_EL1)!.cell]! | SCTLR_EE);
  }
}

/** `kvm_reset_vcpu`: values that survive are kept where the vCPU had been initialised before. */
function reset(vcpu: VcpuState, configuration: Configuration): void {
  const { vm } = vcpu;
  const before = vcpu.cells;
  if (vm.configuration === undefined) {
    vm.configuration = configuration;
    vm.cells = [...configuration.vmResets];
    vm.pmcrN = configuration.pmuCounters ?? 0n;
  }
  vm.pmuCounters ??= configuration.pmuCounters;
  vcpu.configuration = configuration;
  vcpu.cells = [...configuration.resets];
  for (const access of configuration.computed) vcpu.cells[access.cell] = access.reset!(vcpu);
  if (!vcpu.sveFinalized) vcpu.sveMaxVq = configuration.sveMaxVq;
  if (before.length > 0) for (const cell of configuration.surviving) vcpu.cells[cell] = before[cell]!;
}
