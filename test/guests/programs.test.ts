/** The committed words of the programs are those of their sources. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { noCrossTools, unlessCross } from '../abi/cross.ts';
import { assembleAll, PROGRAMS_FILE } from './assemble.ts';

describe('programs.json', () => {
  it.skipIf(noCrossTools)(`has what the assembler makes of the sources${unlessCross}`, () => {
    expect(readFileSync(PROGRAMS_FILE, 'utf8')).toBe(assembleAll());
  });
});
