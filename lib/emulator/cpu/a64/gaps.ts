/**
 * What the interpreter does not execute yet, by feature. On a CPU that claims the feature its instructions are reported
 * and UNDEFINED; on another they are just UNDEFINED.
 */
import type { Row } from '../instruction.ts';

/** By feature: mnemonics with their patterns. A name in parentheses stands for a whole class of encodings. */
const TABLE: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  AES: [
    ['aese', '0100111000101000010010yyyyyxxxxx'],
    ['aesd', '0100111000101000010110yyyyyxxxxx'],
    ['aesmc', '0100111000101000011010yyyyyxxxxx'],
    ['aesimc', '0100111000101000011110yyyyyxxxxx'],
  ],
  SHA1: [
    ['sha1c', '01011110000zzzzz000000yyyyyxxxxx'],
    ['sha1p', '01011110000zzzzz000100yyyyyxxxxx'],
    ['sha1m', '01011110000zzzzz001000yyyyyxxxxx'],
    ['sha1su0', '01011110000zzzzz001100yyyyyxxxxx'],
    ['sha1h', '0101111000101000000010yyyyyxxxxx'],
    ['sha1su1', '0101111000101000000110yyyyyxxxxx'],
  ],
  SHA256: [
    ['sha256h', '01011110000zzzzz010000yyyyyxxxxx'],
    ['sha256h2', '01011110000zzzzz010100yyyyyxxxxx'],
    ['sha256su1', '01011110000zzzzz011000yyyyyxxxxx'],
    ['sha256su0', '0101111000101000001010yyyyyxxxxx'],
  ],
  SHA512: [
    ['sha512h', '11001110011zzzzz100000yyyyyxxxxx'],
    ['sha512h2', '11001110011zzzzz100001yyyyyxxxxx'],
    ['sha512su1', '11001110011zzzzz100010yyyyyxxxxx'],
    ['sha512su0', '1100111011000000100000yyyyyxxxxx'],
  ],
  SHA3: [
    ['rax1', '11001110011zzzzz100011yyyyyxxxxx'],
    ['eor3', '11001110000zzzzz0pppppyyyyyxxxxx'],
    ['bcax', '11001110001zzzzz0pppppyyyyyxxxxx'],
    ['xar', '11001110100zzzzziiiiiiyyyyyxxxxx'],
  ],
  SM3: [
    ['sm3ss1', '11001110010zzzzz0pppppyyyyyxxxxx'],
    ['sm3tt1a', '11001110010zzzzz10ii00yyyyyxxxxx'],
    ['sm3tt1b', '11001110010zzzzz10ii01yyyyyxxxxx'],
    ['sm3tt2a', '11001110010zzzzz10ii10yyyyyxxxxx'],
    ['sm3tt2b', '11001110010zzzzz10ii11yyyyyxxxxx'],
    ['sm3partw1', '11001110011zzzzz110000yyyyyxxxxx'],
    ['sm3partw2', '11001110011zzzzz110001yyyyyxxxxx'],
  ],
  SM4: [
    ['sm4ekey', '11001110011zzzzz110010yyyyyxxxxx'],
    ['sm4e', '1100111011000000100001yyyyyxxxxx'],
  ],
  FHM: [
    ['fmlal', '0q001110001zzzzz111011yyyyyxxxxx'],
    ['fmlsl', '0q001110101zzzzz111011yyyyyxxxxx'],
    ['fmlal2', '0q101110001zzzzz110011yyyyyxxxxx'],
    ['fmlsl2', '0q101110101zzzzz110011yyyyyxxxxx'],
    ['fmlal', '0q00111110lleeee0000H0yyyyyxxxxx'],
    ['fmlsl', '0q00111110lleeee0100H0yyyyyxxxxx'],
    ['fmlal2', '0q10111110lleeee1000H0yyyyyxxxxx'],
    ['fmlsl2', '0q10111110lleeee1100H0yyyyyxxxxx'],
  ],
  FRINTTS: [
    ['frint32z', '0001111000101000010000yyyyyxxxxx'],
    ['frint32x', '0001111000101000110000yyyyyxxxxx'],
    ['frint64z', '0001111000101001010000yyyyyxxxxx'],
    ['frint64x', '0001111000101001110000yyyyyxxxxx'],
    ['frint32z', '0001111001101000010000yyyyyxxxxx'],
    ['frint32x', '0001111001101000110000yyyyyxxxxx'],
    ['frint64z', '0001111001101001010000yyyyyxxxxx'],
    ['frint64x', '0001111001101001110000yyyyyxxxxx'],
  ],
  FCMA: [
    ['fcmla', '0q101110010zzzzz110rr1yyyyyxxxxx'],
    ['fcmla', '0q101110100zzzzz110rr1yyyyyxxxxx'],
    ['fcmla', '01101110110zzzzz110rr1yyyyyxxxxx'],
    ['fcadd', '0q101110010zzzzz111r01yyyyyxxxxx'],
    ['fcadd', '0q101110100zzzzz111r01yyyyyxxxxx'],
    ['fcadd', '01101110110zzzzz111r01yyyyyxxxxx'],
    ['fcmla', '0010111101lleeee0rr100yyyyyxxxxx'],
    ['fcmla', '0110111101lleeee0rr1H0yyyyyxxxxx'],
    ['fcmla', '01101111100meeee0rr1H0yyyyyxxxxx'],
  ],
  BF16: [
    ['bfdot', '0q101110010zzzzz111111yyyyyxxxxx'],
    ['bfmmla', '01101110010zzzzz111011yyyyyxxxxx'],
    ['bfmlalb', '00101110110zzzzz111111yyyyyxxxxx'],
    ['bfmlalt', '01101110110zzzzz111111yyyyyxxxxx'],
    ['bfcvt', '0001111001100011010000yyyyyxxxxx'],
    ['bfcvtn', '0000111010100001011010yyyyyxxxxx'],
    ['bfcvtn2', '0100111010100001011010yyyyyxxxxx'],
    ['bfdot', '0q00111101lleeee1111H0yyyyyxxxxx'],
    ['bfmlalb', '0000111111lleeee1111H0yyyyyxxxxx'],
    ['bfmlalt', '0100111111lleeee1111H0yyyyyxxxxx'],
  ],
  I8MM: [
    ['usdot', '0q001110100zzzzz100111yyyyyxxxxx'],
    ['smmla', '01001110100zzzzz101001yyyyyxxxxx'],
    ['ummla', '01101110100zzzzz101001yyyyyxxxxx'],
    ['usmmla', '01001110100zzzzz101011yyyyyxxxxx'],
    ['usdot', '0q00111110lleeee1111H0yyyyyxxxxx'],
    ['sudot', '0q00111100lleeee1111H0yyyyyxxxxx'],
  ],
  PAuth: [
    ['pacga', '10011010110mmmmm001100nnnnnddddd'],
    ['(pointer authentication)', '110110101100000100iiiinnnnnddddd'],
    ['(authenticated branch)', '1101011cbbb1111100001innnnnmmmmm'],
    ['(authenticated load)', '11111000cb1iiiiiiiiil1NNNNNddddd'],
  ],
  SVE: [['(sve)', 'aaa0010bbbbbbbbbbbbbbbbbbbbbbbbb']],
  SME: [['(sme)', '1aa0000bbbbbbbbbbbbbbbbbbbbbbbbb']],
};

/** Features that are more than instructions of their own, with what a guest finds in their place. */
const WITHOUT_WORDS: Readonly<Record<string, string>> = {
  AArch32: '32-bit code does not run: an exception return to it is illegal',
  BTI: 'branches may go anywhere in guarded pages',
  LVA: 'TCR_EL1 cannot ask for addresses of more than 48 bits',
  LPA: 'physical addresses of tables end at 48 bits',
  LPA2: 'TCR_EL1.DS has no effect',
};

/** What a feature is made of. */
export type GapKind = 'integer' | 'simd' | 'system';

const INTEGER: ReadonlySet<string> = new Set(['PAuth']);

/** A feature that is not executed, or not in full. */
export interface CpuGap {
  readonly feature: string;
  readonly kind: GapKind;
  /** Mnemonics; in parentheses what stands for a whole class of encodings. */
  readonly instructions: readonly string[];
  /** What a guest finds. */
  readonly effect: string;
}

/** All that is missing. */
export const CPU_GAPS: readonly CpuGap[] = [
  ...Object.entries(TABLE).map(([feature, rows]) => ({
    feature,
    kind: INTEGER.has(feature) ? ('integer' as const) : ('simd' as const),
    instructions: [...new Set(rows.map(([name]) => name))],
    effect: 'its instructions are undefined',
  })),
  ...Object.entries(WITHOUT_WORDS).map(([feature, effect]) => ({
    feature,
    kind: 'system' as const,
    instructions: [],
    effect,
  })),
];

/** The gaps of a CPU by its features (`featuresOf`). */
export const gapsOf = (features: ReadonlySet<string>): readonly CpuGap[] =>
  CPU_GAPS.filter(({ feature }) => features.has(feature));

/** What the program is told when its guest runs into a gap: the arguments of `Machine.onGap`, in words. */
export function gapWarning(mnemonic: string, feature: string, word: number): string {
  const { effect } = CPU_GAPS.find(gap => gap.feature === feature)!;
  const digits = word.toString(16).padStart(8, '0');
  return `The guest ran ${mnemonic} (0x${digits}), of a feature that its CPU claims and the emulated CPU lacks: ${feature}; ${effect}. kvm-arm64 hosts --cpu-gaps lists what is missing`;
}

export const GAPS: readonly Row[] = Object.entries(TABLE).flatMap(([feature, rows]) =>
  rows.map(
    ([name, bits]): Row => ({
      name,
      bits,
      feature,
      helper: (cpu, { word }) => {
        cpu.machine.onGap(name, feature, word);
        cpu.undefined();
      },
    }),
  ),
);
