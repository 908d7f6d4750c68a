/** Runs examples/flat-image.ts as people do: compiled, in a process of its own, on the emulated host unless told otherwise. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import programs from '../guests/programs.json' with { type: 'json' };
import { node, ROOT } from '../native/support.ts';

/** The compiled program. */
export const SCRIPT = 'dist/examples/flat-image.js';

const folder = mkdtempSync(join(tmpdir(), 'kvm-arm64-flat-image-'));
process.on('exit', () => rmSync(folder, { recursive: true }));

/** The image of test/guests/flat-image.S. */
export const IMAGE_BYTES = Buffer.from(
  Uint32Array.from(
    programs['flat-image'].flatMap(line => line.split(' ').map(word => Number.parseInt(word, 16))),
  ).buffer,
);

/** A file with this content, gone when the process ends. */
export function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

export function flatImage(args: readonly string[]) {
  return node([join(ROOT, SCRIPT), ...args], { KVM_ARM64_BACKEND: 'emulated' });
}
