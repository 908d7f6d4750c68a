/**
 * What of programs is deliberately not tried or not compared, with the reasons. Everything else is.
 *
 * @packageDocumentation
 */
import { parseRegister } from '../../abi/register-names.ts';
import { ATOMIC } from '../../emulator/cpu/a64/exclusives.ts';
import { GAPS } from '../../emulator/cpu/a64/gaps.ts';
import { rowOf } from '../../emulator/cpu/decode.ts';
import type { Row } from '../../emulator/cpu/instruction.ts';
import { fieldsOf, parsePattern } from '../../emulator/cpu/pattern.ts';
import { SCTLR, START } from './ground.ts';
import type { Program } from './program.ts';

/** What the time decides. */
const TIMERS = new Set(
  ['TIMER', 'PTIMER'].flatMap(timer =>
    ['CTL', 'CNT', 'CVAL'].map(part => parseRegister(`KVM_REG_ARM_${timer}_${part}`)),
  ),
);

/**
 * A NOP of QEMU's (debug_helper.c): when debug registers are switched, a kernel that saves it gets what the register of its
 * own code had before.
 */
const MDCCINT_EL1 = parseRegister('MDCCINT_EL1');

/** Whether a register of a vCPU is compared. */
export const isCompared = (id: bigint): boolean => !TIMERS.has(id) && id !== MDCCINT_EL1;

/** What an exception told the guest. */
export interface ExceptionExit {
  /** The offset in the vector table. */
  readonly vector: number;
  readonly esr: bigint;
  readonly elr: bigint;
  readonly spsr: bigint;
  readonly far: bigint;
  readonly pstate: bigint;
}

const [SCTLR_EL1, PSTATE, SPSR_EL1] = ['SCTLR_EL1', 'PSTATE', 'SPSR_EL1'].map(parseRegister) as [
  bigint,
  bigint,
  bigint,
];
/** The exit of a program that goes in circles: where it is when it is stopped, the time decides. */
export const ENDLESS = 'does not end';
const SCTLR_A = 1n << 1n;
const DFSC = 0x3fn;
const ALIGNMENT = 0x21n;
const PSTATE_NZCV_DIT = (0xfn << 28n) | (1n << 24n);
const PSTATE_BTYPE = 3n << 10n;
const ISS_WNR = 1n << 6n;
/** Of cache maintenance. */
const ISS_CM = 1n << 8n;
const EC_SYSTEM = 0x18n;
const EC_SP_ALIGNMENT = 0x26n;
/** In the ISS of a system instruction. */
const OP0 = 3n << 20n;
const OP1_OP2 = (7n << 14n) | (7n << 17n);
const EC_DATA_ABORT = [0x24n, 0x25n];

/** BTYPE is a gap of the emulated CPU (`kvm-arm64 hosts --cpu-gaps`: BTI). */
const comparedPstate = (value: bigint): bigint => value & ~PSTATE_BTYPE;

const PAR_EL1 = parseRegister('PAR_EL1');
const PAR_F = 1n;
const PAR_SH = 3n << 7n;

/** PAR_EL1.SH of Device memory is that of the descriptor, or 0, where QEMU translates, and not always 2 (D24.2.114). */
const comparedPar = (value: bigint): bigint =>
  (value & PAR_F) === 0n && value >> 56n < 0x10n ? value & ~PAR_SH : value;

/** What of a register's value is compared. */
export function comparedValue(id: bigint, value: bigint): bigint {
  if (id === PSTATE || id === SPSR_EL1) return comparedPstate(value);
  return id === PAR_EL1 ? comparedPar(value) : value;
}

/**
 * What of an exception is compared.
 *
 * - PSTATE.NZCV and DIT after the entry: QEMU clears them (arm_cpu_do_interrupt_aarch64, target/arm/helper.c), where
 *   AArch64.TakeException leaves them alone.
 * - ISS.WnR of an atomic: QEMU asks for the right to write at once (atomic_mmu_lookup, accel/tcg/cputlb.c), where the
 *   architecture has 0 if a read would have faulted, too (D24.2.40).
 * - op1 and op2 of a trapped MSR of an immediate, which QEMU confuses (helper_msr_i_daifset, target/arm/op_helper.c).
 * - The syndrome of a fetch from an address that is not aligned: QEMU translates it first, where the PC alignment fault
 *   goes before the instruction abort (D1.3.5.5).
 *
 * @param word - the instruction that raised it, where it is one of the program's
 */
export function comparedPart(exit: ExceptionExit, word: number | undefined): ExceptionExit {
  let { esr } = exit;
  const isAtomic = word !== undefined && rowOf(word)?.feature === 'LSE';
  if (isAtomic && EC_DATA_ABORT.includes(esr >> 26n)) esr &= ~ISS_WNR;
  if (esr >> 26n === EC_SYSTEM && (esr & OP0) === 0n) esr &= ~OP1_OP2;
  if ((exit.elr & 3n) !== 0n) esr = 0n;
  return {
    ...exit,
    esr,
    spsr: comparedPstate(exit.spsr),
    pstate: comparedPstate(exit.pstate) & ~PSTATE_NZCV_DIT,
  };
}

/**
 * How many exits of a program are compared, by those of the emulated host; undefined: all, and the changes. Not those from
 * one on where a kernel in the lab goes on, because QEMU 7.2 does:
 *
 * - LDAPR of an address that is not aligned (no MO_ALIGN in disas_ldst_atomic, target/arm/translate-a64.c).
 * - Cache maintenance by an address that is not mapped (ARM_CP_NOP).
 * - SP that is not aligned (gen_check_sp_alignment does nothing).
 * - An exclusive store that the monitor does not let through: whether its address is looked at before is IMPLEMENTATION
 *   DEFINED (AArch64.ExclusiveMonitorsPass).
 * - Any access of Device memory that is not aligned (it knows no such fault).
 *
 * Nor what comes after an abort of LD1 to LD4 and ST1 to ST4 at a further page: how much of the structure was moved before is not said
 * (C3.2.10), and QEMU moves larger pieces than its elements.
 */
export function passedOver(
  { registers, words }: Program,
  exits: readonly (string | ExceptionExit)[],
): number | undefined {
  const isChecked = ((registers.get(SCTLR_EL1) ?? SCTLR) & SCTLR_A) !== 0n;
  const index = exits.findIndex(exit => {
    const address = typeof exit === 'string' ? BigInt(`0x${/ at (.*)/.exec(exit)?.[1] ?? '0'}`) : exit.elr;
    const row = rowOf(wordAt(words, address) ?? 0);
    if (typeof exit === 'string') return isExclusiveStore(row);
    const isAlignment = EC_DATA_ABORT.includes(exit.esr >> 26n) && (exit.esr & DFSC) === ALIGNMENT;
    if (exit.esr >> 26n === EC_SP_ALIGNMENT) return true;
    if (EC_DATA_ABORT.includes(exit.esr >> 26n) && (exit.esr & ISS_CM) !== 0n) return true;
    if (isExclusiveStore(row) && EC_DATA_ABORT.includes(exit.esr >> 26n)) return true;
    if (!isAlignment) return false;
    if (row?.feature === 'LRCPC') return true;
    return !isChecked && !mustAlwaysAlign(row);
  });
  const abort = exits.findIndex(exit =>
    typeof exit === 'string'
      ? exit === ENDLESS
      : EC_DATA_ABORT.includes(exit.esr >> 26n) &&
        (exit.far & 0xfffn) === 0n &&
        /^(?:ld|st)[1-4]/.test(rowOf(wordAt(words, exit.elr) ?? 0)?.name ?? ''),
  );
  const ends = [...(index < 0 ? [] : [index]), ...(abort < 0 ? [] : [abort + 1])];
  return ends.length === 0 ? undefined : Math.min(...ends);
}

/** The program's instruction at an address. */
export const wordAt = (words: readonly number[], address: bigint): number | undefined =>
  words[Number(address - BigInt(START)) / 4];

const isExclusiveStore = (row: Row | undefined): boolean => /^stl?x/.test(row?.name ?? '');

/** Exclusives, atomics, acquires and releases. */
const mustAlwaysAlign = (row: Row | undefined): boolean =>
  row !== undefined && (ATOMIC.includes(row) || row.syndrome?.acquireRelease === true);

/** Words by mask and value that no program has. */
const NOT_TRIED: readonly (readonly [mask: number, value: number, reason: string])[] = [
  [0xffff_ffff, 0xd503_207f, 'WFI waits for an interrupt, of which there is none'],
  [0xffff_ffff, 0xd503_205f, 'WFE of EL0 is not trapped by QEMU, whatever SCTLR_EL1.nTWE says (helper_wfe)'],
  [0x3fa0_0c00, 0x1980_0000, 'LDAPURS* of QEMU 7.2 do not extend the sign (disas_ldst_ldapr_stlr)'],
  [
    0xffbf_7c00,
    0x483e_7c00,
    'CASP of X30 and XZR: QEMU writes SP (casp_le_parallel, target/arm/helper-a64.c)',
  ],
];

/**
 * Whether a program may have a word, by the features that a CPU has and the emulated one lacks. A vCPU may not have them:
 * then a kernel hides some instructions and not others, such as those of PAuth, which do nothing while no key is enabled.
 */
export function isTried(word: number, gaps: ReadonlySet<string>): boolean {
  if (NOT_TRIED.some(([mask, value]) => (word & mask) >>> 0 === value)) return false;
  if (isUnpredictable(word)) return false;
  const row = rowOf(word);
  if (gaps.has('SVE') && (row?.feature === 'SME' || (word & 0xffdf_ff00) >>> 0 === ZCR_AND_KIN)) return false;
  return row === undefined || !GAPS.includes(row) || !gaps.has(row.feature!);
}

/**
 * MSR of S3_0_C1_C2_x. A vCPU without SVE on a machine that has it finds ZCR_EL1, and QEMU's SME, by CPACR_EL1 as if it had
 * them.
 */
const ZCR_AND_KIN = 0xd518_1200;

/** Class of encodings: loads and stores (C4.1, op0 = x1x0). */
const isMemory = (word: number): boolean => (word & 0x0a00_0000) === 0x0800_0000;

/**
 * CONSTRAINED UNPREDICTABLE encodings (Arm ARM K1.2, and each instruction's own page): registers that are used twice, and
 * bits that should be one.
 */
export function isUnpredictable(word: number): boolean {
  const row = rowOf(word);
  // CFINV, XAFLAG and AXFLAG: CRm is (0)(0)(0)(0).
  if ((word & 0xffff_f01f) >>> 0 === 0xd500_401f && (word & 0xe0) <= 0x40 && (word & 0xf00) !== 0)
    return true;
  if (row === undefined) return false;
  const pattern = parsePattern(row.bits);
  const f = fieldsOf(pattern, word);
  for (const letter of ['j', 'k']) {
    const span = pattern.fields.get(letter);
    if (span !== undefined && f(letter) !== 2 ** span.width - 1) return true;
  }
  if (!isMemory(word)) return false;
  const general = ['d', 't', 'u', 'v'].filter(letter => pattern.fields.has(letter)).map(f);
  const base = f('N');
  const isPair = pattern.fields.has('u');
  if (isPair && general[0] === general[1]) return true;
  if (isVectorPairLoad(word) && f('x') === f('p')) return true;
  if (pattern.fields.has('S')) {
    const status = f('S');
    return general.includes(status) || (status === base && base !== 31);
  }
  return writesBack(word) && base !== 31 && general.includes(base);
}

/** LDP and LDNP of vector registers: V, L. */
const isVectorPairLoad = (word: number): boolean => (word & 0x3e40_0000) >>> 0 === 0x2c40_0000;

/** Pre- and post-indexed loads and stores of one register, and of two. */
const writesBack = (word: number): boolean =>
  (word & 0x3b20_0400) === 0x3800_0400 || (word & 0x3a80_0000) === 0x2880_0000;
