/** Guests of emulated hosts against guests of the kernels that those were recorded from: the same programs, the same outcomes. */
import { expect, it } from 'vitest';
import { RECORDED_HOSTS } from '#lib/emulator/profile.js';
import { comparePrograms } from '#lib/fidelity/programs/in-lab.js';
import { BOOT, describeLab, kernelMovedOn } from './tier.ts';

const SEED = 1;
const PROGRAMS = 500;
const TIME = 5 * BOOT;

describeLab('programs of guests', () => {
  const hosts = RECORDED_HOSTS.map(host => [host, kernelMovedOn(host)] as const);
  it.for(hosts)(
    `%s does what the kernel does in ${PROGRAMS} random programs%s`,
    { timeout: TIME },
    async ([host, other], { skip }) => {
      skip(other !== '');
      const { programs, differences } = await comparePrograms(host, SEED, PROGRAMS);
      expect(programs).toBe(PROGRAMS);
      expect(differences).toEqual([]);
    },
  );
});
