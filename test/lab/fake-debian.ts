/** An empty cache, and tools of set-up that `fixtures/fake-debian.sh` plays. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe } from 'vitest';

const FAKE = fileURLToPath(new URL('./fixtures/fake-debian.sh', import.meta.url));
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const noDebian = existsSync(KEYRING) ? undefined : 'not a Debian, whose keys set-up wants to see';

/** A `describe` for set-ups with the played tools; skipped with its reason where something for them is missing. */
export function describeSetup(title: string, tests: () => void, missing = noDebian): void {
  if (missing === undefined) describe(title, tests);
  else describe.skip(`${title} (skipped: ${missing})`, tests);
}

/** A folder per test: the cache in `cache`, and in `tools` what stands in for programs. */
export function fakeDebian() {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'kvm-arm64-test-'));
    for (const name of ['cache', 'tools']) mkdirSync(join(folder, name));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const at = (path: string) => join(folder, path);
  return {
    /** A path in the folder. */
    at,
    /** The environment in which these tools are played. */
    env(tools: readonly string[] = ['apt-get', 'apt-cache', 'dpkg-deb', 'npm', 'qemu-system-aarch64']) {
      for (const tool of tools) symlinkSync(FAKE, at(`tools/${tool}`));
      return { PATH: [at('tools'), process.env['PATH']].join(delimiter), KVM_ARM64_CACHE: at('cache') };
    },
    /** What is in the cache, but for the files of its folders. */
    cached: () => readdirSync(at('cache/lab')).sort(),
  };
}
