/** Stage 1 translation of the EL1&0 regime, VMSAv8-64 (chapter D8), with granules of 4, 16 and 64 KiB. */
import { bitOf, field, ones } from './bits.ts';
import { FAULT } from './exceptions.ts';
import type { PhysicalMemory } from './memory.ts';
import type { HotRegisters } from './state.ts';

/** What the walk knows of the CPU. */
export interface Regime {
  readonly hot: HotRegisters;
  readonly memory: PhysicalMemory;
  /** ID_AA64MMFR0_EL1.PARange in bits. */
  readonly physicalBits: number;
  has(feature: string): boolean;
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

export const SCTLR = { M: 1n << 0n, A: 1n << 1n, WXN: 1n << 19n } as const;

const OUTPUT_BITS = [32, 36, 40, 42, 44, 48, 48, 48];
/** log2 of the granule by TCR.TG0 and TCR.TG1. */
const GRANULE0 = [12, 16, 14, 12];
const GRANULE1 = [12, 14, 12, 16];
const OUTER_SHAREABLE = 2;

/** Which table base serves an access, and how; undefined if none does. */
function selectTable({ hot: { tcr, ttbr0, ttbr1 }, has }: Regime, address: bigint, { user }: Access) {
  const upper = bitOf(address, 55);
  const tagged = bitOf(tcr, upper ? 38 : 37);
  const granule = upper ? GRANULE1[field(tcr, 30, 2)]! : GRANULE0[field(tcr, 14, 2)]!;
  const size = field(tcr, upper ? 16 : 0, 6);
  const disabled = bitOf(tcr, upper ? 23 : 7) || (user && has('E0PD') && bitOf(tcr, upper ? 56 : 55));
  const bits = 64 - size;
  const greatest = has('TTST') ? (granule === 16 ? 47 : 48) : 39;
  if (size < 16 || size > greatest || disabled) return undefined;
  const top = tagged ? 56 : 64;
  const rest = (address & ones(top)) >> BigInt(bits);
  if (rest !== (upper ? ones(top - bits) : 0n)) return undefined;
  return { base: upper ? ttbr1 : ttbr0, bits, granule, hierarchyOff: bitOf(tcr, upper ? 42 : 41) };
}

function readDescriptor(memory: PhysicalMemory, address: number): bigint | undefined {
  const page = Math.floor(address / 4096);
  const ram = memory.ram(page, false);
  return ram?.u64[ram.wordsBefore(page) + (address % 4096) / 8];
}

function writeDescriptor(memory: PhysicalMemory, address: number, value: bigint): void {
  const page = Math.floor(address / 4096);
  const ram = memory.ram(page, true);
  if (ram !== undefined) ram.u64[ram.wordsBefore(page) + (address % 4096) / 8] = value;
}

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

/** Translates an address, or says which fault it raises. */
export function translate(regime: Regime, address: bigint, access: Access): Mapping | Fault {
  const { hot, memory } = regime;
  if ((hot.sctlr & SCTLR.M) === 0n) return flat(regime, address, access);
  const selected = selectTable(regime, address, access);
  if (selected === undefined) return { fault: FAULT.translation };
  const { bits, granule, hierarchyOff } = selected;
  const stride = granule - 3;
  const outputBits = Math.min(OUTPUT_BITS[field(hot.tcr, 32, 3)]!, regime.physicalBits);
  const tooBig = (output: bigint) => output >> BigInt(outputBits) !== 0n;

  let level = 4 - Math.ceil((bits - granule) / stride);
  // The first table may be smaller than a granule, and is aligned to its own size (D8.2.6).
  const firstBits = bits - granule - stride * (3 - level) + 3;
  let table = selected.base & ones(48) & ~ones(firstBits);
  if (tooBig(table)) return { fault: FAULT.addressSize };
  let apTable = 0;
  let pxn = false;
  let uxn = false;
  for (let high = bits; ; high = granule + stride * (3 - level), level++) {
    const low = granule + stride * (3 - level);
    const at = Number(table) + 8 * field(address, low, high - low);
    let descriptor = readDescriptor(memory, at);
    if (descriptor === undefined) return { fault: FAULT.externalOnWalk + level };
    const type = Number(descriptor & 3n);
    if ((type & 1) === 0) return { fault: FAULT.translation + level };
    if (type === 3 && level < 3) {
      table = descriptor & ones(48) & ~ones(granule);
      if (tooBig(table)) return { fault: FAULT.addressSize + level };
      if (!(hierarchyOff && regime.has('HPDS'))) {
        apTable |= field(descriptor, 61, 2);
        uxn ||= bitOf(descriptor, 60);
        pxn ||= bitOf(descriptor, 59);
      }
      continue;
    }
    // A block, at the levels that have them, or a page.
    if (type === 1 && !(level === 2 || (level === 1 && granule === 12)))
      return { fault: FAULT.translation + level };
    const output = descriptor & ones(48) & ~ones(low);
    if (tooBig(output)) return { fault: FAULT.addressSize + level };

    let updated = descriptor;
    if (!bitOf(descriptor, 10)) {
      if (!(bitOf(hot.tcr, 39) && regime.has('HAFDBS'))) return { fault: FAULT.accessFlag + level };
      updated |= 1n << 10n;
    }
    // Hardware management of dirty state: a page with DBM becomes writable when it is written (D8.5).
    const dirtyManaged = bitOf(hot.tcr, 40) && bitOf(descriptor, 51) && regime.has('HAFDBS2');
    if (dirtyManaged && access.kind === 'write') updated &= ~(1n << 7n);
    // APTable[0] takes away EL0's access, APTable[1] makes read-only.
    let ap = field(updated, 6, 2);
    if (apTable & 1) ap &= ~1;
    if (apTable & 2) ap |= 2;
    if (!permits(regime, access, ap, pxn || bitOf(descriptor, 53), uxn || bitOf(descriptor, 54)))
      return { fault: FAULT.permission + level };
    if (updated !== descriptor) writeDescriptor(memory, at, updated);
    descriptor = updated;

    const attributes = field(hot.mair, 8 * field(descriptor, 2, 3), 8);
    const device = (attributes & 0xf0) === 0;
    return {
      physical: Number(output | (address & ones(low))),
      log2Size: low,
      device,
      attributes,
      shareability: device ? OUTER_SHAREABLE : field(descriptor, 8, 2),
      global: !bitOf(descriptor, 11),
    };
  }
}
