import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';
import { toJson } from '#lib/cli/json.js';
import { table } from '#lib/cli/table.js';
import { BIN, cli, PLAIN } from './support.ts';

const ESCAPE = '\u001b';

describe('colour', () => {
  test('is absent where nobody sees it', async () => {
    expect((await cli('doctor')).stdout).not.toContain(ESCAPE);
    expect((await cli('--help')).stdout).not.toContain(ESCAPE);
  });

  test('is there by FORCE_COLOR, and leaves the columns aligned', async () => {
    const plain = await cli('regs --backend emulated --filter pc');
    const coloured = await cli('regs --backend emulated --filter pc', { FORCE_COLOR: '1' });
    expect(coloured.stdout).toContain(`${ESCAPE}[1mNAME${ESCAPE}[22m  `);
    expect(stripVTControlCharacters(coloured.stdout)).toBe(plain.stdout);
  });

  const script = '/usr/bin/script';
  const noTerminal =
    (process.platform !== 'linux' || !existsSync(script)) && 'no script(1) to make a terminal with';
  const onTerminal = (env: NodeJS.ProcessEnv) =>
    execFileSync(script, ['-qec', `${process.execPath} ${BIN} psci --backend emulated`, '/dev/null'], {
      env: { ...process.env, ...PLAIN, CI: undefined, TERM: 'xterm-256color', ...env },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  test.skipIf(noTerminal)(
    `is there on a terminal, and not with NO_COLOR${noTerminal ? ` [skipped: ${noTerminal}]` : ''}`,
    () => {
      expect(onTerminal({})).toContain(`${ESCAPE}[1mThis host accepts${ESCAPE}[22m`);
      expect(onTerminal({ NO_COLOR: '1' })).not.toContain(ESCAPE);
    },
  );
});

test('a reader that goes away is no failure', async () => {
  const child = spawn(process.execPath, [BIN, 'regs', '--backend', 'emulated'], {
    env: { ...process.env, ...PLAIN },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // Long before the program has started.
  child.stdout.destroy();
  const exited = new Promise(resolve => child.on('exit', resolve));
  expect(await text(child.stderr)).toBe('');
  expect(await exited).toBe(0);
});

test('JSON has bigints of any width in full', () => {
  expect(JSON.parse(toJson({ z0: 1n << 2047n, pc: 0n }))).toEqual({ z0: `0x8${'0'.repeat(511)}`, pc: '0x0' });
});

test('a table aligns all columns but leaves no spaces at the end', () => {
  expect(
    table([
      ['a', 'bb', ''],
      ['ccc', 'd', 'a last cell that is long'],
    ]),
  ).toBe('a    bb\nccc  d   a last cell that is long');
});
