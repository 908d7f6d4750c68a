/** What ends a program, or a part of it, while vCPUs run in several threads on a real kernel. */
import { expect, it } from 'vitest';
import { BOOT, describeLab, runPackage } from './tier.ts';

/** Milliseconds. */
const SOON = 500;
/** Of what ends workers or the process: on an emulated CPU that is shared, nearly all of it is Node's own. */
const NODES_OWN = 5000;

interface End {
  readonly way: string;
  readonly ms: number;
  readonly ends: readonly unknown[];
  readonly left?: { readonly fds: number; readonly threads: number };
}

describeLab('vCPUs that run for ever, on a real kernel', () => {
  it(
    'end soon, whatever ends them, and leave nothing',
    async () => {
      const { status, stdout, stderr } = await runPackage({
        script: 'dist/test/lab/shutdown-guest.js',
        timeoutMs: 2 * BOOT,
      });
      expect(stderr.toString()).toBe('');
      expect(status).toBe(0);
      const ends = stdout
        .toString()
        .trim()
        .split('\n')
        .map(line => JSON.parse(line) as End);
      const left = { fds: 0, threads: 0 };
      const expected = [
        { way: 'close', ends: ['ERR_CLOSED', 'ERR_CLOSED'], left },
        { way: 'abort', ends: ['AbortError', 'AbortError'], left },
        { way: 'terminate', ends: [1, 1, 'INTR', 'INTR'], left },
        { way: 'exit', ends: [7] },
        { way: 'uncaught', ends: [1] },
        { way: 'SIGTERM', ends: ['SIGTERM'] },
      ];
      expect(ends).toMatchObject(expected.flatMap(end => [end, end]));
      const limit = (way: string) => (['close', 'abort'].includes(way) ? SOON : NODES_OWN);
      const soon = ends.filter(({ way, ms }) => ms < limit(way)).map(({ way }) => way);
      expect([...new Set(soon)], JSON.stringify(ends)).toEqual(expected.map(({ way }) => way));
    },
    3 * BOOT,
  );
});
