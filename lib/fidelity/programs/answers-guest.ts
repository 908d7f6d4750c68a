/**
 * Runs on an ARM machine: prints what became of each program, a line each, as its KVM had it:
 * `node dist/lib/fidelity/programs/answers-guest.js HOST SEED PROGRAMS`.
 *
 * @packageDocumentation
 */
import { loadHost } from '../../emulator/load-host.ts';
import { ProgramGenerator } from './generate.ts';
import { nativeGround } from './grounds.ts';
import { formatOutcome } from './run-program.ts';

const [host = '', seed = '', programs = ''] = process.argv.slice(2);
const profile = loadHost(host);
const generator = new ProgramGenerator(profile);
const ground = nativeGround(profile);
for (let n = 0; n < Number(programs); n++) {
  process.stdout.write(`${formatOutcome(ground.run(generator.program(Number(seed) + n)))}\n`);
}
