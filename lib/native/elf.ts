/**
 * As much of an ELF file as tells, before the dynamic loader is asked, that it cannot be loaded here and why.
 * `dlopen` itself answers "cannot open shared object file: No such file or directory" to a file for another
 * machine, and a truncated one ends the process with SIGBUS.
 *
 * @packageDocumentation
 */
import { closeSync, openSync, readSync } from 'node:fs';

/** The C library that a program or a library is linked with. */
export type Libc = 'glibc' | 'musl';

/** Machines by the name that `process.arch` gives them: `e_machine` of `elf.h`. */
const MACHINES: Readonly<Record<string, number>> = {
  ia32: 3,
  ppc64: 21,
  s390x: 22,
  arm: 40,
  x64: 62,
  arm64: 183,
  riscv64: 243,
  loong64: 258,
};

/** What can be wrong with a file: an `ERR_ADDON_*` code and a sentence. */
export interface ElfFault {
  readonly code: 'ERR_ADDON_NOT_ELF' | 'ERR_ADDON_MACHINE' | 'ERR_ADDON_TRUNCATED' | 'ERR_ADDON_LIBC';
  readonly message: string;
}

const HEADER_SIZE = 64;
const PT_LOAD = 1;
const PT_INTERP = 3;

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly size: number;
}

/** The segments whose headers lie within `bytes`; undefined where the bytes are no 64-bit little-endian ELF. */
function readSegments(bytes: Buffer): { machine: number; count: number; segments: Segment[] } | undefined {
  const isElf64 = bytes.length >= HEADER_SIZE && bytes.readUInt32BE(0) === 0x7f454c46 && bytes[4] === 2;
  if (!isElf64 || bytes[5] !== 1) return undefined;
  const tableOffset = Number(bytes.readBigUInt64LE(32));
  const entrySize = bytes.readUInt16LE(54);
  const count = bytes.readUInt16LE(56);
  const segments: Segment[] = [];
  for (let i = 0; i < count; i++) {
    const at = tableOffset + i * entrySize;
    if (at + 40 > bytes.length) break;
    segments.push({
      type: bytes.readUInt32LE(at),
      offset: Number(bytes.readBigUInt64LE(at + 8)),
      size: Number(bytes.readBigUInt64LE(at + 32)),
    });
  }
  return { machine: bytes.readUInt16LE(18), count, segments };
}

/**
 * The C library of a program, from its ELF interpreter; undefined where it has none or is no ELF file.
 * (`process.report` knows, too, but may look up host names for minutes: nodejs/node issue 46060.)
 */
export function libcOfProgram(path: string): Libc | undefined {
  const head = readHead(path);
  const interpreter = readSegments(head)?.segments.find(segment => segment.type === PT_INTERP);
  if (interpreter === undefined) return undefined;
  const name = head.toString('latin1', interpreter.offset, interpreter.offset + interpreter.size);
  if (name.includes('ld-musl')) return 'musl';
  return name.includes('ld-linux') ? 'glibc' : undefined;
}

/** The first page, where linkers put the interpreter's name; a program is too large to be read whole for it. */
function readHead(path: string): Buffer {
  const head = Buffer.alloc(4096);
  const fd = openSync(path, 'r');
  try {
    return head.subarray(0, readSync(fd, head, 0, head.length, 0));
  } finally {
    closeSync(fd);
  }
}

/** From the names of the libraries that it needs, which are plain strings in the file. */
function libcOfLibrary(bytes: Buffer): Libc | undefined {
  if (bytes.includes('libc.musl-')) return 'musl';
  return bytes.includes('libc.so.6') ? 'glibc' : undefined;
}

/**
 * Why an addon cannot be loaded into a process, or undefined where nothing speaks against it.
 *
 * @param bytes - the addon's file
 * @param arch - `process.arch`
 * @param libc - that of the process
 */
export function findElfFault(bytes: Buffer, arch: string, libc: Libc | undefined): ElfFault | undefined {
  const elf = readSegments(bytes);
  if (elf === undefined) return { code: 'ERR_ADDON_NOT_ELF', message: 'it is not a 64-bit ELF file' };
  const wanted = MACHINES[arch];
  if (wanted !== undefined && elf.machine !== wanted) {
    const name = Object.keys(MACHINES).find(key => MACHINES[key] === elf.machine) ?? `machine ${elf.machine}`;
    return { code: 'ERR_ADDON_MACHINE', message: `it is built for ${name}, and this Node for ${arch}` };
  }
  const isCut = (s: Segment) => s.type === PT_LOAD && s.offset + s.size > bytes.length;
  if (elf.segments.length < elf.count || elf.segments.some(isCut)) {
    return {
      code: 'ERR_ADDON_TRUNCATED',
      message: `it is truncated: ${bytes.length} bytes are not all of it`,
    };
  }
  const needed = libcOfLibrary(bytes);
  if (needed !== undefined && libc !== undefined && needed !== libc) {
    return { code: 'ERR_ADDON_LIBC', message: `it is built for ${needed}, and this Node runs on ${libc}` };
  }
  return undefined;
}
