/** Exceptions to EL1 and back: D1.3 (entry), D1.4 (return), D24.2.40 (ESR_EL1) of Arm DDI 0487. */
import { describe, expect, it } from 'vitest';
import { encodingOf } from '#lib/emulator/cpu/system-registers.js';
import * as a from './support.ts';
import { CODE, REGISTER, taken, toUser, VECTORS, world } from './support.ts';

const EL0T = 0n;
const EL1T = 4n;
const EL1H = 5n;
const DAIF = 0x3c0n;

describe('RNDR', () => {
  const RNDR = encodingOf(3, 3, 2, 4, 0);

  it('gives a number and NZCV of zero, the same in each run', () => {
    const results = [0, 0].map(() => {
      const w = world();
      w.cpu.state.nzcv = 0xf;
      toUser(w);
      w.run([a.mrs(1, RNDR), a.mrs(2, RNDR)]);
      expect(w.cpu.state.nzcv).toBe(0);
      return [w.cpu.x(1), w.cpu.x(2)];
    });
    expect(results[0]![0]).not.toBe(results[0]![1]);
    expect(results[0]).toEqual(results[1]);
  });

  it('has the bits of the surroundings, and is undefined without FEAT_RNG', () => {
    const w = world({ random: () => -1n });
    w.run([a.mrs(1, RNDR)]);
    expect(w.cpu.x(1)).toBe(0xffff_ffff_ffff_ffffn);
    const without = world({ hasFeature: () => false });
    without.run([a.mrs(1, RNDR)]);
    expect(taken(without)).toMatchObject({ ec: 0 });
  });
});

describe('entry', () => {
  it('of SVC at EL1 with SP_EL1: the second quarter, the immediate, the next instruction', () => {
    const w = world();
    w.run([a.svc(0x1234)]);
    expect(taken(w)).toEqual({ offset: 0x200, ec: 0x15, iss: 0x1234, elr: 4 });
    expect(w.cpu.state.hot.esr & (1n << 25n)).not.toBe(0n);
  });

  it('at EL1 with SP_EL0: the first quarter, and SP_EL1 from then on', () => {
    const w = world();
    w.cpu.state.setSp(1, 0x1_2340n);
    w.cpu.state.setLevel(1, 0);
    w.run([a.svc(0)]);
    expect(taken(w).offset).toBe(0);
    expect(w.cpu.state.hot.spsr).toBe(EL1T | DAIF);
    expect(w.cpu.x(33)).toBe(0x1_2340n);
  });

  it('leaves the flags and DIT alone (AArch64.TakeException; KVM does so, too: enter_exception64)', () => {
    const w = world();
    w.cpu.state.nzcv = 0b1001;
    w.cpu.state.dit = true;
    w.run([a.svc(0)]);
    expect(w.cpu.state.nzcv).toBe(0b1001);
    expect(w.cpu.state.dit).toBe(true);
  });

  it('from EL0: the third quarter, with flags and masks saved and all masked', () => {
    const w = world();
    toUser(w);
    w.cpu.state.daif = 0;
    w.cpu.state.nzcv = 0b1010;
    w.run([a.svc(7)]);
    expect(taken(w)).toEqual({ offset: 0x400, ec: 0x15, iss: 7, elr: 4 });
    expect(w.cpu.state.hot.spsr).toBe((0b1010n << 28n) | EL0T);
    expect(w.cpu.state.pstate & 0x3cfn).toBe(DAIF | EL1H);
  });

  it('sets PAN as SCTLR_EL1.SPAN says, SSBS as DSSBS, and clears UAO (D1.3.1)', () => {
    const w = world();
    w.cpu.state.uao = true;
    w.cpu.state.hot.sctlr = 1n << 44n;
    w.run([a.svc(0)]);
    expect(w.cpu.state).toMatchObject({ pan: true, uao: false, ssbs: true });
    w.cpu.state.pan = false;
    w.cpu.state.hot.sctlr = 1n << 23n;
    w.run([a.svc(0)]);
    expect(w.cpu.state).toMatchObject({ pan: false, ssbs: false });
  });

  it.each([
    ['an unallocated word', [0x0000_0000], 0x00, 0],
    ['HLT', [0xd440_0000], 0x00, 0],
    ['a register of EL3', [a.mrs(0, REGISTER.SCTLR_EL3)], 0x00, 0],
    ['a register of EL2', [a.mrs(0, REGISTER.SCTLR_EL2)], 0x00, 0],
    ['a write of a read-only register', [a.msr(REGISTER.CurrentEL, 0)], 0x00, 0],
    ['BRK', [a.brk(0xbeef)], 0x3c, 0xbeef],
  ])('of %s', (_, words, ec, iss) => {
    const w = world();
    w.run(words);
    expect(taken(w)).toEqual({ offset: 0x200, ec, iss, elr: 0 });
  });

  it('of SP_EL0 by name while it is SP (C5.2.18)', () => {
    const w = world();
    w.cpu.state.setLevel(1, 0);
    w.run([a.mrs(0, REGISTER.SP_EL0)]);
    expect(taken(w).ec).toBe(0);
  });

  it('of a PC that is not a multiple of four: EC 0x22, FAR is the PC', () => {
    const w = world();
    w.cpu.setX(1, 0x1_0402n);
    w.run([0xd61f_0020], 2); // br x1
    expect(taken(w)).toMatchObject({ ec: 0x22, elr: 0x402 });
    expect(w.cpu.state.hot.far).toBe(0x1_0402n);
  });

  it('of a misaligned SP, with SCTLR_EL1.SA: EC 0x26', () => {
    const w = world();
    w.cpu.state.setSp(1, 0x1008n);
    w.cpu.state.hot.sctlr = 1n << 3n;
    w.run([a.ldr(0, 31)]);
    expect(taken(w)).toEqual({ offset: 0x200, ec: 0x26, iss: 0, elr: 0 });
    w.cpu.state.hot.sctlr = 0n;
    w.run([a.ldr(0, 31)]);
    expect(w.cpu.getPc()).toBe(BigInt(CODE + 4));
  });

  it.each([
    ['a load', a.ldr(0, 1), 0x21],
    ['a store', a.str(0, 1), 0x61],
    ['a load-acquire', 0xc8df_fc20, 0x21], // ldar x0, [x1]
    ['an exclusive load', 0xc85f_7c20, 0x21], // ldxr x0, [x1]
    ['an exclusive store', 0xc802_7c20, 0x61], // stxr w2, x0, [x1]
  ])('of %s that is misaligned, in Device memory: FAR, DFSC 0x21', (_, word, iss) => {
    const w = world();
    w.cpu.setX(1, 0x2003n);
    w.run([word]);
    expect(taken(w)).toEqual({ offset: 0x200, ec: 0x25, iss, elr: 0 });
    expect(w.cpu.state.hot.far).toBe(0x2003n);
  });

  it('of FP where CPACR_EL1.FPEN forbids it: EC 0x07', () => {
    const FMOV = 0x9e67_0000; // fmov d0, x0
    const w = world();
    w.run([FMOV]);
    expect(taken(w)).toMatchObject({ ec: 0x07, iss: 0x1e0_0000 });
    w.cpu.state.hot.cpacr = 1n << 20n;
    w.run([FMOV]);
    expect(w.cpu.getPc()).toBe(BigInt(CODE + 4));
    toUser(w);
    w.run([FMOV]);
    expect(taken(w)).toMatchObject({ offset: 0x400, ec: 0x07 });
    toUser(w);
    w.run([a.mrs(0, REGISTER.FPCR)]);
    expect(taken(w)).toMatchObject({ offset: 0x400, ec: 0x07 });
  });

  it('counts as one instruction', () => {
    const w = world();
    w.put(VECTORS + 0x200, a.movz(3, 1), a.movz(3, 2));
    w.run([a.svc(0)], 2);
    expect(w.cpu.x(3)).toBe(1n);
    expect(w.cpu.remaining).toBe(0);
  });
});

describe('EL0', () => {
  it.each([
    ['MIDR_EL1', REGISTER.MIDR_EL1, true, 0x18],
    ['CCSIDR_EL1', encodingOf(3, 1, 0, 0, 0), true, 0x18],
    ['DACR32_EL2, no register of identification', encodingOf(3, 4, 3, 0, 0), true, 0],
    ['MIDR_EL1', REGISTER.MIDR_EL1, false, 0],
  ])('finds that %s is trapped with FEAT_IDST, and undefined without', (_, encoding, has, ec) => {
    const w = world({ hasFeature: feature => feature === 'IDST' && has });
    toUser(w);
    w.run([a.mrs(3, encoding)]);
    expect(taken(w)).toMatchObject({ offset: 0x400, ec });
  });

  it.each([
    ['CTR_EL0 without SCTLR_EL1.UCT', a.mrs(3, REGISTER.CTR_EL0), 0x18, 0x32_c061],
    ['CNTVCT_EL0 without CNTKCTL_EL1.EL0VCTEN', a.mrs(3, REGISTER.CNTVCT_EL0), 0x18, 0x34_f861],
    ['DAIF without SCTLR_EL1.UMA', a.mrs(3, REGISTER.DAIF), 0x18, 0x32_d065],
    ['MIDR_EL1, with FEAT_IDST', a.mrs(3, REGISTER.MIDR_EL1), 0x18, 0x30_0061],
    ['CurrentEL', a.mrs(3, REGISTER.CurrentEL), 0x00, 0],
    ['DC CIVAC without SCTLR_EL1.UCI', 0xd50b_7e23, 0x18, 0x12_dc7c],
    ['TLBI VMALLE1', 0xd508_871f, 0x00, 0],
    ['MSR DAIFSet', 0xd503_42df, 0x18, 0x0c_d3e4],
    ['WFI without SCTLR_EL1.nTWI', a.WFI, 0x01, 0x1e0_0000],
    ['WFE without SCTLR_EL1.nTWE', a.WFE, 0x01, 0x1e0_0001],
    ['HVC', a.hvc(0), 0x00, 0],
    ['SMC', a.smc(0), 0x00, 0],
    ['ERET', a.ERET, 0x00, 0],
  ])('may not use %s', (_, word, ec, iss) => {
    const w = world();
    toUser(w);
    w.cpu.state.hot.sctlr = 0n;
    w.run([word]);
    expect(taken(w)).toEqual({ offset: 0x400, ec, iss, elr: 0 });
  });

  it('reads CTR_EL0 and counters that EL1 gives it', () => {
    const w = world({ system: { read: encoding => BigInt(encoding), write: () => undefined } });
    toUser(w);
    w.cpu.state.hot.sctlr = 1n << 15n;
    w.cpu.state.hot.cntkctl = 0b10n;
    w.run([a.mrs(3, REGISTER.CTR_EL0), a.mrs(4, REGISTER.CNTVCT_EL0)]);
    expect([w.cpu.x(3), w.cpu.x(4)]).toEqual([BigInt(REGISTER.CTR_EL0), BigInt(REGISTER.CNTVCT_EL0)]);
  });
});

describe('return', () => {
  it('goes to EL0 with the state of SPSR_EL1', () => {
    const w = world();
    w.cpu.state.setSp(0, 0x7770n);
    w.cpu.state.hot.spsr = (0b0110n << 28n) | EL0T;
    w.cpu.state.hot.elr = BigInt(CODE + 0x100);
    w.run([a.ERET]);
    expect(w.cpu.state).toMatchObject({ el: 0, daif: 0, nzcv: 0b0110 });
    expect(w.cpu.x(33)).toBe(0x7770n);
    expect(w.cpu.getPc()).toBe(BigInt(CODE + 0x100));
  });

  it.each([
    ['AArch32', 0x10n],
    ['EL2', 9n],
    ['EL0 with SP_EL1', 1n],
  ])('to %s is illegal: PSTATE.IL, and the next instruction raises EC 0x0e (D1.4.4)', (_, mode) => {
    const w = world();
    w.cpu.state.hot.spsr = (0b1000n << 28n) | mode;
    w.cpu.state.hot.elr = BigInt(CODE + 0x100);
    w.run([a.ERET], 2);
    expect(taken(w)).toEqual({ offset: 0x200, ec: 0x0e, iss: 0, elr: 0x100 });
    // The level stayed; flags and masks are the ones of SPSR.
    expect(w.cpu.state.hot.spsr).toBe((0b1000n << 28n) | (1n << 20n) | EL1H);
  });
});

describe('interrupts', () => {
  it('are taken between instructions when they are not masked', () => {
    const w = world();
    w.cpu.state.daif = 0;
    w.run([a.NOP], 1);
    w.cpu.setIrq(true);
    w.put(VECTORS + 0x280, a.movz(9, 5));
    w.cpu.run(1);
    expect(w.cpu.x(9)).toBe(5n);
    expect(Number(w.cpu.state.hot.elr)).toBe(CODE + 4);
    expect(w.cpu.state.hot.spsr).toBe(EL1H);
  });

  it('wait until MSR DAIFClr', () => {
    const w = world();
    w.cpu.setIrq(true);
    w.cpu.setFiq(true);
    w.put(VECTORS + 0x280, a.movz(9, 5));
    w.run([a.NOP, 0xd503_42ff, a.NOP], 3); // msr daifclr, #2
    expect(w.cpu.x(9)).toBe(5n);
    expect(Number(w.cpu.state.hot.elr)).toBe(CODE + 8);
  });

  it('of an SError come with its syndrome, and ESB makes a masked one a value of DISR_EL1', () => {
    const w = world();
    w.cpu.state.daif = 0;
    w.cpu.setSerror(0x55n);
    w.put(VECTORS + 0x380, a.NOP);
    w.run([a.NOP], 1);
    expect(w.cpu.state.hot.esr).toBe((0x2fn << 26n) | (1n << 25n) | 0x55n);
    expect(Number(w.cpu.getPc())).toBe(VECTORS + 0x380 + 4);
    w.cpu.setSerror(0x66n);
    w.run([0xd503_221f]); // esb
    expect(w.cpu.state.hot.disr).toBe((1n << 31n) | 0x66n);
    expect(w.cpu.serror).toBeUndefined();
  });
});

describe('waiting', () => {
  it('leaves, past the instruction', () => {
    const w = world();
    expect(w.run([a.WFI]).reason).toBe('wfi');
    expect(Number(w.cpu.getPc())).toBe(CODE + 4);
    expect(w.run([a.WFE]).reason).toBe('wfe');
    expect(w.run([a.YIELD]).reason).toBe('yield');
  });

  it('does not wait for an interrupt that is there, masked or not', () => {
    const w = world();
    w.cpu.setIrq(true);
    expect(w.run([a.WFI]).reason).toBe('budget');
  });

  it('does not wait after an event', () => {
    const w = world();
    expect(w.run([a.SEV, a.WFE, a.WFE]).reason).toBe('wfe');
    expect(Number(w.cpu.getPc())).toBe(CODE + 12);
  });
});

describe('calls', () => {
  it('leave with their immediate, past the instruction', () => {
    const w = world();
    expect(w.run([a.hvc(0x123)])).toEqual({ reason: 'hvc', immediate: 0x123 });
    expect(w.run([a.smc(0xffff)])).toEqual({ reason: 'smc', immediate: 0xffff });
    expect(Number(w.cpu.getPc())).toBe(CODE + 4);
  });
});
