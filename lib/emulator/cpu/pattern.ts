/**
 * The language of the rows' bit patterns: 32 characters, highest bit first. `0` and `1` are fixed, any letter is part of
 * the field of that name. Some letters name registers by role and fill the record without more ado:
 *
 * | letter | slot | register 31 is |
 * |---|---|---|
 * | `d` | d | nothing: what is written is lost |
 * | `D` | d | SP |
 * | `t` | d | zero (the register that a store reads) |
 * | `n` `m` `a` | n, m, a | zero |
 * | `N` | n | SP |
 * | `u` | a | nothing (the second register of a pair load) |
 * | `v` | a | zero (the second register of a pair store) |
 * | `x` `y` `z` `p` | d, n, m, a | itself: the plain number, for vectors and for helpers |
 *
 * `s` says with 1 that the operation is 64 bits wide; `j` and `k` should be ones, and are not looked at.
 */
import type { Instruction } from './instruction.ts';
import { SINK, SP, ZERO } from './state.ts';

/** A field by its letter, as an unsigned number; zero if the pattern has none. */
export type Fields = (letter: string) => number;

interface Span {
  readonly low: number;
  readonly width: number;
}

export interface Pattern {
  readonly mask: number;
  readonly value: number;
  readonly fields: ReadonlyMap<string, Span>;
}

const ROLES: Readonly<Record<string, readonly ['d' | 'n' | 'm' | 'a', number]>> = {
  d: ['d', SINK],
  D: ['d', SP],
  t: ['d', ZERO],
  n: ['n', ZERO],
  N: ['n', SP],
  m: ['m', ZERO],
  a: ['a', ZERO],
  u: ['a', SINK],
  v: ['a', ZERO],
  x: ['d', 31],
  y: ['n', 31],
  z: ['m', 31],
  p: ['a', 31],
};

export function parsePattern(bits: string): Pattern {
  if (bits.length !== 32) throw new Error(`a pattern of ${bits.length} bits: ${bits}`);
  let mask = 0;
  let value = 0;
  const fields = new Map<string, Span>();
  for (let position = 31; position >= 0; position--) {
    const letter = bits[31 - position]!;
    if (letter === '0' || letter === '1') {
      mask |= 1 << position;
      if (letter === '1') value |= 1 << position;
    } else {
      const known = fields.get(letter);
      if (known !== undefined && known.low !== position + 1)
        throw new Error(`field ${letter} lies in two places: ${bits}`);
      fields.set(letter, { low: position, width: (known?.width ?? 0) + 1 });
    }
  }
  return { mask: mask >>> 0, value: value >>> 0, fields };
}

export function fieldsOf({ fields }: Pattern, word: number): Fields {
  return letter => {
    const span = fields.get(letter);
    return span === undefined ? 0 : (word >>> span.low) & (2 ** span.width - 1);
  };
}

/** Fills the registers and the width that the letters stand for. */
export function readRoles(pattern: Pattern, fields: Fields, instruction: Instruction): void {
  for (const letter of pattern.fields.keys()) {
    const role = ROLES[letter];
    if (role !== undefined) {
      const [slot, ofRegister31] = role;
      const number = fields(letter);
      instruction[slot] = number === 31 ? ofRegister31 : number;
    } else if (letter === 's') instruction.sf = fields('s') === 1;
  }
}
