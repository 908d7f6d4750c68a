/**
 * The image, and where it and what it is given go in memory: what Documentation/arch/arm64/booting.rst wants of a boot
 * loader, and what the start-up code of kvm-unit-tests does (arm/cstart64.S, lib/arm/setup.c).
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { UsageError } from './options.ts';

const MIB = 2 ** 20;

/** An image that says nothing is put where boot loaders have always put kernels, and takes what is in the file. */
const DEFAULT_TEXT_OFFSET = 0x8_0000;
/** Memory beyond the file that such an image may clear before it looks at the device tree: zeroed data, a stack. */
const UNSAID_SIZE = 2 * MIB;

/** The header of an arm64 Linux image. */
const HEADER = { textOffset: 8, imageSize: 16, flags: 24, magic: 56 } as const;
const MAGIC = Buffer.from('ARM\x64');
const FLAG_BIG_ENDIAN = 1n;

/** Linux maps the device tree by 2 MiB, and before 4.2 wanted it in the first 512. */
const TREE_ALIGNMENT = 2 * MIB;
const TREE_WINDOW = 512 * MIB;
const TREE_MAX_SIZE = 2 * MIB;
const PAGE = 0x1_0000;

export interface Image {
  readonly bytes: Uint8Array;
  /** From the start of memory. */
  readonly textOffset: number;
  /** Memory from there on that is the image's own. */
  readonly size: number;
}

/** From the start of memory. */
export interface Placement {
  readonly tree: number;
  readonly initrd: number;
}

/** @throws UsageError for what is no image */
export function readImage(path: string): Image {
  const file = readInput(path, 'the image');
  const bytes = file.readUInt16BE(0) === 0x1f8b ? unzip(path, file) : file;
  if (!bytes.subarray(HEADER.magic, HEADER.magic + MAGIC.length).equals(MAGIC)) {
    refuseOthers(path, bytes);
    return { bytes, textOffset: DEFAULT_TEXT_OFFSET, size: bytes.length + UNSAID_SIZE };
  }
  const flags = bytes.readBigUInt64LE(HEADER.flags);
  const size = Number(bytes.readBigUInt64LE(HEADER.imageSize));
  if (flags & FLAG_BIG_ENDIAN)
    throw new UsageError(`${path} is a big-endian kernel, which no VM here can run`);
  // Before 3.17 there was no size, and the offset could be in either byte order, but was always this.
  if (size === 0) return { bytes, textOffset: DEFAULT_TEXT_OFFSET, size: bytes.length + UNSAID_SIZE };
  const textOffset = Number(bytes.readBigUInt64LE(HEADER.textOffset));
  return { bytes, textOffset, size: Math.max(size, bytes.length) };
}

/** @throws UsageError */
export function readInput(path: string, what: string): Buffer {
  try {
    const bytes = readFileSync(path);
    if (bytes.length < 4)
      throw new UsageError(`${what} ${path} is ${bytes.length === 0 ? 'empty' : 'too short to be one'}`);
    return bytes;
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${what} cannot be read: ${(error as Error).message}`);
  }
}

function unzip(path: string, bytes: Buffer): Buffer {
  try {
    return gunzipSync(bytes);
  } catch (error) {
    throw new UsageError(`${path} looks compressed by gzip, but is damaged: ${(error as Error).message}`);
  }
}

/** What is often mistaken for a flat image, with what to do. */
function refuseOthers(path: string, bytes: Buffer): void {
  if (bytes.toString('latin1', 0, 4) === '\x7fELF') {
    const flat = path.replace(/(\.elf)?$/, '.flat');
    throw new UsageError(
      `${path} is an ELF file; make a flat image of it: aarch64-linux-gnu-objcopy -O binary ${path} ${flat}`,
    );
  }
  if (bytes.toString('latin1', 0, 2) !== 'MZ') return;
  const isKernel = bytes.toString('latin1', 4, 8) === 'zimg';
  const cure = isKernel ? 'give the uncompressed Image' : 'there is no EFI here; build a flat image';
  throw new UsageError(`${path} is an EFI program; ${cure}`);
}

/**
 * Where the device tree and the initrd go: at the end of memory, away from whatever the image clears or allocates first.
 *
 * @param memory - bytes of contiguous memory
 * @throws UsageError where there is no room
 */
export function place(image: Image, memory: number, initrdSize: number): Placement {
  const initrd = alignDown(memory - initrdSize, PAGE);
  const tree = alignDown(Math.min(initrd, TREE_WINDOW) - TREE_MAX_SIZE, TREE_ALIGNMENT);
  const needed = image.textOffset + image.size;
  if (tree < needed) {
    if (needed + TREE_MAX_SIZE > TREE_WINDOW) {
      const size = Math.ceil(needed / MIB);
      throw new UsageError(
        `the image ends ${size} MiB from the start of memory by its header or its length; 510 is the most, as the device tree comes behind it`,
      );
    }
    const least = Math.ceil((needed + initrdSize + TREE_MAX_SIZE + TREE_ALIGNMENT + PAGE) / MIB);
    throw new UsageError(`the image and what goes with it need ${least} MiB of memory: --memory ${least}`);
  }
  return { tree, initrd };
}

function alignDown(value: number, alignment: number): number {
  return Math.floor(value / alignment) * alignment;
}
