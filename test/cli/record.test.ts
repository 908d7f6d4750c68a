import {
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkOutput, writeOutput } from '#lib/cli/output-file.js';
import { describeMachine } from '#lib/lab/machine.js';
import { probe } from '#lib/native/probe.js';
import { cli } from './support.ts';

const { usable, reason, cure } = probe();
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kvm-arm64-record-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('record', () => {
  test.skipIf(usable)(
    `is refused without native KVM, and writes nothing${usable ? ' [skipped: native KVM can be used here]' : ''}`,
    async () => {
      const { code, stdout, stderr } = await cli(`record --output ${join(folder, 'host.json')}`);
      expect([code, stdout]).toEqual([3, '']);
      expect(stderr).toBe(`kvm-arm64: No native KVM for Arm here: ${reason.replace(/\.$/, '')}. ${cure}\n`);
      expect(readdirSync(folder)).toEqual([]);
    },
  );

  test('finds out before it begins that the file cannot be written', async () => {
    const file = join(folder, 'no', 'host.json');
    const { code, stderr } = await cli(`record --output ${file}`);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^kvm-arm64: [^ ]* cannot be written: ENOENT: [^\n]*\n$/);
  });

  test('says that the lab lacks the kernel', async () => {
    const { code, stderr } = await cli('record --kernel 4.19', { KVM_ARM64_CACHE: folder });
    expect(code).toBe(99);
    expect(stderr).toMatch(
      /^kvm-arm64: (Linux 4\.19 is not set up: kvm-arm64 lab setup|qemu-system-aarch64 is not installed)/m,
    );
  });
});

describe('a file that a command writes', () => {
  test('takes the place of one that is there, and leaves no other behind', () => {
    const file = join(folder, 'host.json');
    writeOutput(file, 'first');
    writeOutput(file, 'second');
    expect(readFileSync(file, 'utf8')).toBe('second');
    expect(readdirSync(folder)).toEqual(['host.json']);
  });

  test('is what a link leads to', () => {
    writeFileSync(join(folder, 'target'), 'old');
    symlinkSync('target', join(folder, 'link'));
    writeOutput(join(folder, 'link'), 'new');
    expect(readFileSync(join(folder, 'target'), 'utf8')).toBe('new');
    expect(lstatSync(join(folder, 'link')).isSymbolicLink()).toBe(true);
  });

  test('may be a device, which stays one', () => {
    checkOutput('/dev/null');
    writeOutput('/dev/null', 'text');
    expect(lstatSync('/dev/null').isCharacterDevice()).toBe(true);
  });

  test('is no folder', () => {
    expect(() => checkOutput(folder)).toThrowError(`${folder} cannot be written: it is a folder`);
  });

  test('is in a folder', () => {
    const file = join('/dev/null', 'host.json');
    expect(() => checkOutput(file)).toThrowError(`${file} cannot be written: /dev/null is no folder`);
  });
});

test.each([
  [{}, 'neoverse-n1 (QEMU TCG)'],
  [{ cpu: 'max' }, 'max without SVE (QEMU TCG)'],
  [{ cpu: 'max-sve' }, 'max (QEMU TCG)'],
  [{ cpu: 'cortex-a57' }, 'cortex-a57 with GICv2 (QEMU TCG)'],
  [{ cpu: 'cortex-a57', gic: 3 }, 'cortex-a57 (QEMU TCG)'],
  [{ cpu: 'cortex-a72,pmu=off', gic: 2, mode: 'nvhe' }, 'cortex-a72 with GICv2 in nvhe mode (QEMU TCG)'],
] as const)('a machine of the lab is called as in the shipped profiles: %j', (options, text) => {
  expect(describeMachine(options)).toBe(text);
});
