/**
 * A VM straight into a file, and out of it: its memory is never in the process twice, and is read, written and summed at
 * the same time.
 *
 * @packageDocumentation
 */
import { readSync } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { checkString } from '../abi/argument.ts';
import type { Kvm } from '../kvm.ts';
import type { Vm } from '../vm.ts';
import { readState } from './decode-state.ts';
import { encodeHead, layOut } from './encode-state.ts';
import { bad, checkSum, type Row, type Source } from './file-table.ts';
import { partsOf } from './memory-state.ts';
import type { RestoreOptions } from './plan-restore.ts';
import { Restore, type RestoredVm } from './restore-vm.ts';
import { type SaveOptions, viewVm } from './save-vm.ts';

/** Bytes that are on their way while those before them are summed. */
const CHUNK = 4 * 2 ** 20;

/** As many buffers as `readv(2)` and `writev(2)` take (linux/uio.h). */
const IOV_MAX = 1024;

/**
 * Saves a VM in a state file, as `writeFileSync(file, encodeState(saveVm(vm)))` does, at about the speed at which a file
 * is copied. Until it settles, none of the vCPUs may run and nobody may write the memory. The file is there whole or not
 * at all.
 *
 * @returns bytes of the file
 * @throws KvmError as {@link saveVm}; what the file system has to say
 * @example
 * ```ts
 * await saveVmToFile(vm, 'guest.state');
 * ```
 */
export async function saveVmToFile(vm: Vm, file: string, options: SaveOptions = {}): Promise<number> {
  checkString('file', file);
  const layout = layOut(viewVm(vm, options));
  const part = `${file}.part`;
  const handle = await open(part, 'w');
  const write: Transfer = async (buffers, at) => (await handle.writev(buffers, at)).bytesWritten;
  try {
    const checksums: number[] = [];
    for (const { parts, offset } of layout.sections) checksums.push(await transferAll(parts, offset, write));
    await transferAll([encodeHead(layout, checksums)], 0, write);
    await handle.truncate(layout.length);
    await handle.close();
    await rename(part, file);
  } catch (error) {
    await handle.close().catch(() => {});
    await rm(part, { force: true });
    throw error;
  }
  return layout.length;
}

/** Reads or writes buffers at a position; answers how many bytes. */
type Transfer = (buffers: Uint8Array[], position: number) => Promise<number>;

/** Transfers all parts, and answers their checksum. What has been transferred is summed while more is on its way. */
async function transferAll(
  parts: readonly Uint8Array[],
  offset: number,
  transfer: Transfer,
): Promise<number> {
  let sum = 0;
  let done: readonly Uint8Array[] = [];
  let at = offset;
  const sumUp = () => {
    for (const bytes of done) sum = crc32(bytes, sum);
  };
  for (const group of groupsOf(parts)) {
    const transferred = transferGroup(group, at, transfer);
    sumUp();
    at = await transferred;
    done = group;
  }
  sumUp();
  return sum;
}

/** Parts in groups of at most {@link CHUNK} bytes, and as many as `readv(2)` takes. */
function* groupsOf(parts: readonly Uint8Array[]): Generator<Uint8Array[]> {
  let group: Uint8Array[] = [];
  let bytes = 0;
  for (const part of parts) {
    for (let at = 0; at < part.length; ) {
      const piece = part.subarray(at, at + CHUNK - bytes);
      group.push(piece);
      bytes += piece.length;
      at += piece.length;
      if (bytes === CHUNK || group.length === IOV_MAX) {
        yield group;
        group = [];
        bytes = 0;
      }
    }
  }
  if (group.length > 0) yield group;
}

/** Answers where the file goes on. */
async function transferGroup(group: Uint8Array[], offset: number, transfer: Transfer): Promise<number> {
  let rest = group.filter(piece => piece.length > 0);
  let at = offset;
  while (rest.length > 0) {
    const count = await transfer(rest, at);
    if (count === 0) throw bad('the file has become shorter', at);
    at += count;
    rest = behind(rest, count);
  }
  return at;
}

/** What is left of buffers behind so many bytes. */
function behind(buffers: Uint8Array[], count: number): Uint8Array[] {
  let skip = count;
  return buffers.flatMap(buffer => {
    const skipped = Math.min(skip, buffer.length);
    skip -= skipped;
    return skipped === buffer.length ? [] : [buffer.subarray(skipped)];
  });
}

/**
 * Restores a VM from a state file, as `restoreVm(target, decodeState(readFileSync(file)))` does, at about the speed at
 * which a file is copied.
 *
 * @throws as {@link restoreVm} and {@link decodeState}; what the file system has to say
 * @example
 * ```ts
 * const { vm } = await restoreVmFromFile(Kvm.open(), 'guest.state');
 * ```
 */
export async function restoreVmFromFile(
  target: Kvm | Vm,
  file: string,
  options: RestoreOptions = {},
): Promise<RestoredVm> {
  checkString('file', file);
  const handle = await open(file, 'r');
  const read: Transfer = async (buffers, at) => (await handle.readv(buffers, at)).bytesRead;
  try {
    const pageRows: Row[] = [];
    const state = readState(await sourceOf(handle), row => {
      pageRows.push(row);
      return new Uint8Array();
    });
    const restore = new Restore(target, state, options);
    try {
      for (const [i, { bytes }] of restore.regions().entries()) {
        const { offset, checksum } = pageRows[i]!;
        const sum = await transferAll(partsOf(bytes, state.memory![i]!.bitmap), offset, read);
        checkSum(sum, checksum, offset);
      }
      return restore.finish();
    } catch (error) {
      restore.vm.close();
      throw error;
    }
  } finally {
    await handle.close();
  }
}

async function sourceOf(handle: FileHandle): Promise<Source> {
  const { size } = await handle.stat();
  return {
    length: size,
    read(offset, length) {
      const bytes = new Uint8Array(Math.max(0, Math.min(length, size - offset)));
      let at = 0;
      while (at < bytes.length) {
        const count = readSync(handle.fd, bytes, at, bytes.length - at, offset + at);
        if (count === 0) throw bad('the file has become shorter', offset + at);
        at += count;
      }
      return bytes;
    },
  };
}
