/** Exceptions to EL1: their syndromes, how one is taken, and how ERET goes back (D1.3, D24.2.40). */
import type { Cpu } from './cpu.ts';
import { DAIF_ALL } from './state.ts';

/** ESR_ELx.EC. */
export const EC = {
  unknown: 0x00,
  wfx: 0x01,
  fpAccess: 0x07,
  illegalState: 0x0e,
  svc: 0x15,
  systemRegister: 0x18,
  instructionAbortLower: 0x20,
  instructionAbort: 0x21,
  pcAlignment: 0x22,
  dataAbortLower: 0x24,
  dataAbort: 0x25,
  spAlignment: 0x26,
  breakpointLower: 0x30,
  stepLower: 0x32,
  watchpointLower: 0x34,
  brk: 0x3c,
} as const;

/** Status codes of aborts (ISS.DFSC, ISS.IFSC); those with a level have it added. */
export const FAULT = {
  addressSize: 0x00,
  translation: 0x04,
  accessFlag: 0x08,
  permission: 0x0c,
  external: 0x10,
  externalOnWalk: 0x14,
  alignment: 0x21,
} as const;

export const ISS_WRITE = 1 << 6;
export const ISS_CACHE_MAINTENANCE = 1 << 8;

/** ESR_EL1 of a 32-bit instruction. */
export const syndrome = (ec: number, iss: number): bigint => (BigInt(ec) << 26n) | (1n << 25n) | BigInt(iss);

export const classOf = (esr: bigint): number => Number((esr >> 26n) & 0x3fn);

/** Thrown by an instruction that raises one; the CPU takes it. */
export class Exception {
  readonly esr: bigint;
  readonly elr: bigint;
  readonly far: bigint | undefined;

  constructor(esr: bigint, elr: bigint, far?: bigint) {
    this.esr = esr;
    this.elr = elr;
    this.far = far;
  }
}

/** An abort of the level that runs: the class depends on it. */
export function abort(cpu: Cpu, instruction: boolean, iss: number, address: bigint): Exception {
  const lower = instruction ? EC.instructionAbortLower : EC.dataAbortLower;
  return new Exception(syndrome(lower + cpu.state.el, iss), cpu.pc(), address);
}

/** Offsets into a quarter of the vector table. */
const VECTOR = { synchronous: 0x000, irq: 0x080, fiq: 0x100, serror: 0x180 } as const;

const SCTLR_SPAN = 1n << 23n;
const SCTLR_DSSBS = 1n << 44n;

/** Enters EL1. */
export function enterEl1(cpu: Cpu, kind: keyof typeof VECTOR, elr: bigint): void {
  const { state } = cpu;
  const { hot } = state;
  const quarter = state.el === 0 ? 0x400 : state.spsel === 1 ? 0x200 : 0;
  hot.spsr = state.pstate;
  hot.elr = elr;
  state.setLevel(1, 1);
  state.daif = DAIF_ALL;
  state.illegal = false;
  state.singleStep = false;
  cpu.stepped = undefined;
  if (cpu.has('PAN') && (hot.sctlr & SCTLR_SPAN) === 0n) state.pan = true;
  state.uao = false;
  if (cpu.has('SSBS')) state.ssbs = (hot.sctlr & SCTLR_DSSBS) !== 0n;
  cpu.contextChanged();
  cpu.branchTo(hot.vbar + BigInt(quarter + VECTOR[kind]));
}

export function takeSynchronous(cpu: Cpu, { esr, elr, far }: Exception): void {
  const { hot } = cpu.state;
  hot.esr = esr;
  if (far !== undefined) hot.far = far;
  enterEl1(cpu, 'synchronous', elr);
}

const PSTATE_AARCH32 = 1n << 4n;
const PSTATE_SS = 1n << 21n;
const PSTATE_NZCV_DAIF = 0xf000_03c0n;

/** ERET at EL1 (D1.4.4, illegal exception returns). */
export function exceptionReturn(cpu: Cpu): void {
  const { state } = cpu;
  const { spsr, elr } = state.hot;
  const mode = Number(spsr & 0xfn);
  const to32 = (spsr & PSTATE_AARCH32) !== 0n;
  if (to32 && cpu.has('AArch32')) cpu.machine.onGap('eret', 'AArch32', cpu.current.word);
  const legal = !to32 && (mode === 0 || mode === 4 || mode === 5);
  const wasDebugged = cpu.debug?.isEnabledAt(state) === true;
  cpu.monitor.clear();
  cpu.eventRegister = true;
  if (legal) state.pstate = spsr;
  else {
    // The level, stack pointer and the rest stay; the flags and masks are taken, and IL is set.
    const kept = state.pstate & ~PSTATE_NZCV_DAIF;
    state.pstate = kept | (spsr & PSTATE_NZCV_DAIF);
    state.illegal = true;
  }
  // A debugger that is not stepped itself chooses whether the return begins a step (`DebugExceptionReturnSS`, J1.1).
  state.singleStep = (spsr & PSTATE_SS) !== 0n && !wasDebugged && cpu.debug?.stepsAt(state) === true;
  cpu.contextChanged();
  cpu.branchTo(elr);
}
