/**
 * The header and table of a state file, read strictly. Lengths in a file are held against the bytes that there are before
 * anything is made of them.
 *
 * @packageDocumentation
 */
import { crc32 } from 'node:zlib';
import { KvmError } from '../errors.ts';
import {
  FILE_VERSION,
  HEADER,
  MAGIC,
  MAX_SECTIONS,
  ROW,
  SECTION,
  startOf,
  versionFor,
} from './file-layout.ts';

/** Where the bytes of a file come from. */
export interface Source {
  /** Bytes of the file. */
  readonly length: number;
  /** Those at an offset; fewer at the end of the file. */
  read(offset: number, length: number): Uint8Array;
}

/** A row of the table. */
export interface Row {
  readonly type: number;
  readonly checksum: number;
  /** Where the row itself is. */
  readonly row: number;
  readonly offset: number;
  readonly length: number;
}

/** The error for whatever is wrong with a file. */
export function bad(what: string, offset: number): KvmError {
  return new KvmError(
    'ERR_BAD_STATE',
    `ERR_BAD_STATE: no state file, or a damaged one: ${what}, at offset ${offset}`,
  );
}

/** A view on bytes that may lie anywhere in their buffer. */
export function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

/** The table of a file, held against the file's length and its own checksum. */
export function readTable(source: Source): Row[] {
  const head = source.read(0, HEADER.size);
  const magicEnds = MAGIC.findIndex((byte, i) => head[i] !== byte);
  if (magicEnds >= 0) throw bad('it does not begin as one', magicEnds);
  if (source.length < HEADER.size) throw bad('it ends within the header', source.length);
  const view = viewOf(head);
  const version = view.getUint32(HEADER.version, true);
  if (version < 1 || version > FILE_VERSION)
    throw bad(`version ${version}; this library reads versions 1 to ${FILE_VERSION}`, HEADER.version);
  const count = view.getUint32(HEADER.sections, true);
  if (count > MAX_SECTIONS)
    throw bad(`it announces ${count} sections; at most ${MAX_SECTIONS} are possible`, HEADER.sections);
  const length = view.getBigUint64(HEADER.fileLength, true);
  if (length !== BigInt(source.length))
    throw bad(`it announces ${length} bytes and has ${source.length}`, HEADER.fileLength);
  const start = HEADER.size + count * ROW.size;
  if (start > source.length) throw bad(`the table of ${count} sections does not fit`, HEADER.sections);
  const table = Uint8Array.from(source.read(0, start));
  checkTable(table);
  let end = start;
  const rows = Array.from({ length: count }, (_, i): Row => {
    const row = readRow(viewOf(table), HEADER.size + i * ROW.size, end, source.length);
    checkZeros(source, end, row.offset);
    end = row.offset + row.length;
    return row;
  });
  const fileEnd = startOf(SECTION.provenance, end);
  if (fileEnd > source.length) throw bad('the file ends within a section', source.length);
  checkZeros(source, end, fileEnd);
  if (fileEnd !== source.length) throw bad('there is more behind the last section', fileEnd);
  const needed = versionFor(rows.map(({ type }) => type));
  if (version !== needed)
    throw bad(`version ${version}, and its sections are of version ${needed}`, HEADER.version);
  return rows;
}

/** @param table - a copy, in which the checksum is then 0 */
function checkTable(table: Uint8Array): void {
  const view = viewOf(table);
  const checksum = view.getUint32(HEADER.checksum, true);
  view.setUint32(HEADER.checksum, 0, true);
  if (crc32(table) !== checksum) throw bad('the checksum of the header is wrong', HEADER.checksum);
  if (view.getUint32(HEADER.zero, true) !== 0) throw bad('this must be 0', HEADER.zero);
}

/** @param end - where what is before the section ends */
function readRow(table: DataView, row: number, end: number, fileLength: number): Row {
  const type = table.getUint32(row + ROW.type, true);
  const start = startOf(type, end);
  const offset = table.getBigUint64(row + ROW.offset, true);
  if (offset !== BigInt(start))
    throw bad(`the section begins at ${offset} instead of ${start}`, row + ROW.offset);
  const length = table.getBigUint64(row + ROW.length, true);
  if (length > BigInt(Math.max(0, fileLength - start)))
    throw bad(
      `the section announces ${length} bytes; ${Math.max(0, fileLength - start)} are left`,
      row + ROW.length,
    );
  const checksum = table.getUint32(row + ROW.checksum, true);
  return { type, checksum, row, offset: start, length: Number(length) };
}

function checkZeros(source: Source, from: number, to: number): void {
  const padding = source.read(from, to - from).findIndex(byte => byte !== 0);
  if (padding >= 0) throw bad('this must be 0', from + padding);
}

/** The bytes of a section, held against their checksum. */
export function readSection(source: Source, { offset, length, checksum }: Row): Uint8Array {
  const bytes = source.read(offset, length);
  checkSum(crc32(bytes), checksum, offset);
  return bytes;
}

/** A section's bytes must have the sum that the table says. */
export function checkSum(sum: number, checksum: number, offset: number): void {
  if (sum !== checksum) throw bad('the checksum of the section is wrong', offset);
}
