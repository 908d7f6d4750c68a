/** What a CPU is made of: registers, PSTATE, and the system registers that execution itself reads. */

/** Slots of the register file after X0-X30. */
export const ZERO = 31;
/** Takes what is written to XZR. */
export const SINK = 32;
/** The stack pointer in use. */
export const SP = 33;
/** The flags: bit 63 of N, C and V; Z is set when its slot is zero. */
export const N = 34;
export const Z = 35;
export const C = 36;
export const V = 37;
/** The page of the PC; its offset is a number of the CPU. */
export const PAGE = 38;
const SLOTS = 39;

const BIT63 = 1n << 63n;

/** PSTATE as SPSR_EL1 has it (C5.2.19), but for the flags and what is not implemented. */
const PSTATE_BITS = {
  dit: 1n << 24n,
  pan: 1n << 22n,
  uao: 1n << 23n,
  singleStep: 1n << 21n,
  illegal: 1n << 20n,
  ssbs: 1n << 12n,
} as const;

/** D, A, I and F masked. */
export const DAIF_ALL = 0xf;

/** The system registers that the CPU keeps for itself, by the name that the architecture gives them. */
export class HotRegisters {
  sctlr = 0x30d0_0800n;
  tcr = 0n;
  ttbr0 = 0n;
  ttbr1 = 0n;
  mair = 0n;
  amair = 0n;
  vbar = 0n;
  esr = 0n;
  far = 0n;
  elr = 0n;
  spsr = 0n;
  par = 0n;
  cpacr = 0n;
  contextidr = 0n;
  tpidrEl0 = 0n;
  tpidrroEl0 = 0n;
  tpidrEl1 = 0n;
  afsr0 = 0n;
  afsr1 = 0n;
  cntkctl = 0n;
  disr = 0n;
}

/** Which parts of PSTATE a CPU has. */
export interface PstateFeatures {
  readonly pan: boolean;
  readonly uao: boolean;
  readonly ssbs: boolean;
  readonly dit: boolean;
}

export class CpuState {
  declare readonly x: BigUint64Array;
  /** The same registers as halves: low, high, low … */
  declare readonly halves: Int32Array;
  /** V0-V31: two words each, low half first. */
  readonly v = new BigUint64Array(64);
  fpcr = 0n;
  fpsr = 0n;
  el: 0 | 1 = 1;
  spsel: 0 | 1 = 1;
  daif = DAIF_ALL;
  pan = false;
  uao = false;
  ssbs = false;
  dit = false;
  illegal = false;
  singleStep = false;
  /** The stack pointers of EL0 and EL1; the one in use is in slot SP instead. */
  readonly #sp: [bigint, bigint] = [0n, 0n];
  readonly hot = new HotRegisters();
  readonly #features: PstateFeatures;

  constructor(features: PstateFeatures) {
    const buffer = new ArrayBuffer(SLOTS * 8);
    this.x = new BigUint64Array(buffer);
    this.halves = new Int32Array(buffer);
    this.x[Z] = 1n;
    this.#features = features;
  }

  #spInUse(): 0 | 1 {
    return this.el === 0 ? 0 : this.spsel;
  }

  getSp(level: 0 | 1): bigint {
    return level === this.#spInUse() ? this.x[SP]! : this.#sp[level];
  }

  setSp(level: 0 | 1, value: bigint): void {
    if (level === this.#spInUse()) this.x[SP] = value;
    else this.#sp[level] = BigInt.asUintN(64, value);
  }

  /** Changes the level or the choice of stack pointer. */
  setLevel(el: 0 | 1, spsel: 0 | 1): void {
    this.#sp[this.#spInUse()] = this.x[SP]!;
    this.el = el;
    this.spsel = spsel;
    this.x[SP] = this.#sp[this.#spInUse()];
  }

  get nzcv(): number {
    const { x } = this;
    return (
      (x[N]! & BIT63 ? 8 : 0) | (x[Z] === 0n ? 4 : 0) | (x[C]! & BIT63 ? 2 : 0) | (x[V]! & BIT63 ? 1 : 0)
    );
  }

  set nzcv(flags: number) {
    const { x } = this;
    x[N] = flags & 8 ? BIT63 : 0n;
    x[Z] = flags & 4 ? 0n : 1n;
    x[C] = flags & 2 ? BIT63 : 0n;
    x[V] = flags & 1 ? BIT63 : 0n;
  }

  get pstate(): bigint {
    let value = (BigInt(this.nzcv) << 28n) | (BigInt(this.daif) << 6n);
    value |= BigInt((this.el << 2) | (this.el === 1 ? this.spsel : 0));
    for (const [name, bit] of Object.entries(PSTATE_BITS))
      if (this[name as keyof typeof PSTATE_BITS]) value |= bit;
    return value;
  }

  /** Takes every field; the level and stack pointer must be ones that this CPU has. */
  set pstate(value: bigint) {
    this.nzcv = Number((value >> 28n) & 0xfn);
    this.daif = Number((value >> 6n) & 0xfn);
    this.pan = this.#features.pan && (value & PSTATE_BITS.pan) !== 0n;
    this.uao = this.#features.uao && (value & PSTATE_BITS.uao) !== 0n;
    this.ssbs = this.#features.ssbs && (value & PSTATE_BITS.ssbs) !== 0n;
    this.dit = this.#features.dit && (value & PSTATE_BITS.dit) !== 0n;
    this.illegal = (value & PSTATE_BITS.illegal) !== 0n;
    this.singleStep = (value & PSTATE_BITS.singleStep) !== 0n;
    const el = value & 4n ? 1 : 0;
    this.setLevel(el, el === 1 && value & 1n ? 1 : 0);
  }
}
