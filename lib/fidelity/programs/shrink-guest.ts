/**
 * Runs on an ARM machine: shrinks programs whose outcomes differ between its KVM and the emulated host, and prints each
 * that still does as a line of JSON: `node dist/lib/fidelity/programs/shrink-guest.js HOST SEED...`.
 *
 * @packageDocumentation
 */

import { loadHost } from '../../emulator/load-host.ts';
import { shrinkProgram } from './compare.ts';
import { ProgramGenerator } from './generate.ts';
import { emulatedGround, nativeGround } from './grounds.ts';

const [host = '', ...seeds] = process.argv.slice(2);
const profile = loadHost(host);
const generator = new ProgramGenerator(profile);
const pair = { kernel: nativeGround(profile), emulated: emulatedGround(profile) };
for (const seed of seeds.map(Number)) {
  const found = shrinkProgram(pair, generator.program(seed));
  if (found !== undefined) process.stdout.write(`${JSON.stringify({ seed, ...found })}\n`);
}
