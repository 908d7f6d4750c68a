import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { COMMANDS } from '#lib/cli/commands.js';
import { parse } from '#lib/cli/parse.js';
import { UsageError } from '#lib/cli/usage-error.js';
import { cli, wordsOf } from './support.ts';

/** What parsing refuses: without a process for each, as they would take seconds. */
const WRONG_WORDS: [words: string, line: string][] = [
  [
    '',
    'a command is missing: info, doctor, psci, psci set, regs, hosts, record, compare, plan, baseline, migration-tables, state save, state show, state diff, state load, lab list, lab setup, lab run, lab shell; see kvm-arm64 --help',
  ],
  ['lab', 'lab is one of lab list, lab setup, lab run, lab shell; see kvm-arm64 lab --help'],
  ['lab rnu --help', 'lab is one of lab list, lab setup, lab run, lab shell; see kvm-arm64 lab --help'],
  ['record --host linux-6.12-max', 'record has no option "--host"; see kvm-arm64 record --help'],
  ['record --backend emulated', 'record has no option "--backend"; see kvm-arm64 record --help'],
  ['doctor --backend native', 'doctor has no option "--backend"; see kvm-arm64 doctor --help'],
  ['hosts --host linux-6.12-max', 'hosts has no option "--host"; see kvm-arm64 hosts --help'],
  ['lab list --host linux-6.12-max', 'lab list has no option "--host"; see kvm-arm64 lab list --help'],
  ['lab run --host x -- node x', 'lab run has no option "--host"; see kvm-arm64 lab run --help'],
  ['lab run --json -- node x', 'lab run has no option "--json"; see kvm-arm64 lab run --help'],
  ['lab shell --json', 'lab shell has no option "--json"; see kvm-arm64 lab shell --help'],
  ['lab run', 'lab run needs -- node SCRIPT ARGS; see kvm-arm64 lab run --help'],
  ['lab run --gic 4 -- node x', '--gic takes one of 2, 3; got "4"'],
  ['info -- x', 'info takes nothing after --, got "x"; see kvm-arm64 info --help'],
  ['inof', 'there is no command "inof" (did you mean info?); see kvm-arm64 --help'],
  ['xyzzy', 'there is no command "xyzzy"; see kvm-arm64 --help'],
  ['constructor', 'there is no command "constructor"; see kvm-arm64 --help'],
  ['--jsno', 'there is no option "--jsno" (did you mean --json?); see kvm-arm64 --help'],
  ['--bakend native info', 'there is no option "--bakend" (did you mean --backend?); see kvm-arm64 --help'],
  ['--filter x rges', 'there is no command "rges" (did you mean regs?); see kvm-arm64 --help'],
  ['rges --help', 'there is no command "rges" (did you mean regs?); see kvm-arm64 --help'],
  ['--constructor info', 'info has no option "--constructor"; see kvm-arm64 info --help'],
  ['regs --fliter x', 'regs has no option "--fliter" (did you mean --filter?); see kvm-arm64 regs --help'],
  ['info --filter x', 'info has no option "--filter"; see kvm-arm64 info --help'],
  ['info -x', 'info has no option "-x"; see kvm-arm64 info --help'],
  ['info --backend', '--backend needs a value: auto, native, emulated'],
  ['regs --filter --json', '--filter needs a value: TEXT'],
  ['info --json=1', '--json takes no value; got "1"'],
  ['info --backend x', '--backend takes one of auto, native, emulated; got "x"'],
  ['info --host', '--host needs a value: HOST'],
  ['hosts linux-6.12-max here', 'hosts takes no argument "here"; see kvm-arm64 hosts --help'],
  ['info here', 'info takes no argument "here"; see kvm-arm64 info --help'],
  ['psci sett 1.0', 'psci takes no argument "sett" (did you mean set?); see kvm-arm64 psci --help'],
  ['psci set', 'psci set needs VERSION; see kvm-arm64 psci set --help'],
  ['psci set 1.0 1.1', 'psci set takes no argument "1.1"; see kvm-arm64 psci set --help'],
];

/** What the whole program refuses, by itself or by what the library says. */
const WRONG_LINES: [words: string, line: string][] = [
  [
    '',
    'a command is missing: info, doctor, psci, psci set, regs, hosts, record, compare, plan, baseline, migration-tables, state save, state show, state diff, state load, lab list, lab setup, lab run, lab shell; see kvm-arm64 --help',
  ],
  [
    'info --backend emluated',
    '--backend takes one of auto, native, emulated; got "emluated" (did you mean emulated?)',
  ],
  [
    'psci set one --backend emulated',
    "version must be two decimal numbers, 'major.minor', such as '1.0'; got \"one\"",
  ],
  [
    'regs --features PMU_V4 --backend emulated',
    'feature must be a name of KVM_ARM_VCPU_* (did you mean PMU_V3?); got "PMU_V4"',
  ],
  ['lab run -- node no-such.js', `lab run finds no script ${resolve('no-such.js')}`],
  ['lab run -- node test/no-such/main', `lab run finds no script ${resolve('test/no-such/main')}`],
  ['record --cpus 0', '--cpus takes a positive whole number; got "0"'],
  ['regs --features 999 --backend emulated', 'feature must be an integer from 0 to 223; got 999'],
  [
    'info --host linux-6.12-neoverse-n1 --backend native',
    'host must be absent with backend: \'native\', which has no choice of host; got "linux-6.12-neoverse-n1"',
  ],
];

describe('wrong usage is explained in one line', () => {
  test.each(WRONG_WORDS)('%s', (words, line) => {
    expect(() => parse(words.split(' ').filter(word => word !== ''))).toThrow(new UsageError(line));
  });

  test.each(WRONG_LINES)('by the program: %s', async (words, line) => {
    expect(await cli(words)).toMatchObject({ code: 2, stderr: `kvm-arm64: ${line}\n` });
  });

  test('of the environment', async () => {
    const { code, stderr } = await cli('info', { KVM_ARM64_BACKEND: 'lab' });
    expect(stderr).toBe('kvm-arm64: KVM_ARM64_BACKEND must be auto, native, emulated; got "lab"\n');
    expect(code).toBe(2);
  });

  test('and as JSON', async () => {
    const { code, stdout, stderr } = await cli('inof --json');
    const message = 'there is no command "inof" (did you mean info?); see kvm-arm64 --help';
    expect(JSON.parse(stdout)).toEqual({ backend: null, host: null, error: { code: 'ERR_USAGE', message } });
    expect(stderr).toBe(`kvm-arm64: ${message}\n`);
    expect(code).toBe(2);
  });
});

describe('help', () => {
  test('of the program names every command and exit code', async () => {
    const { code, stdout, stderr } = await cli('--help');
    expect([code, stderr]).toEqual([0, '']);
    for (const line of [/^ {2}info {2}/m, /^ {2}doctor {2}/m, /^ {2}psci set VERSION {2}/m, /^ {2}regs {2}/m])
      expect(stdout).toMatch(line);
    for (const code of [0, 1, 2, 3, 99]) expect(stdout).toMatch(new RegExp(`^ {2}${code} +\\w`, 'm'));
    for (const option of ['--backend BACKEND', '--host HOST', '--json', '-h, --help', '--version'])
      expect(stdout).toContain(`\n  ${option} `);
    expect((await cli('-h')).stdout).toBe(stdout);
  });

  test.each(COMMANDS.map(({ name }) => name))('of %s', async name => {
    const { code, stdout, stderr } = await cli(`${name} --help`);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(
      new RegExp(
        `^Usage: kvm-arm64 ${name}( VERSION| \\[?HOST(\\.\\.\\.)?\\]?| FILE| STATE HOST| A B)? \\[options\\]( -- node SCRIPT ARGS)?$`,
        'm',
      ),
    );
    expect(stdout).toMatch(/^Examples:\n {2}kvm-arm64 /m);
    expect(stdout).toMatch(/^Exit codes:\n {2}0 {3}/m);
  });

  test.each(
    COMMANDS.flatMap(({ examples }) => examples).filter(
      example => !/native|doctor|^lab|^record/.test(example),
    ),
  )('is right: %s', async example => {
    const { code, stderr } = await cli(wordsOf(example), { KVM_ARM64_BACKEND: 'emulated' });
    expect([code, stderr]).toEqual([0, '']);
  });

  test('of a group of commands names those, and no others', async () => {
    const { code, stdout, stderr } = await cli('lab --help');
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^Usage: kvm-arm64 lab COMMAND \[options\]\n\nCommands:\n {2}lab list {2}/);
    expect(stdout).toMatch(/^ {2}lab run {2}/m);
    expect(stdout).not.toMatch(/^ {2}info/m);
  });

  test.each([
    ['psci', ['--backend', '--host', '--json']],
    ['doctor', ['--json']],
    ['lab run', []],
  ])('of %s has the options that it takes', async (name, options) => {
    const { stdout } = await cli(`${name} --help`);
    const listed = ['--backend', '--host', '--json'].filter(option => stdout.includes(`\n  ${option} `));
    expect(listed).toEqual(options);
    expect(stdout).not.toContain('linux-4.14');
  });

  test.each(COMMANDS.flatMap(({ examples }) => examples).filter(example => example.startsWith('lab')))(
    'makes sense: %s',
    example => {
      expect(parse(example.split(' ')).command?.name).toBe(example.split(' ').slice(0, 2).join(' '));
    },
  );

  test('--version', async () => {
    expect(await cli('--version')).toEqual({ code: 0, stdout: '0.1.0\n', stderr: '' });
  });

  test('options may come before the command', async () => {
    const { code, stdout } = await cli('--backend emulated --json psci');
    expect(code).toBe(0);
    expect(JSON.parse(stdout).default).toBe('1.1');
  });
});
