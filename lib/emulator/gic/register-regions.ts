/**
 * The GIC's frames as regions of registers, and what an access to one does (`vgic_get_mmio_region` and its neighbours,
 * arch/arm64/kvm/vgic/vgic-mmio.c).
 *
 * @packageDocumentation
 */
import type { Result } from '../../backend.ts';
import type { CpuInterface } from './cpu-interface.ts';

/** Reads `bytes` (1 or 4) at an offset of a frame. */
export type Read = (cpu: CpuInterface, offset: number, bytes: number) => number;
export type Write = (cpu: CpuInterface, offset: number, bytes: number, value: number) => void;
/** A write of userspace's, which can be refused. */
export type UserWrite = (cpu: CpuInterface, offset: number, bytes: number, value: number) => Result;

/** `struct vgic_register_region`. An access of 8 bytes is one to each half. */
export interface Region {
  readonly offset: number;
  readonly length: number;
  /** Widths of accesses, in bytes. */
  readonly widths: readonly number[];
  /** How many bits belong to each interrupt; 0: none. */
  readonly bitsPerIrq: number;
  readonly read: Read;
  readonly write: Write;
  /** What userspace has otherwise. */
  readonly userRead?: Read | undefined;
  readonly userWrite?: UserWrite | undefined;
}

export const WORD = [4] as const;
export const WORD_OR_BYTE = [1, 4] as const;
export const WORD_OR_LONG = [4, 8] as const;

export const raz: Read = () => 0;
export const rao: Read = () => 0xffff_ffff;
export const wi: Write = () => {};
export const userWi: UserWrite = () => 0;

export type Handlers = Pick<Region, 'read' | 'write' | 'userRead' | 'userWrite'>;

/** A register with so many bits for each of 1024 interrupts. */
export const perIrq = (
  offset: number,
  bitsPerIrq: number,
  handlers: Handlers,
  widths: readonly number[] = WORD,
): Region => ({ offset, length: bitsPerIrq * 128, widths, bitsPerIrq, ...handlers });

/** Other registers, of so many bytes. */
export const registers = (
  offset: number,
  length: number,
  handlers: Handlers,
  widths: readonly number[] = WORD,
): Region => ({ offset, length, widths, bitsPerIrq: 0, ...handlers });

/** The first interrupt that an offset within a region of so many bits for each is about (`VGIC_ADDR_TO_INTID`). */
export function intidAt(offset: number, bitsPerIrq: number): number {
  return Math.floor(((offset & (bitsPerIrq * 128 - 1)) * 8) / bitsPerIrq);
}

/** The region that an access is to, if it may be made so. */
export function findRegion(
  regions: readonly Region[],
  nrIrqs: number,
  offset: number,
  bytes: number,
): Region | undefined {
  const region = regions.find(each => offset >= each.offset && offset < each.offset + each.length);
  if (region === undefined || !region.widths.includes(bytes) || offset % bytes !== 0) return undefined;
  const { bitsPerIrq } = region;
  return bitsPerIrq === 0 || intidAt(offset, bitsPerIrq) < nrIrqs ? region : undefined;
}

/** A guest's read; 0 where there is nothing, or not so wide. */
export function readFrame(
  regions: readonly Region[],
  cpu: CpuInterface,
  offset: number,
  bytes: number,
): bigint {
  const region = findRegion(regions, cpu.gic.nrIrqs, offset, bytes);
  if (region === undefined) return 0n;
  if (bytes === 8) {
    const [low, high] = [region.read(cpu, offset, 4), region.read(cpu, offset + 4, 4)];
    return BigInt(low >>> 0) | (BigInt(high >>> 0) << 32n);
  }
  return BigInt.asUintN(8 * bytes, BigInt(region.read(cpu, offset, bytes)));
}

/** A guest's write; ignored where there is nothing, or not so wide. */
export function writeFrame(
  regions: readonly Region[],
  cpu: CpuInterface,
  offset: number,
  bytes: number,
  value: bigint,
): void {
  const region = findRegion(regions, cpu.gic.nrIrqs, offset, bytes);
  if (region === undefined) return;
  region.write(cpu, offset, Math.min(bytes, 4), Number(value & 0xffff_ffffn));
  if (bytes === 8) region.write(cpu, offset + 4, 4, Number(value >> 32n));
}

/** Userspace's read of 32 bits (`vgic_uaccess_read`). */
export function userRead(regions: readonly Region[], cpu: CpuInterface, offset: number): number {
  const region = findRegion(regions, cpu.gic.nrIrqs, offset, 4);
  return region === undefined ? 0 : (region.userRead ?? region.read)(cpu, offset, 4) >>> 0;
}

/** Userspace's write of 32 bits (`vgic_uaccess_write`). */
export function userWrite(
  regions: readonly Region[],
  cpu: CpuInterface,
  offset: number,
  value: number,
): Result {
  const region = findRegion(regions, cpu.gic.nrIrqs, offset, 4);
  if (region === undefined) return 0;
  if (region.userWrite !== undefined) return region.userWrite(cpu, offset, 4, value);
  region.write(cpu, offset, 4, value);
  return 0;
}
