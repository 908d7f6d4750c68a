/** Runs every code block of README.md: programs print what the README says, commands exist and succeed. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { COMMANDS } from '#lib/cli/commands.js';
import { EventFd, Gic, GuestMemory, Vcpu, Vm } from '#lib/index.js';
import * as state from '#lib/state.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');

interface Block {
  readonly language: string;
  readonly code: string;
  readonly line: number;
}

const blocks: Block[] = [...readme.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(match => ({
  language: match[1] ?? '',
  code: match[2] ?? '',
  line: readme.slice(0, match.index).split('\n').length,
}));

/** Programs, each with the output that follows it, if the README shows one. */
const programs = blocks
  .map((block, i) => ({ ...block, output: blocks[i + 1] }))
  .filter(({ language }) => language === 'ts')
  .map(({ code, line, output }) => ({
    code,
    line,
    output: output?.language === 'text' ? output.code : undefined,
  }));

const commands = blocks
  .filter(({ language }) => language === 'sh')
  .flatMap(({ code, line }) =>
    code
      .trim()
      .split(/\n|&&/)
      .map(command => ({ command: command.trim(), line })),
  );

/** Inside the package, so that `import 'kvm-arm64'` finds it. */
const FOLDER = join(ROOT, 'dist/readme');
mkdirSync(FOLDER, { recursive: true });

/** A program's file, without its suffix: the first line may name it. */
const nameOf = ({ code, line }: Pick<Block, 'code' | 'line'>) =>
  /^\/\/ (\S+)\.ts$/m.exec(code)?.[1] ?? `line-${line}`;

/** The README's programs speak of a machine without ARM KVM, and without a lab. */
const env = {
  ...process.env,
  KVM_ARM64_BACKEND: 'emulated',
  KVM_ARM64_CACHE: FOLDER,
  KVM_ARM64_REQUIRE: '',
  NODE_OPTIONS: '',
  NODE_TEST_CONTEXT: undefined,
  NO_COLOR: '1',
};

describe('README.md', () => {
  it('has blocks of known languages', () => {
    expect([...new Set(blocks.map(({ language }) => language))].sort()).toEqual(['sh', 'text', 'ts']);
    expect(programs.length).toBeGreaterThanOrEqual(7);
    expect(commands.length).toBeGreaterThanOrEqual(10);
  });

  it('names every command of the program', () => {
    const table = readme.slice(readme.indexOf('| command | what it tells |'));
    // `state save`, `show` and so on stand in one row.
    const unnamed = COMMANDS.filter(({ name }) => {
      const [group, rest] = name.split(' ');
      return !new RegExp(
        `^\\| [^|]*\\b${group}\\b${rest === undefined ? '' : `[^\n]*\\b${rest}\\b`}`,
        'm',
      ).test(table);
    });
    expect(COMMANDS.length).toBeGreaterThan(15);
    expect(unnamed.map(({ name }) => name)).toEqual([]);
  });

  it('names every method of a VM, a vCPU, its memory and its devices, and every function of kvm-arm64/state', () => {
    const internal = ['constructor', 'checkReady', 'checkInitialized', 'place', 'handle', 'children'];
    const methods = [Vm, Vcpu, GuestMemory, Gic, EventFd].flatMap(({ prototype }) => {
      const own: object[] = [];
      for (let at: object = prototype; at !== Object.prototype; at = Object.getPrototypeOf(at)) own.push(at);
      return own.flatMap(at => Object.entries(Object.getOwnPropertyDescriptors(at)));
    });
    const names = methods
      .filter(([name, { value }]) => typeof value === 'function' && !internal.includes(name))
      .map(([name]) => name);
    const functions = Object.keys(state).filter(name => /^[a-z]/.test(name));
    expect(names.length).toBeGreaterThan(50);
    expect([...new Set([...names, ...functions])].filter(name => !readme.includes(name))).toEqual([]);
  });

  it('says of every code that the library gives what it means', () => {
    const table = readme.slice(readme.indexOf('## When it fails'));
    const sources = readdirSync(join(ROOT, 'lib'), { recursive: true, encoding: 'utf8' })
      .filter(file => file.endsWith('.ts'))
      .map(file => readFileSync(join(ROOT, 'lib', file), 'utf8'));
    const made = /(?:Kvm|Restore|Lab)Error\(\s*'(ERR_\w+)'/g;
    const codes = new Set(sources.flatMap(source => [...source.matchAll(made)].map(([, code]) => code!)));
    expect(codes.size).toBeGreaterThan(12);
    expect([...codes].filter(code => !table.includes(`\`${code}\``))).toEqual([]);
  });

  it('its programs are well typed', () => {
    for (const program of programs) writeFileSync(join(FOLDER, `${nameOf(program)}.ts`), program.code);
    const config = join(FOLDER, 'tsconfig.json');
    writeFileSync(
      config,
      JSON.stringify({
        extends: '../../tsconfig.json',
        compilerOptions: { rootDir: '.', outDir: '.', declaration: false },
        include: ['./*.ts'],
        exclude: [],
      }),
    );
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    expect(() => execFileSync(process.execPath, [tsc, '-p', config], { encoding: 'utf8' })).not.toThrow();
  });

  it.each(programs)('the program at line $line runs and prints what stands below it', program => {
    const file = join(FOLDER, `${nameOf(program)}.js`);
    const isTest = program.code.includes("from 'node:test'");
    const printed = execFileSync(process.execPath, [...(isTest ? ['--test'] : []), file], {
      env,
      encoding: 'utf8',
    });
    // A test's report has times in it; that it ends well is the point.
    if (isTest) expect(printed).toMatch(/^(#|ℹ) fail 0$/m);
    else expect(printed).toBe(program.output ?? '');
  });

  it.each(commands.filter(({ command }) => command.startsWith('npx kvm-arm64 ')))(
    '`$command` succeeds',
    ({ command }) => {
      const args = command.replace('npx kvm-arm64 ', '').replaceAll("'", '').split(' ');
      // doctor answers 3 where there is no native KVM, as the README says.
      const run = () =>
        execFileSync(process.execPath, [join(ROOT, 'dist/lib/cli/main.js'), ...args], {
          env,
          encoding: 'utf8',
        });
      if (args[0] === 'doctor' && process.arch !== 'arm64') {
        expect(run).toThrowError(expect.objectContaining({ status: 3 }));
      } else {
        expect(run()).not.toBe('');
      }
    },
  );

  it.each(commands.filter(({ command }) => !command.startsWith('npx kvm-arm64 ')))(
    '`$command` is a script of package.json',
    ({ command }) => {
      const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
        scripts: Record<string, string>;
      };
      const [, script] = /^npm (?:run )?([\w:]+)/.exec(command) ?? [];
      expect(['ci', ...Object.keys(scripts)]).toContain(script);
    },
  );
});
