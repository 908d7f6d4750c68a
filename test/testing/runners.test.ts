/** `testOnHosts()` in the test runners themselves, as processes. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const FOLDER = fileURLToPath(new URL('../../dist/test/testing/fixtures', import.meta.url));
const VITEST = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url));

/** Runs Node where there is no QEMU; resolves to its status and output. */
function run(args: readonly string[]): Promise<readonly [status: unknown, stdout: string]> {
  const env = { PATH: FOLDER };
  return new Promise(resolve => {
    execFile(process.execPath, args, { cwd: FOLDER, env }, (error, stdout) => resolve([error?.code, stdout]));
  });
}

const CASES = [
  'passes',
  'passes later',
  'fails',
  'throws no error',
  'hangs',
  'skips itself',
  'is not run (skipped: too cold)',
];
const OUTCOMES = ['passed', 'passed', 'failed', 'failed', 'failed', 'skipped', 'skipped'];
const HOSTS = [
  'linux-6.12-cortex-a57',
  'Linux 6.12 on neoverse-n1 (skipped: qemu-system-aarch64 is not installed (Debian: apt-get install qemu-system-arm))',
];
const EXPECTED = HOSTS.flatMap((host, i) =>
  CASES.map((title, j) => [host, title, i === 0 ? OUTCOMES[j] : 'skipped']),
);

interface VitestReport {
  readonly testResults: readonly {
    readonly assertionResults: readonly {
      readonly ancestorTitles: readonly string[];
      readonly title: string;
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

it('vitest shows each case of each host with its outcome and its error', { timeout: 60_000 }, async () => {
  const [status, stdout] = await run([VITEST, 'run', '--root', '.']);
  const report = JSON.parse(stdout.slice(stdout.indexOf('{"'))) as VitestReport;
  const results = report.testResults.flatMap(({ assertionResults }) => assertionResults);
  expect(results.map(({ ancestorTitles, title, status }) => [ancestorTitles[0], title, status])).toEqual(
    EXPECTED,
  );
  const messages = results.flatMap(({ failureMessages }) => failureMessages);
  expect(messages).toEqual([
    expect.stringMatching(/^AssertionError.*: there are versions\n\n3 !== 0\n[\s\S]*\/sample-suite\.js:/),
    'a word',
    expect.stringMatching(/^Error: the case took longer than 0\.05 s\n/),
  ]);
  expect(status).toBe(1);
});

it('node:test shows each case of each host with its outcome and its error', { timeout: 60_000 }, async () => {
  const [status, stdout] = await run(['--test', '--test-reporter=tap', 'on-node-test.js']);
  const lines = [...stdout.matchAll(/^( *)(not ok|ok) \d+ - (.*?)(?: # (SKIP).*)?$/gm)];
  // A group's line comes after those of its cases, and is not so deep.
  const groups = new Set([...HOSTS, 'a group']);
  const results = lines
    .filter(([, , , title]) => !groups.has(title!))
    .map(([, , verdict, title, skipped]) => [
      title,
      skipped === undefined ? (verdict === 'ok' ? 'passed' : 'failed') : 'skipped',
    ]);
  expect(results).toEqual(EXPECTED.map(([, title, outcome]) => [title, outcome]));
  const hosts = lines.filter(([, indent]) => indent === '').map(([, , , title]) => title);
  expect(hosts).toEqual(HOSTS);
  expect(stdout).toMatch(/there are versions[\s\S]*\/sample-suite\.js:/);
  expect(stdout).toContain("error: 'a word'");
  expect(stdout).toContain('# SKIP too hot');
  expect(stdout).toContain('# printed by a case');
  expect(status).toBe(1);
});
