/** What leaves the interpreter, what several CPUs share, and how the host sees registers. */
import { describe, expect, it } from 'vitest';
import { CPU_GAPS, gapWarning } from '#lib/emulator/cpu/a64/gaps.js';
import { Cpu } from '#lib/emulator/cpu/cpu.js';
import { getRegister, setRegister } from '#lib/emulator/cpu/registers.js';
import { encodingOf, getSystemRegister, setSystemRegister } from '#lib/emulator/cpu/system-registers.js';
import * as a from './support.ts';
import { CODE, REGISTER, taken, VECTORS, world } from './support.ts';

const DEVICE = 0x900_0000;

describe('the budget', () => {
  it('is the number of instructions', () => {
    const w = world();
    expect(w.run([0x1400_0000], 1_000_000)).toEqual({ reason: 'budget' }); // b .
    expect(Number(w.cpu.getPc())).toBe(CODE);
    w.put(CODE, 0x9100_0421, 0x17ff_ffff); // add x1, x1, #1; b -4
    w.cpu.run(1001);
    expect(w.cpu.x(1)).toBe(501n);
  });

  it('counts an instruction once, decoded or not, and none for the step to the next page', () => {
    const w = world();
    w.put(CODE + 0xff8, a.NOP, a.NOP, a.NOP, a.NOP);
    for (let turn = 0; turn < 2; turn++) {
      w.cpu.setPc(BigInt(CODE + 0xff8));
      w.cpu.run(3);
      expect(Number(w.cpu.getPc())).toBe(CODE + 0x1004);
    }
  });

  it('gives the same result however it is cut', () => {
    const words = [0x9100_0421, 0xca01_0c42, 0xf900_0062, 0x17ff_fffd]; // add, eor, str x2, [x3]; b -12
    const results = [1, 7, 1000].map(step => {
      const w = world();
      w.cpu.setX(3, 0x8_0000n);
      w.put(CODE, ...words);
      w.cpu.setPc(BigInt(CODE));
      for (let done = 0; done < 5000; done += Math.min(step, 5000 - done))
        w.cpu.run(Math.min(step, 5000 - done));
      return [w.cpu.getPc(), w.cpu.x(1), w.cpu.x(2), w.ram.u64[0x8_0000 / 8]];
    });
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });
});

describe('MMIO', () => {
  it.each([
    ['ldr x', 0xf940_0020, 8, 0x8877_6655_4433_2211n],
    ['ldr w', 0xb940_0020, 4, 0x4433_2211n],
    ['ldrh', 0x7940_0020, 2, 0x2211n],
    ['ldrb', 0x3940_0020, 1, 0x11n],
    ['ldrsw', 0xb980_0020, 4, 0x4433_2211n],
    ['ldrsb w', 0x39c0_0020, 1, 0x11n],
    ['ldar x', 0xc8df_fc20, 8, 0x8877_6655_4433_2211n],
    ['ldtr x', 0xf840_0820, 8, 0x8877_6655_4433_2211n],
  ])('%s leaves with address and size, and is completed with what was read', (_, word, size, value) => {
    const w = world();
    w.cpu.setX(1, BigInt(DEVICE));
    expect(w.run([word])).toEqual({ reason: 'mmio', address: DEVICE, size, data: undefined });
    expect(Number(w.cpu.getPc())).toBe(CODE);
    expect(() => w.cpu.run(1)).toThrow(/completed/);
    w.cpu.completeMmio(0x8877_6655_4433_2211n);
    expect(w.cpu.x(0)).toBe(value);
    expect(Number(w.cpu.getPc())).toBe(CODE + 4);
  });

  it.each([
    ['ldrsb x', 0x3980_0020, 0x80n, 0xffff_ffff_ffff_ff80n],
    ['ldrsb w', 0x39c0_0020, 0x80n, 0xffff_ff80n],
    ['ldrsh x', 0x7980_0020, 0x8000n, 0xffff_ffff_ffff_8000n],
    ['ldrsh w', 0x79c0_0020, 0x8000n, 0xffff_8000n],
    ['ldrsw', 0xb980_0020, 0x8000_0000n, 0xffff_ffff_8000_0000n],
    ['ldr w', 0xb940_0020, 0xffff_ffffn, 0xffff_ffffn],
  ])('%s extends what was read', (_, word, data, value) => {
    const w = world();
    w.cpu.setX(1, BigInt(DEVICE));
    w.run([word]);
    w.cpu.completeMmio(data);
    expect(w.cpu.x(0)).toBe(value);
  });

  it('a write leaves with as much as it is wide', () => {
    const w = world();
    w.cpu.setX(1, BigInt(DEVICE));
    w.cpu.setX(0, 0x1122_3344_5566_7788n);
    expect(w.run([0x7900_0820])).toEqual({ reason: 'mmio', address: DEVICE + 4, size: 2, data: 0x7788n }); // strh
    w.cpu.completeMmio();
    expect(Number(w.cpu.getPc())).toBe(CODE + 4);
    expect(w.run([0xf900_003f])).toMatchObject({ data: 0n }); // str xzr
  });

  it.each([
    ['ldp', 0xa940_0820, 'read'],
    ['ldr with write-back', 0xf840_8420, 'read'],
    ['str q', 0x3d80_0020, 'write'],
    ['ldxr', 0xc85f_7c20, 'read'],
    ['ldadd', 0xf822_0020, 'read'],
  ])('%s has no syndrome', (_, word, kind) => {
    const w = world();
    w.cpu.state.hot.cpacr = 3n << 20n;
    w.cpu.setX(1, BigInt(DEVICE));
    expect(w.run([word])).toEqual({
      reason: 'no-syndrome',
      address: DEVICE,
      virtualAddress: BigInt(DEVICE),
      kind,
    });
    expect(Number(w.cpu.getPc())).toBe(CODE);
  });

  it('is what a store to read-only memory is, but not a load from it', () => {
    const asked: [number, boolean][] = [];
    const w = world();
    const { ram } = w;
    const readOnly = world({
      memory: {
        ram: (page, write) => {
          asked.push([page, write]);
          return page === 0x80 && write ? undefined : ram;
        },
      },
    });
    readOnly.cpu.setX(1, 0x8_0000n);
    w.put(CODE, a.ldr(0, 1), a.str(0, 1));
    readOnly.cpu.setPc(BigInt(CODE));
    expect(readOnly.cpu.run(2)).toMatchObject({ reason: 'mmio', address: 0x8_0000, size: 8 });
    expect(asked).toContainEqual([0x80, true]);
  });

  it('of an instruction fetch is an external abort', () => {
    const w = world();
    w.cpu.setPc(BigInt(DEVICE));
    w.put(VECTORS + 0x200, a.NOP);
    w.cpu.run(2);
    expect(taken(w)).toMatchObject({ ec: 0x21, iss: 0x10 });
  });
});

describe('memory', () => {
  it('is asked for before a page is written, once until the log begins anew', () => {
    const written: number[] = [];
    const { ram } = world();
    const w = world({
      memory: {
        ram: (page, write) => {
          if (write) written.push(page);
          return ram;
        },
      },
    });
    w.cpu.setX(1, 0x8_0000n);
    ram.u32.set([a.str(0, 1), a.str(0, 1)], CODE / 4);
    for (const log of [[0x80], [0x80, 0x80]]) {
      w.cpu.setPc(BigInt(CODE));
      w.cpu.run(2);
      expect(written).toEqual(log);
      w.machine.forgetWritable();
    }
  });
});

describe('code', () => {
  it('that a store changes is seen, by this CPU and by others', () => {
    const w = world();
    const other = new Cpu(w.machine, { read: () => 'undefined', write: () => 'undefined' });
    w.put(CODE + 0x100, a.movz(5, 1), a.NOP);
    for (const cpu of [w.cpu, other]) {
      cpu.setPc(BigInt(CODE + 0x100));
      cpu.run(1);
      expect(cpu.x(5)).toBe(1n);
    }
    w.cpu.setX(0, BigInt(a.movz(5, 2)));
    w.cpu.setX(1, BigInt(CODE + 0x100));
    w.run([0xb900_0020]); // str w0, [x1]
    for (const cpu of [w.cpu, other]) {
      cpu.setPc(BigInt(CODE + 0x100));
      cpu.run(1);
      expect(cpu.x(5)).toBe(2n);
    }
  });

  it('that changes ahead of the CPU is seen', () => {
    const w = world();
    w.cpu.setX(0, BigInt(a.movz(5, 9)));
    w.cpu.setX(1, BigInt(CODE));
    w.run([a.movz(5, 1), 0xb900_0c20, a.NOP, a.movz(5, 1)], 4); // str w0, [x1, #12]
    expect(w.cpu.x(5)).toBe(9n);
  });

  it('is forgotten with the memory map', () => {
    const w = world();
    w.run([a.movz(5, 1)]);
    w.ram.u32[CODE / 4] = a.movz(5, 7);
    w.machine.forgetMemory();
    w.cpu.setPc(BigInt(CODE));
    w.cpu.run(1);
    expect(w.cpu.x(5)).toBe(7n);
  });
});

describe('exclusives', () => {
  const LDXR = 0xc85f_7c20; // ldxr x0, [x1]
  const STXR = 0xc802_7c23; // stxr w2, x3, [x1]
  const at = 0x8_0000;

  function pair() {
    const w = world();
    w.cpu.setX(1, BigInt(at));
    w.cpu.setX(2, 7n);
    w.cpu.setX(3, 0x33n);
    return w;
  }

  it('store after a load from there', () => {
    const w = pair();
    w.run([LDXR, STXR]);
    expect([w.cpu.x(2), w.ram.u64[at / 8]]).toEqual([0n, 0x33n]);
    w.run([STXR]);
    expect(w.cpu.x(2)).toBe(1n);
  });

  it.each([
    ['CLREX', 0xd503_3f5f],
    ['an exception return', a.ERET],
  ])('fail after %s', (_, between) => {
    const w = pair();
    w.cpu.state.hot.spsr = 0x3c5n;
    w.cpu.state.hot.elr = BigInt(CODE + 8);
    w.run([LDXR, between, STXR]);
    expect([w.cpu.x(2), w.ram.u64[at / 8]]).toEqual([1n, 0n]);
  });

  it('fail after another CPU has stored there, and elsewhere', () => {
    const w = pair();
    w.run([LDXR]);
    w.ram.u64[at / 8] = 1n;
    w.run([STXR]);
    expect(w.cpu.x(2)).toBe(1n);
    w.run([LDXR]);
    w.cpu.setX(1, BigInt(at + 8));
    w.run([STXR]);
    expect(w.cpu.x(2)).toBe(1n);
  });

  it('of a pair see both halves', () => {
    const w = pair();
    w.cpu.setX(4, 0x44n);
    const LDXP = 0xc87f_1420; // ldxp x0, x5, [x1]
    const STXP = 0xc822_1023; // stxp w2, x3, x4, [x1]
    w.ram.u64.set([1n, 2n], at / 8);
    w.run([LDXP, STXP]);
    expect([w.cpu.x(0), w.cpu.x(5), w.cpu.x(2)]).toEqual([1n, 2n, 0n]);
    expect([...w.ram.u64.subarray(at / 8, at / 8 + 2)]).toEqual([0x33n, 0x44n]);
    w.run([LDXP]);
    w.ram.u64[at / 8 + 1] = 0n;
    w.run([STXP]);
    expect(w.cpu.x(2)).toBe(1n);
  });
});

describe('atomics of narrow signed numbers', () => {
  it.each([
    ['ldsmaxb', 0x3862_4020, 0xfen, 0x1_0002n, 0x02n],
    ['ldsminb', 0x3862_5020, 0xfen, 0x1_0002n, 0xfen],
    ['ldsmaxh', 0x7862_4020, 0x8000n, 0xffffn, 0xffffn],
    ['ldumaxb', 0x3862_6020, 0xfen, 0x1_00ffn, 0xffn],
    ['ldsmin w', 0xb862_5020, 0x7fff_ffffn, 0x8000_0000n, 0x8000_0000n],
  ])('%s compares as wide as memory', (_, word, old, operand, result) => {
    const w = world();
    w.ram.u64[0x8_0000 / 8] = old;
    w.cpu.setX(1, 0x8_0000n);
    w.cpu.setX(2, operand);
    w.run([word]);
    expect([w.cpu.x(0), w.ram.u64[0x8_0000 / 8]]).toEqual([old, result]);
  });
});

describe('system registers of the surroundings', () => {
  it('are asked by encoding and level; refusals are UNDEFINED or trapped', () => {
    const calls: unknown[] = [];
    const w = world({
      system: {
        read: (encoding, el) => {
          calls.push(['read', encoding, el]);
          return 0x55n;
        },
        write: (encoding, value, el) => {
          calls.push(['write', encoding, value, el]);
          return encoding === REGISTER.MIDR_EL1 ? 'undefined' : undefined;
        },
      },
    });
    const TIMER = encodingOf(3, 3, 14, 3, 1);
    w.cpu.setX(2, 9n);
    w.run([a.mrs(0, REGISTER.MIDR_EL1), a.msr(TIMER, 2)]);
    expect(w.cpu.x(0)).toBe(0x55n);
    expect(calls).toEqual([
      ['read', REGISTER.MIDR_EL1, 1],
      ['write', TIMER, 9n, 1],
    ]);
    w.run([a.msr(REGISTER.MIDR_EL1, 2)]);
    expect(taken(w).ec).toBe(0);
  });

  it('may change interrupts, which are taken before the next instruction', () => {
    const w = world({
      system: {
        read: () => 'undefined',
        write: (_, __, ___, cpu) => {
          cpu.setIrq(true);
          return undefined;
        },
      },
    });
    w.cpu.state.daif = 0;
    w.put(VECTORS + 0x280, a.movz(9, 1));
    w.run([a.msr(encodingOf(3, 0, 12, 12, 0), 0), a.movz(8, 1)], 2);
    expect([w.cpu.x(8), w.cpu.x(9)]).toEqual([0n, 1n]);
  });
});

describe('a gap', () => {
  const AESE = 0x4e28_4820;

  it('is reported where the CPU claims the feature, and UNDEFINED', () => {
    const seen: unknown[] = [];
    const w = world({ onGap: (...what) => seen.push(what) });
    w.run([AESE]);
    expect(seen).toEqual([['aese', 'AES', AESE]]);
    expect(taken(w)).toMatchObject({ ec: 0, elr: 0 });
    expect(CPU_GAPS.find(({ feature }) => feature === 'AES')?.instructions).toEqual([
      ...['aese', 'aesd', 'aesmc', 'aesimc'],
    ]);
  });

  it('is only UNDEFINED elsewhere', () => {
    const seen: unknown[] = [];
    const w = world({ onGap: (...what) => seen.push(what), hasFeature: () => false });
    w.run([AESE]);
    expect(seen).toEqual([]);
    expect(taken(w)).toMatchObject({ ec: 0, elr: 0 });
  });
});

describe('the warning of a gap', () => {
  it('names the instruction, the feature, and what becomes of it', () => {
    expect(gapWarning('pacga', 'PAuth', 0x9ac2_3020)).toBe(
      'The guest ran pacga (0x9ac23020), of a feature that its CPU claims and the emulated CPU lacks: PAuth; its instructions are undefined. kvm-arm64 hosts --cpu-gaps lists what is missing',
    );
    expect(gapWarning('eret', 'AArch32', a.ERET)).toMatch(/: AArch32; 32-bit code does not run: /);
  });

  it('is due to a return to 32 bits, where the CPU claims them', () => {
    for (const claimed of [true, false]) {
      const seen: unknown[] = [];
      const w = world({ onGap: (...what) => seen.push(what), hasFeature: () => claimed });
      Object.assign(w.cpu.state.hot, { spsr: 0x10n, elr: BigInt(CODE) });
      w.run([a.ERET]);
      expect(seen).toEqual(claimed ? [['eret', 'AArch32', a.ERET]] : []);
      expect(w.cpu.state.illegal).toBe(true);
    }
  });
});

describe('registers from outside', () => {
  it('are read and written by name, whatever the level', () => {
    const { cpu } = world();
    const values = {
      X0: 1n,
      X30: 2n,
      SP_EL0: 0x10n,
      SP_EL1: 0x20n,
      PC: 0x1234n,
      ELR_EL1: 3n,
      FPSR: 4n,
      FPCR: 5n,
    };
    for (const [name, value] of Object.entries({ ...values, V31: (1n << 127n) | 1n })) {
      setRegister(cpu, name, value);
      expect(getRegister(cpu, name), name).toBe(value);
    }
    setRegister(cpu, 'PSTATE', 0x6000_0000n);
    expect(getRegister(cpu, 'PSTATE')).toBe(0x6000_0000n);
    expect(cpu.x(33)).toBe(0x10n);
    expect([getRegister(cpu, 'SP_EL0'), getRegister(cpu, 'SP_EL1')]).toEqual([0x10n, 0x20n]);
    expect(() => getRegister(cpu, 'X31')).toThrow(RangeError);
  });

  it('of the system are the ones that the CPU keeps', () => {
    const { cpu } = world();
    expect(setSystemRegister(cpu, REGISTER.CPACR_EL1, 3n << 20n)).toBe(true);
    expect(getSystemRegister(cpu, REGISTER.CPACR_EL1)).toBe(3n << 20n);
    expect(setSystemRegister(cpu, REGISTER.MIDR_EL1, 0n)).toBe(false);
    expect(getSystemRegister(cpu, REGISTER.SP_EL0)).toBeUndefined();
  });
});

describe('big-endian data', () => {
  it('is swapped, as SCTLR_EL1.EE says for EL1', () => {
    const w = world();
    setSystemRegister(w.cpu, REGISTER.SCTLR_EL1, 1n << 25n);
    w.cpu.setX(1, 0x8_0000n);
    w.cpu.setX(0, 0x0102_0304_0506_0708n);
    w.run([a.str(0, 1), 0x3940_0022, 0xb940_0023]); // ldrb w2, [x1]; ldr w3, [x1]
    expect([...w.ram.u8.subarray(0x8_0000, 0x8_0004)]).toEqual([1, 2, 3, 4]);
    expect([w.cpu.x(2), w.cpu.x(3)]).toEqual([1n, 0x0102_0304n]);
  });
});
