/**
 * Programs of guests as data: what the registers have before, and instruction words. A line of text each, which a person
 * can read and a test can keep.
 *
 * ```text
 * PSTATE=3c4 X1=ffff : 8b010020 d4000001
 * ```
 *
 * @packageDocumentation
 */
import { formatRegister, parseRegister } from '../../abi/register-names.ts';

/** What a vCPU executes. */
export interface Program {
  /** By id. Registers without an entry have what `ground.ts` gives them. */
  readonly registers: ReadonlyMap<bigint, bigint>;
  /** Instructions, in the order of memory; what follows them ends the program. */
  readonly words: readonly number[];
}

/** The program as a line. */
export function formatProgram({ registers, words }: Program): string {
  const state = Array.from(registers, ([id, value]) => `${formatRegister(id)}=${value.toString(16)}`);
  return [...state, ':', ...words.map(word => word.toString(16).padStart(8, '0'))].join(' ');
}

/** Reads what {@link formatProgram} writes. */
export function parseProgram(line: string): Program {
  const [state = '', words = ''] = line.split(':');
  const parts = (text: string) => text.split(' ').filter(part => part !== '');
  return {
    registers: new Map(
      parts(state).map(part => {
        const [name = '', value = ''] = part.split('=');
        return [parseRegister(name), BigInt(`0x${value}`)];
      }),
    ),
    words: parts(words).map(word => Number.parseInt(word, 16)),
  };
}
