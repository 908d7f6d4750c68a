/**
 * What became of a program on two backends: whether it is the same, and the shortest program that shows it is not.
 *
 * @packageDocumentation
 */

import { passedOver } from './not-compared.ts';
import { formatProgram, type Program } from './program.ts';
import { formatOutcome, type Ground, type Outcome } from './run-program.ts';

/** Two machines of the same make. */
export interface Pair {
  /** What is right by definition. */
  readonly kernel: Ground;
  readonly emulated: Ground;
}

/** A program whose outcomes differ, in lines. */
export interface ProgramDifference {
  readonly program: string;
  readonly kernel: string;
  readonly emulated: string;
}

/**
 * What is compared of an outcome, whose ever: all, or the exits before the one at which the emulated host is known to be
 * right and QEMU not.
 */
export function comparedText(line: string, program: Program, emulated: Outcome): string {
  const end = passedOver(program, emulated.exits);
  return end === undefined ? line : line.split('; ').slice(0, end).join('; ');
}

/** @param kernel - the kernel's outcome, as {@link formatOutcome} writes it */
export function compareOutcomes(
  program: Program,
  kernel: string,
  emulated: Outcome,
): ProgramDifference | undefined {
  const line = formatOutcome(emulated);
  const isSame = comparedText(kernel, program, emulated) === comparedText(line, program, emulated);
  return isSame ? undefined : { program: formatProgram(program), kernel, emulated: line };
}

function differenceOn({ kernel, emulated }: Pair, program: Program): ProgramDifference | undefined {
  return compareOutcomes(program, formatOutcome(kernel.run(program)), emulated.run(program));
}

/** Drops what a difference does not need: runs of instructions, then single ones, then what registers have. */
export function shrinkProgram(pair: Pair, program: Program): ProgramDifference | undefined {
  let shortest = program;
  let found = differenceOn(pair, program);
  if (found === undefined) return undefined;
  const stillDiffers = (candidate: Program): void => {
    const difference = differenceOn(pair, candidate);
    if (difference === undefined) return;
    shortest = candidate;
    found = difference;
  };
  const half = Math.ceil(program.words.length / 2);
  for (let length = half; length >= 1; length = length === 1 ? 0 : Math.ceil(length / 2)) {
    for (let end = shortest.words.length; end > 0; end -= length) {
      const words = shortest.words.toSpliced(Math.max(0, end - length), length);
      stillDiffers({ ...shortest, words });
    }
  }
  const without = (ids: readonly bigint[]) =>
    stillDiffers({
      ...shortest,
      registers: new Map([...shortest.registers].filter(([id]) => !ids.includes(id))),
    });
  const ids = [...program.registers.keys()];
  without(ids);
  for (let length = half; length >= 1; length >>= 1) {
    for (let start = 0; start < ids.length; start += length) {
      const some = ids.slice(start, start + length).filter(id => shortest.registers.has(id));
      if (some.length > 0) without(some);
    }
  }
  return found;
}

/** A difference as a test: what the kernel did, asked of the emulated host. */
export function formatProgramTest(host: string, { program, kernel }: ProgramDifference): string {
  return [
    `it('does as the kernel does', () => {`,
    `  const program = parseProgram('${program}');`,
    `  expect(outcomeOn('${host}', program)).toBe('${kernel}');`,
    '});',
  ].join('\n');
}
