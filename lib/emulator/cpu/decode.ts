/** From an instruction word to its row, and to the record that the interpreter runs. */
import { ROWS } from './a64/rows.ts';
import { Instruction, type Row } from './instruction.ts';
import { fieldsOf, type Pattern, parsePattern, readRoles } from './pattern.ts';

interface Candidate {
  readonly row: Row;
  readonly pattern: Pattern;
}

/** The index is by the word's upper bits, which tell most rows apart. */
const INDEX_SHIFT = 20;
const INDEX_SIZE = 1 << (32 - INDEX_SHIFT);

function buildIndex(): readonly (readonly Candidate[])[] {
  const index: Candidate[][] = Array.from({ length: INDEX_SIZE }, () => []);
  for (const row of ROWS) {
    const candidate = { row, pattern: parsePattern(row.bits) };
    const mask = candidate.pattern.mask >>> INDEX_SHIFT;
    const value = candidate.pattern.value >>> INDEX_SHIFT;
    const free = ~mask & (INDEX_SIZE - 1);
    // Every subset of the free bits, by the usual subtraction.
    let subset = 0;
    do {
      index[value | subset]!.push(candidate);
      subset = (subset - free) & free;
    } while (subset !== 0);
  }
  return index;
}

let index: readonly (readonly Candidate[])[] | undefined;

/** The row that a word belongs to, whether or not its fields are allocated there. */
export function rowOf(word: number): Row | undefined {
  return find(word)?.row;
}

function find(word: number): Candidate | undefined {
  index ??= buildIndex();
  return index[word >>> INDEX_SHIFT]!.find(({ pattern }) => (word & pattern.mask) >>> 0 === pattern.value);
}

const UNALLOCATED: Row = { name: 'udf', bits: '0'.repeat(32), helper: cpu => cpu.undefined() };

/** Decodes a word; one that is unallocated, or of a feature that the CPU lacks, gives a record that is UNDEFINED. */
export function decode(word: number, hasFeature: (feature: string) => boolean = () => true): Instruction {
  const undefinedRecord = () => new Instruction(UNALLOCATED, word, UNALLOCATED.helper!);
  const found = find(word);
  if (found === undefined) return undefinedRecord();
  const { row, pattern } = found;
  if (row.feature !== undefined && !hasFeature(row.feature)) return undefinedRecord();
  const instruction = new Instruction(row, word, (row.semantics ?? row.helper)!);
  const fields = fieldsOf(pattern, word);
  readRoles(pattern, fields, instruction);
  return row.read?.(fields, instruction) === false ? undefinedRecord() : instruction;
}

/** Whether a word is allocated, in a CPU with every feature that the table knows. */
export const isAllocated = (word: number): boolean => decode(word).row !== UNALLOCATED;
