/** The shipped profile is what recording the lab's kernel gives: nobody typed it. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { COMMANDS } from '#lib/cli/commands.js';
import { loadHost } from '#lib/emulator/load-host.js';
import { DEFAULT_HOST, type HostProfile } from '#lib/emulator/profile.js';
import { cli } from '../cli/support.ts';
import { BOOT, describeLab, kernelMovedOn, runPackage } from './tier.ts';

const shipped = loadHost(DEFAULT_HOST);
const other = kernelMovedOn(DEFAULT_HOST);
/** What may differ from one recording to the next. */
const { recorded: date, tool } = shipped.provenance;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kvm-arm64-record-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describeLab('recording the lab', () => {
  it.skipIf(other !== '')(
    `gives the profile ${DEFAULT_HOST} again, but for date and tool${other}`,
    async () => {
      const file = join(folder, 'host.json');
      const { code, stdout, stderr } = await cli(`record --kernel 6.12 --output ${file} --json`);
      expect([code, stderr]).toEqual([
        0,
        'booting and recording neoverse-n1 (QEMU TCG): a minute or two ...\n',
      ]);
      const report = JSON.parse(stdout);
      const fields = COMMANDS.find(({ name }) => name === 'record')?.json ?? {};
      expect(Object.keys(report)).toEqual(['backend', 'host', ...Object.keys(fields)]);
      expect(report).toMatchObject({ name: DEFAULT_HOST, file, registers: shipped.registers.length });
      expect(readdirSync(folder)).toEqual(['host.json']);
      const text = readFileSync(file, 'utf8');
      expect(report.bytes).toBe(Buffer.byteLength(text));
      const { provenance, ...rest } = JSON.parse(text) as HostProfile;
      expect({ ...rest, provenance: { ...provenance, recorded: date, tool } }).toEqual(shipped);
    },
    5 * BOOT,
  );

  it.skipIf(other !== '')(
    `works inside as it does on metal, and finds out what the machine is${other}`,
    async () => {
      const { status, stdout, stderr } = await runPackage({
        script: 'dist/lib/cli/main.js',
        args: ['record', '--name', 'mine'],
        timeoutMs: 5 * BOOT,
      });
      expect(stderr.toString()).toBe('');
      expect(status).toBe(0);
      const { name, provenance, ...rest } = JSON.parse(stdout.toString()) as HostProfile;
      expect([name, provenance.machine]).toEqual(['mine', 'neoverse-n1 (QEMU)']);
      expect({ ...rest, name: shipped.name, provenance: shipped.provenance }).toEqual(shipped);
    },
    5 * BOOT,
  );
});
