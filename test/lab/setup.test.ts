import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it, vi } from 'vitest';
import { archive, S_IFREG } from '#lib/lab/cpio.js';
import type { LabError } from '#lib/lab/error.js';
import { startLab } from '#lib/lab/run.js';
import { setup } from '#lib/lab/setup.js';
import { labStatus } from '#lib/lab/status.js';

describe('a machine without the lab', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kvm-arm64-test-'));
    vi.stubEnv('KVM_ARM64_CACHE', folder);
    vi.stubEnv('PATH', folder);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  });

  it('is told what to install', async () => {
    const reason = 'qemu-system-aarch64 is not installed (Debian: apt-get install qemu-system-arm)';
    assert.deepEqual(labStatus(), { available: false, reason });
    await assert.rejects(startLab({ script: 'main.mjs' }), { code: 'ERR_LAB_UNAVAILABLE', message: reason });
  });

  it('leaves nothing in the cache when set-up fails', async () => {
    const steps: string[] = [];
    await assert.rejects(setup({ progress: step => steps.push(step) }), (error: LabError) => {
      assert.equal(error.code, 'ERR_LAB_SETUP');
      assert.equal(error.message, 'set-up needs apt-get, which cannot be run here');
      return true;
    });
    assert.deepEqual(steps, ['reading the package index of Debian']);
    assert.deepEqual(readdirSync(join(folder, 'lab')), []);
  });
});

describe('the initrd', () => {
  it('is a cpio archive of the kind that the kernel reads', () => {
    const zero = '00000000';
    const field = (value: number) => value.toString(16).padStart(8, '0');
    assert.equal(
      Buffer.concat([
        ...archive([{ path: 'init', mode: S_IFREG | 0o755, data: Buffer.from('hi') }]),
      ]).toString('latin1'),
      // 110 bytes of header and 5 of name are padded to 116; 2 of data to 4; the trailer's 121 to 124.
      `070701${field(1)}000081ed${zero}${zero}${field(1)}${zero}${field(2)}${zero.repeat(4)}${field(5)}${zero}init\0\0hi\0\0` +
        `070701${field(2)}${zero.repeat(3)}${field(1)}${zero.repeat(6)}${field(11)}${zero}TRAILER!!!\0\0\0\0`,
    );
  });
});
