/** The recorder and the emulator are each other's inverse; and what the recorder calls a machine. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadHost } from '#lib/emulator/load-host.js';
import { RECORDED_HOSTS } from '#lib/emulator/profile.js';
import { openEmulated } from '#lib/emulator/system.js';
import { formatProfile } from '#lib/record/format-profile.js';
import { identifyMachine } from '#lib/record/identify-machine.js';
import { recordHost } from '#lib/record/record-host.js';

/** A second each, on a machine that has nothing else to do. */
const RECORDING = 60_000;

describe.each(RECORDED_HOSTS)('%s', name => {
  it(
    'recorded from the emulator is the file that was recorded from the kernel',
    async () => {
      const { provenance } = loadHost(name);
      const { midr: _, ...rest } = provenance;
      const file = readFileSync(new URL(`../lib/emulator/hosts/${name}.json`, import.meta.url), 'utf8');
      const recorded = formatProfile(await recordHost(openEmulated(name, 'host'), name, rest));
      // First, as a failure then names the fields, and not two files.
      const known = new Set(file.split(','));
      expect(recorded.split(',').filter(part => !known.has(part))).toEqual([]);
      expect(recorded).toBe(file);
    },
    RECORDING,
  );

  it('is small enough to ship many', () => {
    expect(formatProfile(loadHost(name)).length).toBeLessThan(100_000);
  });
});

describe('a machine', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'kvm-arm64-machine-'));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  const MIDR = 'sys/devices/system/cpu/cpu0/regs/identification/midr_el1';
  const MODEL = 'proc/device-tree/model';
  const VENDOR = 'sys/devices/virtual/dmi/id/sys_vendor';
  const PRODUCT = 'sys/devices/virtual/dmi/id/product_name';

  // Each as its kernel shows it: a device tree's strings end in NUL, those of sysfs in a newline.
  it.each([
    [{ [MIDR]: '0x00000000414fd0c1\n', [MODEL]: 'linux,dummy-virt\0' }, 'neoverse-n1', 'QEMU'],
    [
      { [MIDR]: '0x00000000000f0510\n', [VENDOR]: 'QEMU\n', [PRODUCT]: 'KVM Virtual Machine\n' },
      'max',
      'QEMU',
    ],
    [
      { [MIDR]: '0x00000000410fd083\n', [MODEL]: 'Raspberry Pi 4 Model B Rev 1.4\0' },
      'cortex-a72',
      'Raspberry Pi 4 Model B Rev 1.4',
    ],
    [
      { [MIDR]: '0x00000000411fd401\n', [VENDOR]: 'Amazon EC2\n', [PRODUCT]: 'c7g.metal\n' },
      'neoverse-v1',
      'Amazon EC2 c7g.metal',
    ],
    [{ [MIDR]: '0x00000000610f0220\n' }, 'part-0x022', 'unknown board'],
    [{}, 'part-0x000', 'unknown board'],
  ])('%j', (files, cpu, board) => {
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, file)), { recursive: true });
      writeFileSync(join(root, file), text);
    }
    expect(identifyMachine(root)).toEqual({ cpu, board });
  });
});
