/** TCR_EL1, TTBRn_EL1 and MAIR_EL1, taken apart once for the many walks that they govern (D24.2.190, D24.2.121). */
import { bitOf, field } from './bits.ts';
import type { HotRegisters } from './state.ts';

/** What governs half of the addresses. */
export interface HalfControl {
  /** Bits of an address that are translated; undefined where no address of this half is. */
  readonly bits: number | undefined;
  readonly disabledForUser: boolean;
  /** The uppermost byte is no part of the address. */
  readonly tagged: boolean;
  /** log2 of the bytes of a page. */
  readonly granule: number;
  /** The level of the first table, and its address. */
  readonly level: number;
  readonly table: number;
  /** Tables have no say in the permissions of what is below them. */
  readonly hierarchyOff: boolean;
}

export interface TranslationControl {
  readonly lower: HalfControl;
  readonly upper: HalfControl;
  /** The first address that is too big for what tables give. */
  readonly outputEnd: number;
  readonly setsAccessFlag: boolean;
  readonly managesDirtyState: boolean;
  /** The fields of MAIR_EL1. */
  readonly attributes: readonly number[];
}

const OUTPUT_BITS = [32, 36, 40, 42, 44, 48, 48, 48];
/** log2 of the granule by TCR.TG0 and TCR.TG1. */
const GRANULE0 = [12, 16, 14, 12];
const GRANULE1 = [12, 14, 12, 16];
const TTBR_ADDRESS = 0xffff_ffff_ffffn;

/** Where the fields of the halves are in TCR_EL1. */
const LOWER = {
  size: 0,
  disabled: 7,
  granule: 14,
  granules: GRANULE0,
  tagged: 37,
  hpd: 41,
  e0pd: 55,
} as const;
const UPPER = {
  size: 16,
  disabled: 23,
  granule: 30,
  granules: GRANULE1,
  tagged: 38,
  hpd: 42,
  e0pd: 56,
} as const;

type Has = (feature: string) => boolean;

function halfOf(tcr: bigint, ttbr: bigint, at: typeof LOWER | typeof UPPER, has: Has): HalfControl {
  const granule = at.granules[field(tcr, at.granule, 2)]!;
  const size = field(tcr, at.size, 6);
  const greatest = has('TTST') ? (granule === 16 ? 47 : 48) : 39;
  const isUsed = size >= 16 && size <= greatest && !bitOf(tcr, at.disabled);
  const bits = 64 - size;
  const stride = granule - 3;
  const level = 4 - Math.ceil((bits - granule) / stride);
  // The first table may be smaller than a granule, and is aligned to its own size (D8.2.6).
  const firstBits = bits - granule - stride * (3 - level) + 3;
  const base = Number(ttbr & TTBR_ADDRESS);
  return {
    bits: isUsed ? bits : undefined,
    disabledForUser: has('E0PD') && bitOf(tcr, at.e0pd),
    tagged: bitOf(tcr, at.tagged),
    granule,
    level,
    table: base - (base % 2 ** firstBits),
    hierarchyOff: bitOf(tcr, at.hpd) && has('HPDS'),
  };
}

/** Takes the registers apart. */
export function translationControl(hot: HotRegisters, physicalBits: number, has: Has): TranslationControl {
  const { tcr, ttbr0, ttbr1, mair } = hot;
  return {
    lower: halfOf(tcr, ttbr0, LOWER, has),
    upper: halfOf(tcr, ttbr1, UPPER, has),
    outputEnd: 2 ** Math.min(OUTPUT_BITS[field(tcr, 32, 3)]!, physicalBits),
    setsAccessFlag: bitOf(tcr, 39) && has('HAFDBS'),
    managesDirtyState: bitOf(tcr, 40) && has('HAFDBS2'),
    attributes: Array.from({ length: 8 }, (_, n) => field(mair, 8 * n, 8)),
  };
}
