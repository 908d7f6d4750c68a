/**
 * The performance monitor of a vCPU: what its counters count, and when they overflow (arch/arm64/kvm/pmu-emul.c). Values
 * are in the cells that KVM_GET_ONE_REG shows; a counter that runs is brought up to date by the instructions since.
 *
 * @packageDocumentation
 */
import { sysRegId } from '../../abi/register-id.ts';
import { KVM_ARM_VCPU } from '../../abi/vcpu-features.ts';
import type { Cpu, Executed } from '../cpu/cpu.ts';
import { PMU_EVENT } from '../pmu-events.ts';
import {
  counterMask,
  eventMask,
  hasLongCounters,
  PMCCFILTR_EL0,
  PMCR_EL0,
  PMEVCNTR_EL0,
  PMEVTYPER_EL0,
} from '../registers/pmu-registers.ts';
import { hasFeature } from '../registers/register-access.ts';
import type { Configuration, VcpuState } from '../state.ts';

/** The cycle counter is the last one. */
export const CYCLE_COUNTER = 31;

/** PMCR_EL0. Neither KVM nor its hardware divides cycles: D does nothing, and no more do X and DP. */
export const PMCR = { E: 1n, P: 2n, C: 4n, LC: 1n << 6n, LP: 1n << 7n } as const;

/** PMEVTYPER<n>_EL0 and PMCCFILTR_EL0: EL1 and EL0 are left out where one of two bits is set. */
const TYPE = { P: 1n << 31n, U: 1n << 30n, NSK: 1n << 29n, NSU: 1n << 28n } as const;

/**
 * The events that happen by themselves: how often at a level. A cycle is an instruction, of 10 ns in the virtual clock: a
 * core of 100 MHz that begins an instruction with each, stands still in WFI and WFE, and never stalls. Of SW_INCR and CHAIN
 * the PMU itself knows; any other number counts nothing.
 */
const COUNTS: Readonly<Record<number, (executed: Executed, level: 0 | 1) => number>> = {
  [PMU_EVENT.INST_RETIRED]: ({ begun, undone }, level) => begun[level] - undone[level],
  [PMU_EVENT.CPU_CYCLES]: ({ begun }, level) => begun[level],
};

/** Where a vCPU has the PMU's registers, of which a set and a clear register are one. */
interface Cells {
  readonly pmcr: number;
  readonly pmcnten: number;
  readonly pmovs: number;
  readonly pminten: number;
  readonly pmselr: number;
  readonly pmuserenr: number;
  /** By counter. */
  readonly values: readonly number[];
  readonly types: readonly number[];
}

const found = new WeakMap<Configuration, Cells>();

function cellsOf(configuration: Configuration): Cells {
  let cells = found.get(configuration);
  if (cells === undefined) {
    const cell = (id: bigint) => configuration.registers.get(id)!.cell;
    cells = {
      pmcr: cell(PMCR_EL0),
      pmcnten: cell(sysRegId(3, 3, 9, 12, 1)),
      pmovs: cell(sysRegId(3, 3, 9, 14, 3)),
      pminten: cell(sysRegId(3, 0, 9, 14, 1)),
      pmselr: cell(sysRegId(3, 3, 9, 12, 5)),
      pmuserenr: cell(sysRegId(3, 3, 9, 14, 0)),
      values: [...PMEVCNTR_EL0, sysRegId(3, 3, 9, 13, 0)].map(cell),
      types: [...PMEVTYPER_EL0, PMCCFILTR_EL0].map(cell),
    };
    found.set(configuration, cells);
  }
  return cells;
}

/** The registers that are a value, or a bit for each counter. */
export type PmuRegister = 'pmcr' | 'pmcnten' | 'pmovs' | 'pminten' | 'pmselr' | 'pmuserenr';

/** A counter that counts: what, at which levels, and how much of it there was when its value was right. */
interface Running {
  readonly index: number;
  readonly count: (executed: Executed, level: 0 | 1) => number;
  readonly levels: readonly [user: boolean, kernel: boolean];
  since: number;
}

export class GuestPmu {
  readonly vcpu: VcpuState;
  #running: Running[] = [];
  /** Its line, as the GIC has it. */
  #level = false;

  constructor(vcpu: VcpuState) {
    this.vcpu = vcpu;
  }

  /** Whether the guest has it: in Linux 5.10 not before it was initialised (`kvm_arm_pmu_v3_ready`). */
  get isReady(): boolean {
    return this.vcpu.pmuCreated && hasFeature(this.vcpu, KVM_ARM_VCPU.KVM_ARM_VCPU_PMU_V3);
  }

  get #cells(): Cells {
    return cellsOf(this.vcpu.configuration!);
  }

  // Its registers.

  get(register: PmuRegister): bigint {
    return this.vcpu.cells[this.#cells[register]]!;
  }

  set(register: PmuRegister, value: bigint): undefined {
    this.vcpu.cells[this.#cells[register]] = value;
  }

  getValue(counter: number): bigint {
    return BigInt.asUintN(this.#width(counter), this.vcpu.cells[this.#cells.values[counter]!]!);
  }

  setValue(counter: number, value: bigint): undefined {
    this.vcpu.cells[this.#cells.values[counter]!] = BigInt.asUintN(this.#width(counter), value);
  }

  getType(counter: number): bigint {
    return this.vcpu.cells[this.#cells.types[counter]!]!;
  }

  setType(counter: number, value: bigint): undefined {
    this.vcpu.cells[this.#cells.types[counter]!] = value;
  }

  #width(counter: number): 32 | 64 {
    return counter === CYCLE_COUNTER || hasLongCounters(this.vcpu) ? 64 : 32;
  }

  /** A counter of 64 bits may overflow as one of 32 (`kvm_pmc_has_64bit_overflow`). */
  #period(counter: number): bigint {
    const isLong = counter === CYCLE_COUNTER ? PMCR.LC : hasLongCounters(this.vcpu) ? PMCR.LP : 0n;
    return 1n << ((this.get('pmcr') & isLong) === 0n ? 32n : 64n);
  }

  #event(counter: number): number {
    return counter === CYCLE_COUNTER
      ? PMU_EVENT.CPU_CYCLES
      : Number(this.getType(counter) & eventMask(this.vcpu));
  }

  #isEnabled(counter: number): boolean {
    return ((this.get('pmcnten') >> BigInt(counter)) & 1n) === 1n && (this.get('pmcr') & PMCR.E) !== 0n;
  }

  /** The filter does not know of SW_INCR and CHAIN, which are no events of the hardware (`kvm_pmu_create_perf_event`). */
  #isAllowed(event: number): boolean {
    return allowsEvent(this.vcpu.vm.pmuFilter, event);
  }

  // How they count.

  /** The registers may be others now: from here on they say what is counted. */
  restart(cpu: Cpu): void {
    this.#running = [];
    cpu.stopsAtLevels = false;
    if (!this.isReady || (this.get('pmcr') & PMCR.E) === 0n) return;
    cpu.tally();
    const mask = counterMask(this.vcpu);
    for (let index = 0; index <= CYCLE_COUNTER; index++) {
      if (((mask >> BigInt(index)) & 1n) === 0n || !this.#isEnabled(index)) continue;
      const event = this.#event(index);
      const count = COUNTS[event];
      if (count === undefined || !this.#isAllowed(event)) continue;
      const type = this.getType(index);
      const has = (bit: bigint) => (type & bit) !== 0n;
      const levels = [has(TYPE.U) === has(TYPE.NSU), has(TYPE.P) === has(TYPE.NSK)] as const;
      const counter: Running = { index, count, levels, since: 0 };
      counter.since = happened(counter, cpu);
      this.#running.push(counter);
    }
  }

  /** Brings the values up to date. */
  advance(cpu: Cpu): void {
    if (this.#running.length === 0) return;
    cpu.tally();
    for (const counter of this.#running) {
      const now = happened(counter, cpu);
      if (now > counter.since) this.#add(counter.index, BigInt(now - counter.since));
      counter.since = now;
    }
  }

  /** How much of a budget the CPU may execute before a counter could overflow. */
  limit(budget: number, cpu: Cpu): number {
    if (this.#running.length === 0) return budget;
    const { el } = cpu.state;
    let least = budget;
    cpu.stopsAtLevels = false;
    for (const { index, levels } of this.#running) {
      const period = this.#period(index);
      const toGo = Number(period - (this.getValue(index) % period));
      if (levels[el]) least = Math.min(least, toGo);
      else if (toGo < budget) cpu.stopsAtLevels = true;
    }
    return least;
  }

  /** PMSWINC_EL0 (`kvm_pmu_software_increment`). */
  increment(counters: bigint): undefined {
    for (let index = 0; index < CYCLE_COUNTER; index++) {
      const isMeant = ((counters >> BigInt(index)) & 1n) === 1n;
      if (isMeant && this.#isEnabled(index) && this.#event(index) === PMU_EVENT.SW_INCR) this.#add(index, 1n);
    }
  }

  /** Adds events, of which a chained counter is told each overflow (`kvm_pmu_counter_increment`). */
  #add(counter: number, events: bigint): void {
    const before = this.getValue(counter);
    const period = this.#period(counter);
    this.setValue(counter, before + events);
    const overflows = ((before % period) + events) / period;
    if (overflows === 0n) return;
    const next = counter + 1;
    const chains =
      counter % 2 === 0 &&
      next < CYCLE_COUNTER &&
      period === 1n << 32n &&
      this.#isEnabled(next) &&
      this.#event(next) === PMU_EVENT.CHAIN;
    const isHalf = chains && this.vcpu.vm.host.profile.behaviours.pmuChainsPairs;
    if (!isHalf) this.set('pmovs', this.get('pmovs') | (1n << BigInt(counter)));
    if (chains) this.#add(next, overflows);
  }

  // Its interrupt.

  /** `kvm_pmu_overflow_status` */
  get line(): boolean {
    if (!this.isReady || (this.get('pmcr') & PMCR.E) === 0n) return false;
    const { pmuInterruptNeedsEnable } = this.vcpu.vm.host.profile.behaviours;
    const counters = pmuInterruptNeedsEnable ? this.get('pmcnten') : -1n;
    return (this.get('pmovs') & this.get('pminten') & counters & counterMask(this.vcpu)) !== 0n;
  }

  /** Tells the GIC, where there is one, of a line that has moved (`kvm_pmu_update_state`). */
  moveLine(): void {
    const { gic: cpu, pmuIrq } = this.vcpu;
    if (cpu === undefined || this.line === this.#level) return;
    this.#level = !this.#level;
    cpu.gic.inject(cpu, pmuIrq, this.#level, this.vcpu);
  }
}

function happened({ count, levels }: Running, { executed }: Cpu): number {
  return (levels[0] ? count(executed, 0) : 0) + (levels[1] ? count(executed, 1) : 0);
}

/** Whether a filter lets an event be counted: the last range that has it says so, and else the first denies or allows all. */
export function allowsEvent(filter: VcpuState['vm']['pmuFilter'], event: number): boolean {
  const range = filter.findLast(({ start, end }) => event >= start && event < end);
  return range?.allows ?? !(filter[0]?.allows ?? false);
}
