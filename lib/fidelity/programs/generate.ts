/**
 * The program of a seed.
 *
 * @packageDocumentation
 */
import { decodeRegisterId } from '../../abi/register-id.ts';
import { parseRegister } from '../../abi/register-names.ts';
import { featureMask } from '../../abi/vcpu-features.ts';
import { cpuFeatures, cpuGaps } from '../../emulator/cpu-features.ts';
import type { HostProfile } from '../../emulator/profile.ts';
import { Random } from '../random.ts';
import { ALIASES, DATA_SIZE, PSTATE, RAM, SCTLR, START, TCR } from './ground.ts';
import type { Program } from './program.ts';
import { integer, vector } from './values.ts';
import { ADDRESSES, INDICES, randomWords } from './words.ts';

const MIN_WORDS = 8;
const MAX_WORDS = 40;

const named = (name: string, count: number) =>
  Array.from({ length: count }, (_, n) => parseRegister(`${name}${n}`));
const X = named('X', 31);
const V = named('V', 32);

/** Bits of SCTLR_EL1 with how often they are other than in `ground.ts`: one in so many. */
const SCTLR_BITS: readonly (readonly [bit: bigint, oneIn: number])[] = [
  [1n, 4], // A
  [3n, 20], // SA
  [4n, 20], // SA0
  [9n, 2], // UMA
  [14n, 2], // DZE
  [15n, 2], // UCT
  [16n, 4], // nTWI
  [18n, 4], // nTWE
  [19n, 20], // WXN
  [23n, 3], // SPAN
  [24n, 20], // E0E
  [26n, 2], // UCI
];
const TCR_BITS = [
  [37n, 4], // TBI0
  [38n, 4], // TBI1
] as const;
const CPACR_FPEN = 20n;

/** Rounding modes, flush to zero, default NaN; flush to zero of halves, which a CPU without them drops when FP is used. */
const FPCRS = [0n, 0n, 0x40_0000n, 0x80_0000n, 0xc0_0000n, 0x100_0000n, 0x200_0000n];
const FPCR_FZ16 = 0x8_0000n;

/** EL1h, EL1t, EL0t. */
const MODES = [5n, 5n, 4n, 0n, 0n];
/** PAN, UAO, DIT, SSBS. */
const PSTATE_BITS = [22n, 23n, 24n, 12n];

function flipped(value: bigint, bits: readonly (readonly [bigint, number])[], random: Random): bigint {
  return bits.reduce((result, [bit, oneIn]) => (random.oneIn(oneIn) ? result ^ (1n << bit) : result), value);
}

const SCTLR_M = 1n;
const SCTLR_A = 2n;

/** Without translation all memory is Device memory, where QEMU does not check alignment unless SCTLR_EL1.A asks for it. */
function sctlr(random: Random): bigint {
  const value = flipped(SCTLR, SCTLR_BITS, random);
  return random.oneIn(20) ? (value & ~SCTLR_M) | SCTLR_A : value;
}

function pstate(random: Random): bigint {
  let value = (PSTATE & ~0xfn) | random.pick(MODES) | (BigInt(random.below(16)) << 28n);
  for (const bit of PSTATE_BITS) if (random.oneIn(8)) value |= 1n << bit;
  return value;
}

/** Mostly one of the data, aligned; or near the end of a page, in an alias, tagged, or in the program. */
function address(random: Random): bigint {
  const page = random.oneIn(3) ? random.below(DATA_SIZE / 4096) : 11 + random.below(5);
  const offset = random.weighted<() => number>([
    [6, () => 16 * (8 + random.below(200))],
    [2, () => 8 + random.below(4000)],
    [2, () => 4096 - random.below(40)],
  ])();
  const plain = BigInt(RAM + 4096 * page + offset);
  return random.weighted<() => bigint>([
    [20, () => plain],
    [2, () => plain - BigInt(RAM) + random.pick(ALIASES)],
    [1, () => plain | (BigInt(random.below(256)) << 56n)],
    [1, () => BigInt(START + 4 * random.below(MAX_WORDS))],
    [1, () => random.u64()],
  ])();
}

/** What programs for a host are made of. */
export class ProgramGenerator {
  readonly #gaps: ReadonlySet<string>;
  readonly #fpcrs: readonly bigint[];
  /** Encodings of system registers. */
  readonly #registers: readonly number[];

  constructor(profile: HostProfile) {
    this.#gaps = new Set(cpuGaps(profile).map(({ feature }) => feature));
    const hasHalves = cpuFeatures(profile, Number(featureMask(['PSCI_0_2']))).has('FP16');
    this.#fpcrs = hasHalves ? [...FPCRS, FPCR_FZ16] : FPCRS;
    this.#registers = profile.registers
      .map(({ id }) => BigInt(`0x${id}`))
      .filter(id => decodeRegisterId(id).kind === 'sysreg')
      .map(id => Number(id & 0xffffn));
  }

  /** The program of a seed. */
  program(seed: number): Program {
    const random = new Random(seed);
    const length = MIN_WORDS + random.below(MAX_WORDS - MIN_WORDS + 1);
    const registers = new Map<bigint, bigint>();
    const set = (name: string, value: bigint) => void registers.set(parseRegister(name), value);
    set('PSTATE', pstate(random));
    set('SCTLR_EL1', sctlr(random));
    set('TCR_EL1', flipped(TCR, TCR_BITS, random));
    set('CPACR_EL1', BigInt(random.oneIn(10) ? random.below(4) : 3) << CPACR_FPEN);
    set('FPCR', random.pick(this.#fpcrs));
    // Without bit 4: AArch32 is a gap.
    set('SPSR_EL1', random.oneIn(8) ? random.u64() & 0xffff_ffefn : pstate(random));
    set('ELR_EL1', BigInt(START + 4 * (1 + random.below(length))));
    for (const name of ['SP', 'SP_EL1']) set(name, address(random) & (random.oneIn(8) ? -1n : -16n));
    for (const [n, id] of X.entries()) {
      const isAddress = (ADDRESSES as readonly number[]).includes(n);
      const isIndex = (INDICES as readonly number[]).includes(n);
      registers.set(
        id,
        isAddress
          ? address(random)
          : isIndex
            ? BigInt.asUintN(random.oneIn(4) ? 32 : 64, BigInt(random.below(256) - 128))
            : integer(random),
      );
    }
    for (const id of V) registers.set(id, vector(random));
    return { registers, words: randomWords(length, random, this.#gaps, this.#registers) };
  }
}
