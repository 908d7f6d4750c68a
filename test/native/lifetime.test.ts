import { expect, test } from 'vitest';
import { fixture, withKvm } from './support.ts';

async function run(mode: string, nodeArgs: string[] = []) {
  const { code, stdout, stderr } = await fixture('lifetime', [mode], nodeArgs);
  return { code, stderr, saw: JSON.parse(stdout) };
}

withKvm('lifetime of descriptors', () => {
  test('10,000 VMs opened and closed leave no descriptor and no mapping', { timeout: 120_000 }, async () => {
    const { code, stderr, saw } = await run('many');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(saw.after.fds).toBe(saw.before.fds);
    // V8 maps and unmaps as it likes, but not by the thousand.
    expect(saw.after.maps - saw.before.maps).toBeLessThan(100);
  });

  test('the collector closes what was forgotten', async () => {
    const { code, stderr, saw } = await run('collected', ['--expose-gc']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(saw.leaked.fds).toBe(saw.before.fds + 150);
    expect(saw.after.fds).toBe(saw.before.fds);
  });

  test('several workers load the addon at once and leave with everything open', async () => {
    const { code, stderr, saw } = await run('workers');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(saw.answers).toEqual([1, 1, 1, 1]);
    expect(saw.codes).toEqual([0, 0, 0, 0]);
  });

  test('a worker terminated in the middle of its calls closes what it had', async () => {
    const { code, stderr, saw } = await run('terminate');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(saw.during.fds).toBe(saw.before.fds + 3);
    expect(saw.after.fds).toBe(saw.before.fds);
    expect(saw.code).toBe(1);
  });

  test('process.exit() with everything open, here and in a busy worker, is clean', async () => {
    expect(await run('exit')).toEqual({ code: 7, stderr: '', saw: 'running' });
  });

  test('the end of the program with everything open is clean', async () => {
    expect(await run('end')).toEqual({ code: 0, stderr: '', saw: 'done' });
  });

  test('an uncaught error with everything open ends as it always does', async () => {
    const { code, stderr } = await run('uncaught');
    expect(code).toBe(1);
    expect(stderr).toMatch(/^Error: meant$/m);
  });
});
