import { expect, test } from 'vitest';
import { examine } from '#lib/cli/commands/doctor.js';
import type { Facts } from '#lib/native/facts.js';

/** Machines that nobody here has. */
const GRAVITON: Facts = {
  platform: 'linux',
  arch: 'arm64',
  addon: { available: true, path: '/p/kvm_arm64.node', attempts: [] },
  device: { path: '/dev/kvm', exists: true, fault: undefined, apiVersion: 12, isArm: true },
};
const unasked = { apiVersion: undefined, isArm: undefined };
const noAddon = {
  available: false,
  path: undefined,
  attempts: [{ path: '/p/a.node', code: 'ERR_ADDON_LIBC', message: '/p/a.node: it needs glibc' }],
};

const CASES: [name: string, facts: Partial<Facts>, states: string, failed: string[]][] = [
  ['an ARM64 host', {}, 'ok ok ok ok ok ok ok', []],
  [
    'an ARM64 host without permission',
    { device: { ...GRAVITON.device, ...unasked, fault: { syscall: 'open', code: 'EACCES' } } },
    'ok ok ok failed ok - -',
    ['open says EACCES'],
  ],
  [
    'an ARM64 host with an addon for another libc',
    { addon: noAddon, device: { ...GRAVITON.device, ...unasked } },
    'ok ok ok ok failed - -',
    ['/p/a.node: it needs glibc'],
  ],
  [
    'a container',
    { device: { ...GRAVITON.device, ...unasked, exists: false, fault: { syscall: 'open', code: 'ENOENT' } } },
    'ok ok failed - ok - -',
    ['/dev/kvm does not exist'],
  ],
  [
    'another device',
    { device: { ...GRAVITON.device, ...unasked, fault: { syscall: 'ioctl', code: 'ENOTTY' } } },
    'ok ok ok ok ok failed -',
    ['KVM_GET_API_VERSION says ENOTTY'],
  ],
  [
    'an x86 host with an addon',
    { arch: 'x64', device: { ...GRAVITON.device, isArm: false } },
    'ok failed ok ok ok ok failed',
    ['this Node runs on x64', 'it runs no Arm guests'],
  ],
  [
    'a Mac',
    {
      platform: 'darwin',
      addon: { ...noAddon, attempts: [] },
      device: { ...GRAVITON.device, ...unasked, exists: false, fault: { syscall: 'open', code: 'ENOENT' } },
    },
    'failed ok failed - failed - -',
    ['this is darwin', '/dev/kvm does not exist', 'the package has none for this machine'],
  ],
];

test.each(CASES)('the checks on %s', (_, facts, states, failed) => {
  const checks = examine({ ...GRAVITON, ...facts });
  expect(checks.map(({ state }) => (state === 'not reached' ? '-' : state)).join(' ')).toBe(states);
  expect(checks.filter(({ state }) => state === 'failed').map(({ detail }) => detail)).toEqual(failed);
});
