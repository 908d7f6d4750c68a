/**
 * A guest that tries MRS and MSR of every encoding with op0 2 or 3, at EL1 and at EL0, and what it finds. The same
 * instructions run on a real kernel (`record.ts`) and on the emulated CPU.
 */

export const RAM = 0x4000_0000;
export const RAM_SIZE = 0x100_0000;
/** Nothing is there: a store to it says that a pass has ended. */
export const DEVICE = 0x900_0000;

/** Each pass has its own code and, after it, its results. */
const PASS_SIZE = 0x30_0000;
const RESULTS = 0x20_0000;
const VECTORS = RAM + 0xf0_0000;

/** Where the probing guest runs. */
export interface Ground {
  /** {@link RAM_SIZE} bytes at {@link RAM}. */
  readonly ram: Uint8Array;
  /** Sets a register by its name, as KVM_SET_ONE_REG does; of one that the vCPU has not, nothing. */
  set(name: string, value: bigint): void;
  /** Runs from here until the store to {@link DEVICE}. */
  run(pc: number): void;
}

/**
 * What was found of each register, by its encoding in hex; one that is UNDEFINED all over has no entry. Six words: what
 * EL1 reads, what it then reads after all ones were written, and after zero; what EL0 reads with everything given to it,
 * with nothing given to it, and whether it may write zero. A word is a value in hex, `~` for one that moves, `w` for a
 * write that was done (of a register that cannot be read), `u` for UNDEFINED, `t` for a trap to EL1 (EC 0x18), `x` with
 * the EC in hex for another exception, `-` for what was not tried.
 */
export type Answers = Record<string, string>;

// X6 has ones, X9 the syndrome, X20 the next result, X21 DEVICE.
const NOP = 0xd503_201f;
const CLEAR_SYNDROME = 0xd280_0009; // movz x9, #0
const KEEP_SYNDROME = 0xaa09_03e8; // mov x8, x9
const STORE = [0xa881_0688, 0xf800_8689]; // stp x8, x1, [x20], #16; str x9, [x20], #8
const END = 0xf900_02bf; // str xzr, [x21]
const mrs = (t: number, encoding: number) => 0xd530_0000 | ((encoding & 0x7fff) << 5) | t;
const msr = (t: number, encoding: number) => 0xd510_0000 | ((encoding & 0x7fff) << 5) | t;
const XZR = 31;

const ESR_EL1 = 0xc290;
const ELR_EL1 = 0xc201;
/** mrs x9, esr_el1; mrs x10, elr_el1; add x10, x10, #4; msr elr_el1, x10; eret */
const HANDLER = [mrs(9, ESR_EL1), mrs(10, ELR_EL1), 0x9100_114a, msr(10, ELR_EL1), 0xd69f_03e0];

/** Ones in SCTLR_EL1 would be the end of the guest. */
const SCTLR_EL1 = 0xc080;
const ENCODINGS = Array.from({ length: 0x8000 }, (_, i) => 0x8000 + i);
const isOfUser = (encoding: number) => ((encoding >> 11) & 7) === 3;

const RESET_SCTLR = 0x30c5_0838n;
/** UMA, DZE, UCT, UCI. */
const USER_SCTLR = RESET_SCTLR | (1n << 9n) | (1n << 14n) | (1n << 15n) | (1n << 26n);
/** FP and SVE for both levels. */
const CPACR = 0x33_0000n;
const EL1H_MASKED = 0x3c5n;
const EL0_MASKED = 0x3c0n;

/** What a probe of one register leaves: two values, and the syndrome of the last exception or 0. */
type Result = readonly [first: bigint, second: bigint, syndrome: bigint];

const readTwice = (e: number) => [CLEAR_SYNDROME, mrs(8, e), mrs(1, e), ...STORE];
/** Afterwards the register has its value again; the syndrome is that of the first write. */
const writeAndRead = (e: number) => [
  CLEAR_SYNDROME,
  mrs(5, e),
  msr(6, e),
  0xaa09_03e7, // mov x7, x9
  mrs(8, e),
  msr(XZR, e),
  mrs(1, e),
  msr(5, e),
  0xaa07_03e9, // mov x9, x7
  ...STORE,
];
const writeZero = (e: number) => [CLEAR_SYNDROME, msr(XZR, e), KEEP_SYNDROME, ...STORE];

/** Tries every register and says what it found. */
export function probe(ground: Ground): Answers {
  const words = new Uint32Array(ground.ram.buffer, ground.ram.byteOffset, RAM_SIZE / 4);
  for (let vector = 0; vector < 16; vector++) words.set(HANDLER, (VECTORS - RAM + 0x80 * vector) / 4);
  let passes = 0;

  const run = (encodings: readonly number[], code: (encoding: number) => number[], pstate: bigint) => {
    const start = passes++ * PASS_SIZE;
    // KVM_RUN completes the last pass's store first, which moves the PC on.
    const program = [NOP, NOP, ...encodings.flatMap(code), END];
    if (4 * program.length > RESULTS) throw new Error('the pass is too long');
    words.set(program, start / 4);
    ground.set('VBAR_EL1', BigInt(VECTORS));
    ground.set('CPACR_EL1', CPACR);
    ground.set('PSTATE', pstate);
    ground.set('X6', 0xffff_ffff_ffff_ffffn);
    ground.set('X20', BigInt(RAM + start + RESULTS));
    ground.set('X21', BigInt(DEVICE));
    ground.run(RAM + start);
    const results = new BigUint64Array(ground.ram.buffer, ground.ram.byteOffset + start + RESULTS);
    return new Map<number, Result>(
      encodings.map((e, i) => [e, [results[3 * i]!, results[3 * i + 1]!, results[3 * i + 2]!]]),
    );
  };
  const giveToUser = (isGiven: boolean) => {
    ground.set('SCTLR_EL1', isGiven ? USER_SCTLR : RESET_SCTLR);
    ground.set('CNTKCTL_EL1', isGiven ? 0x303n : 0n);
    ground.set('PMUSERENR_EL0', isGiven ? 0xfn : 0n);
  };

  giveToUser(false);
  const reads = run(ENCODINGS, readTwice, EL1H_MASKED);
  const isReadable = (e: number) => reads.get(e)![2] === 0n;
  const readable = ENCODINGS.filter(e => isReadable(e) && e !== SCTLR_EL1);
  const unreadable = ENCODINGS.filter(e => !isReadable(e));
  const changes = run(readable, writeAndRead, EL1H_MASKED);
  const blindWrites = run(unreadable, writeZero, EL1H_MASKED);
  giveToUser(true);
  const userReads = run(ENCODINGS.filter(isOfUser), readTwice, EL0_MASKED);
  const userWrites = run(ENCODINGS.filter(isOfUser), writeZero, EL0_MASKED);
  passes--;
  giveToUser(false);
  const strangerReads = run(ENCODINGS.filter(isOfUser), readTwice, EL0_MASKED);

  const answers: Answers = {};
  for (const e of ENCODINGS) {
    const change = changes.get(e) ?? blindWrites.get(e);
    const moves = reads.get(e)![0] !== reads.get(e)![1];
    const entry = [
      isReadable(e) ? asWord(reads.get(e)!) : refusal(reads.get(e)!),
      ...(!change
        ? ['-', '-']
        : change[2] !== 0n
          ? [refusal(change), refusal(change)]
          : !isReadable(e)
            ? ['w', 'w']
            : moves
              ? ['~', '~']
              : [change[0].toString(16), change[1].toString(16)]),
      ...[userReads, strangerReads].map(found => (found.has(e) ? asWord(found.get(e)!) : 'u')),
      userWrites.has(e) ? (userWrites.get(e)![2] === 0n ? 'w' : refusal(userWrites.get(e)!)) : 'u',
    ].join(' ');
    if (entry !== 'u u u u u u') answers[e.toString(16)] = entry;
  }
  return answers;
}

function asWord(result: Result): string {
  const [first, second, syndrome] = result;
  if (syndrome !== 0n) return refusal(result);
  return first === second ? first.toString(16) : '~';
}

function refusal([, , syndrome]: Result): string {
  const ec = syndrome >> 26n;
  return ec === 0n ? 'u' : ec === 0x18n ? 't' : `x${ec.toString(16)}`;
}
