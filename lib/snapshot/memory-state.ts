/**
 * Regions of guest memory, taken page by page: pages of zeros are left out.
 *
 * @packageDocumentation
 */
import { dirtyBitmapSize } from '../abi/memory.ts';
import { dirtyPages, type GuestMemory } from '../memory.ts';
import { PAGE } from './file-layout.ts';

/** A region of guest memory, or what was written in it since an earlier state. */
export interface MemoryState {
  readonly guestPhysAddr: bigint;
  /** Bytes. */
  readonly size: number;
  readonly readOnly: boolean;
  readonly logDirtyPages: boolean;
  /** Pages that are not in it are zero; otherwise they are as an earlier state has them. */
  readonly complete: boolean;
  /** A bit for each 4096 bytes, whatever pages the host has: whether they are in {@link pages}. In whole words of 64 bits. */
  readonly bitmap: Uint8Array;
  /** Those, in order: parts of whole pages, to be taken as one. */
  readonly pages: readonly Uint8Array[];
}

/**
 * What of memory is saved: all; nothing; or `'dirty'`, the pages that the guest has written since its dirty log was asked
 * last, by a save or by {@link GuestMemory.getDirtyLog}. The log does not tell what the program writes.
 */
export type SavedMemory = 'all' | 'dirty' | 'none';

const NO_BYTES = Buffer.alloc(PAGE);

/**
 * Saves a region. Its pages are views: they are good until the guest runs; see {@link copied}.
 *
 * @param clears - the dirty log is cleared by hand: `KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2` is enabled
 * @throws KvmError ENOENT: `'dirty'` of a region that is not logged
 */
export function saveMemory(
  memory: GuestMemory,
  which: Exclude<SavedMemory, 'none'>,
  clears: boolean,
): MemoryState {
  const bitmap = which === 'all' ? writtenPages(memory) : loggedPages(memory, clears);
  const { guestPhysAddr, size, readOnly, logDirtyPages, bytes } = memory;
  const complete = which === 'all';
  return { guestPhysAddr, size, readOnly, logDirtyPages, complete, bitmap, pages: partsOf(bytes, bitmap) };
}

/** The same with pages of its own. */
export function copied(state: MemoryState): MemoryState {
  const bytes = new Uint8Array(pagesLength(state));
  let at = 0;
  for (const part of state.pages) {
    bytes.set(part, at);
    at += part.length;
  }
  return { ...state, pages: [bytes] };
}

/** Bytes of its pages. */
export function pagesLength({ pages }: MemoryState): number {
  return pages.reduce((sum, part) => sum + part.length, 0);
}

/** The pages of a region that hold anything but zeros. */
function writtenPages({ bytes, size }: GuestMemory): Uint8Array {
  const bitmap = new Uint8Array(dirtyBitmapSize(size / PAGE));
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, size);
  for (let page = 0; page < size / PAGE; page++) {
    if (buffer.compare(NO_BYTES, 0, PAGE, page * PAGE, (page + 1) * PAGE) !== 0)
      bitmap[page >> 3]! |= 1 << (page & 7);
  }
  return bitmap;
}

/** The dirty log, in pages of 4096 bytes. */
function loggedPages(memory: GuestMemory, clears: boolean): Uint8Array {
  if (memory.readOnly) return new Uint8Array(dirtyBitmapSize(memory.size / PAGE));
  const logged = memory.getDirtyLog();
  if (clears) memory.clearDirtyLog(logged);
  const factor = memory.pageSize / PAGE;
  if (factor === 1) return logged;
  const bitmap = new Uint8Array(dirtyBitmapSize(memory.size / PAGE));
  for (const hostPage of dirtyPages(logged)) {
    for (let page = hostPage * factor; page < (hostPage + 1) * factor; page++)
      bitmap[page >> 3]! |= 1 << (page & 7);
  }
  return bitmap;
}

/** The pages of a bit map that lie side by side, as the first and how many. */
function runsOf(bitmap: Uint8Array): [first: number, count: number][] {
  const runs: [number, number][] = [];
  for (const page of dirtyPages(bitmap)) {
    const last = runs.at(-1);
    if (last !== undefined && last[0] + last[1] === page) last[1]++;
    else runs.push([page, 1]);
  }
  return runs;
}

/** The bytes of a region that are the pages of a bit map. */
export function partsOf(bytes: Uint8Array, bitmap: Uint8Array): Uint8Array[] {
  return runsOf(bitmap).map(([first, count]) => bytes.subarray(first * PAGE, (first + count) * PAGE));
}

/** Writes the pages of a state to where they belong in a region. */
export function writePages(target: Uint8Array, { bitmap, pages }: MemoryState): void {
  const places = partsOf(target, bitmap);
  for (let part of pages) {
    while (part.length > 0) {
      const place = places[0]!;
      const length = Math.min(place.length, part.length);
      place.set(part.subarray(0, length));
      if (length === place.length) places.shift();
      else places[0] = place.subarray(length);
      part = part.subarray(length);
    }
  }
}
