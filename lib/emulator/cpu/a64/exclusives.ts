/** Exclusive loads and stores (C3.2.6), and the atomic read-modify-writes of FEAT_LSE (C3.2.12). */
import type { Cpu } from '../cpu.ts';
import type { Instruction, Row } from '../instruction.ts';
import { type Bytes, locate, mustAlign, type Place, readPlace, writePlace } from '../memory-access.ts';
import { SINK, ZERO } from '../state.ts';

const SIZES = [
  ['b', '00', 1],
  ['h', '01', 2],
  ['', '10', 4],
  ['', '11', 8],
] as const;

/** The slot that a register number names as a destination; as a source, 31 is the slot of zero already. */
const to = (register: number): number => (register === ZERO ? SINK : register);

function loadExclusive(cpu: Cpu, i: Instruction, bytes: Bytes): void {
  const address = cpu.base(i.n);
  mustAlign(cpu, address, bytes, false);
  const place = locate(cpu, address, bytes, 'read');
  const value = readPlace(cpu, place, bytes);
  cpu.monitor.mark(place.physical, bytes, value);
  cpu.setX(i.d, value);
}

/** The place that a store may write, if the monitor still has it; the address is checked first. */
function exclusivePlace(cpu: Cpu, i: Instruction, bytes: number): [Place, Place] | undefined {
  const address = cpu.base(i.n);
  mustAlign(cpu, address, bytes, true);
  if (!cpu.monitor.armed) return undefined;
  const half = (bytes > 8 ? 8 : bytes) as Bytes;
  const low = locate(cpu, address, half, 'write');
  const high = bytes > 8 ? locate(cpu, cpu.add(address, 8n), 8, 'write') : low;
  return cpu.monitor.covers(low.physical, bytes) ? [low, high] : undefined;
}

function storeExclusive(cpu: Cpu, i: Instruction, bytes: Bytes): void {
  const value = cpu.x(i.d);
  const [place] = exclusivePlace(cpu, i, bytes) ?? [];
  const passed = place !== undefined && cpu.monitor.unchanged(readPlace(cpu, place, bytes));
  if (passed) writePlace(cpu, place, bytes, value);
  cpu.monitor.clear();
  cpu.setX(i.m, passed ? 0n : 1n);
}

/** A pair of words is one access of eight bytes, a pair of doublewords one of sixteen. */
function loadExclusivePair(cpu: Cpu, i: Instruction, bytes: 4 | 8): void {
  const address = cpu.base(i.n);
  mustAlign(cpu, address, 2 * bytes, false);
  const place = locate(cpu, address, 8, 'read');
  const low = readPlace(cpu, place, 8);
  if (bytes === 4) {
    cpu.monitor.mark(place.physical, 8, low);
    cpu.setX(i.a, low >> 32n);
    cpu.setX(i.d, cpu.low32(low));
    return;
  }
  const high = readPlace(cpu, locate(cpu, cpu.add(address, 8n), 8, 'read'), 8);
  cpu.monitor.mark(place.physical, 16, low, high);
  cpu.setX(i.a, high);
  cpu.setX(i.d, low);
}

function storeExclusivePair(cpu: Cpu, i: Instruction, bytes: 4 | 8): void {
  const [first, second] = [cpu.x(i.d), cpu.x(i.a)];
  const places = exclusivePlace(cpu, i, 2 * bytes);
  let passed = false;
  if (places !== undefined) {
    const [low, high] = places;
    const high8 = bytes === 8 ? readPlace(cpu, high, 8) : 0n;
    passed = cpu.monitor.unchanged(readPlace(cpu, low, 8), high8);
    if (passed && bytes === 4) writePlace(cpu, low, 8, cpu.low32(first) | (cpu.low32(second) << 32n));
    else if (passed) {
      writePlace(cpu, low, 8, first);
      writePlace(cpu, high, 8, second);
    }
  }
  cpu.monitor.clear();
  cpu.setX(i.m, passed ? 0n : 1n);
}

/** `S` of the patterns is the status register: a destination, in slot m. */
const readStatus = (f: (letter: string) => number, i: Instruction): undefined => {
  i.m = to(f('S'));
};

const EXCLUSIVE: readonly Row[] = SIZES.flatMap(([letter, size, bytes]) =>
  ['', 'a'].flatMap((acquire): Row[] => {
    const o0 = acquire === '' ? '0' : '1';
    const rows: Row[] = [
      {
        name: `ld${acquire}xr${letter}`,
        bits: `${size}001000010jjjjj${o0}kkkkkNNNNNddddd`,
        helper: (cpu, i) => loadExclusive(cpu, i, bytes),
      },
      {
        name: `st${acquire === '' ? '' : 'l'}xr${letter}`,
        bits: `${size}001000000SSSSS${o0}kkkkkNNNNNttttt`,
        read: readStatus,
        helper: (cpu, i) => storeExclusive(cpu, i, bytes),
      },
    ];
    if (bytes < 4) return rows;
    return [
      ...rows,
      {
        name: `ld${acquire}xp`,
        bits: `${size}001000011jjjjj${o0}uuuuuNNNNNddddd`,
        helper: (cpu, i) => loadExclusivePair(cpu, i, bytes as 4 | 8),
      },
      {
        name: `st${acquire === '' ? '' : 'l'}xp`,
        bits: `${size}001000001SSSSS${o0}vvvvvNNNNNttttt`,
        read: readStatus,
        helper: (cpu, i) => storeExclusivePair(cpu, i, bytes as 4 | 8),
      },
    ];
  }),
);

/** Replaces what an aligned address has. Faults of the read come first, and are those of a read (ISS.WnR). */
function exchange(cpu: Cpu, i: Instruction, bytes: Bytes, change: (old: bigint) => bigint): bigint {
  const address = cpu.base(i.n);
  mustAlign(cpu, address, bytes, false);
  const old = readPlace(cpu, locate(cpu, address, bytes, 'read'), bytes);
  writePlace(cpu, locate(cpu, address, bytes, 'write'), bytes, change(old));
  return old;
}

const ACQUIRE_RELEASE = [
  ['', '0', '0'],
  ['a', '1', '0'],
  ['l', '0', '1'],
  ['al', '1', '1'],
] as const;

type Operation = (old: bigint, operand: bigint, bits: number) => bigint;

const less = (a: bigint, b: bigint, bits: number) => BigInt.asIntN(bits, a) < BigInt.asIntN(bits, b);

/** By mnemonic, o3 and opc. */
const OPERATIONS: Readonly<Record<string, readonly [string, Operation]>> = {
  ldadd: ['0000', (old, operand) => old + operand],
  ldclr: ['0001', (old, operand) => old & ~operand],
  ldeor: ['0010', (old, operand) => old ^ operand],
  ldset: ['0011', (old, operand) => old | operand],
  ldsmax: ['0100', (old, operand, bits) => (less(old, operand, bits) ? operand : old)],
  ldsmin: ['0101', (old, operand, bits) => (less(operand, old, bits) ? operand : old)],
  ldumax: ['0110', (old, operand) => (old < operand ? operand : old)],
  ldumin: ['0111', (old, operand) => (operand < old ? operand : old)],
  swp: ['1000', (_, operand) => operand],
};

const READ_MODIFY_WRITE: readonly Row[] = Object.entries(OPERATIONS).flatMap(([name, [code, operation]]) =>
  SIZES.flatMap(([letter, size, bytes]) =>
    ACQUIRE_RELEASE.map(
      ([order, a, r]): Row => ({
        name: name + order + letter,
        bits: `${size}111000${a}${r}1mmmmm${code}00NNNNNddddd`,
        feature: 'LSE',
        helper: (cpu, i) => {
          const operand = BigInt.asUintN(8 * bytes, cpu.x(i.m));
          cpu.setX(
            i.d,
            exchange(cpu, i, bytes, old => operation(old, operand, 8 * bytes)),
          );
        },
      }),
    ),
  ),
);

const COMPARE_AND_SWAP: readonly Row[] = SIZES.flatMap(([letter, size, bytes]) =>
  ACQUIRE_RELEASE.map(
    ([order, a, r]): Row => ({
      name: `cas${order}${letter}`,
      bits: `${size}0010001${a}1zzzzz${r}11111NNNNNttttt`,
      feature: 'LSE',
      helper: (cpu, i) => {
        const expected = BigInt.asUintN(8 * bytes, cpu.x(i.m));
        const replacement = cpu.x(i.d);
        const old = exchange(cpu, i, bytes, value => (value === expected ? replacement : value));
        cpu.setX(to(i.m), old);
      },
    }),
  ),
);

function compareAndSwapPair(cpu: Cpu, i: Instruction, bytes: 4 | 8): void {
  const address = cpu.base(i.n);
  mustAlign(cpu, address, 2 * bytes, false);
  const bits = 8 * bytes;
  const at = (index: number) => cpu.add(address, BigInt(index * bytes));
  const old = [0, 1].map(index => readPlace(cpu, locate(cpu, at(index), bytes, 'read'), bytes));
  const places = [0, 1].map(index => locate(cpu, at(index), bytes, 'write'));
  const matches = old.every((value, index) => value === BigInt.asUintN(bits, cpu.x(i.m + index)));
  const stored = matches ? [0, 1].map(index => cpu.x(i.d + index)) : old;
  for (const index of [0, 1]) writePlace(cpu, places[index]!, bytes, stored[index]!);
  for (const index of [0, 1]) cpu.setX(to(i.m + index), old[index]!);
}

const COMPARE_AND_SWAP_PAIR: readonly Row[] = ([4, 8] as const).flatMap(bytes =>
  ACQUIRE_RELEASE.map(
    ([order, a, r]): Row => ({
      name: `casp${order}`,
      bits: `0${bytes === 4 ? 0 : 1}0010000${a}1zzzzz${r}11111NNNNNxxxxx`,
      feature: 'LSE',
      read: (_, i) => i.m % 2 === 0 && i.d % 2 === 0,
      helper: (cpu, i) => compareAndSwapPair(cpu, i, bytes),
    }),
  ),
);

export const ATOMIC: readonly Row[] = [
  ...EXCLUSIVE,
  ...READ_MODIFY_WRITE,
  ...COMPARE_AND_SWAP,
  ...COMPARE_AND_SWAP_PAIR,
];
