/** `testOnHosts()` on a real kernel: verdicts come back, and a kernel that dies takes one case with it. */
import { afterAll, beforeAll, expect, it, type MockInstance, vi } from 'vitest';
import { testOnHosts } from '#lib/testing.js';
import { recordRunner } from '../testing/record-runner.ts';
import { BOOT, describeLab, PACKAGE_PARTS } from './tier.ts';

const suite = new URL('../../dist/test/testing/fixtures/panic-suite.js', import.meta.url);

describeLab('a suite in the lab', () => {
  const ends = new Map<string, string | undefined>();
  let log: MockInstance;

  beforeAll(async () => {
    log = vi.spyOn(console, 'log').mockReturnValue(undefined);
    const { describe, it, tests } = recordRunner();
    const hosts = [{ kernel: '6.12', cpu: 'max' }];
    await testOnHosts({ describe, it, suite, hosts, parts: PACKAGE_PARTS });
    for (const { title, run } of tests) {
      ends.set(
        title,
        await run().then(
          () => 'passed',
          (error: Error) => error.stack,
        ),
      );
    }
  }, 2 * BOOT);
  afterAll(() => {
    log.mockRestore();
  });

  const end = (title: string) => ends.get(`Linux 6.12 on max > ${title}`);

  it('has a verdict for each case', () => {
    expect(end('has a real KVM')).toBe('passed');
    expect(log.mock.calls).toEqual([['native']]);
    expect(end('fails')).toMatch(/- 'emulated'\n[\s\S]*\/panic-suite\.js:/);
  });

  it('loses one case with a kernel, and runs the next on another', () => {
    expect(end('brings the kernel down')).toMatch(/while the script was running: Kernel panic - not syncing/);
    expect(end('runs on the next machine')).toBe('passed');
  });
});
