/** VMs with running vCPUs that come and go leave nothing in the process. */
import { expect, it } from 'vitest';
import { BOOT, describeLab, runPackage } from './tier.ts';

/** So many take a minute or two on an emulated machine. */
const VMS = 50;

interface Holds {
  readonly fds: number;
  readonly threads: number;
  readonly maps: number;
}

describeLab('VMs with four running vCPUs each, on a real kernel', () => {
  it(
    `leave no descriptor, thread or mapping, ${VMS} of them in a row`,
    async () => {
      const { status, stdout, stderr } = await runPackage({
        script: 'dist/test/lab/growth-guest.js',
        args: [String(VMS)],
      });
      expect(stderr.toString()).toBe('');
      expect(status).toBe(0);
      const [early, late] = stdout
        .toString()
        .trim()
        .split('\n')
        .map(line => JSON.parse(line) as Holds);
      expect(late).toMatchObject({ fds: early!.fds, threads: early!.threads });
      // V8's own heap may have some more; each VM had six.
      expect(late!.maps - early!.maps).toBeLessThan(VMS / 2);
    },
    3 * BOOT,
  );
});
