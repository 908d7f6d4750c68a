/**
 * The performance monitor's registers that are more than storage (`set_pmcr`, `set_pmreg`, arch/arm64/kvm/sys_regs.c).
 *
 * @packageDocumentation
 */
import { sysRegId } from '../abi/register-id.ts';
import type { SpecialRegister } from './register-access.ts';
import type { RegisterAccess, VcpuState } from './state.ts';
import { plainRegister } from './write-rules.ts';

/** PMCR_EL0.N, 15:11: how many event counters there are. VM-wide. */
const N_SHIFT = 11n;
const N_MASK = 0x1fn;

/** The bits of PMCR_EL0 that userspace can change (ARMV8_PMU_PMCR_MASK, linux/perf/arm_pmuv3.h). */
const PMCR_MASK = 0xffn;

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

const pmcr: SpecialRegister = ({ cell, scope }) => ({
  cell,
  scope,
  get: vcpu => (vcpu.cells[cell]! & ~(N_MASK << N_SHIFT)) | (vcpu.vm.pmcrN << N_SHIFT),
  set(vcpu, value) {
    if (counters(value) <= vcpu.configuration!.pmcrN) vcpu.vm.pmcrN = counters(value);
    vcpu.cells[cell] = value & PMCR_MASK;
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

const ID_AA64PFR0_EL1 = sysRegId(3, 0, 0, 4, 0);
const ID_AA64DFR0_EL1 = sysRegId(3, 0, 0, 5, 0);

/** A field of an ID register as the VM has it now; 0 where it has no such register. */
function idField(vcpu: VcpuState, id: bigint, shift: bigint): bigint {
  const value = vcpu.configuration!.registers.get(id)?.get(vcpu) ?? 0n;
  return (value >> shift) & 0xfn;
}

/** Event numbers have 10 bits in PMUv3, 16 in its extensions (`kvm_pmu_event_mask`); other versions are none. */
const EVENT_MASKS: Readonly<Record<string, bigint>> = { 1: 0x3ffn, 4: 0xffffn, 5: 0xffffn, 6: 0xffffn, 7: 0xffffn };
const EVENT = 0xffffn;
/** PMEVTYPER<n>_EL0.NSH: count in EL2. */
const INCLUDE_EL2 = 1n << 27n;

/** The unknown value of a reset is cut to what the VM's ID registers say at that time (`kvm_pmu_evtyper_mask`). */
const eventType: SpecialRegister = ({ cell, scope }) => ({
  ...plainRegister({ cell, scope }),
  reset(vcpu) {
    const events = EVENT_MASKS[String(idField(vcpu, ID_AA64DFR0_EL1, 8n))] ?? 0n;
    const levels = idField(vcpu, ID_AA64PFR0_EL1, 8n) === 0n ? INCLUDE_EL2 : 0n;
    return vcpu.configuration!.resets[cell]! & ~(EVENT & ~events) & ~levels;
  },
});

/** PMEVTYPER0_EL0 to PMEVTYPER30_EL0. */
const EVENT_TYPES = Array.from({ length: 31 }, (_, n) => sysRegId(3, 3, 14, 12 + (n >> 3), n & 7));

/** The special registers of the PMU, by id. */
export const pmuRegisters: readonly (readonly [bigint, SpecialRegister])[] = [
  [PMCR_EL0, pmcr],
  [sysRegId(3, 0, 9, 14, 1), bits('sets')], // PMINTENSET_EL1
  [sysRegId(3, 0, 9, 14, 2), bits('clears')], // PMINTENCLR_EL1
  [sysRegId(3, 3, 9, 12, 1), bits('sets')], // PMCNTENSET_EL0
  [sysRegId(3, 3, 9, 12, 2), bits('clears')], // PMCNTENCLR_EL0
  [sysRegId(3, 3, 9, 12, 3), bits('clears')], // PMOVSCLR_EL0
  [sysRegId(3, 3, 9, 14, 3), bits('sets')], // PMOVSSET_EL0
  ...EVENT_TYPES.map(id => [id, eventType] as const),
];
