/** The guest's physical address space (stage 2), as the CPU sees it. */

/** Memory that the host lends: the same bytes seen in four widths. Starts and ends at a page of 4 KiB. */
export class Ram {
  /** The guest's physical page number of its first byte. */
  declare readonly firstPage: number;
  declare readonly u8: Uint8Array;
  declare readonly u16: Uint16Array;
  declare readonly u32: Uint32Array;
  declare readonly u64: BigUint64Array;

  constructor(firstPage: number, buffer: ArrayBufferLike, byteOffset: number, byteLength: number) {
    if ((byteOffset | byteLength) & 0xfff)
      throw new RangeError('RAM must start and end at a page of 4096 bytes');
    this.firstPage = firstPage;
    this.u8 = new Uint8Array(buffer, byteOffset, byteLength);
    this.u16 = new Uint16Array(buffer, byteOffset, byteLength / 2);
    this.u32 = new Uint32Array(buffer, byteOffset, byteLength / 4);
    this.u64 = new BigUint64Array(buffer, byteOffset, byteLength / 8);
  }

  /** Where a physical page starts, in 64-bit words. */
  wordsBefore(page: number): number {
    return (page - this.firstPage) * 512;
  }
}

/** Where pages are. An access to a page that is not RAM leaves the guest. */
export interface PhysicalMemory {
  /**
   * The RAM that holds a page of 4 KiB, by its number. Where `write` is true the guest is about to change the page:
   * read-only memory answers undefined then, and a log of dirty pages takes note. The CPU remembers the answer until
   * `Machine.forgetMemory` or `Machine.forgetWritable`.
   */
  ram(page: number, write: boolean): Ram | undefined;
}
