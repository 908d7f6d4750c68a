import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, it } from 'vitest';
import type { LabError } from '#lib/lab/error.js';
import type { LabOptions, LabResult } from '#lib/lab/run.js';
import { labStatus } from '#lib/lab/status.js';
import { BOOT, describeLab, runPackage } from './tier.ts';

/** Runs one script that needs nothing but Node. */
function runSource(source: string, options: Partial<LabOptions> = {}) {
  return runPackage({ script: 'main.ts', files: { 'main.ts': Buffer.from(source) }, ...options });
}

describeLab('a script in the lab', () => {
  const args = ['', "it's", 'a b', '$HOME', '--x="y"', 'ä\n*'];
  let result: LabResult;
  let seen: Record<string, unknown>;

  beforeAll(async () => {
    result = await runSource(
      `
      import { existsSync } from 'node:fs';
      import { arch, release } from 'node:os';
      const seen: Record<string, unknown> = {
        arch: arch(),
        release: release(),
        device: existsSync('/dev/kvm'),
        node: process.version,
        args: process.argv.slice(2),
        greeting: process.env.GREETING,
        self: import.meta.resolve('kvm-arm64/package.json'),
      };
      process.stderr.write(JSON.stringify(seen));
      process.stdout.write(Buffer.from(Array.from({ length: 0x40000 }, (_, index) => index)));
      process.exitCode = 7;
      `,
      { args, env: { GREETING: "it's $1" } },
    );
    seen = JSON.parse(result.stderr.toString());
  }, BOOT);

  it('runs on the kernel and the Node that were set up, with a /dev/kvm', () => {
    const lab = labStatus();
    assert.ok(lab.available);
    assert.match(lab.kernel.release ?? '', /^6\.12\./);
    const { arch, release, device, node } = seen;
    assert.deepEqual(
      { arch, release, device, node },
      { arch: 'arm64', release: lab.kernel.release, device: true, node: `v${lab.userSpace.node}` },
    );
  });

  it('brings its output back byte for byte, stderr apart, and its status', () => {
    assert.ok(result.stdout.equals(Buffer.from(Array.from({ length: 0x40000 }, (_, index) => index))));
    assert.equal(result.status, 7);
  });

  it('gets arguments and environment as they are', () => {
    assert.deepEqual([seen['args'], seen['greeting']], [args, "it's $1"]);
  });

  it('finds this package by its name', () => {
    assert.equal(seen['self'], pathToFileURL(resolve('package.json')).href);
  });
});

describeLab('a lab that fails', () => {
  it('is stopped when its time is up', { timeout: BOOT }, async () => {
    await assert.rejects(
      runSource('setInterval(() => {}, 1000);', { timeoutMs: 8_000 }),
      (error: LabError) => {
        assert.equal(error.code, 'ERR_LAB_TIMEOUT');
        assert.match(
          error.message,
          /^the lab was stopped after 8 s, while the (script was running|kernel was booting)/,
        );
        return true;
      },
    );
  });

  it('quotes a kernel panic, and the console', { timeout: BOOT }, async () => {
    const crash = `import { writeFileSync } from 'node:fs'; writeFileSync('/proc/sysrq-trigger', 'c');`;
    await assert.rejects(runSource(crash), (error: LabError) => {
      assert.equal(error.code, 'ERR_LAB_CRASHED');
      assert.match(
        error.message,
        /^the machine ended while the script was running: Kernel panic - not syncing/,
      );
      assert.match(error.console, /sysrq: Trigger a crash/);
      return true;
    });
  });

  it('says in one line that QEMU has no such CPU', { timeout: BOOT }, async () => {
    await assert.rejects(runSource('', { cpu: 'no-such-cpu,pmu=off' }), {
      code: 'ERR_LAB_UNAVAILABLE',
      message:
        'QEMU has no CPU model "no-such-cpu": cpu takes max, max-sve, neoverse-n1, cortex-a57, or a model that qemu-system-aarch64 -cpu help lists',
    });
  });

  it('quotes QEMU', { timeout: BOOT }, async () => {
    await assert.rejects(runSource('', { cpu: 'max,no-such=on' }), (error: LabError) => {
      assert.equal(error.code, 'ERR_LAB_CRASHED');
      assert.match(error.message, /Property 'max-arm-cpu\.no-such' not found/);
      return true;
    });
  });
});
