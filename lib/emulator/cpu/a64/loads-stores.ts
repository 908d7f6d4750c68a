/** Loads and stores of general registers (C4.1.94), but for exclusives and atomics. */
import { signed64 } from '../bits.ts';
import type { Builder } from '../builder.ts';
import type { Instruction, Row, Semantics, Syndrome } from '../instruction.ts';
import { mustAlign } from '../memory-access.ts';
import type { Fields } from '../pattern.ts';
import * as places from '../scratch.ts';

/** See `evaluator.ts`. */
const { MOVED_BASE } = places;

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

/** How an address comes about: from a base and an immediate, before or after which the base moves, or a register. */
const MODE = { offset: 0, postIndex: 1, preIndex: 2, register: 3 } as const;
const { offset, postIndex, preIndex, register } = MODE;

/**
 * Each transfer and each pair has its semantics as one function, for all modes: a function that the others call would
 * be one more call of V8's, to one of many. What it then does with the base is up to {@link writeBack}.
 */
const address = <V, C>(b: Builder<V, C>, i: Instruction): void => {
  const { mode } = i;
  if (mode === register) {
    atRegisterOffset(b, i);
    return;
  }
  const base = b.base(i.n);
  const moved = b.add(base, b.constant(i.imm));
  if (mode === offset) {
    b.at(moved);
    return;
  }
  b.keep(MOVED_BASE, moved);
  if (mode === postIndex) b.at(base);
  else b.at(moved);
};

const writeBack = <V, C>(b: Builder<V, C>, i: Instruction): void => {
  if (i.mode === postIndex || i.mode === preIndex) b.setX(i.n, b.kept(MOVED_BASE));
};

const TRANSFERS: readonly Transfer[] = [
  store('b', 0, (b, i) => {
    address(b, i);
    b.store8(b.x(i.d));
    writeBack(b, i);
  }),
  store('h', 1, (b, i) => {
    address(b, i);
    b.store16(b.x(i.d));
    writeBack(b, i);
  }),
  store('', 2, (b, i) => {
    address(b, i);
    b.store32(b.x(i.d));
    writeBack(b, i);
  }),
  store('', 3, (b, i) => {
    address(b, i);
    b.store64(b.x(i.d));
    writeBack(b, i);
  }),
  load('b', 0, '01', (b, i) => {
    address(b, i);
    b.setX(i.d, b.load8());
    writeBack(b, i);
  }),
  load('h', 1, '01', (b, i) => {
    address(b, i);
    b.setX(i.d, b.load16());
    writeBack(b, i);
  }),
  load('', 2, '01', (b, i) => {
    address(b, i);
    b.setX(i.d, b.load32());
    writeBack(b, i);
  }),
  load('', 3, '01', (b, i) => {
    address(b, i);
    b.setX(i.d, b.load64());
    writeBack(b, i);
  }),
  load('sb', 0, '10', (b, i) => {
    address(b, i);
    b.setX(i.d, b.sign8(b.load8()));
    writeBack(b, i);
  }),
  load('sh', 1, '10', (b, i) => {
    address(b, i);
    b.setX(i.d, b.sign16(b.load16()));
    writeBack(b, i);
  }),
  load('sw', 2, '10', (b, i) => {
    address(b, i);
    b.setX(i.d, b.sign32(b.load32()));
    writeBack(b, i);
  }),
  load('sb', 0, '11', (b, i) => {
    address(b, i);
    b.setX(i.d, b.low32(b.sign8(b.load8())));
    writeBack(b, i);
  }),
  load('sh', 1, '11', (b, i) => {
    address(b, i);
    b.setX(i.d, b.low32(b.sign16(b.load16())));
    writeBack(b, i);
  }),
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

const reading =
  (mode: Instruction['mode'], read: NonNullable<Row['read']>): NonNullable<Row['read']> =>
  (f, i) => {
    i.mode = mode;
    return read(f, i);
  };

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
  b.at(b.add(b.base(i.n), b.extend(b.x(i.m), i.kind, i.amount)));
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
      semantics,
      ...described,
    },
    {
      name: `${kind}u${rest}`,
      bits: `${opening(transfer, false)}0iiiiiiiii00NNNNN${rt}`,
      read: readOffset,
      semantics,
      ...described,
    },
    {
      name: plain,
      bits: `${opening(transfer, false)}0iiiiiiiii01NNNNN${rt}`,
      read: reading(MODE.postIndex, readOffset),
      semantics,
    },
    {
      name: `${kind}t${rest}`,
      bits: `${opening(transfer, false)}0iiiiiiiii10NNNNN${rt}`,
      read: readOffset,
      helper: (cpu, i) => cpu.asUser(() => semantics(cpu, i)),
      ...described,
    },
    {
      name: plain,
      bits: `${opening(transfer, false)}0iiiiiiiii11NNNNN${rt}`,
      read: reading(MODE.preIndex, readOffset),
      semantics,
    },
    {
      name: plain,
      bits: `${opening(transfer, false)}1mmmmmoooh10NNNNN${rt}`,
      read: reading(MODE.register, readRegisterOffset(size)),
      semantics,
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
      address(b, i);
      b.store32(b.x(i.d));
      b.next(4);
      b.store32(b.x(i.a));
      writeBack(b, i);
    },
  },
  {
    name: 'stp',
    opc: '10',
    load: '0',
    size: 3,
    rt: 'vvvvvNNNNNttttt',
    semantics: (b, i) => {
      address(b, i);
      b.store64(b.x(i.d));
      b.next(8);
      b.store64(b.x(i.a));
      writeBack(b, i);
    },
  },
  {
    name: 'ldp',
    opc: '00',
    load: '1',
    size: 2,
    rt: 'uuuuuNNNNNddddd',
    semantics: (b, i) => {
      address(b, i);
      const first = b.load32();
      b.next(4);
      b.setX(i.a, b.load32());
      b.setX(i.d, first);
      writeBack(b, i);
    },
  },
  {
    name: 'ldp',
    opc: '10',
    load: '1',
    size: 3,
    rt: 'uuuuuNNNNNddddd',
    semantics: (b, i) => {
      address(b, i);
      const first = b.load64();
      b.next(8);
      b.setX(i.a, b.load64());
      b.setX(i.d, first);
      writeBack(b, i);
    },
  },
  {
    name: 'ldpsw',
    opc: '01',
    load: '1',
    size: 2,
    rt: 'uuuuuNNNNNddddd',
    semantics: (b, i) => {
      address(b, i);
      const first = b.sign32(b.load32());
      b.next(4);
      b.setX(i.a, b.sign32(b.load32()));
      b.setX(i.d, first);
      writeBack(b, i);
    },
  },
];

function pairForms({ name, opc, load: l, size, rt, semantics }: (typeof PAIRS)[number]): readonly Row[] {
  const bits = (mode: string) => `${opc}1010${mode}${l}iiiiiii${rt}`;
  const read = (f: Fields, i: Instruction): undefined => {
    i.imm = BigInt.asUintN(64, signed64(f('i'), 7) << BigInt(size));
  };
  return [
    // Without LDNPSW, which does not exist.
    ...(name === 'ldpsw' ? [] : [{ name: name.replace('p', 'np'), bits: bits('000'), read, semantics }]),
    { name, bits: bits('001'), read: reading(MODE.postIndex, read), semantics },
    { name, bits: bits('010'), read, semantics },
    { name, bits: bits('011'), read: reading(MODE.preIndex, read), semantics },
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
      mustAlign(cpu, cpu.base(i.n), 1 << size, name.startsWith('st'));
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
      mustAlign(cpu, cpu.add(cpu.base(i.n), i.imm), 1 << size, kind === 'st');
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
