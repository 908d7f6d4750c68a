/** Holds lib/ to the table of floors in ARCHITECTURE.md, and the entries to what they promise. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const LIB = join(ROOT, 'lib');

/** Rooms, lowest first, with the rooms that each may import from besides itself. */
const FLOORS: Readonly<Record<string, readonly string[]>> = {
  abi: [],
  errors: ['abi'],
  backend: [],
  native: ['abi', 'errors', 'backend'],
  cpu: [],
  emulator: ['abi', 'errors', 'backend', 'cpu'],
  classes: ['abi', 'errors', 'backend'],
  entries: ['abi', 'classes', 'native', 'emulator'],
  snapshot: ['abi', 'errors', 'classes'],
  compare: ['abi', 'classes', 'snapshot'],
  state: ['snapshot', 'compare'],
  migration: ['abi', 'classes', 'snapshot', 'state'],
  patience: [],
  record: ['abi', 'errors', 'backend', 'native', 'emulator', 'patience'],
  lab: [],
  testing: ['abi', 'entries', 'lab'],
  fidelity: ['abi', 'errors', 'backend', 'classes', 'native', 'cpu', 'emulator', 'patience', 'lab'],
  cli: ['abi', 'errors', 'native', 'emulator', 'classes', 'entries', 'record', 'lab', 'state', 'migration'],
};

const ENTRIES = ['index.ts', 'emulator.ts', 'native.ts', 'load-backend.ts'];

const files = readdirSync(LIB, { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.ts'));

function roomOf(file: string): string {
  if (ENTRIES.includes(file)) return 'entries';
  if (file.startsWith('emulator/cpu/')) return 'cpu';
  const [first = ''] = file.split('/');
  if (first !== file) return first;
  const name = first.replace(/\.ts$/, '');
  return name in FLOORS ? name : 'classes';
}

/** The files of lib/ that a file imports, and the packages. */
function importsOf(file: string): string[] {
  const source = readFileSync(join(LIB, file), 'utf8');
  return [...source.matchAll(/^(?:import|export|\})[^'\n]*\bfrom '([^']+)';$|\brequire\('([^']+)'\)/gm)]
    .map(([, imported, required]) => imported ?? required ?? '')
    .map(specifier =>
      specifier.startsWith('.')
        ? relative(LIB, join(LIB, dirname(file), specifier)).replace(/\.js$/, '.ts')
        : specifier,
    );
}

function graphOf(entry: string): Set<string> {
  const seen = new Set<string>();
  const visit = (file: string) => {
    if (seen.has(file) || !files.includes(file)) return;
    seen.add(file);
    importsOf(file).forEach(visit);
  };
  visit(entry);
  return seen;
}

describe('the floors', () => {
  it('are those of ARCHITECTURE.md', () => {
    const text = readFileSync(join(ROOT, 'ARCHITECTURE.md'), 'utf8');
    const rows = [...text.matchAll(/^\| `lib\/.* \| (.*) \|$/gm)].map(([, allowed]) => allowed);
    const rooms = rows
      .slice(0, Object.keys(FLOORS).length)
      .map(row => (row === 'nothing' ? [] : row!.split(', ').sort()));
    expect(rooms).toEqual(Object.values(FLOORS).map(allowed => allowed.toSorted()));
    for (const room of readdirSync(LIB, { withFileTypes: true }).filter(entry => entry.isDirectory())) {
      expect(Object.keys(FLOORS)).toContain(room.name);
      expect(text).toContain(`\`lib/${room.name}/\``);
    }
  });

  it.each(files)('%s imports from its own room and those below', file => {
    const room = roomOf(file);
    const allowed = [room, ...FLOORS[room]!];
    const foreign = importsOf(file)
      .filter(target => files.includes(target))
      .filter(target => !allowed.includes(roomOf(target)));
    expect(foreign).toEqual([]);
  });

  it.each(files)('%s imports nothing but the library and Node', file => {
    const packages = importsOf(file).filter(target => !files.includes(target) && !target.startsWith('node:'));
    expect(packages).toEqual([]);
  });
});

describe('the entries', () => {
  it('emulator has no trace of the addon or its loader', () => {
    const graph = [...graphOf('emulator.ts')];
    expect(graph).toContain('emulator/system.ts');
    expect(graph.filter(file => file.startsWith('native'))).toEqual([]);
  });

  it('native has no trace of the emulator', () => {
    const graph = [...graphOf('native.ts')];
    expect(graph).toContain('native/addon.ts');
    expect(graph.filter(file => file.startsWith('emulator'))).toEqual([]);
  });

  it('no code of the emulator asks for a kernel version', () => {
    for (const file of files.filter(name => name.startsWith('emulator/'))) {
      const source = readFileSync(join(LIB, file), 'utf8');
      expect(source, file).not.toMatch(/\bif\s*\([^)]*\b(?:kernel|release|version)\b\s*[<>=]/i);
    }
  });
});
