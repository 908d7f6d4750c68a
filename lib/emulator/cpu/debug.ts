/**
 * Self-hosted debug (D2): breakpoints, watchpoints and software step, to EL1 or to the surroundings. A CPU has this while
 * its registers ask for some of it.
 */
import type { Cpu } from './cpu.ts';
import { EC, Exception, syndrome } from './exceptions.ts';
import type { CpuState } from './state.ts';

/** A control register and its value register: DBGBCR and DBGBVR, DBGWCR and DBGWVR. */
export interface DebugPair {
  readonly control: bigint;
  readonly value: bigint;
}

/** What the CPU's debug registers say. */
export interface DebugControls {
  /** MDSCR_EL1: its SS, KDE and MDE count. */
  readonly mdscr: bigint;
  readonly breakpoints: readonly DebugPair[];
  readonly watchpoints: readonly DebugPair[];
  /** How many breakpoints, the last ones, can compare CONTEXTIDR_EL1 (ID_AA64DFR0_EL1.CTX_CMPs). */
  readonly contextAware: number;
  /** Debug exceptions, BRK among them, leave `run` (MDCR_EL2.TDE). */
  readonly toHost: boolean;
  /** A step begins anew after an instruction that the surroundings emulate. */
  readonly restarts?: boolean;
}

const MDSCR = { SS: 1n, KDE: 1n << 13n, MDE: 1n << 15n } as const;

/** PSTATE.D. */
const MASKED = 8;

/** ISS: the status code of all debug exceptions but BRK, and what a software step and a watchpoint tell. */
const DEBUG_EVENT = 0x22;
const ISS_STEP_VALID = 1 << 24;
const ISS_STEP_EXCLUSIVE = 1 << 6;
const ISS_WATCH_WRITE = 1 << 6;

const field = (control: bigint, low: bigint, bits: number): number =>
  Number(BigInt.asUintN(bits, control >> low));

/** E, bit 0. */
const isEnabled = ({ control }: DebugPair): boolean => (control & 1n) === 1n;

/** SSC, bits 15:14: a guest is Non-secure. PxC, bits 2:1: EL1 and EL0. */
function matchesState({ control }: DebugPair, user: boolean): boolean {
  return field(control, 14n, 2) !== 0b10 && (field(control, 1n, 2) & (user ? 0b10 : 0b01)) !== 0;
}

/** DBGBCR.BT, without its lowest bit, which says that it is linked. */
const TYPE = { address: 0b000, context: 0b001 } as const;

export class Debug {
  readonly toHost: boolean;
  readonly restarts: boolean;
  /** MDSCR_EL1.SS. */
  readonly steps: boolean;
  readonly #kernel: boolean;
  readonly #contextAware: number;
  readonly #all: readonly DebugPair[];
  readonly #breakpoints: readonly DebugPair[];
  readonly #watchpoints: readonly DebugPair[];

  constructor({ mdscr, breakpoints, watchpoints, contextAware, toHost, restarts = false }: DebugControls) {
    const monitors = (mdscr & MDSCR.MDE) !== 0n;
    this.toHost = toHost;
    this.restarts = restarts;
    this.steps = (mdscr & MDSCR.SS) !== 0n;
    this.#kernel = (mdscr & MDSCR.KDE) !== 0n;
    this.#contextAware = breakpoints.length - contextAware;
    this.#all = breakpoints;
    this.#breakpoints = monitors ? breakpoints.filter(isEnabled) : [];
    this.#watchpoints = monitors ? watchpoints.filter(isEnabled) : [];
  }

  /** Something is to be looked at with every instruction. */
  get looksAtInstructions(): boolean {
    return this.steps || this.#breakpoints.length > 0;
  }

  /** And with every load and store. */
  get looksAtData(): boolean {
    return this.#watchpoints.length > 0;
  }

  /** `AArch64.GenerateDebugExceptionsFrom` (J1.1): EL1 lets itself be debugged only if it says so. */
  isEnabledAt({ el, daif }: CpuState): boolean {
    return this.toHost || el === 0 || (this.#kernel && (daif & MASKED) === 0);
  }

  /** The instruction to come is to be stepped, or has been. */
  stepsAt(state: CpuState): boolean {
    return this.steps && this.isEnabledAt(state);
  }

  /** Raises the exception of a step that is done. @param stepped - the mnemonic; undefined: it is not known */
  takeStep(cpu: Cpu, stepped: string | undefined): never {
    const exclusive = stepped !== undefined && /^lda?x/.test(stepped) ? ISS_STEP_EXCLUSIVE : 0;
    const valid = stepped === undefined ? 0 : ISS_STEP_VALID;
    return this.#raise(cpu, EC.stepLower, DEBUG_EVENT | valid | exclusive);
  }

  /** Raises the exception of a breakpoint at the instruction that is about to run. */
  checkBreakpoints(cpu: Cpu): void {
    const { state } = cpu;
    if (this.#breakpoints.length === 0 || !this.isEnabledAt(state)) return;
    const pc = cpu.pc();
    const user = state.el === 0;
    for (const pair of this.#breakpoints)
      if (this.#stops(pair, pc, user, state)) this.#raise(cpu, EC.breakpointLower, DEBUG_EVENT);
  }

  /** `AArch64.BreakpointMatch`. */
  #stops(pair: DebugPair, pc: bigint, user: boolean, state: CpuState): boolean {
    const type = field(pair.control, 20n, 4);
    const isLinked = (type & 1) === 1;
    if (!matchesState(pair, user)) return false;
    if (type >> 1 === TYPE.context) return !isLinked && this.#inContext(pair, state);
    if (type >> 1 !== TYPE.address) return false;
    // DBGBVR holds bits 48:2; BAS[0], the lowest byte of the instruction, is all that A64 needs of it.
    const address = BigInt.asUintN(64, BigInt.asIntN(49, pair.value)) & ~3n;
    if (address !== pc || (field(pair.control, 5n, 4) & 1) === 0) return false;
    return !isLinked || this.#isLinkedContext(field(pair.control, 16n, 4), state);
  }

  /** Whether a breakpoint compares the context, and it is that one. */
  #inContext(pair: DebugPair, { hot }: CpuState): boolean {
    if (this.#all.indexOf(pair) < this.#contextAware) return false;
    return BigInt.asUintN(32, pair.value) === BigInt.asUintN(32, hot.contextidr);
  }

  #isLinkedContext(number: number, state: CpuState): boolean {
    const pair = this.#all[number];
    if (pair === undefined || !isEnabled(pair)) return false;
    return field(pair.control, 20n, 4) === ((TYPE.context << 1) | 1) && this.#inContext(pair, state);
  }

  /** Raises the exception of a watchpoint before an access of `bytes` from an address. */
  checkWatchpoints(cpu: Cpu, address: bigint, bytes: number, kind: 'read' | 'write'): void {
    if (this.#watchpoints.length === 0 || !this.isEnabledAt(cpu.state)) return;
    // LDTR and STTR are what EL0 does.
    const user = cpu.isUser(cpu.tlb);
    const isWrite = kind === 'write';
    for (const pair of this.#watchpoints) {
      if ((field(pair.control, 3n, 2) & (isWrite ? 0b10 : 0b01)) === 0) continue;
      if (!matchesState(pair, user)) continue;
      const isLinked = field(pair.control, 20n, 1) === 1;
      if (isLinked && !this.#isLinkedContext(field(pair.control, 16n, 4), cpu.state)) continue;
      for (let n = 0; n < bytes; n++) {
        const byte = BigInt.asUintN(64, address + BigInt(n));
        if (watches(pair, byte))
          this.#raise(cpu, EC.watchpointLower, DEBUG_EVENT | (isWrite ? ISS_WATCH_WRITE : 0), byte);
      }
    }
  }

  /** BRK, which nothing disables. */
  breakHere(cpu: Cpu, comment: number): never {
    return this.#raise(cpu, EC.brk, comment, undefined);
  }

  #raise(cpu: Cpu, ec: number, iss: number, far?: bigint): never {
    if (this.toHost) return cpu.leave({ reason: 'debug', esr: syndrome(ec, iss), far }, true);
    // BRK has one class; the others have one for each level that they come from.
    const from = ec === EC.brk ? 0 : cpu.state.el;
    throw new Exception(syndrome(ec + from, iss), cpu.pc(), far);
  }
}

/** `AArch64.WatchpointByteMatch`: MASK, bits 28:24, or BAS, bits 12:5, of a doubleword or, with DBGWVR[2], a word. */
function watches({ control, value }: DebugPair, byte: bigint): boolean {
  const mask = field(control, 24n, 5);
  const unit = mask > 2 ? mask : (value & 4n) === 0n ? 3 : 2;
  const base = BigInt.asUintN(64, BigInt.asIntN(49, value));
  if (base >> BigInt(unit) !== byte >> BigInt(unit)) return false;
  return mask > 2 || ((field(control, 5n, 8) >> (Number(byte) & ((1 << unit) - 1))) & 1) === 1;
}
