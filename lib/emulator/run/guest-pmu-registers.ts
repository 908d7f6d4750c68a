/**
 * MRS and MSR of the performance monitor's registers, which KVM traps, all of them (`access_pmcr` and its kin,
 * arch/arm64/kvm/sys_regs.c).
 *
 * @packageDocumentation
 */
import type { Cpu } from '../cpu/cpu.ts';
import { encodingOf, type Refusal } from '../cpu/system-registers.ts';
import { eventOfPmceid } from '../pmu-events.ts';
import {
  counterCount,
  counterMask,
  eventMask,
  eventTypeMask,
  hasLongCounters,
} from '../registers/pmu-registers.ts';
import { allowsEvent, CYCLE_COUNTER, type GuestPmu, PMCR, type PmuRegister } from './guest-pmu.ts';

/** PMUSERENR_EL0: what EL0 may use. */
const USER = { EN: 1n, SW: 2n, CR: 4n, ER: 8n } as const;
const USER_MASK = 0xfn;
const SEL_MASK = 0x1fn;
/** ARMV8_PMU_EVTYPE_MASK of kernels that look no further. */
const ANY_EVENT = 0xc800_ffffn;

/** MRS and MSR; one that there is not is UNDEFINED. */
export interface PmuAccess {
  /** Bits of PMUSERENR_EL0, one of which EL0 needs; undefined: none, and EL0 only reads. */
  readonly user: bigint | undefined;
  read?(pmu: GuestPmu): bigint | Refusal;
  write?(pmu: GuestPmu, value: bigint): Refusal | undefined;
}

/** Registers over the same bits, a counter each. */
const sets = (register: PmuRegister, user: bigint): PmuAccess => ({
  user,
  read: pmu => pmu.get(register) & counterMask(pmu.vcpu),
  write: (pmu, value) => pmu.set(register, pmu.get(register) | (value & counterMask(pmu.vcpu))),
});
const clears = (register: PmuRegister, user: bigint): PmuAccess => ({
  ...sets(register, user),
  write: (pmu, value) => pmu.set(register, pmu.get(register) & ~(value & counterMask(pmu.vcpu))),
});

/** A counter that the vCPU has not is UNDEFINED (`pmu_counter_idx_valid`). */
function ifThere<Result>(pmu: GuestPmu, counter: number, access: () => Result): Result | Refusal {
  return counter === CYCLE_COUNTER || counter < counterCount(pmu.vcpu) ? access() : 'undefined';
}

const value = (user: bigint, counter: (pmu: GuestPmu) => number): PmuAccess => ({
  user,
  read: pmu => ifThere(pmu, counter(pmu), () => pmu.getValue(counter(pmu))),
  write: (pmu, to) => ifThere(pmu, counter(pmu), () => pmu.setValue(counter(pmu), to)),
});

const type = (counter: (pmu: GuestPmu) => number): PmuAccess => ({
  user: USER.EN,
  read: pmu =>
    ifThere(pmu, counter(pmu), () => pmu.getType(counter(pmu)) & (isStored(pmu) ? ANY_EVENT : -1n)),
  write: (pmu, to) => ifThere(pmu, counter(pmu), () => pmu.setType(counter(pmu), to & typeMask(pmu))),
});

/** What userspace writes is storage, and what a guest writes is looked at less than by later kernels. */
const isStored = ({ vcpu }: GuestPmu) => vcpu.vm.host.profile.behaviours.pmu === 'stored';
const typeMask = (pmu: GuestPmu) => (isStored(pmu) ? ANY_EVENT : eventTypeMask(pmu.vcpu));
const selected = (pmu: GuestPmu) => Number(pmu.get('pmselr') & SEL_MASK);

/** `access_pmcr`, `kvm_pmu_handle_pmcr`: 7:0 can be written, and the resets read as zero whatever userspace sees. */
const control: PmuAccess = {
  user: USER.EN,
  read: pmu => (pmu.get('pmcr') & ~COUNT_MASK & ~RESETS) | (counterCount(pmu.vcpu) << COUNT_SHIFT),
  write(pmu, to) {
    const { aarch32User, pmuKeepsResets } = pmu.vcpu.vm.host.profile.behaviours;
    const long = isStored(pmu) || hasLongCounters(pmu.vcpu) ? PMCR.LP : 0n;
    const written = to & (0x7fn | long);
    const kept = pmu.get('pmcr') & ~0xffn;
    pmu.set('pmcr', kept | (pmuKeepsResets ? written : written & ~RESETS) | (aarch32User ? 0n : PMCR.LC));
    if (to & PMCR.C) pmu.setValue(CYCLE_COUNTER, 0n);
    if (to & PMCR.P) for (let n = 0; n < counterCount(pmu.vcpu); n++) pmu.setValue(n, 0n);
    return undefined;
  },
};
const RESETS = PMCR.P | PMCR.C;
const COUNT_SHIFT = 11n;
const COUNT_MASK = 0x1fn << COUNT_SHIFT;

/** `kvm_pmu_get_pmceid`: the common events, less those that are filtered. */
const supported = (half: 0 | 1): PmuAccess => ({
  user: USER.EN,
  read({ vcpu }) {
    const { profile } = vcpu.vm.host;
    const { pmuFilter } = vcpu.vm;
    const claimed = BigInt(`0x${profile.pmceid?.[half] ?? 0}`);
    if (pmuFilter.length === 0) return claimed;
    const isAllowed = (event: number) => BigInt(event) <= eventMask(vcpu) && allowsEvent(pmuFilter, event);
    const events = Array.from({ length: 64 }, (_, bit) => eventOfPmceid(half, bit));
    return events.reduce(
      (mask, event, bit) => (isAllowed(event) ? mask : mask & ~(1n << BigInt(bit))),
      claimed,
    );
  },
});

const of = (op1: 0 | 3, crm: number, op2: number) => encodingOf(3, op1, 9, crm, op2);
const numbered = (crm: number, n: number) => encodingOf(3, 3, 14, crm + (n >> 3), n & 7);
const counters = Array.from({ length: CYCLE_COUNTER }, (_, n) => n);

const REGISTERS: ReadonlyMap<number, PmuAccess> = new Map<number, PmuAccess>([
  [of(3, 12, 0), control],
  [of(3, 12, 1), sets('pmcnten', USER.EN)],
  [of(3, 12, 2), clears('pmcnten', USER.EN)],
  [of(3, 12, 3), clears('pmovs', USER.EN)],
  [of(3, 14, 3), sets('pmovs', USER.EN)],
  [of(0, 14, 1), sets('pminten', 0n)],
  [of(0, 14, 2), clears('pminten', 0n)],
  // PMSWINC_EL0
  [of(3, 12, 4), { user: USER.SW | USER.EN, write: (pmu, to) => pmu.increment(to & counterMask(pmu.vcpu)) }],
  [
    of(3, 12, 5),
    {
      user: USER.ER | USER.EN,
      read: pmu => pmu.get('pmselr') & SEL_MASK,
      write: (pmu, to) => pmu.set('pmselr', to),
    },
  ],
  [of(3, 12, 6), supported(0)],
  [of(3, 12, 7), supported(1)],
  [of(3, 13, 0), value(USER.CR | USER.EN, () => CYCLE_COUNTER)],
  [of(3, 13, 1), type(selected)],
  [of(3, 13, 2), value(USER.ER | USER.EN, selected)],
  [
    of(3, 14, 0),
    {
      user: undefined,
      read: pmu => pmu.get('pmuserenr') & USER_MASK,
      write: (pmu, to) => pmu.set('pmuserenr', to & USER_MASK),
    },
  ],
  ...counters.map((n): [number, PmuAccess] => [numbered(8, n), value(USER.ER | USER.EN, () => n)]),
  ...[...counters, CYCLE_COUNTER].map((n): [number, PmuAccess] => [numbered(12, n), type(() => n)]),
]);

/** What there is by an encoding, if it is the PMU's. */
export function findPmuAccess(encoding: number): PmuAccess | undefined {
  return REGISTERS.get(encoding);
}

/** `check_pmu_access_disabled`: what EL0 was not given is UNDEFINED to it, and no trap. */
function isRefused(pmu: GuestPmu, level: 0 | 1, bits: bigint): boolean {
  return level === 0 && (pmu.get('pmuserenr') & bits) === 0n;
}

export function readPmu(access: PmuAccess, pmu: GuestPmu, level: 0 | 1, cpu: Cpu): bigint | Refusal {
  if (access.read === undefined) return 'undefined';
  if (!pmu.isReady) return 0n;
  if (access.user !== undefined && isRefused(pmu, level, access.user)) return 'undefined';
  pmu.advance(cpu);
  return access.read(pmu);
}

export function writePmu(
  access: PmuAccess,
  pmu: GuestPmu,
  to: bigint,
  level: 0 | 1,
  cpu: Cpu,
): Refusal | undefined {
  if (access.write === undefined || (level === 0 && access.user === undefined)) return 'undefined';
  if (!pmu.isReady) return undefined;
  if (access.user !== undefined && isRefused(pmu, level, access.user)) return 'undefined';
  pmu.advance(cpu);
  const refusal = access.write(pmu, to);
  if (refusal !== undefined) return refusal;
  pmu.restart(cpu);
  cpu.stop();
  return undefined;
}
