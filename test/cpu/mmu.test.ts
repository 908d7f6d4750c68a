/** Translation: chapter D8 of Arm DDI 0487 (the tables), D24.2.40 (status codes), C5.5 (TLBI), D24.2.114 (PAR_EL1). */
import { describe, expect, it } from 'vitest';
import { encodingOf } from '#lib/emulator/cpu/system-registers.js';
import * as a from './support.ts';
import { CODE, taken, toUser, VECTORS, type World, world } from './support.ts';

const TABLES = 0x10_0000;
const VALID = 1n;
const TABLE = 3n;
const AF = 1n << 10n;
const USER = 1n << 6n;
const READ_ONLY = 1n << 7n;
const NOT_GLOBAL = 1n << 11n;
const DBM = 1n << 51n;
const PXN = 1n << 53n;
const UXN = 1n << 54n;
const NORMAL = 0n << 2n;
const DEVICE = 1n << 2n;
const M = 1n;
const A = 2n;
const WXN = 1n << 19n;

type Granule = 4 | 16 | 64;
const TG0 = { 4: 0n, 64: 1n, 16: 2n } as const;
const BITS = { 4: 12, 16: 14, 64: 16 } as const;

interface Space extends World {
  /** Maps the page or block of a level at an address; level 3 is a page. */
  map(address: bigint, descriptor: bigint, level?: number): void;
}

/** An address space of so many bits, with a granule; code stays mapped, one to one, for EL1. */
function space(granule: Granule = 4, bits = 48, options: Parameters<typeof world>[0] = {}): Space {
  const w = world(options);
  const page = BITS[granule];
  const stride = page - 3;
  const first = 4 - Math.ceil((bits - page) / stride);
  let next = TABLES + 0x1_0000;
  const index = (address: bigint, level: number) => {
    const low = page + stride * (3 - level);
    const high = level === first ? bits : low + stride;
    return Number((address >> BigInt(low)) & ((1n << BigInt(high - low)) - 1n));
  };
  const map = (address: bigint, descriptor: bigint, level = 3): void => {
    let table = TABLES;
    for (let at = first; at < level; at++) {
      const entry = table / 8 + index(address, at);
      if (w.ram.u64[entry] === 0n) {
        w.ram.u64[entry] = BigInt(next) | TABLE;
        next += 1 << page;
      }
      table = Number(w.ram.u64[entry]! & 0xffff_ffff_f000n);
    }
    w.ram.u64[table / 8 + index(address, level)] = descriptor;
  };
  for (const address of [0x8000n, BigInt(CODE)])
    map(
      address & ~((1n << BigInt(page)) - 1n),
      (address & ~((1n << BigInt(page)) - 1n)) | TABLE | AF | NORMAL,
    );
  Object.assign(w.cpu.state.hot, {
    ttbr0: BigInt(TABLES),
    tcr: BigInt(64 - bits) | (TG0[granule] << 14n) | (5n << 32n) | (1n << 23n),
    mair: 0x00ffn,
    sctlr: M | (1n << 23n),
  });
  w.cpu.flushTlb();
  return { ...w, map };
}

/** Loads from an address (or stores to it), and gives X0 or the abort. */
function access(w: World, address: bigint, word = a.ldr(0, 1)) {
  w.cpu.setX(1, address);
  w.run([word]);
  const { ec, iss, elr } = taken(w);
  return Number(w.cpu.getPc()) === CODE + 4 ? w.cpu.x(0) : { ec, iss, elr, far: w.cpu.state.hot.far };
}

const abort = (far: bigint, iss: number, ec = 0x25) => ({ ec, iss, elr: 0, far });

describe.each([4, 16, 64] as const)('a granule of %i KiB', granule => {
  const size = 1n << BigInt(BITS[granule]);

  it('maps pages of that size, over 48 bits', () => {
    const w = space(granule);
    w.ram.u64[0x8_0000 / 8] = 0xfeedn;
    w.ram.u64[(0x8_0000 + Number(size) - 8) / 8] = 0xbeefn;
    const address = 0x7654_3210_0000n & ~(size - 1n);
    w.map(address, 0x8_0000n | TABLE | AF);
    expect(access(w, address)).toBe(0xfeedn);
    expect(access(w, address + size - 8n)).toBe(0xbeefn);
    expect(access(w, address + size)).toEqual(abort(address + size, 0x07));
  });

  it('maps blocks at level 2', () => {
    const w = space(granule);
    const block = 1n << BigInt(2 * BITS[granule] - 3);
    w.map(block * 4n, VALID | AF, 2);
    w.ram.u64[0x8_0008 / 8] = 77n;
    expect(access(w, block * 4n + 0x8_0008n)).toBe(77n);
  });

  it('begins at a lower level for fewer bits', () => {
    const w = space(granule, granule === 64 ? 36 : 30);
    w.map(0x30_0000n, 0x8_0000n | TABLE | AF);
    w.ram.u64[0x8_0000 / 8] = 5n;
    expect(access(w, 0x30_0000n)).toBe(5n);
    expect(access(w, 1n << 40n)).toEqual(abort(1n << 40n, 0x04));
  });
});

describe('small address spaces', () => {
  it.each([
    [4, 39, true],
    [4, 48, true],
    [64, 47, true],
    [64, 48, false],
  ] as const)('granule %i KiB, TCR_EL1.T0SZ %i, with FEAT_TTST', (granule, size, works) => {
    const w = space(granule, 64 - size);
    w.put(VECTORS, a.NOP);
    w.cpu.setPc(BigInt(VECTORS));
    w.cpu.run(1);
    if (works) expect(w.cpu.getPc()).toBe(BigInt(VECTORS + 4));
    else expect(taken(w)).toMatchObject({ offset: 0x200, ec: 0x21, iss: 0x04 });
  });

  it('end at T0SZ 39 without', () => {
    for (const [bits, works] of [
      [25, true],
      [24, false],
    ] as const) {
      const w = space(4, bits, { hasFeature: () => false });
      w.run([a.NOP]);
      expect(w.cpu.getPc()).toBe(works ? BigInt(CODE + 4) : BigInt(VECTORS + 0x200));
    }
  });
});

describe('E0PD', () => {
  it.each([true, false])('keeps EL0 out of a half, by a fault of level 0, with the feature (%s)', has => {
    const w = space(4, 48, { hasFeature: feature => feature === 'E0PD' && has });
    const at = 0x4000_0000n;
    const LDTR = 0xf840_0820; // ldtr x0, [x1]
    w.map(at, 0x8_0000n | TABLE | AF | USER);
    w.cpu.state.hot.tcr |= 1n << 55n;
    w.cpu.flushTlb();
    expect(access(w, at)).toBe(0n);
    expect(access(w, at, LDTR)).toEqual(has ? abort(at, 0x04) : 0n);
  });
});

describe('faults', () => {
  const at = 0x4000_0000n;

  it('of translation name the level (DFSC 0x04 to 0x07), and whether it was a write', () => {
    const w = space();
    expect(access(w, 1n << 47n)).toEqual(abort(1n << 47n, 0x04));
    expect(access(w, at)).toEqual(abort(at, 0x05));
    w.map(at, 0n);
    expect(access(w, at)).toEqual(abort(at, 0x07));
    expect(access(w, at + 0x20_0000n, a.str(0, 1))).toEqual(abort(at + 0x20_0000n, 0x46));
  });

  it('of a block where there is none: level 3, or level 0', () => {
    const w = space();
    w.map(at, 0x8_0000n | VALID | AF);
    expect(access(w, at)).toEqual(abort(at, 0x07));
  });

  it('of the access flag: DFSC 0x08 + level, unless hardware sets it (TCR_EL1.HA)', () => {
    const w = space();
    w.map(at, 0x8_0000n | TABLE);
    expect(access(w, at)).toEqual(abort(at, 0x0b));
    w.cpu.state.hot.tcr |= 1n << 39n;
    w.cpu.flushTlb();
    expect(access(w, at)).toBe(0n);
  });

  it('of permission: DFSC 0x0c + level', () => {
    const w = space();
    w.map(at, 0x8_0000n | TABLE | AF | READ_ONLY);
    expect(access(w, at)).toBe(0n);
    expect(access(w, at, a.str(0, 1))).toEqual(abort(at, 0x4f));
  });

  it('of permission, unless hardware manages dirty state (TCR_EL1.HD, DBM)', () => {
    const w = space();
    w.map(at, 0x8_0000n | TABLE | AF | READ_ONLY | DBM);
    w.cpu.state.hot.tcr |= 3n << 39n;
    expect(access(w, at, a.str(1, 1))).not.toHaveProperty('iss');
    expect(w.ram.u64[0x8_0000 / 8]).toBe(at);
  });

  it('of the size of an output: DFSC 0x00 + level', () => {
    const w = space();
    w.map(at, (1n << 41n) | TABLE | AF);
    w.cpu.state.hot.tcr &= ~(7n << 32n);
    expect(access(w, at)).toEqual(abort(at, 0x03));
  });

  it('of a table outside RAM: an external abort on the walk, 0x14 + level', () => {
    const w = space();
    w.map(at, 0x4000_0000n | TABLE, 2);
    expect(access(w, at)).toEqual(abort(at, 0x17));
  });

  it('beyond the IPA space: an address size fault of level 0', () => {
    const w = space(4, 48, { ipaBits: 36 });
    w.map(at, (1n << 37n) | TABLE | AF);
    expect(access(w, at)).toEqual(abort(at, 0x00));
  });

  it('of alignment: in Device memory, or all with SCTLR_EL1.A', () => {
    const w = space();
    w.map(at, 0x8_0000n | TABLE | AF | NORMAL);
    w.map(at + 0x1000n, 0x8_1000n | TABLE | AF | DEVICE);
    expect(access(w, at + 1n)).toBe(0n);
    expect(access(w, at + 0x1001n)).toEqual(abort(at + 0x1001n, 0x21));
    w.cpu.state.hot.sctlr |= A;
    expect(access(w, at + 1n)).toEqual(abort(at + 1n, 0x21));
  });

  it('of the second page that an access touches, which leaves memory as it was', () => {
    const w = space();
    w.map(at, 0x8_0000n | TABLE | AF);
    w.cpu.setX(0, 0x1122_3344_5566_7788n);
    expect(access(w, at + 0xffcn, a.str(0, 1))).toEqual(abort(at + 0x1000n, 0x47));
    expect(w.ram.u32[0x8_0ffc / 4]).toBe(0);
    w.map(at + 0x1000n, 0x9_0000n | TABLE | AF);
    access(w, at + 0xffcn, a.str(0, 1));
    expect([w.ram.u32[0x8_0ffc / 4], w.ram.u32[0x9_0000 / 4]]).toEqual([0x5566_7788, 0x1122_3344]);
  });
});

describe('permissions', () => {
  const at = 0x4000_0000n;

  it('of EL0 come from AP[1]; PAN keeps EL1 from the same pages', () => {
    const w = space();
    w.map(at, 0x8_0000n | TABLE | AF);
    w.map(at + 0x1000n, 0x8_1000n | TABLE | AF | USER);
    const LDTR = 0xf840_0820; // ldtr x0, [x1]
    expect(access(w, at)).toBe(0n);
    expect(access(w, at, LDTR)).toEqual(abort(at, 0x0f));
    expect(access(w, at + 0x1000n, LDTR)).toBe(0n);
    w.cpu.state.pan = true;
    expect(access(w, at + 0x1000n)).toEqual(abort(at + 0x1000n, 0x0f));
    expect(access(w, at + 0x1000n, LDTR)).toBe(0n);
    w.cpu.state.uao = true;
    expect(access(w, at, LDTR)).toBe(0n);
  });

  it('of code: UXN, PXN, what EL0 can write, WXN', () => {
    const w = space();
    const code = (flags: bigint, user: boolean, wxn = false) => {
      w.map(at, 0x8_0000n | TABLE | AF | flags);
      w.cpu.state.hot.sctlr = wxn ? w.cpu.state.hot.sctlr | WXN : w.cpu.state.hot.sctlr & ~WXN;
      w.cpu.state.setLevel(user ? 0 : 1, 0);
      w.cpu.flushTlb();
      w.ram.u32[0x8_0000 / 4] = a.NOP;
      w.machine.written(0x8_0000, 4);
      w.cpu.setPc(at);
      w.cpu.run(1);
      return w.cpu.getPc() === at + 4n ? 'runs' : Number(w.cpu.state.hot.esr & 0xfc00_003fn);
    };
    const EL0_ABORT = 0x8000_000f;
    const EL1_ABORT = 0x8400_000f;
    expect(code(0n, false)).toBe('runs');
    expect(code(PXN, false)).toBe(EL1_ABORT);
    expect(code(USER, false)).toBe(EL1_ABORT);
    expect(code(USER | READ_ONLY, false)).toBe('runs');
    expect(code(0n, true)).toBe('runs');
    expect(code(USER, true)).toBe('runs');
    expect(code(UXN, true)).toBe(EL0_ABORT);
  });

  it('of tables take away from what pages allow (APTable, XNTable)', () => {
    const w = space();
    w.map(at, 0x8_0000n | TABLE | AF);
    const level1 = Number(w.ram.u64[TABLES / 8]! & 0xffff_ffff_f000n) / 8 + 1;
    w.ram.u64[level1]! |= 1n << 62n;
    expect(access(w, at, a.str(0, 1))).toEqual(abort(at, 0x4f));
    w.cpu.state.hot.tcr |= 1n << 41n;
    w.cpu.flushTlb();
    expect(access(w, at, a.str(1, 1))).not.toHaveProperty('iss');
  });
});

describe('the upper half', () => {
  const high = 0xffff_ffff_c000_0000n;

  function upper(): Space {
    const w = space(4, 30);
    // T1SZ 34, TG1 4 KiB: one table of level 2 for the last GiB, which is the table of the lower half too.
    w.cpu.state.hot.tcr = 34n | (34n << 16n) | (2n << 30n) | (5n << 32n);
    w.cpu.state.hot.ttbr1 = BigInt(TABLES);
    w.map(0x20_0000n, 0x8_0000n | TABLE | AF);
    w.ram.u64[0x8_0000 / 8] = 99n;
    return w;
  }

  it('is served by TTBR1_EL1', () => {
    const w = upper();
    expect(access(w, high + 0x20_0000n)).toBe(99n);
    expect(access(w, 0xffff_0000_0000_0000n)).toEqual(abort(0xffff_0000_0000_0000n, 0x04));
  });

  it('is off with TCR_EL1.EPD1', () => {
    const w = upper();
    w.cpu.state.hot.tcr |= 1n << 23n;
    expect(access(w, high + 0x20_0000n)).toEqual(abort(high + 0x20_0000n, 0x04));
  });

  it('ignores the top byte with TCR_EL1.TBI1, as the lower half does with TBI0', () => {
    const w = upper();
    const tagged = (address: bigint) => (address & ((1n << 56n) - 1n)) | (0x5an << 56n);
    expect(access(w, tagged(high + 0x20_0000n))).toHaveProperty('iss', 0x04);
    w.cpu.state.hot.tcr |= 3n << 37n;
    w.cpu.flushTlb();
    expect(access(w, tagged(high + 0x20_0000n))).toBe(99n);
    expect(access(w, tagged(0x20_0000n))).toBe(99n);
  });

  it('loses the tag of an address that is branched to', () => {
    const w = upper();
    w.cpu.state.hot.tcr |= 1n << 37n;
    w.cpu.setX(1, (0xabn << 56n) | BigInt(CODE + 0x40));
    w.put(CODE + 0x40, a.NOP);
    w.run([0xd61f_0020], 2); // br x1
    expect(w.cpu.getPc()).toBe(BigInt(CODE + 0x44));
  });

  it('goes on with the next page where a run ended with the last instruction of one, and an interrupt waits', () => {
    const w = world(); // the MMU is off, and an address has a tag nevertheless
    w.cpu.state.hot.tcr |= 1n << 37n;
    w.cpu.state.daif = 0xf;
    w.put(CODE + 0xffc, a.NOP, a.NOP);
    w.cpu.setPc(BigInt(CODE + 0xffc));
    w.cpu.run(1);
    expect(w.cpu.getPc()).toBe(BigInt(CODE + 0x1000));
    w.cpu.setIrq(true);
    w.cpu.run(1);
    expect(w.cpu.getPc()).toBe(BigInt(CODE + 0x1004));
  });
});

describe('the TLB', () => {
  const at = 0x4000_0000n;
  const TLBI = {
    vmalle1: encodingOf(1, 0, 8, 7, 0),
    vae1: encodingOf(1, 0, 8, 7, 1),
    aside1is: encodingOf(1, 0, 8, 3, 2),
    vaale1is: encodingOf(1, 0, 8, 3, 7),
  };

  it.each([
    ['vmalle1', 0n],
    ['vae1', at >> 12n],
    ['aside1is', 0n],
    ['vaale1is', at >> 12n],
  ] as const)('forgets by TLBI %s', (name, operand) => {
    const w = space();
    w.map(at, 0x8_0000n | TABLE | AF | NOT_GLOBAL);
    w.ram.u64[0x8_0000 / 8] = 1n;
    w.ram.u64[0x9_0000 / 8] = 2n;
    expect(access(w, at)).toBe(1n);
    w.map(at, 0x9_0000n | TABLE | AF | NOT_GLOBAL);
    w.cpu.setX(2, operand);
    w.run([a.sys(TLBI[name], 2)]);
    expect(access(w, at)).toBe(2n);
  });

  it('forgets a whole block by an address in it', () => {
    const w = space();
    w.map(at, VALID | AF, 2);
    w.ram.u64[0x8_0000 / 8] = 1n;
    expect(access(w, at + 0x8_0000n)).toBe(1n);
    w.map(at, 0n, 2);
    w.cpu.setX(2, (at + 0x1000n) >> 12n);
    w.run([a.sys(TLBI.vae1, 2)]);
    expect(access(w, at + 0x8_0000n)).toEqual(abort(at + 0x8_0000n, 0x06));
  });

  it('follows TTBR0_EL1', () => {
    const w = space();
    w.map(at, 0x8_0000n | TABLE | AF);
    w.ram.u64[0x8_0000 / 8] = 1n;
    expect(access(w, at)).toBe(1n);
    w.cpu.setX(2, 0x1f_0000n);
    w.run([a.msr(a.REGISTER.TTBR0_EL1, 2)]);
    expect(w.cpu.state.hot.ttbr0).toBe(0x1f_0000n);
    w.cpu.state.hot.ttbr0 = BigInt(TABLES);
    w.map(at, 0n);
    expect(access(w, at)).toEqual(abort(at, 0x07));
  });
});

describe('AT', () => {
  const at = 0x4000_0000n;
  const S1E1R = encodingOf(1, 0, 7, 8, 0);
  const S1E0W = encodingOf(1, 0, 7, 8, 3);

  it('gives the address and the attributes', () => {
    const w = space();
    w.map(at, 0x8_0000n | TABLE | AF | (3n << 8n));
    w.cpu.setX(2, at + 0x123n);
    w.run([a.sys(S1E1R, 2)]);
    // ATTR, PA, bit 11 (RES1), NS, SH.
    expect(w.cpu.state.hot.par).toBe((0xffn << 56n) | 0x8_0000n | (1n << 9n) | (1n << 11n) | (3n << 7n));
  });

  it('gives the fault instead', () => {
    const w = space();
    w.map(at, 0x8_0000n | TABLE | AF);
    w.cpu.setX(2, at);
    w.run([a.sys(S1E0W, 2)]);
    expect(w.cpu.state.hot.par).toBe((1n << 11n) | (0x0fn << 1n) | 1n);
  });
});

describe('cache maintenance', () => {
  const at = 0x4000_0000n;
  const CVAU = encodingOf(1, 3, 7, 11, 1);
  const ZVA = encodingOf(1, 3, 7, 4, 1);

  it('faults with ISS.CM and ISS.WnR', () => {
    const w = space();
    w.cpu.setX(1, at);
    w.run([a.sys(CVAU, 1)]);
    expect(taken(w)).toMatchObject({ ec: 0x25, iss: 0x145 });
  });

  it('DC ZVA zeroes 64 bytes, and needs Normal memory', () => {
    const w = space();
    w.map(at, 0x8_0000n | TABLE | AF);
    w.map(at + 0x1000n, 0x8_1000n | TABLE | AF | DEVICE);
    w.ram.u8.fill(0xff, 0x8_0000, 0x8_0100);
    access(w, at + 0x47n, a.sys(ZVA, 1));
    expect([...w.ram.u8.subarray(0x8_003e, 0x8_0042)]).toEqual([0xff, 0xff, 0, 0]);
    expect([...w.ram.u8.subarray(0x8_007e, 0x8_0082)]).toEqual([0, 0, 0xff, 0xff]);
    expect(access(w, at + 0x1047n, a.sys(ZVA, 1))).toEqual(abort(at + 0x1047n, 0x61));
  });

  it('of EL0 is judged by the rights of EL0', () => {
    const w = space();
    w.map(at, 0x8_0000n | TABLE | AF);
    w.map(BigInt(CODE), BigInt(CODE) | TABLE | AF | USER | READ_ONLY);
    toUser(w);
    w.cpu.state.hot.sctlr |= 1n << 26n;
    w.cpu.setX(1, at);
    w.run([a.sys(CVAU, 1)]);
    expect(taken(w)).toMatchObject({ offset: 0x400, ec: 0x24, iss: 0x14f });
  });
});
