import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { AddonFacts, DeviceFacts, Facts } from '#lib/native/facts.js';
import { probe } from '#lib/native/probe.js';
import { openNative } from '#lib/native/system.js';
import { judge, type Situation } from '#lib/native/verdict.js';
import { addon, withAddon, withX86Kvm } from './support.ts';

const DEVICE: DeviceFacts = { path: '/dev/kvm', exists: true, fault: undefined, apiVersion: 12, isArm: true };
const ADDON: AddonFacts = { available: true, path: '/p/kvm_arm64.node', attempts: [] };
const GRAVITON: Facts = { platform: 'linux', arch: 'arm64', addon: ADDON, device: DEVICE };

const unasked = { apiVersion: undefined, isArm: undefined };
const onOpen = (code: string): DeviceFacts => ({ ...DEVICE, ...unasked, fault: { syscall: 'open', code } });
const onIoctl = (code: string): DeviceFacts => ({ ...DEVICE, ...unasked, fault: { syscall: 'ioctl', code } });
const NO_DEVICE: DeviceFacts = { ...onOpen('ENOENT'), exists: false };
/** Without an addon the device can be opened, not asked. */
const withoutAddon = (...codes: string[]): Partial<Facts> => ({
  addon: {
    available: false,
    path: undefined,
    attempts: codes.map(code => ({ path: '/p/a.node', code, message: `/p/a.node: ${code}` })),
  },
  device: { ...DEVICE, ...unasked },
});

const CASES: [name: string, Partial<Facts>, Situation, reason: string, cure: string][] = [
  ['an ARM64 host', {}, 'usable', '/dev/kvm is KVM on ARM64', ''],
  ['a Mac', { platform: 'darwin', device: NO_DEVICE }, 'not-linux', 'this is darwin', 'emulator'],
  [
    'an x86 host',
    { arch: 'x64', device: { ...DEVICE, isArm: false } },
    'x86-kvm',
    'an x86 machine',
    'emulator',
  ],
  ['an x86 host without addon', { arch: 'x64', ...withoutAddon() }, 'x86-kvm', 'an x86 machine', 'emulator'],
  [
    'an emulated arm64 Node on x86',
    { device: { ...DEVICE, isArm: false } },
    'x86-kvm',
    'an x86 machine',
    'emulator',
  ],
  ['x86 without KVM', { arch: 'x64', device: NO_DEVICE }, 'not-arm64', 'runs on x64', 'emulator'],
  ['x86 without access', { arch: 'x64', device: onOpen('EACCES') }, 'not-arm64', 'runs on x64', 'emulator'],
  [
    'RISC-V with KVM',
    { arch: 'riscv64', device: { ...DEVICE, isArm: false } },
    'not-arm64',
    'riscv64',
    'emulator',
  ],
  ['an arm64 container', { device: NO_DEVICE }, 'no-device', 'does not exist', '--device /dev/kvm'],
  ['a user outside the group', { device: onOpen('EACCES') }, 'no-access', 'EACCES', 'usermod -aG kvm'],
  [
    'a container without the cgroup right',
    { device: onOpen('EPERM') },
    'no-access',
    'EPERM',
    '--device /dev/kvm',
  ],
  ['another hypervisor', { device: onOpen('EBUSY') }, 'busy', 'is busy', 'fuser -v /dev/kvm'],
  ['a node without driver', { device: onOpen('ENXIO') }, 'device-error', 'ENXIO', 'dmesg'],
  ['a 32-bit process', { device: onOpen('ENODEV') }, 'device-error', 'ENODEV', 'dmesg'],
  [
    'no access and no addon',
    { ...withoutAddon('ENOENT'), device: onOpen('EACCES') },
    'no-access',
    'EACCES',
    'usermod',
  ],
  ['--no-addons', withoutAddon('ERR_DLOPEN_DISABLED'), 'addon-disabled', 'may not load', '--no-addons'],
  [
    'an addon for x64',
    withoutAddon('ERR_ADDON_MACHINE'),
    'addon-foreign',
    'does not fit',
    'npm run build:native',
  ],
  [
    'an addon for musl',
    withoutAddon('ENOENT', 'ERR_ADDON_LIBC'),
    'addon-foreign',
    'LIBC',
    'npm run build:native',
  ],
  [
    'a cut addon',
    withoutAddon('ERR_ADDON_TRUNCATED', 'ENOENT'),
    'addon-broken',
    'TRUNC',
    'npm run build:native',
  ],
  ['an old addon', withoutAddon('ERR_ADDON_ABI'), 'addon-broken', 'cannot be loaded', 'npm run build:native'],
  ['no addon', withoutAddon('ENOENT', 'ENOENT'), 'addon-missing', '/p/a.node', 'npm run build:native'],
  ['no place for an addon', withoutAddon(), 'addon-missing', 'holds none', 'npm run build:native'],
  ['/dev/null', { device: onIoctl('ENOTTY') }, 'not-kvm', 'it answers ENOTTY', '/dev/kvm'],
  [
    'KVM of 2006',
    { device: { ...DEVICE, apiVersion: 10, isArm: false } },
    'not-kvm',
    'version 10',
    '/dev/kvm',
  ],
];

/** Where `auto` may fall back to the emulator without a word of complaint. */
const NO_ARM_HOST: Record<Situation, boolean> = {
  'not-linux': true,
  'x86-kvm': true,
  'not-arm64': true,
  'no-device': true,
  usable: false,
  'no-access': false,
  busy: false,
  'device-error': false,
  'addon-disabled': false,
  'addon-foreign': false,
  'addon-broken': false,
  'addon-missing': false,
  'not-kvm': false,
};

describe('the verdict', () => {
  test.each(CASES)('on %s', (_, facts, situation, reason, cure) => {
    const verdict = judge({ ...GRAVITON, ...facts });
    expect(verdict.situation).toBe(situation);
    expect(verdict.usable).toBe(situation === 'usable');
    expect(verdict.noArmHost).toBe(NO_ARM_HOST[situation]);
    expect(verdict.reason).toContain(reason);
    expect(verdict.reason).toMatch(/^\S.*[^.]\.$/);
    if (cure === '') expect(verdict.cure).toBe('');
    else expect(verdict.cure).toContain(cure);
  });

  test('is tested for every situation', () => {
    const tested = new Set(CASES.map(([, , situation]) => situation));
    expect([...tested].sort()).toEqual(Object.keys(NO_ARM_HOST).sort());
  });
});

describe('the probe of a device', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'kvm-arm64-probe-'));
  afterAll(() => rmSync(scratch, { recursive: true }));

  test.each([
    ['a missing one', '/dev/this-does-not-exist', false, { syscall: 'open', code: 'ENOENT' }],
    ['one below a file', '/etc/passwd/kvm', false, { syscall: 'open', code: 'ENOTDIR' }],
    ['a directory', scratch, true, { syscall: 'open', code: 'EISDIR' }],
    ['no path', '/dev/kvm\0', true, { syscall: 'open', code: 'ERR_INVALID_ARG_VALUE' }],
  ])('%s', (_, path, exists, fault) => {
    const { device, usable } = probe({ path });
    expect(device).toEqual({ path, exists, fault, apiVersion: undefined, isArm: undefined });
    expect(usable).toBe(false);
  });

  const isWindows = process.platform === 'win32';
  test.skipIf(isWindows)(`one without permission${isWindows ? ' [skipped: no modes here]' : ''}`, () => {
    const path = join(scratch, 'kvm');
    writeFileSync(path, '');
    chmodSync(path, 0);
    chmodSync(scratch, 0o755);
    const nobody = 65534;
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) process.seteuid!(nobody);
    try {
      expect(probe({ path }).device.fault).toEqual({ syscall: 'open', code: 'EACCES' });
    } finally {
      if (isRoot) process.seteuid!(0);
    }
  });

  test('never throws, even for what is no path', () => {
    for (const path of [1, {}, Symbol('x')] as unknown as string[]) {
      expect(probe({ path }).usable).toBe(false);
    }
  });
});

withAddon('the probe with the addon', () => {
  test('asks the device', () => {
    const { device, addon } = probe({ path: '/dev/null' });
    expect(device.fault).toEqual({ syscall: 'ioctl', code: 'ENOTTY' });
    expect(addon.available).toBe(true);
    expect(addon.attempts).toEqual([]);
  });
});

withX86Kvm('the probe on an x86 host', () => {
  test('names x86', () => {
    expect(probe()).toMatchObject({
      device: { path: '/dev/kvm', exists: true, fault: undefined, apiVersion: 12, isArm: false },
      situation: 'x86-kvm',
      noArmHost: true,
      usable: false,
    });
  });

  test('does not keep others from opening it as what it is', () => {
    const kvm = openNative(addon, '/dev/kvm');
    if (typeof kvm === 'number') throw new Error(`errno ${kvm}`);
    expect(kvm.getApiVersion()).toBe(12);
    kvm.close();
  });
});
