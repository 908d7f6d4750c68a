/** Loads and stores of general registers (C4.1.94), but for exclusives and atomics. */
import { signed64 } from '../bits.ts';
import type { Builder } from '../builder.ts';
import type { Instruction, Row, Semantics, Syndrome } from '../instruction.ts';
import { mustAlign } from '../memory-access.ts';
import type { Fields } from '../pattern.ts';
import { ADDRESS } from '../state.ts';
import { extended } from './arithmetic.ts';

/** What is moved between a register and memory. */
interface Transfer {
  /** The mnemonic in two parts, with what the addressing adds between them: ld[u]r[b]. */
  readonly name: readonly [string, string];
  readonly size: 0 | 1 | 2 | 3;
  readonly opc: string;
  readonly semantics: Semantics;
  readonly signExtend?: true;
  /** The register is 64 bits wide. */
  readonly sixtyFour?: true;
}

const store = (letter: string, size: Transfer['size'], semantics: Semantics): Transfer => ({
  name: ['st', `r${letter}`],
  size,
  opc: '00',
  semantics,
  ...(size === 3 && { sixtyFour: true }),
});

const load = (letters: string, size: Transfer['size'], opc: string, semantics: Semantics): Transfer => ({
  name: ['ld', `r${letters}`],
  size,
  opc,
  semantics,
  ...(opc !== '01' && { signExtend: true }),
  ...((size === 3 || opc === '10') && { sixtyFour: true }),
});

const TRANSFERS: readonly Transfer[] = [
  store('b', 0, (b, i) => b.store8(b.x(i.d))),
  store('h', 1, (b, i) => b.store16(b.x(i.d))),
  store('', 2, (b, i) => b.store32(b.x(i.d))),
  store('', 3, (b, i) => b.store64(b.x(i.d))),
  load('b', 0, '01', (b, i) => b.setX(i.d, b.load8())),
  load('h', 1, '01', (b, i) => b.setX(i.d, b.load16())),
  load('', 2, '01', (b, i) => b.setX(i.d, b.load32())),
  load('', 3, '01', (b, i) => b.setX(i.d, b.load64())),
  load('sb', 0, '10', (b, i) => b.setX(i.d, b.sign8(b.load8()))),
  load('sh', 1, '10', (b, i) => b.setX(i.d, b.sign16(b.load16()))),
  load('sw', 2, '10', (b, i) => b.setX(i.d, b.sign32(b.load32()))),
  load('sb', 0, '11', (b, i) => b.setX(i.d, b.low32(b.sign8(b.load8())))),
  load('sh', 1, '11', (b, i) => b.setX(i.d, b.low32(b.sign16(b.load16())))),
];

const syndromeOf = ({ size, signExtend, sixtyFour }: Transfer): Syndrome => ({
  size,
  signExtend: signExtend === true,
  sixtyFour: sixtyFour === true,
  acquireRelease: false,
});

/** The first ten bits after the size: V and the class are zero. */
const opening = ({ size, opc }: Transfer, unsignedOffset: boolean): string =>
  `${size.toString(2).padStart(2, '0')}11100${unsignedOffset ? 1 : 0}${opc}`;

const target = ({ name: [kind] }: Transfer): string => (kind === 'st' ? 'ttttt' : 'ddddd');

export const readOffset = (f: Fields, i: Instruction): undefined => {
  i.imm = signed64(f('i'), 9);
};

/** Register offset: UXTW, LSL, SXTW, SXTX only. */
export const readRegisterOffset =
  (size: number) =>
  (f: Fields, i: Instruction): boolean => {
    i.kind = f('o');
    i.amount = f('h') * size;
    return (i.kind & 2) === 2;
  };

/** The address that a base and an immediate give. */
export function atOffset<V, C>(b: Builder<V, C>, i: Instruction): void {
  b.at(b.add(b.base(i.n), b.constant(i.imm)));
}

export function atRegisterOffset<V, C>(b: Builder<V, C>, i: Instruction): void {
  b.at(b.add(b.base(i.n), extended(b, i.m, i.kind, i.amount)));
}

function singleForms(transfer: Transfer): readonly Row[] {
  const { name, size, semantics } = transfer;
  const [kind, rest] = name;
  const rt = target(transfer);
  const plain = kind + rest;
  const described = { syndrome: syndromeOf(transfer) };
  return [
    {
      name: plain,
      bits: `${opening(transfer, true)}iiiiiiiiiiiiNNNNN${rt}`,
      read: (f, i) => {
        i.imm = BigInt(f('i')) << BigInt(size);
        return true;
      },
      semantics: (b, i) => {
        atOffset(b, i);
        semantics(b, i);
      },
      ...described,
    },
    {
      name: `${kind}u${rest}`,
      bits: `${opening(transfer, false)}0iiiiiiiii00NNNNN${rt}`,
      read: readOffset,
      semantics: (b, i) => {
        atOffset(b, i);
        semantics(b, i);
      },
      ...described,
    },
    {
      name: plain,
      bits: `${opening(transfer, false)}0iiiiiiiii01NNNNN${rt}`,
      read: readOffset,
      semantics: (b, i) => {
        const base = b.base(i.n);
        b.at(base);
        semantics(b, i);
        b.setX(i.n, b.add(base, b.constant(i.imm)));
      },
    },
    {
      name: `${kind}t${rest}`,
      bits: `${opening(transfer, false)}0iiiiiiiii10NNNNN${rt}`,
      read: readOffset,
      helper: (cpu, i) => {
        atOffset(cpu, i);
        cpu.asUser(() => semantics(cpu, i));
      },
      ...described,
    },
    {
      name: plain,
      bits: `${opening(transfer, false)}0iiiiiiiii11NNNNN${rt}`,
      read: readOffset,
      semantics: (b, i) => {
        const address = b.add(b.base(i.n), b.constant(i.imm));
        b.at(address);
        semantics(b, i);
        b.setX(i.n, address);
      },
    },
    {
      name: plain,
      bits: `${opening(transfer, false)}1mmmmmoooh10NNNNN${rt}`,
      read: readRegisterOffset(size),
      semantics: (b, i) => {
        atRegisterOffset(b, i);
        semantics(b, i);
      },
      ...described,
    },
  ];
}

/** Prefetches do nothing: there is no cache. */
const PREFETCH: readonly Row[] = [
  { name: 'prfm', bits: '1111100110iiiiiiiiiiiiNNNNNqqqqq', semantics: () => {} },
  { name: 'prfum', bits: '11111000100iiiiiiiii00NNNNNqqqqq', semantics: () => {} },
  {
    name: 'prfm',
    bits: '11111000101mmmmmoooh10NNNNNqqqqq',
    read: readRegisterOffset(3),
    semantics: () => {},
  },
  { name: 'prfm', bits: '11011000iiiiiiiiiiiiiiiiiiiqqqqq', semantics: () => {} },
];

export const readLiteral = (f: Fields, i: Instruction): undefined => {
  i.imm = signed64(f('i') * 4, 21);
};

export function atLiteral<V, C>(b: Builder<V, C>, i: Instruction): void {
  b.at(b.add(b.pc(), b.constant(i.imm)));
}

const literalSyndrome = (size: 2 | 3, signExtend: boolean): Syndrome => ({
  size,
  signExtend,
  sixtyFour: size === 3 || signExtend,
  acquireRelease: false,
});

const LITERALS: readonly Row[] = [
  {
    name: 'ldr',
    bits: '00011000iiiiiiiiiiiiiiiiiiiddddd',
    read: readLiteral,
    semantics: (b, i) => {
      atLiteral(b, i);
      b.setX(i.d, b.load32());
    },
    syndrome: literalSyndrome(2, false),
  },
  {
    name: 'ldr',
    bits: '01011000iiiiiiiiiiiiiiiiiiiddddd',
    read: readLiteral,
    semantics: (b, i) => {
      atLiteral(b, i);
      b.setX(i.d, b.load64());
    },
    syndrome: literalSyndrome(3, false),
  },
  {
    name: 'ldrsw',
    bits: '10011000iiiiiiiiiiiiiiiiiiiddddd',
    read: readLiteral,
    semantics: (b, i) => {
      atLiteral(b, i);
      b.setX(i.d, b.sign32(b.load32()));
    },
    syndrome: literalSyndrome(2, true),
  },
];

const PAIRS: readonly {
  name: string;
  opc: string;
  load: string;
  size: 2 | 3;
  rt: string;
  semantics: Semantics;
}[] = [
  {
    name: 'stp',
    opc: '00',
    load: '0',
    size: 2,
    rt: 'vvvvvNNNNNttttt',
    semantics: (b, i) => {
      b.store32(b.x(i.d));
      b.next(4);
      b.store32(b.x(i.a));
    },
  },
  {
    name: 'stp',
    opc: '10',
    load: '0',
    size: 3,
    rt: 'vvvvvNNNNNttttt',
    semantics: (b, i) => {
      b.store64(b.x(i.d));
      b.next(8);
      b.store64(b.x(i.a));
    },
  },
  {
    name: 'ldp',
    opc: '00',
    load: '1',
    size: 2,
    rt: 'uuuuuNNNNNddddd',
    semantics: (b, i) => {
      const first = b.load32();
      b.next(4);
      b.setX(i.a, b.load32());
      b.setX(i.d, first);
    },
  },
  {
    name: 'ldp',
    opc: '10',
    load: '1',
    size: 3,
    rt: 'uuuuuNNNNNddddd',
    semantics: (b, i) => {
      const first = b.load64();
      b.next(8);
      b.setX(i.a, b.load64());
      b.setX(i.d, first);
    },
  },
  {
    name: 'ldpsw',
    opc: '01',
    load: '1',
    size: 2,
    rt: 'uuuuuNNNNNddddd',
    semantics: (b, i) => {
      const first = b.sign32(b.load32());
      b.next(4);
      b.setX(i.a, b.sign32(b.load32()));
      b.setX(i.d, first);
    },
  },
];

function pairForms({ name, opc, load: l, size, rt, semantics }: (typeof PAIRS)[number]): readonly Row[] {
  const bits = (mode: string) => `${opc}1010${mode}${l}iiiiiii${rt}`;
  const read = (f: Fields, i: Instruction): undefined => {
    i.imm = BigInt.asUintN(64, signed64(f('i'), 7) << BigInt(size));
  };
  const offset: Semantics = (b, i) => {
    atOffset(b, i);
    semantics(b, i);
  };
  return [
    // Without LDNPSW, which does not exist.
    ...(name === 'ldpsw'
      ? []
      : [{ name: name.replace('p', 'np'), bits: bits('000'), read, semantics: offset }]),
    {
      name,
      bits: bits('001'),
      read,
      semantics: (b, i) => {
        const base = b.base(i.n);
        b.at(base);
        semantics(b, i);
        b.setX(i.n, b.add(base, b.constant(i.imm)));
      },
    },
    { name, bits: bits('010'), read, semantics: offset },
    {
      name,
      bits: bits('011'),
      read,
      semantics: (b, i) => {
        const address = b.add(b.base(i.n), b.constant(i.imm));
        b.at(address);
        semantics(b, i);
        b.setX(i.n, address);
      },
    },
  ];
}

/** Load-acquire and store-release; the LORegion forms are these with another bit, LDAPR is a weaker LDAR. */
const ORDERED = [
  { letter: 'b', size: 0, load: TRANSFERS[4]!, store: TRANSFERS[0]! },
  { letter: 'h', size: 1, load: TRANSFERS[5]!, store: TRANSFERS[1]! },
  { letter: '', size: 2, load: TRANSFERS[6]!, store: TRANSFERS[2]! },
  { letter: '', size: 3, load: TRANSFERS[7]!, store: TRANSFERS[3]! },
] as const;

const ORDERED_ROWS: readonly Row[] = ORDERED.flatMap(({ letter, size, ...transfers }) => {
  const log2Size = size.toString(2).padStart(2, '0');
  const form = (name: string, rest: string, { semantics, sixtyFour }: Transfer, feature?: string): Row => ({
    name: name + letter,
    bits: log2Size + rest,
    helper: (cpu, i) => {
      cpu.at(cpu.base(i.n));
      mustAlign(cpu, cpu.x(ADDRESS), 1 << size, name.startsWith('st'));
      semantics(cpu, i);
    },
    syndrome: { size, signExtend: false, sixtyFour: sixtyFour === true, acquireRelease: true },
    ...(feature !== undefined && { feature }),
  });
  return [
    form('ldar', '001000110jjjjj1kkkkkNNNNNddddd', transfers.load),
    form('stlr', '001000100jjjjj1kkkkkNNNNNttttt', transfers.store),
    form('ldlar', '001000110jjjjj0kkkkkNNNNNddddd', transfers.load, 'LOR'),
    form('stllr', '001000100jjjjj0kkkkkNNNNNttttt', transfers.store, 'LOR'),
    form('ldapr', '11100010111111110000NNNNNddddd', transfers.load, 'LRCPC'),
  ];
});

/** The same with an offset (FEAT_LRCPC2). */
const ORDERED_OFFSETS: readonly Row[] = TRANSFERS.map((transfer): Row => {
  const { name, size, opc, semantics } = transfer;
  const [kind, rest] = name;
  return {
    name: `${kind === 'st' ? 'stlu' : 'ldapu'}${rest}`,
    bits: `${size.toString(2).padStart(2, '0')}011001${opc}0iiiiiiiii00NNNNN${target(transfer)}`,
    feature: 'LRCPC2',
    read: readOffset,
    helper: (cpu, i) => {
      atOffset(cpu, i);
      mustAlign(cpu, cpu.x(ADDRESS), 1 << size, kind === 'st');
      semantics(cpu, i);
    },
    syndrome: { ...syndromeOf(transfer), acquireRelease: true },
  };
});

export const LOAD_STORE: readonly Row[] = [
  ...TRANSFERS.flatMap(singleForms),
  ...PREFETCH,
  ...LITERALS,
  ...PAIRS.flatMap(pairForms),
  ...ORDERED_ROWS,
  ...ORDERED_OFFSETS,
];
