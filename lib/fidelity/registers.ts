/**
 * Which registers and values a sequence tries: those of the profile, what lies next to them, and anything at all.
 *
 * @packageDocumentation
 */
import { KVM_REG_ARM_COPROC, registerBits } from '../abi/register-id.ts';
import type { HostProfile } from '../emulator/profile.ts';
import { isSpecial } from '../emulator/registers/special-registers.ts';
import type { Random } from './random.ts';

/** Bits of a hex digit: fields of ID registers are as wide, or made of such. */
const DIGIT = 4;

/** Wider ids are tried, too, but a value of 32 KiB tells no more than one of this width. */
const WIDEST_VALUE = 2048;

/** Values that mean something somewhere: PSCI versions, modes of PSTATE, cache types, flags. */
const TELLING = [1, 2, 0x1_0000, 0x1_0001, 0x1_0002, 0x1_0003, 0x3c0, 0x3c4, 0x3c5, 0x3c9, 0x10, 0x13, 0x1f];

/** Bits 27:16 of an id, and numbers of which some have registers on some kernel. */
const COPROC_MASK = 0x0fff_0000n;
const FOREIGN_COPROCESSORS = [0, 0xf, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x80, 0xfff];

/** What there is to choose from. */
export class RegisterChoices {
  readonly ids: readonly bigint[];
  /** Those with a rule for writes: they are the interesting ones. */
  readonly ruled: readonly bigint[];
  readonly #resets: ReadonlyMap<bigint, bigint>;
  readonly #random: Random;

  /** @param features - of the vCPUs that the registers are for: reset values depend on them */
  constructor(profile: HostProfile, features: bigint, random: Random) {
    const { registers, configurations } = profile;
    const own = configurations.find(({ features: sets }) => sets.includes(Number(features)))?.resets ?? {};
    const entries = registers.map(({ id, reset, write }) => ({
      id: BigInt(`0x${id}`),
      reset: BigInt(`0x${own[id] ?? reset}`),
      write,
    }));
    this.ids = entries.map(({ id }) => id);
    this.ruled = entries
      .filter(({ id, write }) => write !== undefined || isSpecial(id, profile))
      .map(({ id }) => id);
    this.#resets = new Map(entries.map(({ id, reset }) => [id, reset]));
    this.#random = random;
  }

  /** An id that a vCPU may have or not. */
  id(): bigint {
    const random = this.#random;
    const near = (coproc: number, limit: number) =>
      0x6000_0000_0000_0000n |
      (BigInt(random.pick([2, 3, 3, 3, 4, 5, 6, 8])) << 52n) |
      (BigInt(coproc) << 16n) |
      BigInt(random.below(limit));
    return random.weighted<() => bigint>([
      [7, () => random.pick(this.ids)],
      [9, () => random.pick(this.ruled)],
      [1, () => random.pick(this.ids) ^ (1n << BigInt(random.below(64)))],
      [1, () => this.underForeignCoprocessor(random.pick(this.ids))],
      [1, () => near(KVM_REG_ARM_COPROC.KVM_REG_ARM_CORE, 230)],
      [1, () => near(KVM_REG_ARM_COPROC.KVM_REG_ARM64_SYSREG, 0x1_0000)],
      [1, () => near(0x10 + random.below(8), 0x700)],
      [1, () => random.u64()],
    ])();
  }

  /** A value of the register's width. */
  value(id: bigint): bigint {
    const random = this.#random;
    const bits = Math.min(registerBits(id), WIDEST_VALUE);
    const base = this.#resets.get(id) ?? 0n;
    const value = random.weighted<() => bigint>([
      [1, () => 0n],
      [1, () => -1n],
      [1, () => base],
      [2, () => base ^ (1n << BigInt(random.below(bits)))],
      [3, () => withDigit(base, random.below(bits / DIGIT), random.below(16))],
      [1, () => BigInt(random.below(32))],
      [2, () => BigInt(random.pick(TELLING))],
      [1, () => random.u64() | (random.u64() << 64n)],
    ])();
    return BigInt.asUintN(bits, value);
  }

  /** A value that is likely to be accepted: a low digit of the present one is another, or it is zero. */
  modest(id: bigint): bigint {
    const random = this.#random;
    const base = this.#resets.get(id) ?? 0n;
    const digits = Math.min(registerBits(id), 64) / DIGIT;
    return random.oneIn(4) ? 0n : withDigit(base, random.below(digits), random.below(16));
  }

  /** The values that mean something, then the one at reset with each of its digits replaced by each other, in turn. */
  *everyDigit(id: bigint): Generator<readonly bigint[]> {
    const bits = Math.min(registerBits(id), 64);
    const base = this.#resets.get(id) ?? 0n;
    yield TELLING.map(value => BigInt.asUintN(bits, BigInt(value)));
    for (let position = 0; position < bits / DIGIT; position++) {
      yield Array.from({ length: 16 }, (_, digit) => withDigit(base, position, digit));
    }
  }

  /** The id with another number in bits 27:16. */
  underForeignCoprocessor(id: bigint): bigint {
    return underCoprocessor(this.#random.pick(FOREIGN_COPROCESSORS), id);
  }
}

/** The id with this number in bits 27:16. */
export function underCoprocessor(coprocessor: number, id: bigint): bigint {
  return (id & ~COPROC_MASK) | (BigInt(coprocessor) << 16n);
}

function withDigit(value: bigint, position: number, digit: number): bigint {
  const shift = BigInt(DIGIT * position);
  return (value & ~(0xfn << shift)) | (BigInt(digit) << shift);
}
