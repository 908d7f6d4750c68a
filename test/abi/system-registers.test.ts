import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemRegisters } from '#lib/abi/system-registers.js';
import { noCrossTools, runCross, unlessCross } from './cross.ts';

/** `mrs x0, <register>` for each: the first error line of each that the assembler does not know, and the words. */
function assemble(names: readonly string[]): { unknown: Set<number>; words: Uint32Array } {
  const folder = mkdtempSync(join(tmpdir(), 'kvm-arm64-'));
  try {
    const [object, binary] = [join(folder, 'o'), join(folder, 'bin')];
    const source = names.map(name => `mrs x0, ${name}\n`).join('');
    const { stderr, ok } = runCross('as', ['--no-warn', '-mcpu=all', '-o', object, '-'], source);
    if (!ok) {
      const lines = [...stderr.matchAll(/:(\d+): Error: unknown or missing system register name/g)];
      return { unknown: new Set(lines.map(match => Number(match[1]) - 1)), words: new Uint32Array() };
    }
    expect(runCross('objcopy', ['-O', 'binary', '-j', '.text', object, binary]).ok).toBe(true);
    return { unknown: new Set(), words: new Uint32Array(new Uint8Array(readFileSync(binary)).buffer) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What binutils 2.40 (Debian 12) knows of them. Later ones know more. */
const KNOWN_TO_BINUTILS_2_40 = 826;

test.skipIf(noCrossTools !== undefined)(
  `the assembler encodes every system register as the table does${unlessCross}`,
  async ({ annotate }) => {
    const registers = systemRegisters();
    const { unknown } = assemble(registers.map(({ name }) => name));
    // Where the assembler does not know a name, it still has the architecture's syntax for the fields.
    const operands = registers.map(({ name, encoding: e }, i) =>
      unknown.has(i) ? `S${e >> 14}_${(e >> 11) & 7}_C${(e >> 7) & 15}_C${(e >> 3) & 15}_${e & 7}` : name,
    );
    const { words } = assemble(operands);
    const differing = registers.filter(
      ({ encoding }, i) => words[i] === undefined || ((words[i] >>> 5) & 0xffff) !== encoding,
    );
    expect(differing).toEqual([]);
    const known = registers.length - unknown.size;
    await annotate(`${known} of ${registers.length} names known to the assembler`);
    expect(known).toBeGreaterThanOrEqual(KNOWN_TO_BINUTILS_2_40);
  },
);
