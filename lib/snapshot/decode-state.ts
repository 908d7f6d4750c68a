/**
 * Reads the bytes of a state file, strictly: what is not as `file-layout.ts` says is refused with its place.
 *
 * @packageDocumentation
 */
import { types } from 'node:util';
import { invalidType } from '../abi/argument.ts';
import { dirtyBitmapSize } from '../abi/memory.ts';
import { registerBits, registerBytes } from '../abi/register-id.ts';
import { formatRegister } from '../abi/register-names.ts';
import { decodeVcpuEvents, decodeVcpuInit, encodeVcpuEvents, STRUCT_SIZE } from '../abi/structs.ts';
import { dirtyPages, MAX_REGION_SIZE } from '../memory.ts';
import { RegisterBatch } from '../register-batch.ts';
import { type Content, readGic, readMoreOfVm, readVcpuDevices } from './decode-devices.ts';
import {
  ARCHITECTURES,
  CAPABILITY,
  HEADER,
  MEMORY,
  MEMORY_FLAG,
  PAGE,
  placeOf,
  SECTION,
  VCPU,
  VM,
} from './file-layout.ts';
import { bad, type Row, readSection, readTable, type Source, viewOf } from './file-table.ts';
import type { GicState } from './gic-state.ts';
import type { MemoryState } from './memory-state.ts';
import type { Provenance, SavedState, VcpuState, VmSettings } from './vcpu-state.ts';
import type { Entry } from './write-state.ts';

/** Registers are at most this wide in `KVM_GET_ONE_REG` (KVM_REG_SIZE_U2048). */
const MAX_REGISTER_BYTES = 256;

/**
 * Reads a state file. Pages of memory are views on its bytes.
 *
 * @throws KvmError `ERR_BAD_STATE` for what is none, or damaged; the message names offset or field
 * @example
 * ```ts
 * const { provenance, vcpus } = decodeState(readFileSync('guest.state'));
 * ```
 */
export function decodeState(file: Uint8Array): SavedState {
  if (!types.isUint8Array(file)) throw invalidType('file', 'the bytes of a state file (Uint8Array)', file);
  const source = {
    length: file.length,
    read: (offset: number, length: number) => file.subarray(offset, offset + length),
  };
  return readState(source, row => readSection(source, row));
}

/** Reads all but the pages of memory, for which it asks. */
export function readState(source: Source, pagesAt: (row: Row) => Uint8Array): SavedState {
  const [first, ...rest] = readTable(source);
  if (first?.type !== SECTION.provenance) throw bad('the first section is not the provenance', HEADER.size);
  const contentOf = (row: Row): Content => ({ bytes: readSection(source, row), offset: row.offset });
  const provenance = readProvenance(contentOf(first));
  let vm: VmSettings | undefined;
  let gic: GicState | undefined;
  const vcpus: VcpuState[] = [];
  const memory: MemoryState[] = [];
  const vcpuRows = rest.filter(({ type }) => type === SECTION.vcpu).length;
  for (let i = 0; i < rest.length; i++) {
    const row = rest[i]!;
    const before = i === 0 ? first : rest[i - 1]!;
    if (placeOf(row.type) >= 0 && placeOf(row.type) < placeOf(before.type))
      throw bad(
        `section ${i + 1} is of the type ${row.type}, behind one of the type ${before.type}`,
        row.row,
      );
    switch (row.type) {
      case SECTION.vm:
        if (vm !== undefined) throw bad('the VM is in it twice', row.row);
        vm = readVm(contentOf(row));
        break;
      case SECTION.moreOfVm:
        if (vm === undefined || before.type !== SECTION.vm) throw bad('it is not behind the VM', row.row);
        vm = { ...vm, ...readMoreOfVm(contentOf(row)) };
        break;
      case SECTION.gic:
        if (gic !== undefined) throw bad('the interrupt controller is in it twice', row.row);
        if (vm === undefined) throw bad('an interrupt controller without a VM', row.row);
        gic = readGic(contentOf(row), vcpuRows);
        break;
      case SECTION.vcpu:
        vcpus.push(readVcpu(contentOf(row)));
        break;
      case SECTION.vcpuDevices:
        if (before.type !== SECTION.vcpu) throw bad('it is not behind a vCPU', row.row);
        vcpus.push({ ...vcpus.pop()!, ...readVcpuDevices(contentOf(row)) });
        break;
      case SECTION.memory:
        memory.push(readMemory(contentOf(row), rest[++i], pagesAt));
        break;
      default:
        throw bad(`section ${i + 1} is of the unknown type ${row.type}`, row.row);
    }
  }
  if (vcpus.length === 0 && memory.length === 0)
    throw bad('there is neither vCPU nor memory in it', HEADER.sections);
  const twice = vcpus.find((vcpu, i) => vcpus.findIndex(other => other.id === vcpu.id) !== i);
  if (twice !== undefined) throw bad(`vCPU ${twice.id} is in it twice`, HEADER.size);
  return { provenance, ...(vm && { vm }), ...(gic && { gic }), vcpus, ...(memory.length > 0 && { memory }) };
}

function readVm({ bytes, offset }: Content): VmSettings {
  if (bytes.length < VM.list) throw bad('the section ends within the VM', offset + bytes.length);
  const view = viewOf(bytes);
  const count = view.getUint32(VM.capabilities, true);
  if (bytes.length !== VM.list + count * CAPABILITY.size)
    throw bad(`${count} capabilities are not what is there`, offset + VM.capabilities);
  const ipaBits = view.getUint32(VM.ipaBits, true);
  if (ipaBits > 0xff) throw bad(`${ipaBits} bits of address space`, offset + VM.ipaBits);
  const seen = new Set<number>();
  const capabilities = Array.from({ length: count }, (_, i) => {
    const at = VM.list + i * CAPABILITY.size;
    const cap = view.getUint32(at + CAPABILITY.cap, true);
    if (seen.has(cap)) throw bad(`the capability ${cap} is in it twice`, offset + at);
    seen.add(cap);
    const flags = view.getUint32(at + CAPABILITY.flags, true);
    return {
      cap,
      flags,
      args: Array.from({ length: 4 }, (_, n) => view.getBigUint64(at + CAPABILITY.args + 8 * n, true)),
    };
  });
  return { ipaBits, capabilities };
}

function readMemory(
  { bytes, offset }: Content,
  pagesRow: Row | undefined,
  pagesAt: (row: Row) => Uint8Array,
): MemoryState {
  if (bytes.length < MEMORY.bitmap) throw bad('the section ends within the memory', offset + bytes.length);
  const view = viewOf(bytes);
  const guestPhysAddr = view.getBigUint64(MEMORY.address, true);
  const size = view.getBigUint64(MEMORY.size, true);
  const flags = view.getUint32(MEMORY.flags, true);
  if (size === 0n || size > BigInt(MAX_REGION_SIZE) || size % BigInt(PAGE) !== 0n)
    throw bad(`no region has ${size} bytes`, offset + MEMORY.size);
  if (guestPhysAddr % BigInt(PAGE) !== 0n || guestPhysAddr + size > 1n << 64n)
    throw bad('no region begins there', offset + MEMORY.address);
  const known = MEMORY_FLAG.readOnly | MEMORY_FLAG.logDirtyPages | MEMORY_FLAG.complete;
  if ((flags & ~known) !== 0) throw bad(`unknown flags 0x${flags.toString(16)}`, offset + MEMORY.flags);
  if (view.getUint32(MEMORY.zero, true) !== 0) throw bad('this must be 0', offset + MEMORY.zero);
  const pageCount = Number(size) / PAGE;
  if (bytes.length !== MEMORY.bitmap + dirtyBitmapSize(pageCount))
    throw bad(`the bit map is not one of ${pageCount} pages`, offset + MEMORY.bitmap);
  const bitmap = bytes.slice(MEMORY.bitmap);
  let count = 0;
  for (const page of dirtyPages(bitmap)) {
    if (page >= pageCount)
      throw bad(`page ${page} is beyond the region`, offset + MEMORY.bitmap + (page >> 3));
    count++;
  }
  if (pagesRow?.type !== SECTION.pages) throw bad('the pages of the memory do not follow it', offset);
  if (pagesRow.length !== count * PAGE)
    throw bad(`${pagesRow.length} bytes are not ${count} pages`, pagesRow.row);
  return {
    guestPhysAddr,
    size: Number(size),
    readOnly: (flags & MEMORY_FLAG.readOnly) !== 0,
    logDirtyPages: (flags & MEMORY_FLAG.logDirtyPages) !== 0,
    complete: (flags & MEMORY_FLAG.complete) !== 0,
    bitmap,
    pages: [pagesAt(pagesRow)],
  };
}

/** The fields, and whether one may be absent. */
const PROVENANCE: Readonly<Record<keyof Provenance, 'required' | 'optional'>> = {
  host: 'required',
  backend: 'required',
  kernel: 'optional',
  tool: 'required',
  saved: 'required',
};

function readProvenance({ bytes, offset }: Content): Provenance {
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

function readVcpu({ bytes, offset }: Content): VcpuState {
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
