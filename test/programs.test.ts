/** Random programs of guests: the tester itself, and what kernels did with programs that emulated hosts once ran otherwise. */
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { sysRegId } from '#lib/abi/register-id.js';
import { loadHost } from '#lib/emulator/load-host.js';
import type { HostProfile } from '#lib/emulator/profile.js';
import { compareOutcomes, formatProgramTest, shrinkProgram } from '#lib/fidelity/programs/compare.js';
import { ProgramGenerator } from '#lib/fidelity/programs/generate.js';
import { emulatedGround } from '#lib/fidelity/programs/grounds.js';
import { isUnpredictable } from '#lib/fidelity/programs/not-compared.js';
import { formatProgram, parseProgram } from '#lib/fidelity/programs/program.js';
import { formatOutcome } from '#lib/fidelity/programs/run-program.js';
import { programDepartures } from '#lib/fidelity/programs/trace.js';
import found from './programs/found.json' with { type: 'json' };

const HOST = 'linux-6.12-max';
const profile = loadHost(HOST);
const generator = new ProgramGenerator(profile);

describe('a program', () => {
  it('is the same for the same seed', () => {
    expect(formatProgram(generator.program(7))).toBe(formatProgram(generator.program(7)));
    expect(formatProgram(generator.program(7))).not.toBe(formatProgram(generator.program(8)));
  });

  it('can be written as a line and read again', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const program = generator.program(seed);
      expect(parseProgram(formatProgram(program))).toEqual(program);
    }
  });

  it('leaves nothing behind for the next', () => {
    const ground = emulatedGround(profile);
    const outcomes = (seeds: readonly number[]) =>
      new Map(seeds.map(seed => [seed, formatOutcome(ground.run(generator.program(seed)))]));
    const seeds = Array.from({ length: 40 }, (_, n) => n + 1);
    const forwards = outcomes(seeds);
    for (const [seed, outcome] of outcomes(seeds.toReversed()))
      expect(outcome, `${seed}`).toBe(forwards.get(seed));
  });

  // C6.2 of Arm DDI 0487, "CONSTRAINED UNPREDICTABLE behavior" of each instruction.
  it.each([
    ['ldr x1, [x1], #8', 0xf840_8421, true],
    ['ldr x1, [x1]', 0xf940_0021, false],
    ['str x1, [x1, #8]!', 0xf800_8c21, true],
    ['ldp x1, x1, [x2]', 0xa940_0441, true],
    ['stp x1, x1, [x2]', 0xa900_0441, false],
    ['ldp x1, x3, [x1], #16', 0xa8c1_0c21, true],
    ['ldp q1, q1, [x2]', 0xad40_0441, true],
    ['stxr w1, x1, [x2]', 0xc801_7c41, true],
    ['stxr w1, x3, [x1]', 0xc801_7c23, true],
    ['ldadd x1, x1, [x1]', 0xf821_0021, false],
  ])('may have %s: only if it is predictable', (_, word, is) => {
    expect(isUnpredictable(word)).toBe(is);
  });
});

describe('a difference', () => {
  /** Its kernel hides FEAT_LSE. */
  const ID_AA64ISAR0_EL1 = sysRegId(3, 0, 0, 6, 0).toString(16);
  const mistaken: HostProfile = {
    ...profile,
    registers: profile.registers.map(register =>
      register.id === ID_AA64ISAR0_EL1
        ? { ...register, reset: (BigInt(`0x${register.reset}`) & ~(0xfn << 20n)).toString(16) }
        : register,
    ),
  };

  it('is not found where there is none, and a planted one is shrunk to the instruction that shows it', () => {
    const pair = { kernel: emulatedGround(profile), emulated: emulatedGround(mistaken) };
    const again = emulatedGround(profile);
    const differing = [];
    for (let seed = 1; seed <= 20; seed++) {
      const program = generator.program(seed);
      const kernel = formatOutcome(pair.kernel.run(program));
      expect(compareOutcomes(program, kernel, again.run(program))).toBeUndefined();
      if (compareOutcomes(program, kernel, pair.emulated.run(program)) !== undefined) differing.push(program);
    }
    expect(differing.length).toBeGreaterThan(3);
    const shrunk = differing.slice(0, 3).map(program => shrinkProgram(pair, program)!);
    for (const { program, emulated } of shrunk) {
      const { words, registers } = parseProgram(program);
      expect(words.length, program).toBeLessThanOrEqual(2);
      expect(registers.size, program).toBeLessThanOrEqual(3);
      // UNDEFINED, or the ID register was read.
      expect(emulated).toMatch(/esr=2000000|X\d+=/);
    }
    expect(formatProgramTest(HOST, shrunk[0]!)).toContain(`parseProgram('${shrunk[0]!.program}')`);
  });
});

describe('what emulated hosts once did otherwise', () => {
  it.each(found)('$host: $what', ({ host, program, kernel }) => {
    expect(formatOutcome(emulatedGround(loadHost(host)).run(parseProgram(program)))).toBe(kernel);
  });
});

describe('traces', () => {
  const hosts = readdirSync('test/traces/programs').map(file => file.replace('.txt', ''));

  it('are there', () => {
    expect(hosts.length).toBeGreaterThanOrEqual(2);
  });

  it.each(hosts)(
    '%s does with every program of its trace what its kernel did',
    { timeout: 120_000 },
    host => {
      expect([...programDepartures(host)].slice(0, 3)).toEqual([]);
    },
  );
});
