import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type Attempt, searchAddon } from '#lib/native/addon.js';
import { findElfFault, libcOfProgram } from '#lib/native/elf.js';
import { addonPath, node, ROOT, testCompiled, withAddon } from './support.ts';

const scratch = mkdtempSync(join(tmpdir(), 'kvm-arm64-loader-'));
afterAll(() => rmSync(scratch, { recursive: true }));

let serial = 0;

/** A package directory with these files. */
function packageWith(files: Record<string, Buffer | string>): string {
  const root = join(scratch, `${serial++}`);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(root, name, '..'), { recursive: true });
    writeFileSync(join(root, name), content);
  }
  return root;
}

/** A 64-bit little-endian ELF header for a machine, with one PT_LOAD segment of `size` bytes. */
function elf(machine: number, size = 120, tail = ''): Buffer {
  const bytes = Buffer.alloc(120);
  bytes.write('\x7fELF\x02\x01\x01', 'latin1');
  bytes.writeUInt16LE(3, 16);
  bytes.writeUInt16LE(machine, 18);
  bytes.writeBigUInt64LE(64n, 32);
  bytes.writeUInt16LE(56, 54);
  bytes.writeUInt16LE(1, 56);
  bytes.writeUInt32LE(1, 64);
  bytes.writeBigUInt64LE(BigInt(size), 96);
  return Buffer.concat([bytes, Buffer.from(tail, 'latin1')]);
}

const ARM64 = 183;
const X64 = 62;
const HERE = { x64: X64, arm64: ARM64 }[process.arch as 'x64' | 'arm64'];
const THERE = HERE === X64 ? ARM64 : X64;

const BUILT = 'build/Release/kvm_arm64.node';
const PREBUILT = 'prebuilds/linux-arm64/kvm_arm64.glibc.node';

const search = (root: string, arch: string = process.arch, override?: string) =>
  searchAddon({ root, arch, override });
const codes = (attempts: readonly Attempt[], root: string) =>
  attempts.map(({ path, code }) => [path.replace(`${root}/`, ''), code]);

describe('where the addon is looked for', () => {
  test('in build/ of a checkout, which binding.gyp tells', () => {
    const root = packageWith({ 'binding.gyp': '' });
    expect(codes(search(root, 'x64').attempts, root)).toEqual([[BUILT, 'ENOENT']]);
  });

  test('in prebuilds/ on arm64, after build/', () => {
    const root = packageWith({ 'binding.gyp': '' });
    expect(codes(search(root, 'arm64').attempts, root)).toEqual([
      [BUILT, 'ENOENT'],
      [PREBUILT, 'ENOENT'],
    ]);
  });

  test('only in prebuilds/ of an installed package', () => {
    const root = packageWith({ [BUILT]: '', [PREBUILT]: '' });
    expect(codes(search(root, 'arm64').attempts, root)).toEqual([[PREBUILT, 'ERR_ADDON_NOT_ELF']]);
    expect(search(root, 'x64').attempts).toEqual([]);
  });

  test('only where KVM_ARM64_ADDON says, if it says anything', () => {
    const root = packageWith({ 'binding.gyp': '' });
    expect(codes(search(root, 'arm64', '/nowhere/a.node').attempts, root)).toEqual([
      ['/nowhere/a.node', 'ENOENT'],
    ]);
    expect(search(root, 'x64', '').attempts).toHaveLength(1);
  });
});

describe('files that cannot be loaded', () => {
  test.each([
    ['an empty file', Buffer.alloc(0), 'ERR_ADDON_NOT_ELF', 'it is not a 64-bit ELF file'],
    ['a text file', 'const addon = 1;'.repeat(20), 'ERR_ADDON_NOT_ELF', 'it is not a 64-bit ELF file'],
    ['a cut header', elf(HERE).subarray(0, 63), 'ERR_ADDON_NOT_ELF', 'it is not a 64-bit ELF file'],
    [
      'another machine',
      elf(THERE),
      'ERR_ADDON_MACHINE',
      `it is built for ${THERE === X64 ? 'x64' : 'arm64'}, and`,
    ],
    ['an unknown machine', elf(0x1234), 'ERR_ADDON_MACHINE', 'it is built for machine 4660, and'],
    ['a cut segment', elf(HERE, 121), 'ERR_ADDON_TRUNCATED', 'it is truncated: 120 bytes are not all of it'],
    ['a cut table', elf(HERE).subarray(0, 100), 'ERR_ADDON_TRUNCATED', 'it is truncated: 100 bytes'],
    ['an ELF header and nothing behind', elf(HERE), 'ERR_DLOPEN_FAILED', ''],
  ])('%s', (_, content, code, words) => {
    const root = packageWith({ 'binding.gyp': '', [BUILT]: content });
    const { addon, attempts } = search(root, process.arch);
    expect(addon).toBeUndefined();
    expect(attempts[0]).toMatchObject({ path: join(root, BUILT), code });
    expect(attempts[0]!.message).toContain(`${join(root, BUILT)}: ${words}`);
  });

  test('a directory', () => {
    const root = packageWith({ 'binding.gyp': '', [`${BUILT}/file`]: '' });
    expect(codes(search(root, 'x64').attempts, root)).toEqual([[BUILT, 'EISDIR']]);
  });

  test.each([
    ['libc.musl-aarch64.so.1', 'glibc', 'it is built for musl, and this Node runs on glibc'],
    ['libc.so.6', 'musl', 'it is built for glibc, and this Node runs on musl'],
  ] as const)('one that needs %s, on %s', (needed, libc, message) => {
    expect(findElfFault(elf(ARM64, 120, needed), 'arm64', libc)).toEqual({ code: 'ERR_ADDON_LIBC', message });
  });

  test.each([
    ['libc.so.6', 'glibc'],
    ['libc.so.6', undefined],
    ['', 'musl'],
  ] as const)('but nothing speaks against one that needs "%s", on %s', (needed, libc) => {
    expect(findElfFault(elf(ARM64, 120, needed), 'arm64', libc)).toBeUndefined();
  });
});

describe('the C library of a program', () => {
  /** A program whose interpreter has this name. */
  function program(interpreter: string): string {
    const bytes = elf(HERE, interpreter.length, interpreter);
    bytes.writeUInt32LE(3, 64);
    bytes.writeBigUInt64LE(120n, 72);
    const path = join(scratch, `program-${serial++}`);
    writeFileSync(path, bytes);
    return path;
  }

  test.each([
    ['/lib/ld-musl-aarch64.so.1', 'musl'],
    ['/lib/ld-linux-aarch64.so.1', 'glibc'],
    ['/lib64/ld-linux-x86-64.so.2', 'glibc'],
    ['/system/bin/linker64', undefined],
  ])('with the interpreter %s is %s', (interpreter, libc) => {
    expect(libcOfProgram(program(interpreter))).toBe(libc);
  });

  test('is unknown for a static program and for a script', () => {
    writeFileSync(join(scratch, 'static'), elf(HERE));
    writeFileSync(join(scratch, 'script'), '#!/bin/sh');
    expect(libcOfProgram(join(scratch, 'static'))).toBeUndefined();
    expect(libcOfProgram(join(scratch, 'script'))).toBeUndefined();
  });
});

withAddon('the addon itself', () => {
  test('is loaded from where it lies', () => {
    const root = packageWith({ 'binding.gyp': '', [BUILT]: readFileSync(addonPath) });
    const { addon, path, attempts } = search(root);
    expect(addon?.abi).toBe(3);
    expect(path).toBe(join(root, BUILT));
    expect(attempts).toEqual([]);
  });

  test('is refused when it is cut anywhere in its segments', () => {
    const whole = readFileSync(addonPath);
    for (const part of [0.1, 0.3, 0.5]) {
      const cut = whole.subarray(0, Math.floor(whole.length * part));
      expect(findElfFault(cut, process.arch, undefined)?.code).toBe('ERR_ADDON_TRUNCATED');
    }
  });

  testCompiled('is not asked for under --no-addons, and the probe says so', async () => {
    const script = `
      const { probe } = await import(${JSON.stringify(`${ROOT}/dist/lib/native/probe.js`)});
      console.log(JSON.stringify(probe().addon));`;
    const { code, stdout, stderr } = await node(['--no-addons', '--input-type=module', '-e', script]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const { available, attempts } = JSON.parse(stdout);
    expect(available).toBe(false);
    expect(attempts.map((attempt: Attempt) => attempt.code)).toEqual(['ERR_DLOPEN_DISABLED']);
    expect(attempts[0].message).toMatch(/may not load addons/);
  });

  testCompiled('is found by compiled code, too', async () => {
    const script = `
      const { loadAddon } = await import(${JSON.stringify(`${ROOT}/dist/lib/native/addon.js`)});
      console.log(loadAddon().path);`;
    const { stdout } = await node(['--input-type=module', '-e', script]);
    expect(stdout.trim()).toBe(addonPath);
  });
});

describe('an addon of another contract', () => {
  const source = join(ROOT, 'test/native/fixtures/next-abi.c');
  const file = join(scratch, 'next-abi.node');
  const { error } = spawnSync('cc', ['-shared', '-fPIC', '-o', file, source]);

  test.skipIf(error)(`is refused${error ? ' [skipped: no C compiler]' : ''}`, () => {
    const { addon, attempts } = search('', process.arch, file);
    expect(addon).toBeUndefined();
    expect(attempts).toEqual([
      {
        path: file,
        code: 'ERR_ADDON_ABI',
        message: `${file}: it speaks version 99 of the addon's contract, and this package version 3`,
      },
    ]);
  });
});
