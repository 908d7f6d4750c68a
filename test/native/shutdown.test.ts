/** What ends a program, or a part of it, while vCPUs run that would never end by themselves. */
import { expect, test } from 'vitest';
import { fixture, withX86Kvm } from './support.ts';

async function run(mode: string) {
  const { code, stdout, stderr } = await fixture('running', [mode]);
  return { code, stderr, saw: stdout === '' ? undefined : JSON.parse(stdout) };
}

withX86Kvm('vCPUs that run', () => {
  test.each([
    ['close', 'closing the VM', 'ERR_CLOSED'],
    ['kick', 'kicking each', 'INTR'],
  ])('%s: %s ends all', async (mode, _, end) => {
    expect(await run(mode)).toEqual({ code: 0, stderr: '', saw: { ends: new Array(4).fill(end) } });
  });

  test('terminating workers that run them, also in runSync()', async () => {
    expect(await run('terminate')).toEqual({
      code: 0,
      stderr: '',
      saw: { codes: [1, 1, 1], leaked: 0 },
    });
  });

  test.each([
    ['exit', 'process.exit()', 7],
    ['sigterm', 'SIGTERM', 'SIGTERM'],
    ['handled', 'SIGTERM with a handler that calls process.exit()', 9],
  ])('%s: %s, with some in workers and in runSync()', async (mode, _, code) => {
    expect(await run(mode)).toEqual({ code, stderr: '', saw: undefined });
  });

  test('an uncaught error ends the program as it always does', async () => {
    const { code, stderr } = await run('uncaught');
    expect(code).toBe(1);
    expect(stderr).toMatch(/^Error: meant$/m);
  });

  test('a signal with a handler takes runSync() of the main thread out', async () => {
    expect(await run('signalSync')).toEqual({ code: 0, stderr: '', saw: { reason: 'INTR' } });
  });

  test('600 of them, made, run and closed, leave nothing', { timeout: 120_000 }, async () => {
    const { code, stderr, saw } = await run('many');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect([saw.fds, saw.threads]).toEqual([0, 0]);
    // Memory of WebAssembly goes when the collector comes.
    expect(saw.maps).toBeLessThan(1500);
  });
});
