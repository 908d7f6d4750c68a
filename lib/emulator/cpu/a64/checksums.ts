/** CRC32 (FEAT_CRC32, C4.1.95). */
import type { Row } from '../instruction.ts';

/** CRC-32 and CRC-32C of the bytes of a register, lowest first; both with reflected polynomials. */
const CRC32 = 0xedb8_8320;
const CRC32C = 0x82f6_3b78;

function crc(sum: number, value: bigint, bytes: number, polynomial: number): number {
  let result = sum;
  for (let n = 0; n < bytes; n++) {
    result ^= Number((value >> BigInt(8 * n)) & 0xffn);
    for (let bit = 0; bit < 8; bit++) result = (result >>> 1) ^ (result & 1 ? polynomial : 0);
  }
  return result >>> 0;
}

export const CHECKSUMS: readonly Row[] = ['b', 'h', 'w', 'x'].flatMap((letter, log2Size) =>
  (
    [
      ['crc32', '0', CRC32],
      ['crc32c', '1', CRC32C],
    ] as const
  ).map(
    ([name, bit, polynomial]): Row => ({
      name: name + letter,
      bits: `${letter === 'x' ? 1 : 0}0011010110mmmmm010${bit}${log2Size.toString(2).padStart(2, '0')}nnnnnddddd`,
      feature: 'CRC32',
      helper: (cpu, i) => {
        const sum = Number(cpu.low32(cpu.x(i.n)));
        cpu.setX(i.d, BigInt(crc(sum, cpu.x(i.m), 1 << log2Size, polynomial)));
      },
    }),
  ),
);
