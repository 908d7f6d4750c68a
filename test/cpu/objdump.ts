/** What binutils makes of instruction words: an independent reading of the encodings. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const OBJDUMP = 'aarch64-linux-gnu-objdump';

export const hasObjdump = spawnSync(OBJDUMP, ['--version']).status === 0;

/** The mnemonic of each word without aliases; undefined where it is unallocated. */
export function disassemble(words: Uint32Array): (string | undefined)[] {
  const folder = mkdtempSync(join(tmpdir(), 'objdump-'));
  const file = join(folder, 'words');
  try {
    writeFileSync(file, words);
    const text = execFileSync(
      OBJDUMP,
      ['-D', '-z', '-b', 'binary', '-m', 'aarch64', '-M', 'no-aliases', file],
      {
        encoding: 'utf8',
        maxBuffer: 2 ** 28,
      },
    );
    return [...text.matchAll(/^ +[0-9a-f]+:\t[0-9a-f]{8} \t(\S+)(.*)$/gm)].map(([, mnemonic, rest]) =>
      mnemonic === '.inst' || /\bundefined\b/.test(rest!) ? undefined : mnemonic,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}
