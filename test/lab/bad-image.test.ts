/** Images that a machine cannot boot: one clear line each. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { findKernel } from '#lib/lab/kernels.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kvm-arm64-test-'));
  writeFileSync(join(folder, 'empty'), '');
  writeFileSync(join(folder, 'bzImage'), Buffer.alloc(4096, 'MZ'));
});
afterAll(() => rmSync(folder, { recursive: true }));

it.each([
  ['absent', /^the kernel image cannot be read: ENOENT: .*\/absent'$/],
  ['.', /^the kernel image cannot be read: EISDIR: /],
  ['empty', /\/empty is not an uncompressed arm64 kernel image$/],
  ['bzImage', /\/bzImage is not an uncompressed arm64 kernel image$/],
])('%s is refused', (name, message) => {
  expect(findKernel(join(folder, name))).toMatch(message);
});
