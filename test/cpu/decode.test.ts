/** The decoder's table by itself, and against binutils' reading of the encodings. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { GAPS } from '#lib/emulator/cpu/a64/gaps.js';
import { ROWS } from '#lib/emulator/cpu/a64/rows.js';
import { decode, isAllocated, rowOf } from '#lib/emulator/cpu/decode.js';
import { FEATURES, featuresOf } from '#lib/emulator/cpu/features.js';
import type { Row } from '#lib/emulator/cpu/instruction.js';
import { parsePattern } from '#lib/emulator/cpu/pattern.js';
import { encodingOf } from '#lib/emulator/cpu/system-registers.js';
import { random } from '../vectors/state.ts';
import { disassemble, hasObjdump } from './objdump.ts';

const hex = (word: number) => word.toString(16).padStart(8, '0');
const patterns = ROWS.map(row => ({ row, ...parsePattern(row.bits) }));
const byRow = new Map<Row | undefined, (typeof patterns)[number]>(
  patterns.map(pattern => [pattern.row, pattern]),
);

describe('the table', () => {
  it('has no word in two rows', () => {
    const overlaps = patterns.flatMap((a, n) =>
      patterns
        .slice(0, n)
        .filter(b => ((a.value ^ b.value) & a.mask & b.mask) === 0)
        .map(b => `${a.row.name} ${a.row.bits} and ${b.row.name} ${b.row.bits}`),
    );
    expect(overlaps).toEqual([]);
  });

  it('is found by its index', () => {
    const next = random(1);
    for (const { row, mask, value } of patterns)
      for (let n = 0; n < 8; n++) expect(rowOf(((next() & ~mask) | value) >>> 0)).toBe(row);
    for (let n = 0; n < 5_000; n++) {
      const word = next();
      const matching = patterns.filter(({ mask, value }) => (word & mask) >>> 0 === value);
      expect(rowOf(word)).toBe(matching[0]?.row);
      expect(matching.length).toBeLessThan(2);
    }
  }, 30_000);

  it('says in each row what it does, once', () => {
    for (const { semantics, helper, bits } of ROWS)
      expect([semantics, helper].filter(Boolean), bits).toHaveLength(1);
  });

  it('leaves the words of a feature undefined where the CPU lacks it', () => {
    const CASAL = 0xc8e1_fc02;
    expect(decode(CASAL).row.name).toBe('casal');
    expect(decode(CASAL, feature => feature !== 'LSE').row.name).toBe('udf');
  });
});

/** Mnemonics of binutils for what is one row here. */
const HINTS =
  /^(?:hint|nop|yield|wfe|wfi|sevl?|dgh|esb|psb|tsb|csdb|xpaclri|(?:pac|aut)i[ab]\w*|bti|clearbhb|gcsb)$/;
/** Names for PSTATE fields and barriers of later features, which are MSR and DSB by their encoding. */
const ALSO: Readonly<Record<string, RegExp>> = {
  hint: HINTS,
  'b.cond': /^b\.\w\w$/,
  msr: /^(?:smstart|smstop|cfinv|xaflag|axflag)$/,
  dsb: /^(?:ssbb|pssbb)$/,
  sys: /^(?:sys|cfp|dvp|cpp|brb)$/,
  // A word of our own that binutils knows as UDF.
  udf: /^udf$/,
};

/** What binutils knows beyond the table, in the encodings of integers, branches, loads and stores. */
const LATER =
  /^(?:ld(?:g|gm|raa|rab|64b|clrp\w*|setp\w*|tr\w*|iapp)|st(?:2?z?g|z2g|g|gp|gm|zgm|64b\w*|ilp|z)|addg|subg|subps?|gmi|irg|cpy\w+|set[a-z]+|bc\.\w+|tcancel|tstart|tcommit|ttest|swpp\w*|rcw\w+|wfet|wfit|(?:pac|aut)\w+|xpac[id]|brb|retaa|retab|eretaa|eretab|blraa\w*|braa\w*|brab\w*|blrab\w*|axflag|xaflag|cfinv|msrr|mrrs|sysp|abs|cnt|ctz|smax|smin|umax|umin|msr|mrs)$/;

/** The words of classes that are not FP, SIMD, SVE or SME. */
const isGeneral = (word: number): boolean => {
  const group = (word >>> 25) & 0xf;
  return group >= 4 && (group & 7) !== 7 && !((group & 5) === 4 && (word >>> 26) & 1);
};

function differences(given: readonly number[]): string[] {
  const words = Uint32Array.from(given.filter(isPredictable));
  const theirs = disassemble(words);
  expect(theirs).toHaveLength(words.length);
  return [...words].flatMap((word, n) => {
    const ours = isAllocated(word) ? rowOf(word)!.name : undefined;
    const name = theirs[n];
    if (ours === name || ours?.startsWith('(')) return [];
    if (ours !== undefined && name !== undefined && ALSO[ours]?.test(name)) return [];
    // Beyond the table: of general encodings binutils may only know what came later.
    if (ours === undefined && rowOf(word) === undefined && (!isGeneral(word) || LATER.test(name!))) return [];
    return [`${hex(word)}: ${ours ?? 'unallocated'}, binutils: ${name ?? 'unallocated'}`];
  });
}

/**
 * Words with a zero where a one should be, and LDPSW that names a register twice, are CONSTRAINED UNPREDICTABLE: binutils
 * calls them undefined, the table does not look.
 */
function isPredictable(word: number): boolean {
  const found = byRow.get(rowOf(word));
  if (found?.row.name === 'ldpsw')
    return new Set([word & 31, (word >>> 5) & 31, (word >>> 10) & 31]).size === 3;
  return ['j', 'k'].every(letter => {
    const span = found?.fields.get(letter);
    return span === undefined || ((word >>> span.low) & ones(span.width)) === ones(span.width);
  });
}

const ones = (width: number): number => 2 ** width - 1;

function randomWords(count: number, seed: number): number[] {
  const next = random(seed);
  return patterns.flatMap(({ mask, value, fields }) =>
    Array.from({ length: count }, () =>
      ['j', 'k'].reduce(
        (word, letter) => {
          const { low, width } = fields.get(letter) ?? { low: 0, width: 0 };
          return (word | (ones(width) << low)) >>> 0;
        },
        ((next() & ~mask) | value) >>> 0,
      ),
    ),
  );
}

const IMAGES = ['/usr/aarch64-linux-gnu/lib/libc.so.6', '/usr/aarch64-linux-gnu/lib/libm.so.6'].filter(
  existsSync,
);

/** The words of an ELF file's executable segments. */
function codeOf(path: string): Uint32Array {
  const file = readFileSync(path);
  const [offset, size, count] = [
    Number(file.readBigUInt64LE(32)),
    file.readUInt16LE(54),
    file.readUInt16LE(56),
  ];
  const headers = Array.from({ length: count }, (_, n) => file.subarray(offset + n * size));
  const segment = headers.find(header => header.readUInt32LE(0) === 1 && header.readUInt32LE(4) & 1)!;
  const [start, length] = [Number(segment.readBigUInt64LE(8)), Number(segment.readBigUInt64LE(32))];
  return Uint32Array.from({ length: length >> 2 }, (_, n) => file.readUInt32LE(start + 4 * n));
}

describe.skipIf(!hasObjdump)(
  `the table and aarch64-linux-gnu-objdump${hasObjdump ? '' : ' (not installed)'}`,
  () => {
    it('agree on random words of each row', () => {
      expect(differences(randomWords(24, 2))).toEqual([]);
    }, 30_000);

    it('agree on random words', () => {
      const next = random(3);
      expect(differences(Array.from({ length: 60_000 }, next))).toEqual([]);
    }, 30_000);

    it.skipIf(IMAGES.length === 0)(
      `agree on real code${IMAGES.length === 0 ? ' (no arm64 libc)' : ''}`,
      () => {
        for (const image of IMAGES) {
          const words = [...new Set(codeOf(image))];
          expect(words.length).toBeGreaterThan(1000);
          expect(differences(words)).toEqual([]);
        }
      },
      30_000,
    );
  },
);

describe('features', () => {
  it('of rows are those that ID registers can claim', () => {
    for (const { feature, bits } of ROWS)
      if (feature !== undefined) expect(FEATURES, bits).toContain(feature);
    for (const { feature, bits } of GAPS) expect(feature, bits).toBeDefined();
  });

  it('of a Neoverse N1, by its manual', () => {
    const registers = new Map([
      [encodingOf(3, 0, 0, 4, 0), 0x1100_0000_1011_1112n],
      [encodingOf(3, 0, 0, 4, 1), 0x20n],
      [encodingOf(3, 0, 0, 6, 0), 0x0000_1000_1021_1120n],
      [encodingOf(3, 0, 0, 6, 1), 0x0010_0001n],
      [encodingOf(3, 0, 0, 7, 1), 0x1021_2122n],
      [encodingOf(3, 0, 0, 7, 2), 0x1011n],
    ]);
    const features = featuresOf(encoding => registers.get(encoding) ?? 0n);
    expect([...features].sort()).toEqual(
      [
        ...[
          'AES',
          'PMULL',
          'SHA1',
          'SHA256',
          'CRC32',
          'LSE',
          'RDM',
          'DotProd',
          'DPB',
          'LRCPC',
          'FP16',
          'RAS',
        ],
        ...['AArch32', 'SSBS', 'SSBS2', 'HAFDBS', 'HAFDBS2', 'HPDS', 'LOR', 'PAN', 'PAN2', 'UAO'],
      ].sort(),
    );
  });

  it('of a CPU without floating point do not have its extension', () => {
    expect(featuresOf(() => 0xff_0000n).has('FP16')).toBe(false);
  });
});
