/**
 * Makes `programs.json`: the words of each program here, as the cross assembler has them.
 * `npm run -s build && node dist/test/guests/assemble.js`, where binutils for arm64 are installed.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { runCross } from '../abi/cross.ts';

/** Where the sources are, from the compiled file or from this one. */
const FOLDER = fileURLToPath(
  new URL(import.meta.url.includes('/dist/') ? '../../../test/guests/' : './', import.meta.url),
);

/** The programs as they are committed. */
export const PROGRAMS_FILE = join(FOLDER, 'programs.json');

/** Where a program begins: the start of the guest's memory. */
const ORIGIN = '0x40000000';
const WORDS_PER_LINE = 8;

function run(tool: string, args: string[]): void {
  const { ok, stderr } = runCross(tool, args);
  if (!ok) throw new Error(`${tool}: ${stderr}`);
}

/** A program's words in hex, some to a line. */
function assemble(source: string, folder: string): string[] {
  const [object, linked, flat] = ['o', 'elf', 'bin'].map(ending => join(folder, `program.${ending}`));
  run('as', ['-I', FOLDER, '-o', object!, join(FOLDER, source)]);
  run('ld', ['-Ttext', ORIGIN, '-e', ORIGIN, '-o', linked!, object!]);
  run('objcopy', ['-O', 'binary', '-j', '.text', linked!, flat!]);
  const bytes = readFileSync(flat!);
  const words = Array.from({ length: bytes.length / 4 }, (_, i) =>
    bytes
      .readUInt32LE(4 * i)
      .toString(16)
      .padStart(8, '0'),
  );
  return Array.from({ length: Math.ceil(words.length / WORDS_PER_LINE) }, (_, i) =>
    words.slice(i * WORDS_PER_LINE, (i + 1) * WORDS_PER_LINE).join(' '),
  );
}

/** All programs, as text for {@link PROGRAMS_FILE}. */
export function assembleAll(): string {
  const folder = mkdtempSync(join(tmpdir(), 'kvm-arm64-guests-'));
  try {
    const sources = readdirSync(FOLDER)
      .filter(name => name.endsWith('.S'))
      .sort();
    const programs = sources.map(source => [source.slice(0, -2), assemble(source, folder)]);
    return `${JSON.stringify(Object.fromEntries(programs), null, 1)}\n`;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  writeFileSync(PROGRAMS_FILE, assembleAll());
