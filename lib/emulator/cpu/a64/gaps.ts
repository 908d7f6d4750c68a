/**
 * Instructions that the interpreter does not execute yet, by the feature that they belong to. On a CPU that claims the
 * feature they are reported and UNDEFINED; on another they are just UNDEFINED.
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
  FlagM: [
    ['rmif', '10111010000iiiiii00001nnnnn0ffff'],
    ['setf8', '0011101000000000000010nnnnn01101'],
    ['setf16', '0011101000000000010010nnnnn01101'],
  ],
  LRCPC2: [
    ['stlurb', '00011001000iiiiiiiii00NNNNNttttt'],
    ['ldapurb', '00011001010iiiiiiiii00NNNNNddddd'],
    ['ldapursb', '00011001100iiiiiiiii00NNNNNddddd'],
    ['ldapursb', '00011001110iiiiiiiii00NNNNNddddd'],
    ['stlurh', '01011001000iiiiiiiii00NNNNNttttt'],
    ['ldapurh', '01011001010iiiiiiiii00NNNNNddddd'],
    ['ldapursh', '01011001100iiiiiiiii00NNNNNddddd'],
    ['ldapursh', '01011001110iiiiiiiii00NNNNNddddd'],
    ['stlur', '10011001000iiiiiiiii00NNNNNttttt'],
    ['ldapur', '10011001010iiiiiiiii00NNNNNddddd'],
    ['ldapursw', '10011001100iiiiiiiii00NNNNNddddd'],
    ['stlur', '11011001000iiiiiiiii00NNNNNttttt'],
    ['ldapur', '11011001010iiiiiiiii00NNNNNddddd'],
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

/** What is missing, for users: each feature with its mnemonics. */
export const CPU_GAPS: Readonly<Record<string, readonly string[]>> = Object.fromEntries(
  Object.entries(TABLE).map(([feature, rows]) => [feature, [...new Set(rows.map(([name]) => name))]]),
);

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
