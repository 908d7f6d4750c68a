/** An AArch64 CPU of EL0 and EL1, as an interpreter. It knows no clock and no device: `run` leaves for them. */
import type { Builder } from './builder.ts';
import { type CodePage, FETCH_PAGE, isStandIn } from './code.ts';
import { DataPort } from './data-port.ts';
import type { Debug } from './debug.ts';
import { EC, Exception, enterEl1, syndrome, takeSynchronous } from './exceptions.ts';
import { type Exit, Leave } from './exits.ts';
import type { Instruction } from './instruction.ts';
import type { Machine } from './machine.ts';
import {
  type Bytes,
  completeMmio,
  dropTag,
  fetchPage,
  loadSlowly,
  type PendingMmio,
  storeSlowly,
} from './memory-access.ts';
import type { Regime } from './mmu.ts';
import { Monitor } from './monitor.ts';
import * as places from './scratch.ts';
import * as slots from './state.ts';
import type { SystemRegisters } from './system-registers.ts';
import { entryOf, Tlb } from './tlb.ts';

/** See `evaluator.ts`. */
const { PAGE, SP } = slots;
const { scratch, scratchHalves, VALUE } = places;

/** Instructions, by the level that they were at. */
export interface Executed {
  /** As budgets have them: one that raises an exception is among them. */
  readonly begun: [user: number, kernel: number];
  /** Those of them that were not executed in the end, for an exception that came first. */
  readonly undone: [user: number, kernel: number];
}

const SCTLR_SA = 1n << 3n;
const SCTLR_SA0 = 1n << 4n;

export class Cpu extends DataPort implements Builder<bigint, boolean> {
  declare readonly machine: Machine;
  /** The system registers that are not the CPU's own. */
  declare readonly system: SystemRegisters;
  readonly monitor = new Monitor();
  /** What translation reads. */
  declare readonly regime: Regime;
  /** Set by SEV, and by an exception return; WFE waits for it. */
  eventRegister = false;
  /** The mnemonic of the instruction that was stepped, until the step's exception. */
  stepped: string | undefined;
  /** The instruction that runs is one that the surroundings emulate, as a hypervisor does that has trapped it. */
  emulated = false;
  pendingMmio: PendingMmio | undefined;
  /** What has run so far, for who counts it: {@link tally} brings it up to date. */
  readonly executed: Executed = { begun: [0, 0], undone: [0, 0] };
  /** The surroundings want the CPU back when the level changes. */
  stopsAtLevels = false;

  /** The records of the page that the PC is in, and its offset: of the next instruction while one runs. */
  #page = FETCH_PAGE;
  #records = FETCH_PAGE.records;
  #offset = 0;
  /** Instructions that `run` may still begin. */
  #remaining = 0;
  /** What was left of the budget when the surroundings wanted the CPU back. */
  #forgone = 0;
  /** What was left of it at the last tally, and the level of the instructions since. */
  #tallied = 0;
  #level: 0 | 1 = 1;
  #irq = false;
  #fiq = false;
  #serror: bigint | undefined;
  #debug: Debug | undefined;

  /** One TLB for what EL0 sees, one for EL1, and one for EL1 while PSTATE.PAN is set. */
  readonly #userTlb = new Tlb();
  readonly #kernelTlb = new Tlb();
  readonly #panTlb = new Tlb();
  #codeTlb = this.#kernelTlb;

  constructor(machine: Machine, system: SystemRegisters) {
    const has = machine.hasFeature;
    super({ pan: has('PAN'), uao: has('UAO'), ssbs: has('SSBS'), dit: has('DIT') });
    this.machine = machine;
    this.system = system;
    const { hot } = this.state;
    this.regime = { hot, memory: machine.memory, physicalBits: machine.physicalBits, has, known: undefined };
    machine.cpus.push(this);
  }

  has(feature: string): boolean {
    return this.machine.hasFeature(feature);
  }

  /**
   * Runs at most so many instructions. An instruction that raises an exception counts as one, and so does one that
   * leaves.
   */
  run(budget: number): Exit {
    if (this.pendingMmio !== undefined) throw new Error('the MMIO access is to be completed first');
    this.tally();
    this.contextChanged();
    this.#remaining = this.#tallied = budget;
    this.#forgone = 0;
    for (;;) {
      try {
        if (this.#debug?.looksAtInstructions) this.#interpretDebugged(this.#debug);
        else this.#interpret();
        return { reason: 'budget' };
      } catch (thrown) {
        if (thrown instanceof Leave) return this.#left(thrown.exit);
        if (!(thrown instanceof Exception)) throw thrown;
        // What is to be executed again was not: all but calls.
        if (thrown.elr === this.pc()) this.executed.undone[this.state.el]++;
        takeSynchronous(this, thrown);
      }
    }
  }

  /** Adds what has run since the last time to {@link executed}. */
  tally(): void {
    const { remaining } = this;
    this.executed.begun[this.#level] += this.#tallied - remaining;
    this.#tallied = remaining;
  }

  /** Has `run` come back after the present instruction: its surroundings have something to work out. */
  stop(): void {
    this.#forgone += this.#remaining;
    this.#remaining = 0;
  }

  /** What is left of the last run's budget. */
  get remaining(): number {
    return this.#remaining + this.#forgone;
  }

  #interpret(): void {
    while (this.#remaining > 0) {
      this.#remaining--;
      const at = this.#offset;
      const instruction = this.#records[at >> 2]!;
      this.#offset = at + 4;
      instruction.run(this, instruction);
    }
  }

  /** As `#interpret`, between looks at the debug registers (D2.11: a step's exception comes before all others). */
  #interpretDebugged(debug: Debug): void {
    const { state } = this;
    while (this.#remaining > 0) {
      const instruction = this.#records[this.#offset >> 2]!;
      const stepping = debug.stepsAt(state);
      this.#remaining--;
      this.#offset += 4;
      if (stepping && !state.singleStep) debug.takeStep(this, this.#takeStepped());
      if (isStandIn(instruction)) {
        instruction.run(this, instruction);
        continue;
      }
      debug.checkBreakpoints(this);
      this.emulated = false;
      instruction.run(this, instruction);
      this.stepped = stepping && !this.emulated ? instruction.row.name : undefined;
      if (stepping) state.singleStep = this.emulated && debug.restarts;
    }
  }

  #takeStepped(): string | undefined {
    const { stepped } = this;
    this.stepped = undefined;
    return stepped;
  }

  /** The step is done with an instruction that does not end as others do (`SSAdvance`, J1.1). */
  advanceStep(): void {
    if (this.#debug?.stepsAt(this.state)) this.state.singleStep = false;
  }

  get debug(): Debug | undefined {
    return this.#debug;
  }

  /** What the debug registers say now; undefined: nothing to look for. */
  setDebug(debug: Debug | undefined): void {
    if (debug === undefined && this.#debug === undefined) return;
    if (debug?.looksAtData) this.flushTlb();
    this.#debug = debug;
    this.stepped = undefined;
    this.stop();
  }

  /** The step of an instruction that leaves is done with it, if the PC is past it. */
  #left(exit: Exit): Exit {
    const { reason } = exit;
    if (reason === 'debug') this.executed.undone[this.state.el]++;
    if (reason === 'hvc' || reason === 'smc' || reason === 'wfi') this.advanceStep();
    else if (reason === 'wfe' || reason === 'yield') {
      this.stepped = reason;
      this.advanceStep();
    }
    return exit;
  }

  /** Leaves `run` with the PC after this instruction, or at it. */
  leave(exit: Exit, stay = false): never {
    if (stay) this.#offset -= 4;
    throw new Leave(exit);
  }

  /** Gives the value of a read that left, and goes on after the access. */
  completeMmio(data = 0n): void {
    const pending = this.pendingMmio;
    if (pending === undefined) throw new Error('no MMIO access waits for completion');
    this.pendingMmio = undefined;
    completeMmio(this, pending, data);
    this.setPc(this.getPc() + 4n);
    this.advanceStep();
  }

  // Interrupts: levels that the host sets between runs, or from a system register's write.

  setIrq(level: boolean): void {
    this.#irq = level;
    this.#records = FETCH_PAGE.records;
  }

  setFiq(level: boolean): void {
    this.#fiq = level;
    this.#records = FETCH_PAGE.records;
  }

  /** Makes an SError pending, with the ISS of its syndrome. */
  setSerror(iss: bigint | undefined): void {
    this.#serror = iss;
    this.#records = FETCH_PAGE.records;
  }

  get serror(): bigint | undefined {
    return this.#serror;
  }

  /** Whether an interrupt would end a wait, masked or not. */
  get interrupted(): boolean {
    return this.#irq || this.#fiq || this.#serror !== undefined;
  }

  /** Takes the interrupt of highest priority that is not masked. */
  #takeInterrupt(): boolean {
    const { daif, hot } = this.state;
    const pc = this.getPc();
    if (this.#serror !== undefined && !(daif & 4)) {
      hot.esr = (0x2fn << 26n) | (1n << 25n) | this.#serror;
      this.#serror = undefined;
      enterEl1(this, 'serror', pc);
    } else if (this.#fiq && !(daif & 1)) enterEl1(this, 'fiq', pc);
    else if (this.#irq && !(daif & 2)) enterEl1(this, 'irq', pc);
    else return false;
    return true;
  }

  // Where instructions come from.

  /** What the decoder's stand-ins do: they are no instructions and cost nothing. */
  #standIn(): void {
    this.#offset -= 4;
    this.#remaining++;
  }

  decodeHere(): void {
    this.#standIn();
    this.#page.decode(this.#offset >> 2);
  }

  enterNextPage(): void {
    this.#standIn();
    this.setPc(this.registers[PAGE]! + 4096n);
  }

  fetch(): void {
    const halves = this.halves;
    const low = halves[2 * PAGE]!;
    const entry = entryOf(low);
    const tlb = this.#codeTlb;
    const misplaced = this.state.illegal || (this.#offset & 3) !== 0;
    const hit = tlb.executable[2 * entry] === low && tlb.executable[2 * entry + 1] === halves[2 * PAGE + 1];
    if (this.interrupted || misplaced || !hit) {
      this.#fetchSlowly();
      return;
    }
    this.#standIn();
    this.#enter(tlb.code[entry]!);
  }

  #enter(page: CodePage): void {
    const { code } = this.machine;
    if (page.epoch !== code.epoch) code.refresh(page);
    this.#page = page;
    this.#records = page.records;
  }

  #fetchSlowly(): void {
    if (this.interrupted) {
      this.#standIn();
      if (this.#takeInterrupt()) return;
      this.#offset += 4;
      this.#remaining--;
    }
    const { illegal } = this.state;
    if (illegal) throw new Exception(syndrome(EC.illegalState, 0), this.pc());
    dropTag(this);
    if (this.#offset & 3) throw new Exception(syndrome(EC.pcAlignment, 0), this.pc(), this.pc());
    const page = fetchPage(this, this.#codeTlb);
    this.#standIn();
    this.#enter(page);
  }

  getPc(): bigint {
    return this.registers[PAGE]! + BigInt(this.#offset);
  }

  setPc(pc: bigint): void {
    const halves = this.halves;
    this.registers[PAGE] = pc;
    // By halves: what Number() makes of a bigint would have V8 keep the offset as a double.
    this.#offset = halves[2 * PAGE]! & 0xfff;
    halves[2 * PAGE]! &= ~0xfff;
    this.#records = FETCH_PAGE.records;
  }

  /** Where the page is that instructions come from; behind the last of them the PC is in the next already. */
  get pageAddress(): bigint {
    return this.registers[PAGE]!;
  }

  /** The page of the PC by another address. */
  movePage(address: bigint): void {
    this.registers[PAGE] = address & ~0xfffn;
  }

  /** PSTATE, or what translation depends on, has changed. */
  contextChanged(): void {
    const { el, pan } = this.state;
    if (el !== this.#level) this.#enterLevel(el);
    this.#codeTlb = el === 0 ? this.#userTlb : this.#kernelTlb;
    this.tlb = el === 0 ? this.#userTlb : pan ? this.#panTlb : this.#kernelTlb;
    this.#records = FETCH_PAGE.records;
  }

  #enterLevel(level: 0 | 1): void {
    this.tally();
    this.#level = level;
    if (this.stopsAtLevels) this.stop();
  }

  #tlbs(): Tlb[] {
    return [this.#userTlb, this.#kernelTlb, this.#panTlb];
  }

  /** The next store to each page is to be looked up again. */
  forgetWritable(): void {
    for (const tlb of this.#tlbs()) tlb.flushWritable();
  }

  flushTlb(): void {
    for (const tlb of this.#tlbs()) tlb.flush();
    this.#records = FETCH_PAGE.records;
  }

  flushPage(address: bigint): void {
    for (const tlb of this.#tlbs()) tlb.flushPage(address);
    this.#records = FETCH_PAGE.records;
  }

  /** Whether a TLB's accesses count as those of EL0. */
  isUser(tlb: Tlb): boolean {
    return tlb === this.#userTlb;
  }

  /** Loads and stores of `access` have the rights of EL0 (LDTR, STTR), unless PSTATE.UAO says otherwise. */
  asUser(access: () => void): void {
    const { tlb } = this;
    if (!this.state.uao) this.tlb = this.#userTlb;
    try {
      access();
    } finally {
      this.tlb = tlb;
    }
  }

  // Exceptions of instructions.

  undefined(): never {
    throw new Exception(syndrome(EC.unknown, 0), this.pc());
  }

  /** Raised where FP and SIMD are off for the level (CPACR_EL1.FPEN). */
  checkFp(): void {
    const enabled = Number((this.state.hot.cpacr >> 20n) & 3n);
    if (enabled === 3 || (enabled === 1 && this.state.el === 1)) return;
    throw new Exception(syndrome(EC.fpAccess, 0x1e0_0000), this.pc());
  }

  /** The record of the instruction that runs. */
  get current(): Instruction {
    return this.#records[(this.#offset - 4) >> 2]!;
  }

  // The parts of the builder that change where the CPU is, or leave it.

  pc(): bigint {
    return BigInt.asUintN(64, this.registers[PAGE]! + BigInt((this.#offset - 4) >>> 0));
  }

  branchBy(offset: number): void {
    const target = this.#offset - 4 + offset;
    if ((target & ~0xfff) === 0) this.#offset = target;
    else this.setPc(this.registers[PAGE]! + BigInt(target));
  }

  branchIf(condition: boolean, offset: number): void {
    if (condition) this.branchBy(offset);
  }

  branchTo(target: bigint): void {
    const halves = this.halves;
    scratch[VALUE] = target;
    const low = scratchHalves[2 * VALUE]!;
    const high = scratchHalves[2 * VALUE + 1]!;
    this.#offset = low & 0xfff;
    if (halves[2 * PAGE] === (low & ~0xfff) && halves[2 * PAGE + 1] === high && (low & 3) === 0) return;
    halves[2 * PAGE] = low & ~0xfff;
    halves[2 * PAGE + 1] = high;
    this.#records = FETCH_PAGE.records;
  }

  base(slot: number): bigint {
    if (slot === SP && (this.halves[2 * SP]! & 15) !== 0) this.checkSp();
    return this.registers[slot]!;
  }

  /** No `#checkSp`: `base` must stay small enough for V8 to inline it everywhere. */
  private checkSp(): void {
    const { el, hot } = this.state;
    if (hot.sctlr & (el === 0 ? SCTLR_SA0 : SCTLR_SA))
      throw new Exception(syndrome(EC.spAlignment, 0), this.pc());
  }

  protected override loadSlowly(bytes: Bytes): bigint {
    return loadSlowly(this, bytes);
  }

  protected override storeSlowly(bytes: Bytes, value: bigint): void {
    storeSlowly(this, bytes, value);
  }
}
