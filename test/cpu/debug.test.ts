/** Self-hosted debug by the manual's rules (Arm ARM D2); what lab kernels' guests found is in `test/guests`. */
import { describe, expect, it } from 'vitest';
import { Debug, type DebugControls, type DebugPair } from '#lib/emulator/cpu/debug.js';
import {
  CODE,
  ERET,
  ldr,
  movz,
  NOP,
  str,
  svc,
  taken,
  toUser,
  VECTORS,
  type World,
  world,
} from './support.ts';

const SS = 1n;
const KDE = 1n << 13n;
const MDE = 1n << 15n;

/** E; PMC or PAC: EL1 1, EL0 2; BAS; LSC: read 1, write 2. */
const bcr = (pmc: number, more = 0): bigint => BigInt(more | (0xf << 5) | (pmc << 1) | 1);
const wcr = (pac: number, lsc: number, bas = 0xff, more = 0): bigint =>
  BigInt(more | (bas << 5) | (lsc << 3) | (pac << 1) | 1);

const NOTHING: DebugControls = {
  mdscr: KDE | MDE,
  breakpoints: [],
  watchpoints: [],
  contextAware: 0,
  toHost: false,
};

/** With PSTATE.D clear. */
function debugged(controls: Partial<DebugControls>): World {
  const w = world();
  w.put(VECTORS, ...Array<number>(0x200).fill(NOP));
  w.cpu.state.daif = 7;
  w.cpu.setDebug(new Debug({ ...NOTHING, ...controls }));
  return w;
}

const at = (offset: number, control = bcr(3)): DebugPair => ({ value: BigInt(CODE + offset), control });
const PROGRAM = [movz(0, 1), movz(1, 2), movz(2, 3), NOP];

/** Runs the program with these breakpoints; where it stopped, or undefined. */
function stop(breakpoints: readonly DebugPair[], prepare: (w: World) => void = () => {}, contextAware = 1) {
  const w = debugged({ breakpoints, contextAware });
  prepare(w);
  w.run(PROGRAM);
  const { ec, iss, elr } = taken(w);
  return ec === 0 ? undefined : { ec, iss, elr };
}

describe('a breakpoint (D2.8)', () => {
  it('is an exception before its instruction, of a class for each level', () => {
    expect(stop([at(8)])).toEqual({ ec: 0x31, iss: 0x22, elr: 8 });
    expect(stop([at(8)], toUser)).toEqual({ ec: 0x30, iss: 0x22, elr: 8 });
  });

  it('wants E, its level in PMC, a state that the guest is in, and the instruction’s lowest byte', () => {
    expect(stop([at(8, bcr(3) & ~1n)])).toBeUndefined();
    expect(stop([at(8, bcr(2))])).toBeUndefined();
    expect(stop([at(8, bcr(1))], toUser)).toBeUndefined();
    expect(stop([at(8, bcr(3, 0b10 << 14))])).toBeUndefined(); // Secure
    expect(stop([at(8, bcr(3, 0b01 << 14))])).toBeDefined(); // Non-secure
    expect(stop([at(8, bcr(3) & ~(1n << 5n))])).toBeUndefined();
  });

  it('wants KDE and PSTATE.D clear at EL1, and neither at EL0; MDE always', () => {
    const masked = (w: World) => {
      w.cpu.state.daif = 0xf;
    };
    expect(stop([at(8)], masked)).toBeUndefined();
    const without = (mdscr: bigint, prepare: (w: World) => void) => {
      const w = debugged({ mdscr, breakpoints: [at(8)] });
      prepare(w);
      w.run(PROGRAM);
      return taken(w).ec;
    };
    expect(without(MDE, () => {})).toBe(0);
    expect(without(MDE, toUser)).toBe(0x30);
    expect(without(KDE, toUser)).toBe(0);
  });

  it('compares the context, alone or linked, where it can', () => {
    const context = (control: bigint): DebugPair => ({ value: 0x1234n, control });
    const inContext = (w: World) => {
      w.cpu.state.hot.contextidr = 0x1234n;
    };
    const unlinked = context(bcr(3, 0b0010 << 20));
    expect(stop([unlinked], inContext)).toMatchObject({ elr: 0 });
    expect(stop([unlinked])).toBeUndefined();
    expect(stop([unlinked, at(64)], inContext)).toBeUndefined(); // only the last one can
    const linked = [at(4, bcr(3, (0b0001 << 20) | (1 << 16))), context(bcr(3, 0b0011 << 20))];
    expect(stop(linked, inContext)).toMatchObject({ elr: 4 });
    expect(stop(linked)).toBeUndefined();
  });
});

describe('a watchpoint (D2.9)', () => {
  const DATA = 0x2_0000;
  /** What a load or store of 8 bytes at an address gives. */
  function access(pair: DebugPair, address: number, word: number, prepare: (w: World) => void = () => {}) {
    const w = debugged({ watchpoints: [pair] });
    w.cpu.setX(1, BigInt(address));
    w.cpu.setX(0, 0xabcdn);
    prepare(w);
    w.run([word]);
    const { ec, iss } = taken(w);
    return ec === 0 ? undefined : { ec, iss, far: Number(w.cpu.state.hot.far) - DATA };
  }
  const watch = (control: bigint, offset = 0): DebugPair => ({ value: BigInt(DATA + offset), control });
  const [LOAD, STORE] = [ldr(0, 1), str(0, 1)];

  it('is an exception before its access, which tells address and kind', () => {
    expect(access(watch(wcr(3, 3)), DATA, LOAD)).toEqual({ ec: 0x35, iss: 0x22, far: 0 });
    expect(access(watch(wcr(3, 3)), DATA, STORE)).toEqual({ ec: 0x35, iss: 0x62, far: 0 });
    expect(access(watch(wcr(3, 3)), DATA, STORE, toUser)).toEqual({ ec: 0x34, iss: 0x62, far: 0 });
  });

  it('wants the kind in LSC and the level in PAC', () => {
    expect(access(watch(wcr(3, 2)), DATA, LOAD)).toBeUndefined();
    expect(access(watch(wcr(3, 1)), DATA, STORE)).toBeUndefined();
    expect(access(watch(wcr(2, 3)), DATA, LOAD)).toBeUndefined();
    // STTR x0, [x1] and LDTR of EL1 are EL0's.
    expect(access(watch(wcr(2, 3)), DATA, 0xf800_0820)).toMatchObject({ ec: 0x35 });
    expect(access(watch(wcr(1, 3)), DATA, 0xf840_0820)).toBeUndefined();
  });

  it('is met by any byte that BAS picks of a doubleword, or of a word, and by all that MASK spans', () => {
    expect(access(watch(wcr(3, 3, 0x80)), DATA, LOAD)).toMatchObject({ far: 7 });
    expect(access(watch(wcr(3, 3, 0x80)), DATA, 0xb940_0020)).toBeUndefined(); // ldr w0, [x1]
    expect(access(watch(wcr(3, 3, 0x01), 4), DATA, LOAD)).toMatchObject({ far: 4 });
    expect(access(watch(wcr(3, 3, 0x10), 4), DATA, LOAD)).toBeUndefined();
    const kilobyte = watch(wcr(3, 3, 0xff, 10 << 24));
    expect(access(kilobyte, DATA + 0x3f8, LOAD)).toMatchObject({ far: 0x3f8 });
    expect(access(kilobyte, DATA + 0x400, LOAD)).toBeUndefined();
  });

  it('is met by accesses to pages that were used before', () => {
    const w = world();
    w.cpu.setX(1, BigInt(DATA));
    w.run([LOAD, STORE]);
    w.cpu.state.daif = 7;
    w.cpu.setDebug(new Debug({ ...NOTHING, watchpoints: [watch(wcr(3, 3))] }));
    w.run([STORE]);
    expect(taken(w).ec).toBe(0x35);
    w.cpu.setDebug(undefined);
    w.run([STORE]);
    expect(w.cpu.getPc()).toBe(BigInt(CODE + 4));
  });
});

describe('software step (D2.11)', () => {
  const step = (w: World, singleStep: boolean) => {
    w.cpu.state.singleStep = singleStep;
    return w;
  };

  it('executes one instruction when active and not pending, and none when pending', () => {
    const w = step(debugged({ mdscr: SS | KDE }), true);
    w.run(PROGRAM, 2);
    expect(taken(w)).toMatchObject({ ec: 0x33, iss: (1 << 24) | 0x22, elr: 4 });
    const pending = step(debugged({ mdscr: SS | KDE }), false);
    pending.run(PROGRAM, 1);
    expect(taken(pending)).toMatchObject({ ec: 0x33, iss: 0x22, elr: 0 });
  });

  it('has SVC step, and other exceptions return to their instruction', () => {
    const call = step(debugged({ mdscr: SS | KDE }), true);
    call.run([svc(1)]);
    expect(call.cpu.state.hot.spsr & (1n << 21n)).toBe(0n);
    const fault = step(debugged({ mdscr: SS | KDE }), true);
    fault.run([0]);
    expect(fault.cpu.state.hot.spsr & (1n << 21n)).toBe(1n << 21n);
  });

  it('begins with an exception return of who is not stepped', () => {
    const w = debugged({ mdscr: SS });
    w.cpu.state.hot.elr = BigInt(CODE + 8);
    w.cpu.state.hot.spsr = 1n << 21n; // to EL0
    w.run([ERET, NOP, NOP, NOP], 3);
    expect(taken(w)).toMatchObject({ ec: 0x32, iss: (1 << 24) | 0x22, elr: 12 });
  });

  it('leaves with the syndrome for a debugger of the host, whatever the guest masks', () => {
    const w = step(debugged({ mdscr: SS, toHost: true }), true);
    w.cpu.state.daif = 0xf;
    expect(w.run(PROGRAM, 4)).toEqual({ reason: 'debug', esr: 0xcb00_0022n, far: undefined });
    expect(Number(w.cpu.getPc())).toBe(CODE + 4);
  });
});

it('BRK leaves for a debugger of the host, at the instruction', () => {
  const w = debugged({ mdscr: 0n, toHost: true });
  expect(w.run([0xd420_0060])).toEqual({ reason: 'debug', esr: 0xf200_0003n, far: undefined });
  expect(Number(w.cpu.getPc())).toBe(CODE);
});
