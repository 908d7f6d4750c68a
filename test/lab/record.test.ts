/** The shipped profile is what recording the lab's kernel gives: nobody typed it. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { DEFAULT_HOST, type HostProfile, loadHost } from '#lib/emulator/profile.js';
import { BOOT, describeLab, kernelMovedOn, runPackage } from './tier.ts';

const shipped = loadHost(DEFAULT_HOST);
const other = kernelMovedOn(DEFAULT_HOST);

describeLab('recording the lab', () => {
  it.skipIf(other !== '')(
    `gives the profile ${DEFAULT_HOST} again, but for date and tool${other}`,
    async () => {
      const { machine } = shipped.provenance;
      const args = [DEFAULT_HOST, machine];
      const { status, stdout, stderr } = await runPackage({
        script: 'dist/lib/record/main.js',
        args,
        timeoutMs: 5 * BOOT,
      });
      expect(stderr.toString()).toBe('');
      expect(status).toBe(0);
      const recorded = JSON.parse(stdout.toString()) as HostProfile;
      const { recorded: date, tool } = shipped.provenance;
      expect({ ...recorded, provenance: { ...recorded.provenance, recorded: date, tool } }).toEqual(shipped);
    },
    5 * BOOT,
  );

  it('is small enough to ship many', () => {
    const file = new URL(`../../lib/emulator/hosts/${DEFAULT_HOST}.json`, import.meta.url);
    expect(readFileSync(file).length).toBeLessThan(100_000);
  });
});
