/**
 * What comes before a vCPU is entered for the first time: its surroundings must be complete
 * (`kvm_arch_vcpu_run_pid_change`, arch/arm64/kvm/arm.c; before Linux 5.16 `kvm_vcpu_first_run_init`).
 *
 * @packageDocumentation
 */
import { ERRNO } from '../../abi/errno.ts';
import { KVM_ARM_VCPU } from '../../abi/vcpu-features.ts';
import type { Result } from '../../backend.ts';
import { clearGicFields } from '../gic-fields.ts';
import { isPpi } from '../intids.ts';
import { hasFeature } from '../registers/register-access.ts';
import type { VcpuState } from '../state.ts';
import type { GuestTimer } from './guest-timers.ts';

/** The timers of a guest at EL1, in the order of their attributes. */
export type Timers = readonly [virtual: GuestTimer, physical: GuestTimer];

/** @returns 0 where the vCPU can be entered */
export function firstRun(vcpu: VcpuState, timers: Timers): Result {
  const { vm } = vcpu;
  // An old kernel asks once, and enters the vCPU at the next try whatever the answer was.
  if (vm.host.profile.gics?.failureIsDeadly === false) vcpu.hasRun = true;
  const result = completeGic(vcpu) || settleIdentity(vcpu) || enableTimers(vcpu, timers) || enablePmu(vcpu);
  if (result === 0) vcpu.hasRun = true;
  return result;
}

function completeGic({ vm }: VcpuState): Result {
  return vm.gic?.mapResources() ?? 0;
}

/** `kvm_finalize_sys_regs`, sys_regs.c: the system registers of a GIC are there with a GICv3. */
function settleIdentity(vcpu: VcpuState): Result {
  const { vm } = vcpu;
  if (vm.host.profile.behaviours.identitySettledByRun && vm.gic?.model !== 3) clearGicFields(vcpu);
  return 0;
}

/** `kvm_timer_enable`, arch_timer.c: each timer has a PPI of its own. */
function enableTimers(vcpu: VcpuState, timers: Timers): Result {
  const { vm, gic: cpu } = vcpu;
  if (cpu === undefined) return 0;
  const ppis = timers.map((timer, n) => [timer, vm.timerPpis[n]!] as const);
  for (const [timer, ppi] of ppis) if (cpu.gic.setOwner(cpu, ppi, timer) < 0) return -ERRNO.EINVAL;
  if (new Set(ppis.map(([, ppi]) => ppi)).size < ppis.length) return -ERRNO.EINVAL;
  vm.timerPpisFixed = vcpu.timersEnabled = true;
  for (const [n, [timer, ppi]] of ppis.entries()) {
    const irq = cpu.privateIrqs[ppi]!;
    irq.input = () => timer.fires;
    irq.isMapped = n === 0 || vm.host.profile.gics?.physicalTimerMapped === true;
  }
  return 0;
}

/** `kvm_arm_pmu_v3_enable`, pmu-emul.c: with a GIC it has an interrupt, and without one it has none. */
function enablePmu(vcpu: VcpuState): Result {
  const { vm, pmuIrq } = vcpu;
  if (!hasFeature(vcpu, KVM_ARM_VCPU.KVM_ARM_VCPU_PMU_V3)) return 0;
  if (!vcpu.pmuCreated) return vm.host.profile.gics?.failureIsDeadly ? -ERRNO.EINVAL : 0;
  if (vm.gic === undefined) return pmuIrq === 0 ? 0 : -ERRNO.EINVAL;
  return isPpi(pmuIrq) || vm.gic.isValidSpi(pmuIrq) ? 0 : -ERRNO.EINVAL;
}
