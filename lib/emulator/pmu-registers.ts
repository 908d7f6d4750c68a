/**
 * The performance monitor's registers that are more than storage (`set_pmcr`, `set_pmreg`, arch/arm64/kvm/sys_regs.c).
 *
 * @packageDocumentation
 */
import { sysRegId } from '../abi/register-id.ts';
import type { SpecialRegister } from './register-access.ts';
import type { RegisterAccess, VcpuState } from './state.ts';

/** PMCR_EL0.N, 15:11: how many event counters there are. VM-wide. */
const N_SHIFT = 11n;
const N_MASK = 0x1fn;

/** The bits of PMCR_EL0 that userspace can change (ARMV8_PMU_PMCR_MASK, linux/perf/arm_pmuv3.h). */
const PMCR_MASK = 0xffn;

/** PMCR_EL0.LC, the long cycle counter: RES1 on a CPU without AArch32. */
const PMCR_LC = 1n << 6n;

const PMCR_EL0 = sysRegId(3, 3, 9, 12, 0);
const counters = (pmcr: bigint) => (pmcr >> N_SHIFT) & N_MASK;

/** How many counters the CPU has: it stands in the recorded reset value of PMCR_EL0. */
export function physicalCounters(
  registers: ReadonlyMap<bigint, RegisterAccess>,
  resets: readonly bigint[],
): bigint {
  const access = registers.get(PMCR_EL0);
  return access === undefined ? 0n : counters(resets[access.cell]!);
}

const pmcr: SpecialRegister = ({ cell, scope, profile }) => ({
  cell,
  scope,
  get: vcpu => (vcpu.cells[cell]! & ~(N_MASK << N_SHIFT)) | (vcpu.vm.pmcrN << N_SHIFT),
  set(vcpu, value) {
    if (counters(value) <= vcpu.configuration!.pmcrN) vcpu.vm.pmcrN = counters(value);
    vcpu.cells[cell] = (value & PMCR_MASK) | (profile.behaviours.aarch32User ? 0n : PMCR_LC);
    return 0;
  },
});

/** The event counters and the cycle counter, bit 31 (`kvm_pmu_valid_counter_mask`, pmu-emul.c). */
function counterMask(vcpu: VcpuState): bigint {
  return (1n << 31n) | ((1n << vcpu.vm.pmcrN) - 1n);
}

/** One of a pair of registers over the same bits: a write sets those that are 1, or clears them. */
const bits =
  (effect: 'sets' | 'clears'): SpecialRegister =>
  ({ cell, scope }) => ({
    cell,
    scope,
    get: vcpu => vcpu.cells[cell]! & counterMask(vcpu),
    set(vcpu, value) {
      const chosen = value & counterMask(vcpu);
      vcpu.cells[cell] = effect === 'sets' ? vcpu.cells[cell]! | chosen : vcpu.cells[cell]! & ~chosen;
      return 0;
    },
    // The unknown value of a reset is cut to the counters that there are at that time (`reset_pmu_reg`).
    reset: vcpu => vcpu.configuration!.resets[cell]! & counterMask(vcpu),
  });

/** The special registers of the PMU, by id. */
export const pmuRegisters: readonly (readonly [bigint, SpecialRegister])[] = [
  [PMCR_EL0, pmcr],
  [sysRegId(3, 0, 9, 14, 1), bits('sets')], // PMINTENSET_EL1
  [sysRegId(3, 0, 9, 14, 2), bits('clears')], // PMINTENCLR_EL1
  [sysRegId(3, 3, 9, 12, 1), bits('sets')], // PMCNTENSET_EL0
  [sysRegId(3, 3, 9, 12, 2), bits('clears')], // PMCNTENCLR_EL0
  [sysRegId(3, 3, 9, 12, 3), bits('clears')], // PMOVSCLR_EL0
  [sysRegId(3, 3, 9, 14, 3), bits('sets')], // PMOVSSET_EL0
];
