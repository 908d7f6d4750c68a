/**
 * The performance monitor's registers that are more than storage (`set_pmcr`, `set_pmreg`, arch/arm64/kvm/sys_regs.c).
 *
 * @packageDocumentation
 */
import { sysRegId } from '../../abi/register-id.ts';
import { KVM_ARM_VCPU } from '../../abi/vcpu-features.ts';
import type { RegisterAccess, VcpuState } from '../state.ts';
import { cellsOf, hasFeature, hasRun, idDigit, type SpecialRegister } from './register-access.ts';
import { plainRegister } from './write-rules.ts';

/** PMCR_EL0.N, 15:11: how many event counters there are. VM-wide. */
const N_SHIFT = 11n;
const N_MASK = 0x1fn;

/** The bits of PMCR_EL0 that userspace can change (ARMV8_PMU_PMCR_MASK, linux/perf/arm_pmuv3.h). */
const PMCR_MASK = 0xffn;

/** PMCR_EL0.LC, the long cycle counter: RES1 on a CPU without AArch32. */
const PMCR_LC = 1n << 6n;

export const PMCR_EL0: bigint = sysRegId(3, 3, 9, 12, 0);
const counters = (pmcr: bigint) => (pmcr >> N_SHIFT) & N_MASK;

/**
 * How many counters the PMU has that the kernel chooses for a vCPU: it stands in the recorded reset value of PMCR_EL0.
 * With the feature PMU_V3_STRICT it chooses none.
 */
export function chosenCounters(
  features: number,
  registers: ReadonlyMap<bigint, RegisterAccess>,
  resets: readonly bigint[],
): bigint | undefined {
  const access = registers.get(PMCR_EL0);
  const isStrict = ((features >> KVM_ARM_VCPU.KVM_ARM_VCPU_PMU_V3_STRICT) & 1) === 1;
  return access === undefined || isStrict ? undefined : counters(resets[access.cell]!);
}

const pmcr: SpecialRegister = ({ cell, scope, profile }) => ({
  cell,
  scope,
  get: vcpu => (vcpu.cells[cell]! & ~(N_MASK << N_SHIFT)) | (vcpu.vm.pmcrN << N_SHIFT),
  set(vcpu, value) {
    const { pmuCounters = 0n } = vcpu.vm;
    const isStrict = hasFeature(vcpu, KVM_ARM_VCPU.KVM_ARM_VCPU_PMU_V3_STRICT);
    if (!isStrict && !hasRun(vcpu.vm) && counters(value) <= pmuCounters) vcpu.vm.pmcrN = counters(value);
    vcpu.cells[cell] = (value & PMCR_MASK) | (profile.behaviours.aarch32User ? 0n : PMCR_LC);
    return 0;
  },
});

/** How many event counters the vCPU has: of the VM, or what userspace has left in its register where that is storage. */
export function counterCount(vcpu: VcpuState): bigint {
  return counters(vcpu.configuration!.registers.get(PMCR_EL0)!.get(vcpu) as bigint);
}

/** The event counters and the cycle counter, bit 31 (`kvm_pmu_valid_counter_mask`, pmu-emul.c). */
export function counterMask(vcpu: VcpuState): bigint {
  return (1n << 31n) | ((1n << counterCount(vcpu)) - 1n);
}

/** One of a pair of registers over the same bits: a write sets those that are 1, clears them, or is assigned. */
const bits =
  (effect: 'sets' | 'clears'): SpecialRegister =>
  ({ cell, scope, profile }) => ({
    cell,
    scope,
    get: vcpu => vcpu.cells[cell]! & counterMask(vcpu),
    set(vcpu, value) {
      const chosen = value & counterMask(vcpu);
      if (profile.behaviours.pmu === 'assigned') vcpu.cells[cell] = chosen;
      else if (effect === 'sets') vcpu.cells[cell] = vcpu.cells[cell]! | chosen;
      else vcpu.cells[cell] = vcpu.cells[cell]! & ~chosen;
      return 0;
    },
    // The unknown value of a reset is cut to the counters that there are at that time (`reset_pmu_reg`).
    reset: vcpu => vcpu.configuration!.resets[cell]! & counterMask(vcpu),
  });

const ID_AA64PFR0_EL1 = sysRegId(3, 0, 0, 4, 0);
const ID_AA64DFR0_EL1 = sysRegId(3, 0, 0, 5, 0);

/** PMUVer: 1 has 10 bits of event numbers, later ones 16 (`__kvm_pmu_event_mask`, pmu-emul.c). */
const EVENT_MASK: Readonly<Record<number, bigint>> = {
  1: 0x3ffn,
  4: 0xffffn,
  5: 0xffffn,
  6: 0xffffn,
  7: 0xffffn,
};
const EXCLUDE_EL1_EL0 = 0xc000_0000n;
const INCLUDE_EL2 = 0x0800_0000n;
const EXCLUDE_NS_AND_EL3 = 0x3400_0000n;

/** The bits of an event's number, by the PMUVer that the vCPU has now. */
export function eventMask(vcpu: VcpuState): bigint {
  return EVENT_MASK[idDigit(vcpu, ID_AA64DFR0_EL1, 2)] ?? 0n;
}

/** The bits of an event selector that the vCPU's ID registers allow for (`kvm_pmu_evtyper_mask`, pmu-emul.c). */
export function eventTypeMask(vcpu: VcpuState): bigint {
  return (
    EXCLUDE_EL1_EL0 |
    eventMask(vcpu) |
    (idDigit(vcpu, ID_AA64PFR0_EL1, 2) === 0 ? 0n : INCLUDE_EL2) |
    (idDigit(vcpu, ID_AA64PFR0_EL1, 3) === 0 ? 0n : EXCLUDE_NS_AND_EL3)
  );
}

/** Storage, but for the unknown value of a reset, which is cut to those bits (`reset_pmevtyper`). */
const eventType: SpecialRegister = ({ cell, scope }) => ({
  ...plainRegister({ cell, scope }),
  reset: vcpu => vcpu.configuration!.resets[cell]! & eventTypeMask(vcpu),
});

/** PMUVer from which on event counters have 64 bits (`kvm_pmc_is_64bit`, pmu-emul.c). */
const V3P5 = 6;
const pmuVer = (dfr0: bigint) => Number((dfr0 >> 8n) & 0xfn);

/** Whether the event counters of a vCPU have 64 bits. */
export function hasLongCounters(vcpu: VcpuState): boolean {
  return idDigit(vcpu, ID_AA64DFR0_EL1, 2) >= V3P5;
}

export const PMEVCNTR_EL0: readonly bigint[] = Array.from({ length: 31 }, (_, n) =>
  sysRegId(3, 3, 14, 8 + (n >> 3), n & 7),
);

/**
 * An event counter of a host that has 64 bits for it shows half of them while the VM's PMUVer is a lower one. What
 * other hosts do is in the recorded rule; all other registers stay as they are.
 */
export function withCounterWidth(id: bigint, access: RegisterAccess): RegisterAccess {
  if (!PMEVCNTR_EL0.includes(id)) return access;
  return {
    ...access,
    get(vcpu) {
      const { registers, resets, vmResets } = vcpu.configuration!;
      const dfr0 = registers.get(ID_AA64DFR0_EL1);
      const dfr0Reset = dfr0 && (dfr0.scope === 'vm' ? vmResets : resets)[dfr0.cell]!;
      const isHalved = pmuVer(dfr0Reset ?? 0n) >= V3P5 && !hasLongCounters(vcpu);
      const value = cellsOf(vcpu, access.scope)[access.cell]!;
      return isHalved ? BigInt.asUintN(32, value) : value;
    },
  };
}

export const PMCCFILTR_EL0: bigint = sysRegId(3, 3, 14, 15, 7);
export const PMEVTYPER_EL0: readonly bigint[] = Array.from({ length: 31 }, (_, n) =>
  sysRegId(3, 3, 14, 12 + (n >> 3), n & 7),
);

/** The registers with a bit for each counter. */
const counterBits: readonly (readonly [bigint, SpecialRegister])[] = [
  [sysRegId(3, 0, 9, 14, 1), bits('sets')], // PMINTENSET_EL1
  [sysRegId(3, 0, 9, 14, 2), bits('clears')], // PMINTENCLR_EL1
  [sysRegId(3, 3, 9, 12, 1), bits('sets')], // PMCNTENSET_EL0
  [sysRegId(3, 3, 9, 12, 2), bits('clears')], // PMCNTENCLR_EL0
  [sysRegId(3, 3, 9, 12, 3), bits('clears')], // PMOVSCLR_EL0
  [sysRegId(3, 3, 9, 14, 3), bits('sets')], // PMOVSSET_EL0
];

/** Whether a reset cuts the register to the counters that the VM has then. */
export function isCutToCounters(id: bigint): boolean {
  return counterBits.some(([cut]) => cut === id);
}

/** On an old kernel they are storage. */
const unlessStored =
  (special: SpecialRegister): SpecialRegister =>
  context =>
    context.profile.behaviours.pmu === 'stored' ? undefined : special(context);

/** The special registers of the PMU, by id. */
export const pmuRegisters: readonly (readonly [bigint, SpecialRegister])[] = (
  [
    [PMCR_EL0, pmcr],
    ...counterBits,
    ...[...PMEVTYPER_EL0, PMCCFILTR_EL0].map(id => [id, eventType] as const),
  ] as const
).map(([id, special]) => [id, unlessStored(special)] as const);
