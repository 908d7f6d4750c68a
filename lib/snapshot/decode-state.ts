/**
 * Reads the bytes of a state file, strictly: what is not as `file-layout.ts` says is refused with its place. Lengths in the
 * file are held against the bytes that there are before anything is made of them.
 *
 * @packageDocumentation
 */
import { types } from 'node:util';
import { crc32 } from 'node:zlib';
import { invalidType } from '../abi/argument.ts';
import { registerBits, registerBytes } from '../abi/register-id.ts';
import { formatRegister } from '../abi/register-names.ts';
import { decodeVcpuEvents, decodeVcpuInit, encodeVcpuEvents, STRUCT_SIZE } from '../abi/structs.ts';
import { KvmError } from '../errors.ts';
import { RegisterBatch } from '../register-batch.ts';
import {
  ARCHITECTURES,
  aligned,
  FILE_VERSION,
  HEADER,
  MAGIC,
  MAX_SECTIONS,
  ROW,
  SECTION,
  VCPU,
} from './file-layout.ts';
import type { Provenance, SavedState, VcpuState } from './vcpu-state.ts';
import type { Entry } from './write-state.ts';

/** Registers are at most this wide in `KVM_GET_ONE_REG` (KVM_REG_SIZE_U2048). */
const MAX_REGISTER_BYTES = 256;

/**
 * Reads a state file.
 *
 * @throws KvmError `ERR_BAD_STATE` for what is none, or damaged; the message names offset or field
 * @example
 * ```ts
 * const { provenance, vcpus } = decodeState(readFileSync('guest.state'));
 * ```
 */
export function decodeState(file: Uint8Array): SavedState {
  if (!types.isUint8Array(file)) throw invalidType('file', 'the bytes of a state file (Uint8Array)', file);
  const sections = readTable(file);
  const [first, ...rest] = sections;
  if (first?.type !== SECTION.provenance) throw bad('the first section is not the provenance', HEADER.size);
  const provenance = readProvenance(first);
  const vcpus = rest.map((section, i) => {
    if (section.type !== SECTION.vcpu)
      throw bad(`section ${i + 1} is of the unknown type ${section.type}`, section.row);
    return readVcpu(section);
  });
  if (vcpus.length === 0) throw bad('there is no vCPU in it', HEADER.sections);
  const twice = vcpus.find((vcpu, i) => vcpus.findIndex(other => other.id === vcpu.id) !== i);
  if (twice !== undefined) throw bad(`vCPU ${twice.id} is in it twice`, HEADER.size);
  return { provenance, vcpus };
}

interface Section {
  readonly type: number;
  /** Where its row is. */
  readonly row: number;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

function bad(what: string, offset: number): KvmError {
  return new KvmError(
    'ERR_BAD_STATE',
    `ERR_BAD_STATE: no state file, or a damaged one: ${what}, at offset ${offset}`,
  );
}

function readTable(file: Uint8Array): Section[] {
  const view = viewOf(file);
  const magicEnds = MAGIC.findIndex((byte, i) => file[i] !== byte);
  if (magicEnds >= 0) throw bad('it does not begin as one', magicEnds);
  if (file.length < HEADER.size) throw bad('it ends within the header', file.length);
  const version = view.getUint32(HEADER.version, true);
  if (version !== FILE_VERSION)
    throw bad(`version ${version}; this library reads version ${FILE_VERSION}`, HEADER.version);
  const count = view.getUint32(HEADER.sections, true);
  if (count > MAX_SECTIONS)
    throw bad(`it announces ${count} sections; at most ${MAX_SECTIONS} are possible`, HEADER.sections);
  const length = view.getBigUint64(HEADER.fileLength, true);
  if (length !== BigInt(file.length))
    throw bad(`it announces ${length} bytes and has ${file.length}`, HEADER.fileLength);
  const start = HEADER.size + count * ROW.size;
  if (start > file.length) throw bad(`the table of ${count} sections does not fit`, HEADER.sections);
  checkTable(file.subarray(0, start), view);
  let end = start;
  const sections = Array.from({ length: count }, (_, i): Section => {
    const section = readRow(file, view, HEADER.size + i * ROW.size, end);
    end = aligned(section.offset + section.bytes.length);
    return section;
  });
  if (end !== file.length) throw bad('there is more behind the last section', end);
  return sections;
}

function checkTable(table: Uint8Array, view: DataView): void {
  // No slice(), which of a Buffer is no copy.
  const copy = Uint8Array.from(table);
  viewOf(copy).setUint32(HEADER.checksum, 0, true);
  if (crc32(copy) !== view.getUint32(HEADER.checksum, true))
    throw bad('the checksum of the header is wrong', HEADER.checksum);
  if (view.getUint32(HEADER.zero, true) !== 0) throw bad('this must be 0', HEADER.zero);
}

/** @param start - where the section must begin */
function readRow(file: Uint8Array, view: DataView, row: number, start: number): Section {
  const offset = view.getBigUint64(row + ROW.offset, true);
  if (offset !== BigInt(start))
    throw bad(`the section begins at ${offset} instead of ${start}`, row + ROW.offset);
  const length = view.getBigUint64(row + ROW.length, true);
  if (length > BigInt(file.length - start))
    throw bad(`the section announces ${length} bytes; ${file.length - start} are left`, row + ROW.length);
  const end = start + Number(length);
  if (aligned(end) > file.length) throw bad('the file ends within a section', file.length);
  const padding = file.subarray(end, aligned(end)).findIndex(byte => byte !== 0);
  if (padding >= 0) throw bad('this must be 0', end + padding);
  const bytes = file.subarray(start, end);
  if (crc32(bytes) !== view.getUint32(row + ROW.checksum, true))
    throw bad('the checksum of the section is wrong', start);
  return { type: view.getUint32(row + ROW.type, true), row, offset: start, bytes };
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

/** The fields, and whether one may be absent. */
const PROVENANCE: Readonly<Record<keyof Provenance, 'required' | 'optional'>> = {
  host: 'required',
  backend: 'required',
  kernel: 'optional',
  tool: 'required',
  saved: 'required',
};

function readProvenance({ bytes, offset }: Section): Provenance {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw bad('the provenance is not JSON', offset);
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw bad('the provenance is no object', offset);
  const fields = json as Record<string, unknown>;
  for (const [name, need] of Object.entries(PROVENANCE)) {
    const value = fields[name];
    if (typeof value === 'string' || (value === undefined && need === 'optional')) continue;
    throw bad(`the field provenance.${name} is no string`, offset);
  }
  const unknown = Object.keys(fields).find(name => !Object.hasOwn(PROVENANCE, name));
  if (unknown !== undefined)
    throw bad(`the provenance has the unknown field ${JSON.stringify(unknown)}`, offset);
  return fields as unknown as Provenance;
}

function readVcpu({ bytes, offset }: Section): VcpuState {
  if (bytes.length < VCPU.ids) throw bad('the file ends within a vCPU', offset + bytes.length);
  const view = viewOf(bytes);
  const architecture = ARCHITECTURES[view.getUint32(VCPU.architecture, true)];
  if (architecture === undefined) throw bad('an unknown architecture', offset + VCPU.architecture);
  const init = decodeVcpuInit(bytes.subarray(VCPU.init, VCPU.init + STRUCT_SIZE.kvm_vcpu_init));
  return {
    architecture,
    id: view.getUint32(VCPU.id, true),
    target: init.target,
    featureBits: init.featureBits,
    registers: RegisterBatch.from(readRegisters(bytes, offset)),
    mpState: view.getUint32(VCPU.mpState, true),
    events: readEvents(bytes, offset + VCPU.events),
  };
}

function readEvents(bytes: Uint8Array, offset: number): VcpuState['events'] {
  const raw = bytes.subarray(VCPU.events, VCPU.events + STRUCT_SIZE.kvm_vcpu_events);
  const events = decodeVcpuEvents(raw);
  const wrong = encodeVcpuEvents(events).findIndex((byte, i) => byte !== raw[i]);
  if (wrong >= 0) throw bad('no such struct kvm_vcpu_events', offset + wrong);
  return events;
}

function readRegisters(bytes: Uint8Array, offset: number): Entry[] {
  const view = viewOf(bytes);
  const count = view.getUint32(VCPU.registers, true);
  const room = bytes.length - VCPU.ids;
  if (count > room / 16)
    throw bad(`it announces ${count} registers, for which there is no room`, offset + VCPU.registers);
  const entries: Entry[] = [];
  const seen = new Set<bigint>();
  let at = VCPU.ids + 8 * count;
  for (let i = 0; i < count; i++) {
    const id = view.getBigUint64(VCPU.ids + 8 * i, true);
    const place = offset + VCPU.ids + 8 * i;
    if (seen.has(id)) throw bad(`${formatRegister(id)} is in it twice`, place);
    seen.add(id);
    if (registerBytes(id) > MAX_REGISTER_BYTES)
      throw bad(`no register has the width of ${formatRegister(id)}`, place);
    const words = Math.ceil(registerBytes(id) / 8);
    if (at + 8 * words > bytes.length)
      throw bad(`the value of ${formatRegister(id)} is missing`, offset + bytes.length);
    let value = 0n;
    for (let word = words - 1; word >= 0; word--)
      value = (value << 64n) | view.getBigUint64(at + 8 * word, true);
    if (value >> BigInt(registerBits(id)) !== 0n)
      throw bad(`the value of ${formatRegister(id)} is wider than the register`, offset + at);
    entries.push([id, value]);
    at += 8 * words;
  }
  if (at !== bytes.length) throw bad('there is more behind the last register', offset + at);
  return entries;
}
