import assert from 'node:assert/strict';
import { it } from 'vitest';
import { LabError } from '../../lib/lab/error.ts';
import { runInLab } from '../../lib/lab/run.ts';
import { labStatus } from '../../lib/lab/status.ts';
import { describeLab } from './tier.ts';

const BOOT = 60_000;

/** Runs one script that needs nothing but Node. */
function runSource(source: string, options: Partial<Parameters<typeof runInLab>[0]> = {}) {
  return runInLab({ script: 'main.ts', files: { 'main.ts': Buffer.from(source) }, ...options });
}

describeLab('the lab', () => {
  it('runs TypeScript on the resolved kernel, with a /dev/kvm', { timeout: BOOT }, async () => {
    const { status, stdout } = await runSource(`
      import { existsSync } from 'node:fs';
      import { arch, release } from 'node:os';
      const seen: unknown[] = [arch(), release(), existsSync('/dev/kvm'), process.version, process.cwd()];
      console.log(JSON.stringify(seen));
    `);
    const lab = labStatus();
    assert.ok(lab.available);
    assert.deepEqual(JSON.parse(stdout.toString()), [
      'arm64',
      lab.kernel.release,
      true,
      `v${lab.userSpace.node}`,
      '/project',
    ]);
    assert.match(lab.kernel.release, /^6\.12\./);
    assert.equal(status, 0);
  });

  it('brings stdout and stderr back apart and byte for byte, with the status', {
    timeout: BOOT,
  }, async () => {
    const { status, stdout, stderr } = await runSource(`
      process.stdout.write(Buffer.from(Array.from({ length: 0x40000 }, (_, index) => index)));
      process.stderr.write(Buffer.from([0x0a, 0x0d, 0x04, 0x03, 0x00, 0xff]));
      process.exitCode = 7;
    `);
    assert.ok(stdout.equals(Buffer.from(Array.from({ length: 0x40000 }, (_, index) => index))));
    assert.deepEqual([...stderr], [0x0a, 0x0d, 0x04, 0x03, 0x00, 0xff]);
    assert.equal(status, 7);
  });

  it('passes arguments and environment as they are', { timeout: BOOT }, async () => {
    const args = ['', "it's", 'a b', '$HOME', '--x="y"', 'ä\n*'];
    const { stdout } = await runSource(
      `console.log(JSON.stringify([process.argv.slice(2), process.env.GREETING]))`,
      { args, env: { GREETING: "it's $1" } },
    );
    assert.deepEqual(JSON.parse(stdout.toString()), [args, "it's $1"]);
  });

  it('has this package in the project folder, by its own name', { timeout: BOOT }, async () => {
    const { stdout } = await runSource(`
      const found = import.meta.resolve('kvm-arm64/package.json');
      console.log(found);
    `);
    assert.equal(stdout.toString(), 'file:///project/package.json\n');
  });

  it('stops a script that hangs when its time is up', { timeout: BOOT }, async () => {
    await assert.rejects(runSource('for (;;);', { timeoutMs: 15_000 }), (error: LabError) => {
      assert.ok(error instanceof LabError);
      assert.equal(error.code, 'ERR_LAB_TIMEOUT');
      assert.equal(
        error.message.split('\n')[0],
        'the lab was stopped after 15 s, while the script was running',
      );
      return true;
    });
  });

  it('reports a kernel panic with the words of the console', { timeout: BOOT }, async () => {
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

  it("passes on QEMU's complaint", { timeout: BOOT }, async () => {
    await assert.rejects(runSource('', { cpu: 'no-such-cpu' }), (error: LabError) => {
      assert.equal(error.code, 'ERR_LAB_CRASHED');
      assert.match(error.message, /unable to find CPU model 'no-such-cpu'/);
      return true;
    });
  });
});
