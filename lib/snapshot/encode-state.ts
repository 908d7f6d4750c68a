/**
 * Writes a state as the bytes of a file; `file-layout.ts` says how they lie.
 *
 * @packageDocumentation
 */
import { crc32 } from 'node:zlib';
import { encodeVcpuEvents, encodeVcpuInit } from '../abi/structs.ts';
import { checkSavedState } from './arguments.ts';
import { encodeGic, encodeMoreOfVm, encodeVcpuDevices } from './encode-devices.ts';
import {
  ARCHITECTURES,
  CAPABILITY,
  HEADER,
  MAGIC,
  MEMORY,
  MEMORY_FLAG,
  ROW,
  SECTION,
  startOf,
  VCPU,
  VM,
  versionFor,
} from './file-layout.ts';
import type { MemoryState } from './memory-state.ts';
import type { SavedState, VcpuState, VmSettings } from './vcpu-state.ts';

/** A section with its place. */
export interface Section {
  readonly type: number;
  /** Its bytes, one part behind the other. */
  readonly parts: readonly Uint8Array[];
  readonly offset: number;
  readonly length: number;
}

/** What a file is made of: a header with the table, and sections. Between them are zeros. */
export interface FileLayout {
  readonly sections: readonly Section[];
  /** Bytes of the file. */
  readonly length: number;
}

/**
 * The bytes of a state file.
 *
 * @example
 * ```ts
 * writeFileSync('guest.state', encodeState(saveVcpus([vcpu])));
 * ```
 */
export function encodeState(state: SavedState): Uint8Array {
  checkSavedState('state', state);
  const layout = layOut(state);
  const file = new Uint8Array(layout.length);
  for (const { parts, offset } of layout.sections) {
    let at = offset;
    for (const part of parts) {
      file.set(part, at);
      at += part.length;
    }
  }
  const checksums = layout.sections.map(({ offset, length }) =>
    crc32(file.subarray(offset, offset + length)),
  );
  file.set(encodeHead(layout, checksums));
  return file;
}

type Content = [type: number, parts: readonly Uint8Array[]];

/** Where all of a state lies in its file. */
export function layOut({ provenance, vm, gic, vcpus, memory = [] }: SavedState): FileLayout {
  const some = (type: number, bytes: Uint8Array | undefined): Content[] =>
    bytes === undefined ? [] : [[type, [bytes]]];
  const contents: Content[] = [
    [SECTION.provenance, [new TextEncoder().encode(JSON.stringify(provenance))]],
    ...some(SECTION.vm, vm && encodeVm(vm)),
    ...some(SECTION.moreOfVm, vm && encodeMoreOfVm(vm)),
    ...some(SECTION.gic, gic && encodeGic(gic)),
    ...vcpus.flatMap(vcpu => [
      ...some(SECTION.vcpu, encodeVcpu(vcpu)),
      ...some(SECTION.vcpuDevices, encodeVcpuDevices(vcpu)),
    ]),
    ...memory.flatMap((region): Content[] => [
      [SECTION.memory, [encodeMemory(region)]],
      [SECTION.pages, region.pages],
    ]),
  ];
  let end = HEADER.size + contents.length * ROW.size;
  const sections = contents.map(([type, parts]): Section => {
    const offset = startOf(type, end);
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    end = offset + length;
    return { type, parts, offset, length };
  });
  return { sections, length: startOf(SECTION.provenance, end) };
}

/** Header and table. */
export function encodeHead({ sections, length }: FileLayout, checksums: readonly number[]): Uint8Array {
  const head = new Uint8Array(HEADER.size + sections.length * ROW.size);
  const view = new DataView(head.buffer);
  head.set(MAGIC);
  view.setUint32(HEADER.version, versionFor(sections.map(({ type }) => type)), true);
  view.setUint32(HEADER.sections, sections.length, true);
  view.setBigUint64(HEADER.fileLength, BigInt(length), true);
  sections.forEach((section, i) => {
    const row = HEADER.size + i * ROW.size;
    view.setUint32(row + ROW.type, section.type, true);
    view.setUint32(row + ROW.checksum, checksums[i]!, true);
    view.setBigUint64(row + ROW.offset, BigInt(section.offset), true);
    view.setBigUint64(row + ROW.length, BigInt(section.length), true);
  });
  view.setUint32(HEADER.checksum, crc32(head), true);
  return head;
}

function encodeVcpu(state: VcpuState): Uint8Array {
  const { ids, words } = state.registers;
  const bytes = new Uint8Array(VCPU.ids + ids.byteLength + words.byteLength);
  const view = new DataView(bytes.buffer);
  view.setUint32(VCPU.architecture, ARCHITECTURES.indexOf(state.architecture), true);
  view.setUint32(VCPU.id, state.id, true);
  bytes.set(encodeVcpuInit(state.target, state.featureBits), VCPU.init);
  view.setUint32(VCPU.mpState, state.mpState, true);
  view.setUint32(VCPU.registers, ids.length, true);
  bytes.set(encodeVcpuEvents(state.events), VCPU.events);
  [...ids, ...words].forEach((word, i) => {
    view.setBigUint64(VCPU.ids + 8 * i, word, true);
  });
  return bytes;
}

function encodeVm({ ipaBits, capabilities }: VmSettings): Uint8Array {
  const bytes = new Uint8Array(VM.list + CAPABILITY.size * capabilities.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(VM.ipaBits, ipaBits, true);
  view.setUint32(VM.capabilities, capabilities.length, true);
  capabilities.forEach(({ cap, flags, args }, i) => {
    const at = VM.list + CAPABILITY.size * i;
    view.setUint32(at + CAPABILITY.cap, cap, true);
    view.setUint32(at + CAPABILITY.flags, flags, true);
    args.forEach((arg, n) => {
      view.setBigUint64(at + CAPABILITY.args + 8 * n, arg, true);
    });
  });
  return bytes;
}

function encodeMemory(region: MemoryState): Uint8Array {
  const bytes = new Uint8Array(MEMORY.bitmap + region.bitmap.length);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(MEMORY.address, region.guestPhysAddr, true);
  view.setBigUint64(MEMORY.size, BigInt(region.size), true);
  const flags = Object.entries(MEMORY_FLAG) as [keyof typeof MEMORY_FLAG, number][];
  view.setUint32(
    MEMORY.flags,
    flags.reduce((sum, [name, flag]) => (region[name] ? sum | flag : sum), 0),
    true,
  );
  bytes.set(region.bitmap, MEMORY.bitmap);
  return bytes;
}
