/**
 * The machine that programs run in: where their memory is, how it is mapped, and what a vCPU has before one begins.
 *
 * The first instruction that a program does not have itself, and each entry of the vector table, read from an address
 * that has no memory: so every way out of it is an exit, and changes no register.
 *
 * @packageDocumentation
 */
import { parseRegister } from '../../abi/register-names.ts';
import { ramByte } from './values.ts';

/** Memory of the guest. The data are 16 pages, of which each is mapped in another way. */
export const RAM = 0x4000_0000;
export const RAM_SIZE = 0x2_0000;
export const DATA_SIZE = 0x1_0000;

/** The page with the program, which begins in the middle: a branch to anywhere else in it ends the program. */
const CODE = RAM + DATA_SIZE;
export const START = CODE + 0x800;
export const MAX_WORDS = 256;
export const VECTORS = CODE + 0x1000;
const TABLES = CODE + 0x2000;

/** No memory: where the end, and each vector, read; and one page that the data have. */
export const END = RAM + RAM_SIZE;
export const VECTOR_EXITS = END + 0x1000;
export const VECTORS_SIZE = 0x800;
const DEVICE_PAGE = END + 0x2000;

/** Where the same memory is mapped, too: by a block, and from the other end of the address space. */
export const ALIASES: readonly bigint[] = [0x4020_0000n, 0xffff_ff80_4000_0000n];

/** ldr wzr, <address>: the immediate is in words, from this instruction. */
const readFrom = (at: number, address: number): number => (0x1800_001f | (((address - at) / 4) << 5)) >>> 0;

// Descriptors (D8.3): valid page or block, access flag, inner shareable.
const PAGE = 0x703n;
const BLOCK = 0x701n;
const TABLE = 3n;
const USER = 1n << 6n;
const READ_ONLY = 1n << 7n;
/** To take from {@link PAGE}. */
const ACCESS_FLAG = 1n << 10n;
const NOT_GLOBAL = 1n << 11n;
/** Indices into MAIR_EL1. */
const DEVICE = 1n << 2n;
const NON_CACHEABLE = 2n << 2n;
const UXN = 1n << 54n;
const PXN = 1n << 53n;
const MAIR = 0x44_04ffn;

/** Flags of each page of the data, beside that they are no code; undefined: not mapped. */
const DATA_PAGES: readonly (bigint | undefined)[] = [
  USER,
  0n,
  USER | READ_ONLY,
  READ_ONLY,
  USER | DEVICE,
  undefined,
  USER - ACCESS_FLAG,
  READ_ONLY,
  USER | NON_CACHEABLE,
  USER,
  USER | NOT_GLOBAL,
  USER,
  ...[USER, USER, USER, USER],
];
/** The page of the data that is {@link DEVICE_PAGE}. */
const OUTSIDE = 9;

/** What the memory has before a program: {@link RAM_SIZE} bytes. */
export function pristine(): Uint8Array {
  const bytes = Uint8Array.from({ length: RAM_SIZE }, (_, at) => (at < DATA_SIZE ? ramByte(at) : 0));
  const words = new Uint32Array(bytes.buffer);
  const at = (address: number) => (address - RAM) / 4;
  for (let code = CODE; code < VECTORS; code += 4) words[at(code)] = readFrom(code, END);
  for (let n = 0; n < VECTORS_SIZE; n += 4) words[at(VECTORS + n)] = readFrom(VECTORS + n, VECTOR_EXITS + n);

  const descriptors = new BigUint64Array(bytes.buffer);
  /** TTBR0_EL1 and TTBR1_EL1 have the same. */
  const put = (table: number, index: number, value: bigint) => {
    descriptors[(TABLES - RAM + 0x1000 * table) / 8 + index] = value;
  };
  put(0, 1, BigInt(TABLES + 0x1000) | TABLE);
  put(1, 0, BigInt(TABLES + 0x2000) | TABLE);
  put(1, 1, BigInt(RAM) | BLOCK | USER | UXN | PXN);
  for (const [index, flags] of DATA_PAGES.entries()) {
    const page = index === OUTSIDE ? DEVICE_PAGE : RAM + 0x1000 * index;
    if (flags !== undefined) put(2, index, BigInt(page) + (PAGE | UXN | PXN) + flags);
  }
  for (const page of [CODE, VECTORS]) put(2, (page - RAM) / 0x1000, BigInt(page) | PAGE | USER | READ_ONLY);
  // With PSTATE.PAN, which an exception may set, EL1 cannot read what EL0 can.
  put(2, (END - RAM) / 0x1000, BigInt(END) | PAGE | DEVICE | USER);
  put(2, (VECTOR_EXITS - RAM) / 0x1000, BigInt(VECTOR_EXITS) | PAGE | DEVICE);
  return bytes;
}

/** 39 bits of address from either end in pages of 4 KiB, 40 bits of output. */
export const TCR = 0x2_b519_3519n;
/** As after reset, with translation and caches. */
export const SCTLR = 0x30d0_1805n;
/** EL1 with its own stack pointer, all interrupts masked. */
export const PSTATE = 0x3c5n;

/** What every program begins with, unless it says otherwise. */
export const DEFAULTS: ReadonlyMap<bigint, bigint> = new Map(
  Object.entries({
    SCTLR_EL1: SCTLR,
    TCR_EL1: TCR,
    TTBR0_EL1: BigInt(TABLES),
    TTBR1_EL1: BigInt(TABLES),
    MAIR_EL1: MAIR,
    VBAR_EL1: BigInt(VECTORS),
    CPACR_EL1: 0x30_0000n,
    PSTATE,
  }).map(([name, value]) => [parseRegister(name), value]),
);
