/**
 * Writes a state as the bytes of a file; `file-layout.ts` says how they lie.
 *
 * @packageDocumentation
 */
import { crc32 } from 'node:zlib';
import { encodeVcpuEvents, encodeVcpuInit } from '../abi/structs.ts';
import { ARCHITECTURES, aligned, FILE_VERSION, HEADER, MAGIC, ROW, SECTION, VCPU } from './file-layout.ts';
import type { SavedState, VcpuState } from './vcpu-state.ts';

/**
 * The bytes of a state file.
 *
 * @example
 * ```ts
 * writeFileSync('guest.state', encodeState(saveVcpus([vcpu])));
 * ```
 */
export function encodeState({ provenance, vcpus }: SavedState): Uint8Array {
  const sections = [
    { type: SECTION.provenance, bytes: new TextEncoder().encode(JSON.stringify(provenance)) },
    ...vcpus.map(vcpu => ({ type: SECTION.vcpu, bytes: encodeVcpu(vcpu) })),
  ];
  const start = HEADER.size + sections.length * ROW.size;
  const length = sections.reduce((end, { bytes }) => aligned(end + bytes.length), start);
  const file = new Uint8Array(length);
  const view = new DataView(file.buffer);
  file.set(MAGIC);
  view.setUint32(HEADER.version, FILE_VERSION, true);
  view.setUint32(HEADER.sections, sections.length, true);
  view.setBigUint64(HEADER.fileLength, BigInt(length), true);
  let offset = start;
  sections.forEach(({ type, bytes }, i) => {
    const row = HEADER.size + i * ROW.size;
    view.setUint32(row + ROW.type, type, true);
    view.setUint32(row + ROW.checksum, crc32(bytes), true);
    view.setBigUint64(row + ROW.offset, BigInt(offset), true);
    view.setBigUint64(row + ROW.length, BigInt(bytes.length), true);
    file.set(bytes, offset);
    offset = aligned(offset + bytes.length);
  });
  view.setUint32(HEADER.checksum, crc32(file.subarray(0, start)), true);
  return file;
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
