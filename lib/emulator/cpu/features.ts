/** The optional features that the CPU knows by name, and where the ID registers claim them (D24.2). */
import { encodingOf } from './system-registers.ts';

const PFR0 = encodingOf(3, 0, 0, 4, 0);
const PFR1 = encodingOf(3, 0, 0, 4, 1);
const ISAR0 = encodingOf(3, 0, 0, 6, 0);
const ISAR1 = encodingOf(3, 0, 0, 6, 1);
const ISAR2 = encodingOf(3, 0, 0, 6, 2);
const MMFR0 = encodingOf(3, 0, 0, 7, 0);
const MMFR1 = encodingOf(3, 0, 0, 7, 1);
const MMFR2 = encodingOf(3, 0, 0, 7, 2);

/** Each feature with the fields that claim it: register, lowest bit, and the value from which on it is there. */
const CLAIMS: Readonly<Record<string, readonly (readonly [number, number, number])[]>> = {
  AES: [[ISAR0, 4, 1]],
  PMULL: [[ISAR0, 4, 2]],
  SHA1: [[ISAR0, 8, 1]],
  SHA256: [[ISAR0, 12, 1]],
  SHA512: [[ISAR0, 12, 2]],
  CRC32: [[ISAR0, 16, 1]],
  LSE: [[ISAR0, 20, 2]],
  RDM: [[ISAR0, 28, 1]],
  SHA3: [[ISAR0, 32, 1]],
  SM3: [[ISAR0, 36, 1]],
  SM4: [[ISAR0, 40, 1]],
  DotProd: [[ISAR0, 44, 1]],
  FHM: [[ISAR0, 48, 1]],
  FlagM: [[ISAR0, 52, 1]],
  FlagM2: [[ISAR0, 52, 2]],
  TLBIOS: [[ISAR0, 56, 1]],
  TLBIRANGE: [[ISAR0, 56, 2]],
  RNG: [[ISAR0, 60, 1]],
  DPB: [[ISAR1, 0, 1]],
  DPB2: [[ISAR1, 0, 2]],
  PAuth: [
    [ISAR1, 4, 1],
    [ISAR1, 8, 1],
    [ISAR2, 12, 1],
  ],
  JSCVT: [[ISAR1, 12, 1]],
  FCMA: [[ISAR1, 16, 1]],
  LRCPC: [[ISAR1, 20, 1]],
  LRCPC2: [[ISAR1, 20, 2]],
  FRINTTS: [[ISAR1, 32, 1]],
  SB: [[ISAR1, 36, 1]],
  SPECRES: [[ISAR1, 40, 1]],
  BF16: [[ISAR1, 44, 1]],
  I8MM: [[ISAR1, 52, 1]],
  AArch32: [[PFR0, 0, 2]],
  FP16: [[PFR0, 16, 1]],
  RAS: [[PFR0, 28, 1]],
  SVE: [[PFR0, 32, 1]],
  DIT: [[PFR0, 48, 1]],
  BTI: [[PFR1, 0, 1]],
  SSBS: [[PFR1, 4, 1]],
  SSBS2: [[PFR1, 4, 2]],
  SME: [[PFR1, 24, 1]],
  LPA: [[MMFR0, 0, 6]],
  LPA2: [
    [MMFR0, 28, 1],
    [MMFR0, 20, 2],
  ],
  ECV: [[MMFR0, 60, 1]],
  HAFDBS: [[MMFR1, 0, 1]],
  HAFDBS2: [[MMFR1, 0, 2]],
  HPDS: [[MMFR1, 12, 1]],
  LOR: [[MMFR1, 16, 1]],
  PAN: [[MMFR1, 20, 1]],
  PAN2: [[MMFR1, 20, 2]],
  UAO: [[MMFR2, 4, 1]],
  LVA: [[MMFR2, 16, 1]],
  TTST: [[MMFR2, 28, 1]],
  IDST: [[MMFR2, 36, 1]],
  E0PD: [[MMFR2, 60, 1]],
};

/** No such feature: fields that say so by all ones, as those of FP do. */
const ABSENT = 0xf;

/** The features that a CPU's ID registers claim; `read` gives a register by its encoding. */
export function featuresOf(read: (encoding: number) => bigint): ReadonlySet<string> {
  const claims = ([register, low, least]: readonly [number, number, number]): boolean => {
    const value = Number((read(register) >> BigInt(low)) & 0xfn);
    return value >= least && value !== ABSENT;
  };
  return new Set(Object.keys(CLAIMS).filter(feature => CLAIMS[feature]!.some(claims)));
}

/** Every name of a feature. */
export const FEATURES: readonly string[] = Object.keys(CLAIMS);

/** The fields of ID registers that some feature is read from, as encoding and lowest bit. */
export const CLAIMED_FIELDS: readonly (readonly [encoding: number, low: number])[] = Object.values(
  CLAIMS,
).flatMap(fields => fields.map(([encoding, low]) => [encoding, low] as const));
