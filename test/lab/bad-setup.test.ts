/** `lab setup` where something is wrong or another is at it: one clear line, and nothing half-written in the cache. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { BIN, cli } from '../cli/support.ts';
import { describeSetup, fakeDebian } from './fake-debian.ts';

const SLOW = 60_000;

/** Addresses at which nobody answers: the port for "discard", which nobody serves. */
const NOBODY = 'http://127.0.0.1:9/';

/** All that is in a cache with one kernel. */
const WHOLE = ['catalogue.json', 'kernels', 'userspace'];

describeSetup('lab setup', () => {
  const { at, env, cached } = fakeDebian();
  const manifest = () => JSON.parse(readFileSync(at('cache/lab/kernels/6.12/manifest.json'), 'utf8'));

  it('may run twice at once', { timeout: SLOW }, async () => {
    const environment = { ...env(), FAKE_DELAY: '1' };
    const ends = await Promise.all([1, 2].map(() => cli('lab setup --json', environment)));
    for (const { code, stdout } of ends) {
      expect(code).toBe(0);
      expect(JSON.parse(stdout).kernels).toMatchObject([{ series: '6.12', version: '6.12.1' }]);
    }
    expect(cached()).toEqual(WHOLE);
    expect(readdirSync(at('cache/lab/kernels/6.12')).sort()).toEqual(['Image', 'manifest.json']);
    expect(readdirSync(at('cache/lab/userspace')).sort()).toEqual(['base.cpio', 'manifest.json']);
  });

  it('leaves nothing behind when it is interrupted, and can be run again', { timeout: SLOW }, async () => {
    const environment = env();
    const child = spawn(process.execPath, [BIN, 'lab', 'setup'], {
      env: { ...process.env, ...environment, FAKE_DELAY: '1' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    for await (const line of child.stderr.setEncoding('utf8')) if (line.includes('Node')) child.kill();
    expect([child.exitCode ?? (await once(child, 'exit'))[0]]).toEqual([128 + 15]);
    expect(cached()).toEqual(['catalogue.json']);
    expect((await cli('lab setup', environment)).code).toBe(0);
    expect(cached()).toEqual(WHOLE);
  });

  it('replaces a kernel by a newer one when it is asked to', { timeout: SLOW }, async () => {
    const environment = env();
    const versionAfter = async (words: string, onMirror: string) => {
      expect(await cli(words, { ...environment, FAKE_KERNELS: onMirror })).toMatchObject({ code: 0 });
      return manifest().version;
    };
    expect(await versionAfter('lab setup', '6.12.1')).toBe('6.12.1');
    expect(await versionAfter('lab setup', '6.12.2')).toBe('6.12.1');
    expect(await versionAfter('lab setup --update', '6.12.2')).toBe('6.12.2');
    expect(await versionAfter('lab setup --update', '6.12.1')).toBe('6.12.2');
    expect(await versionAfter('lab setup --update', '6.18.1')).toBe('6.12.2');
    expect(readdirSync(at('cache/lab/kernels'))).toEqual(['6.12']);
  });

  it('fetches anew what is damaged', { timeout: SLOW }, async () => {
    const environment = env();
    await cli('lab setup', environment);
    const whole = manifest();
    writeFileSync(at('cache/lab/kernels/6.12/manifest.json'), '{');
    expect((await cli('lab run -- node --version', environment)).stderr).toBe(
      'kvm-arm64: Linux 6.12 is not set up: kvm-arm64 lab setup --kernel 6.12\n',
    );
    expect(await cli('lab setup', environment)).toMatchObject({ code: 0 });
    expect(manifest()).toEqual(whole);
  });

  it('names what the mirror has instead of a kernel that it has not, and the suites that it lacks', {
    timeout: SLOW,
  }, async () => {
    expect(await cli('lab setup --kernel 5.10', env())).toMatchObject({
      code: 99,
      stderr: expect.stringMatching(
        /^kvm-arm64: the mirror has no Linux 5\.10, but 6\.12; it lacks bullseye, bookworm, trixie-backports, forky$/m,
      ),
    });
    expect(cached()).toEqual(['catalogue.json', 'userspace']);
  });

  it('fetches of several kernels those that there are, and then names the others', {
    timeout: SLOW,
  }, async () => {
    expect(await cli('lab setup --kernel 5.10,6.12,6.18', env())).toMatchObject({
      code: 99,
      stderr: expect.stringMatching(/^kvm-arm64: the mirror has no Linux 5\.10, 6\.18, but 6\.12; /m),
    });
    expect(cached()).toContain('kernels');
  });

  it('quotes apt where the mirror cannot be reached', { timeout: SLOW }, async () => {
    const { code, stderr } = await cli(`lab setup --mirror ${NOBODY}debian`, env([]));
    expect(code).toBe(99);
    expect(stderr).toMatch(/\nkvm-arm64: apt-get update failed: E: Failed to fetch .*Could not connect.*\n$/);
    expect(cached()).toEqual([]);
  });

  it('says so where the mirror has none of the suites', { timeout: SLOW }, async () => {
    const server = createServer((_, response) => response.writeHead(404).end()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const { code, stderr } = await cli(`lab setup --mirror http://127.0.0.1:${port}/debian`, env([]));
    server.close();
    expect(code).toBe(99);
    expect(stderr).toMatch(
      /\nkvm-arm64: the mirror has no kernels: none of the suites bullseye, bookworm, trixie, trixie-backports, forky\n$/,
    );
    expect(cached()).toEqual([]);
  });

  it('quotes npm where its registry cannot be reached', { timeout: SLOW }, async () => {
    const { code, stderr } = await cli('lab setup', {
      ...env(['apt-get', 'apt-cache', 'dpkg-deb']),
      npm_config_cache: at('npm'),
      npm_config_registry: NOBODY,
      npm_config_fetch_retries: '0',
    });
    expect(code).toBe(99);
    expect(stderr).toMatch(
      /\nkvm-arm64: npm pack failed: npm error FetchError: .* ECONNREFUSED 127\.0\.0\.1:9\n$/,
    );
    expect(cached()).toEqual(['catalogue.json']);
  });

  it('says so where the cache cannot be a folder', { timeout: SLOW }, async () => {
    writeFileSync(at('file'), '');
    const { code, stderr } = await cli('lab setup', { ...env(), KVM_ARM64_CACHE: at('file') });
    expect(code).toBe(99);
    expect(stderr).toMatch(/^kvm-arm64: the cache folder cannot be written: ENOTDIR: .*\n$/);
  });
});
