/** The lab on a full disk: one clear line, and nothing half-written. The disk is in memory, in a namespace of its own. */
import { execFile, spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { BIN } from '../cli/support.ts';
import { describeSetup, fakeDebian } from './fake-debian.ts';

const NAMESPACE = ['--map-root-user', '--mount'];
const canMount = spawnSync('unshare', [...NAMESPACE, 'true']).status === 0;
const missing = canMount ? undefined : 'a disk cannot be mounted here';

describeSetup(
  'a full disk',
  () => {
    const { env } = fakeDebian();

    /** Runs a shell script with the cache on a disk of that size; ends with the files that are left there. */
    function onDisk(
      size: string,
      bytes: number,
      script: string,
    ): Promise<{ stdout: string; stderr: string }> {
      const lines = [
        `mount -t tmpfs -o size=${size} tmpfs "$KVM_ARM64_CACHE" || exit`,
        'cd "$KVM_ARM64_CACHE"',
        `alias kvm-arm64='${process.execPath} ${BIN}'`,
        script,
        'echo status $?',
        'find * -type f | sort',
      ];
      const environment = { ...process.env, ...env(), FAKE_BYTES: String(bytes) };
      return new Promise(resolve => {
        const args = [...NAMESPACE, 'sh', '-c', lines.join('\n')];
        execFile('unshare', args, { env: environment }, (_, stdout, stderr) => resolve({ stdout, stderr }));
      });
    }

    // Nine files of that size, and as much again for what is made of them.
    it.each([
      [200_000, 'dpkg-deb --extract failed: head: .*: No space left on device'],
      [70_000, 'set-up failed: ENOSPC: no space left on device, write'],
    ])('ends set-up, with packages of %i bytes a file', async (bytes, message) => {
      const { stdout, stderr } = await onDisk('1m', bytes, 'kvm-arm64 lab setup');
      expect(stderr).toMatch(new RegExp(`\nkvm-arm64: ${message}\n$`));
      expect(stdout).toBe('status 99\nlab/catalogue.json\n');
    });

    it('ends a run', async () => {
      const script = `
        kvm-arm64 lab setup >/dev/null 2>&1
        head -c 5000000 /dev/zero >full 2>/dev/null
        kvm-arm64 lab run -- node --version`;
      const { stdout, stderr } = await onDisk('4m', 70_000, script);
      expect(stderr).toMatch(
        /^kvm-arm64: the lab's initrd cannot be written: ENOSPC: no space left on device.*\n$/,
      );
      expect(stdout.split('\n').filter(line => line.includes('tmp-'))).toEqual([]);
      expect(stdout).toMatch(/^status 99\nfull\nlab\/catalogue\.json\nlab\/kernels\//);
    });
  },
  missing,
);
