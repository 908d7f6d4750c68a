/**
 * Instructions of the system class: MRS and MSR of every register, PSTATE fields, caches, TLBs, translation, barriers,
 * hints.
 *
 * @packageDocumentation
 */

import { SYSTEM } from '../../emulator/cpu/a64/system.ts';
import { parsePattern } from '../../emulator/cpu/pattern.ts';
import { encodingOf } from '../../emulator/cpu/system-registers.ts';
import type { Random } from '../random.ts';

const isHint = (bits: string) => bits.startsWith('110101010000001100');
/** Hints and barriers. */
const HINTS = SYSTEM.filter(({ bits }) => isHint(bits)).map(({ bits }) => parsePattern(bits));

/** Registers that KVM_GET_ONE_REG does not show: NZCV, DAIF, SPSel, CurrentEL, PAN, UAO, DIT, SSBS, FPCR, FPSR, DCZID_EL0 … */
const HIDDEN: readonly number[] = [
  encodingOf(3, 3, 4, 2, 0),
  encodingOf(3, 3, 4, 2, 1),
  encodingOf(3, 0, 4, 2, 0),
  encodingOf(3, 0, 4, 2, 2),
  encodingOf(3, 0, 4, 2, 3),
  encodingOf(3, 0, 4, 2, 4),
  encodingOf(3, 3, 4, 2, 5),
  encodingOf(3, 3, 4, 2, 6),
  encodingOf(3, 3, 4, 4, 0),
  encodingOf(3, 3, 4, 4, 1),
  encodingOf(3, 0, 4, 0, 0),
  encodingOf(3, 0, 4, 0, 1),
  encodingOf(3, 0, 4, 1, 0),
  encodingOf(3, 3, 0, 0, 7),
  encodingOf(3, 0, 12, 1, 0),
  encodingOf(3, 1, 0, 0, 0),
  encodingOf(3, 3, 14, 0, 0),
];

/** What would take the program's own memory away, or stop it: not written. */
const DECISIVE = new Set([
  encodingOf(3, 0, 1, 0, 0), // SCTLR_EL1
  encodingOf(3, 0, 2, 0, 0), // TTBR0_EL1
  encodingOf(3, 0, 2, 0, 1), // TTBR1_EL1
  encodingOf(3, 0, 2, 0, 2), // TCR_EL1
  encodingOf(3, 0, 2, 0, 3), // TCR2_EL1
  encodingOf(3, 0, 10, 2, 0), // MAIR_EL1
  encodingOf(3, 0, 12, 0, 0), // VBAR_EL1
  encodingOf(3, 0, 4, 0, 0), // SPSR_EL1: an exception return to AArch32 is a gap
  encodingOf(2, 0, 0, 2, 2), // MDSCR_EL1
  encodingOf(3, 2, 0, 0, 0), // CSSELR_EL1: CCSIDR_EL1 of a cache that there is not is UNKNOWN
]);
/**
 * The time, random numbers, MDCCINT_EL1 (see `not-compared.ts`), and the PMU's registers of EL0: QEMU lets EL0 have them
 * by PMUSERENR_EL0 alone, which KVM sets, whatever MDCR_EL2.TPM says (pmreg_access_selr and its kin, target/arm/helper.c).
 */
const isVolatile = (encoding: number): boolean =>
  encoding >> 7 === encodingOf(3, 3, 9, 0, 0) >> 7 ||
  encoding === encodingOf(2, 0, 0, 2, 0) ||
  (encoding >> 7 === encodingOf(3, 3, 14, 0, 0) >> 7 && encoding !== encodingOf(3, 3, 14, 0, 0)) ||
  encoding >> 3 === encodingOf(3, 3, 2, 4, 0) >> 3;

const access = (isRead: boolean, encoding: number, t: number): number =>
  (0xd510_0000 | (isRead ? 0x20_0000 : 0) | ((encoding & 0x7fff) << 5) | t) >>> 0;

/** @param registers - encodings of the system registers that the host's vCPUs list */
export function systemWord(random: Random, registers: readonly number[]): number {
  const t = random.oneIn(3) ? 16 + random.below(16) : random.below(16);
  const encoding = random.weighted<() => number>([
    [6, () => random.pick(registers)],
    [4, () => random.pick(HIDDEN)],
    [2, () => random.pick(registers) ^ (1 << random.below(8))],
    [
      1,
      () =>
        encodingOf(2 + random.below(2), random.below(8), random.below(16), random.below(16), random.below(8)),
    ],
  ])();
  return random.weighted<() => number>([
    [5, () => access(true, isVolatile(encoding) ? encodingOf(3, 0, 0, 0, 5) : encoding, t)],
    [
      4,
      () =>
        access(
          DECISIVE.has(encoding) || isVolatile(encoding),
          isVolatile(encoding) ? encodingOf(3, 0, 0, 0, 5) : encoding,
          t,
        ),
    ],
    // MSR of an immediate.
    [
      2,
      () => (0xd500_401f | (random.below(8) << 16) | (random.below(16) << 8) | (random.below(8) << 5)) >>> 0,
    ],
    // Caches, translation, TLBs.
    [
      3,
      () =>
        (0xd508_0000 |
          (random.pick([0, 3, 3, 4, random.below(8)]) << 16) |
          (random.pick([7, 7, 8, random.below(16)]) << 12) |
          (random.below(16) << 8) |
          (random.below(8) << 5) |
          (random.oneIn(4) ? t : 16 + random.below(8))) >>>
        0,
    ],
    [
      2,
      () => {
        const { mask, value } = random.pick(HINTS);
        return ((random.u32() & ~mask) | value) >>> 0;
      },
    ],
  ])();
}
