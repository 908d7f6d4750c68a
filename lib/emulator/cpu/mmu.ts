/** Stage 1 translation of the EL1&0 regime, VMSAv8-64 (chapter D8), with granules of 4, 16 and 64 KiB. */
import { bitOf, ones } from './bits.ts';
import { FAULT } from './exceptions.ts';
import type { PhysicalMemory } from './memory.ts';
import type { HotRegisters } from './state.ts';
import { type HalfControl, type TranslationControl, translationControl } from './translation-control.ts';

/** What the walk knows of the CPU. */
export interface Regime {
  readonly hot: HotRegisters;
  readonly memory: PhysicalMemory;
  /** ID_AA64MMFR0_EL1.PARange in bits. */
  readonly physicalBits: number;
  has(feature: string): boolean;
  /** What the last walk went by, and the registers that it came from. */
  known:
    | (Pick<HotRegisters, 'tcr' | 'ttbr0' | 'ttbr1' | 'mair'> & { readonly control: TranslationControl })
    | undefined;
}

export interface Access {
  readonly kind: 'read' | 'write' | 'execute';
  /** Checked as an access of EL0. */
  readonly user: boolean;
  /** PSTATE.PAN forbids what EL0 may access. */
  readonly pan: boolean;
}

export interface Mapping {
  readonly physical: number;
  /** Bytes with the same translation, as log2. */
  readonly log2Size: number;
  readonly device: boolean;
  /** As MAIR has it, and SH[1:0], for PAR_EL1. */
  readonly attributes: number;
  readonly shareability: number;
  readonly global: boolean;
}

/** The status code of the abort that an access is to raise, and whether it came from a read of the tables. */
export interface Fault {
  readonly fault: number;
}

/** Bits of a descriptor's halves (D8.3.1): AF and AP[2] of the lower; DBM, PXN and UXN of the upper. */
const ACCESS_FLAG = 1 << 10;
const READ_ONLY = 1 << 7;
const DBM = 1 << 19;
const PXN = 1 << 21;
const UXN = 1 << 22;

export const SCTLR = { M: 1n << 0n, A: 1n << 1n, WXN: 1n << 19n } as const;

const OUTER_SHAREABLE = 2;

/** D8.4: whether the permissions of a leaf allow an access. */
function permits(regime: Regime, access: Access, ap: number, pxn: boolean, uxn: boolean): boolean {
  const userAccess = (ap & 1) === 1;
  const writable = (ap & 2) === 0;
  const wxn = (regime.hot.sctlr & SCTLR.WXN) !== 0n;
  if (access.kind === 'execute') {
    if (access.user) return !uxn && !(wxn && userAccess && writable);
    return !pxn && !(userAccess && writable) && !(wxn && writable);
  }
  if (access.kind === 'write' && !writable) return false;
  if (access.user) return userAccess;
  return !(access.pan && userAccess);
}

/** AddressDescriptor of a translation that is off (D8.2.10): flat, Device for data. */
function flat(regime: Regime, address: bigint, access: Access): Mapping | Fault {
  // With TCR.TBI the tag is no part of the address, even here.
  const upper = bitOf(address, 55);
  const tagged = bitOf(regime.hot.tcr, upper ? 38 : 37);
  const untagged = tagged ? address & ones(56) : address;
  if (untagged >> BigInt(regime.physicalBits) !== 0n) return { fault: FAULT.addressSize };
  const code = access.kind === 'execute';
  return {
    physical: Number(untagged),
    log2Size: 12,
    device: !code,
    attributes: code ? 0x44 : 0x00,
    shareability: OUTER_SHAREABLE,
    global: true,
  };
}

/** The registers taken apart, again if one of them has changed. */
function controlOf(regime: Regime): TranslationControl {
  const { hot, known } = regime;
  const { tcr, ttbr0, ttbr1, mair } = hot;
  if (known?.tcr === tcr && known.ttbr0 === ttbr0 && known.ttbr1 === ttbr1 && known.mair === mair)
    return known.control;
  const control = translationControl(hot, regime.physicalBits, regime.has);
  regime.known = { tcr, ttbr0, ttbr1, mair, control };
  return control;
}

/** So many bits of a value of two halves, from a position on. */
function bitsOf(high: number, low: number, position: number, width: number): number {
  const mask = (1 << width) - 1;
  if (position >= 32) return (high >>> (position - 32)) & mask;
  if (position + width <= 32) return (low >>> position) & mask;
  return ((low >>> position) | (high << (32 - position))) & mask;
}

/** Whether the bits of an address from `bits` on, tag aside, are those of its half. */
function isInHalf(high: number, low: number, { bits, tagged }: HalfControl, isUpper: boolean): boolean {
  if (bits === undefined) return false;
  const mask = tagged ? 0xff_ffff : 0xffff_ffff;
  const rest = (high & mask) >>> 0;
  const all = isUpper ? mask : 0;
  if (bits >= 32) return rest >>> (bits - 32) === all >>> (bits - 32);
  return rest === all && low >>> bits === (isUpper ? 0xffff_ffff >>> bits : 0);
}

/** The address in a descriptor, whose lowest bits are none of it. */
const addressIn = (high: number, low: number, bits: number): number =>
  (high & 0xffff) * 2 ** 32 + ((low & -(1 << bits)) >>> 0);

/** Translates an address, or says which fault it raises. Walks are made of numbers: bigints would take five times as long. */
export function translate(regime: Regime, address: bigint, access: Access): Mapping | Fault {
  const { hot, memory } = regime;
  if ((hot.sctlr & SCTLR.M) === 0n) return flat(regime, address, access);
  const control = controlOf(regime);
  const high = Number(BigInt.asUintN(32, address >> 32n));
  const low = Number(BigInt.asUintN(32, address));
  const isUpper = ((high >>> 23) & 1) === 1;
  const half = isUpper ? control.upper : control.lower;
  const { granule, hierarchyOff } = half;
  if (!isInHalf(high, low, half, isUpper) || (access.user && half.disabledForUser))
    return { fault: FAULT.translation };
  const { outputEnd } = control;
  const stride = granule - 3;

  let { table, level } = half;
  if (table >= outputEnd) return { fault: FAULT.addressSize };
  let apTable = 0;
  let pxn = false;
  let uxn = false;
  for (let top = half.bits!; ; top = granule + stride * (3 - level), level++) {
    const from = granule + stride * (3 - level);
    const at = table + 8 * bitsOf(high, low, from, top - from);
    const page = Math.floor(at / 4096);
    const ram = memory.ram(page, false);
    if (ram === undefined) return { fault: FAULT.externalOnWalk + level };
    const index = ram.wordsBefore(page) * 2 + (at % 4096) / 4;
    const descriptor = ram.u32[index]!;
    const upper = ram.u32[index + 1]!;
    const type = descriptor & 3;
    if ((type & 1) === 0) return { fault: FAULT.translation + level };
    if (type === 3 && level < 3) {
      table = addressIn(upper, descriptor, granule);
      if (table >= outputEnd) return { fault: FAULT.addressSize + level };
      if (!hierarchyOff) {
        apTable |= (upper >>> 29) & 3;
        uxn ||= ((upper >>> 28) & 1) === 1;
        pxn ||= ((upper >>> 27) & 1) === 1;
      }
      continue;
    }
    // A block, at the levels that have them, or a page.
    if (type === 1 && !(level === 2 || (level === 1 && granule === 12)))
      return { fault: FAULT.translation + level };
    const output = addressIn(upper, descriptor, from);
    if (output >= outputEnd) return { fault: FAULT.addressSize + level };

    let updated = descriptor;
    if ((descriptor & ACCESS_FLAG) === 0) {
      if (!control.setsAccessFlag) return { fault: FAULT.accessFlag + level };
      updated |= ACCESS_FLAG;
    }
    // Hardware management of dirty state: a page with DBM becomes writable when it is written (D8.5).
    if (control.managesDirtyState && (upper & DBM) !== 0 && access.kind === 'write')
      updated = (updated & ~READ_ONLY) >>> 0;
    // APTable[0] takes away EL0's access, APTable[1] makes read-only.
    let ap = (updated >>> 6) & 3;
    if (apTable & 1) ap &= ~1;
    if (apTable & 2) ap |= 2;
    if (!permits(regime, access, ap, pxn || (upper & PXN) !== 0, uxn || (upper & UXN) !== 0))
      return { fault: FAULT.permission + level };
    if (updated !== descriptor) {
      const written = memory.ram(page, true);
      if (written !== undefined) written.u32[index] = updated;
    }

    const attributes = control.attributes[(descriptor >>> 2) & 7]!;
    const device = (attributes & 0xf0) === 0;
    return {
      physical: output + (low & ((1 << from) - 1)),
      log2Size: from,
      device,
      attributes,
      shareability: device ? OUTER_SHAREABLE : (descriptor >>> 8) & 3,
      global: ((descriptor >>> 11) & 1) === 0,
    };
  }
}
