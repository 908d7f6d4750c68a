/** Loads, stores and fetches that the TLB does not answer: translation, faults, misalignment, memory outside RAM. */
import { bitOf } from './bits.ts';
import type { CodePage } from './code.ts';
import type { Cpu } from './cpu.ts';
import { abort, FAULT, ISS_CACHE_MAINTENANCE, ISS_WRITE } from './exceptions.ts';
import type { Syndrome } from './instruction.ts';
import type { Ram } from './memory.ts';
import { type Access, type Mapping, SCTLR, translate } from './mmu.ts';
import { ADDRESS, scratch } from './scratch.ts';
import { entryOf, type Tlb } from './tlb.ts';

export type Bytes = 1 | 2 | 4 | 8;

/** A read that has left the guest for its value, or a write that has left for good. */
export interface PendingMmio {
  /** The register that takes the value. */
  readonly target: { readonly slot: number; readonly syndrome: Syndrome } | undefined;
}

/** Where in RAM an access goes. */
export interface Place {
  readonly ram: Ram;
  /** In bytes from the start of the RAM. */
  readonly at: number;
  readonly physical: number;
}

const SCTLR_E0E = 1n << 24n;
const SCTLR_EE = 1n << 25n;

const low32 = (value: bigint) => Number(BigInt.asIntN(32, value));
const high32 = (value: bigint) => Number(BigInt.asIntN(32, value >> 32n));

/** Translates a data access, or raises its abort. */
export function translateData(
  cpu: Cpu,
  address: bigint,
  kind: 'read' | 'write',
  bytes: number,
  iss = kind === 'write' ? ISS_WRITE : 0,
): Mapping {
  const { hot, pan } = cpu.state;
  const misaligned = (address & BigInt(bytes - 1)) !== 0n;
  if (misaligned && hot.sctlr & SCTLR.A) throw abort(cpu, false, FAULT.alignment | iss, address);
  const user = cpu.isUser(cpu.tlb);
  const maintenance = (iss & ISS_CACHE_MAINTENANCE) !== 0;
  const access: Access = { kind, user, pan: pan && !user && !maintenance };
  const mapping = translate(cpu.regime, address, access);
  if ('fault' in mapping) throw abort(cpu, false, mapping.fault | iss, address);
  if (misaligned && mapping.device) throw abort(cpu, false, FAULT.alignment | iss, address);
  if (mapping.physical >= 2 ** cpu.machine.ipaBits) throw abort(cpu, false, FAULT.addressSize | iss, address);
  return mapping;
}

function leaveForMmio(cpu: Cpu, address: bigint, physical: number, size: Bytes, data?: bigint): never {
  const { d: slot, row } = cpu.current;
  if (row.syndrome === undefined) {
    const kind = data === undefined ? 'read' : 'write';
    return cpu.leave({ reason: 'no-syndrome', address: physical, virtualAddress: address, kind }, true);
  }
  cpu.pendingMmio = { target: data === undefined ? { slot, syndrome: row.syndrome } : undefined };
  return cpu.leave({ reason: 'mmio', address: physical, size, data }, true);
}

/** Ends an access that left: what was read goes to its register. */
export function completeMmio(cpu: Cpu, { target }: PendingMmio, data: bigint): void {
  if (target === undefined) return;
  const { size, signExtend, sixtyFour } = target.syndrome;
  const bits = 8 << size;
  let value = inMemoryOrder(cpu, BigInt.asUintN(bits, data), (1 << size) as Bytes);
  if (signExtend && !cpu.machine.cutsSignedReads)
    value = BigInt.asUintN(sixtyFour ? 64 : 32, BigInt.asIntN(bits, value));
  cpu.setX(target.slot, value);
}

/** The order of data in memory, of the level that runs. */
export const bigEndian = ({ state: { el, hot } }: Cpu): boolean =>
  (hot.sctlr & (el === 0 ? SCTLR_E0E : SCTLR_EE)) !== 0n;

/** The place of an access within a page; what it finds goes to the TLB. */
export function locate(cpu: Cpu, address: bigint, size: Bytes, kind: 'read' | 'write', data?: bigint): Place {
  const { tlb } = cpu;
  const low = low32(address);
  const offset = low & 0xfff;
  const right = kind === 'read' ? 'readable' : 'writable';
  const known = tlb.data[entryOf(low)]!;
  const misaligned = (low & (size - 1)) !== 0;
  if (
    known[right] === (low & ~0xfff) &&
    known.high === high32(address) &&
    !(misaligned && (known.aligned || cpu.state.hot.sctlr & SCTLR.A))
  ) {
    const { ram } = known;
    const at = known.words * 8 + offset;
    return { ram, at, physical: ram.firstPage * 4096 + at };
  }
  const { physical, device, log2Size } = translateData(cpu, address, kind, size);
  cpu.debug?.checkWatchpoints(cpu, address, size, kind);
  const page = (physical - offset) / 4096;
  const { memory, code } = cpu.machine;
  const ram = memory.ram(page, kind === 'write');
  if (ram === undefined) return leaveForMmio(cpu, address, physical, size, data);
  const words = ram.wordsBefore(page);
  // What the TLB has is not looked at again.
  const isWatched = cpu.debug?.looksAtData === true || (kind === 'write' && code.has(page));
  if (!bigEndian(cpu) && !isWatched) {
    tlb.fill(right, address, ram, words, device);
    if (log2Size > 12) tlb.noteBlock(address, log2Size);
  }
  return { ram, at: words * 8 + offset, physical };
}

/** An access of several bytes in pieces that no page boundary cuts. */
function pieces(address: bigint, bytes: Bytes): [bigint, Bytes][] {
  const offset = Number(address & 0xfffn);
  if (offset + bytes <= 4096) return [[address, bytes]];
  return Array.from({ length: bytes }, (_, n) => [BigInt.asUintN(64, address + BigInt(n)), 1]);
}

function swapped(value: bigint, bytes: number): bigint {
  let result = 0n;
  for (let n = 0; n < bytes; n++) result |= ((value >> BigInt(8 * n)) & 0xffn) << BigInt(8 * (bytes - 1 - n));
  return result;
}

/** The alignment of an access that crosses a page is that of the whole. */
function checkAcross(cpu: Cpu, address: bigint, bytes: Bytes, kind: 'read' | 'write'): void {
  if (Number(address & 0xfffn) + bytes > 4096) translateData(cpu, address, kind, bytes);
}

export function loadSlowly(cpu: Cpu, bytes: Bytes): bigint {
  const address = scratch[ADDRESS]!;
  checkAcross(cpu, address, bytes, 'read');
  let value = 0n;
  let shift = 0n;
  for (const [part, size] of pieces(address, bytes)) {
    const { ram, at } = locate(cpu, part, size, 'read');
    for (let n = 0; n < size; n++, shift += 8n) value |= BigInt(ram.u8[at + n]!) << shift;
  }
  return inMemoryOrder(cpu, value, bytes);
}

export function storeSlowly(cpu: Cpu, bytes: Bytes, data: bigint): void {
  const address = scratch[ADDRESS]!;
  checkAcross(cpu, address, bytes, 'write');
  const value = inMemoryOrder(cpu, BigInt.asUintN(8 * bytes, data), bytes);
  // All pieces are found before any is written, so that a fault leaves memory as it was.
  const places = pieces(address, bytes).map(
    ([part, size]) => [locate(cpu, part, size, 'write', value), size] as const,
  );
  let shift = 0n;
  for (const [{ ram, at, physical }, size] of places) {
    for (let n = 0; n < size; n++, shift += 8n) ram.u8[at + n] = Number((value >> shift) & 0xffn);
    cpu.machine.code.written(physical, size);
  }
}

/** With TCR.TBI a tag in the address that was branched to is dropped (D8.1, AArch64.BranchAddr). */
export function dropTag(cpu: Cpu): void {
  const { tcr } = cpu.state.hot;
  const tagged = cpu.pageAddress;
  if (bitOf(tcr, bitOf(tagged, 55) ? 38 : 37)) cpu.movePage(BigInt.asUintN(64, BigInt.asIntN(56, tagged)));
}

/** The page that the PC is in, as code. */
export function fetchPage(cpu: Cpu, tlb: Tlb): CodePage {
  const address = cpu.pc();
  const user = cpu.state.el === 0;
  const mapping = translate(cpu.regime, address, { kind: 'execute', user, pan: false });
  if ('fault' in mapping) throw abort(cpu, true, mapping.fault, address);
  const { physical, log2Size } = mapping;
  if (physical >= 2 ** cpu.machine.ipaBits) throw abort(cpu, true, FAULT.addressSize, address);
  const page = cpu.machine.code.page(Math.floor(physical / 4096));
  // Code outside RAM: KVM answers with an external abort (kvm_inject_pabt).
  if (page === undefined) throw abort(cpu, true, FAULT.external, address);
  tlb.fillCode(address, page);
  if (log2Size > 12) tlb.noteBlock(address, log2Size);
  return page;
}

/** Raised by accesses that must be aligned whatever memory they go to: exclusive, atomic, acquire, release. */
export function mustAlign(cpu: Cpu, address: bigint, bytes: number, write: boolean): void {
  if (address & BigInt(bytes - 1))
    throw abort(cpu, false, FAULT.alignment | (write ? ISS_WRITE : 0), address);
}

const inMemoryOrder = (cpu: Cpu, value: bigint, bytes: number): bigint =>
  bigEndian(cpu) ? swapped(value, bytes) : value;

/** What an aligned place has. */
export function readPlace(cpu: Cpu, { ram, at }: Place, bytes: Bytes): bigint {
  let value: bigint | number;
  if (bytes === 8) value = ram.u64[at / 8]!;
  else if (bytes === 4) value = ram.u32[at / 4]!;
  else if (bytes === 2) value = ram.u16[at / 2]!;
  else value = ram.u8[at]!;
  return inMemoryOrder(cpu, BigInt(value), bytes);
}

export function writePlace(cpu: Cpu, { ram, at, physical }: Place, bytes: Bytes, data: bigint): void {
  const value = inMemoryOrder(cpu, BigInt.asUintN(8 * bytes, data), bytes);
  if (bytes === 8) ram.u64[at / 8] = value;
  else if (bytes === 4) ram.u32[at / 4] = Number(value);
  else if (bytes === 2) ram.u16[at / 2] = Number(value);
  else ram.u8[at] = Number(value);
  cpu.machine.code.written(physical, bytes);
}
