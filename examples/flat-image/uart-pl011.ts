/** A PL011 (Arm DDI 0183G, chapter 3). */
import type { MmioDevice } from './bus.ts';
import { Uart } from './uart.ts';

const DR = 0x00;
const FR = 0x18;
const CR = 0x30;
const IFLS = 0x34;
const IMSC = 0x38;
const RIS = 0x3c;
const MIS = 0x40;
const ICR = 0x44;
const DMACR = 0x48;
/** UARTPeriphID0 to 3 and UARTPCellID0 to 3, a word each. */
const IDS_AT = 0xfe0;
const IDS = [0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1];

const FR_CTS = 0x01;
const FR_RXFE = 0x10;
const FR_TXFE = 0x80;
const INT_RX = 0x10;
const INT_TX = 0x20;
const INT_MASK = 0x7ff;

/** Registers that keep what is written, with the bits that they have and what they are at reset. */
const PLAIN: Readonly<Record<number, { readonly mask: number; readonly reset: number }>> = {
  32: { mask: 0xff, reset: 0 }, // ILPR
  36: { mask: 0xffff, reset: 0 }, // IBRD
  40: { mask: 0x3f, reset: 0 }, // FBRD
  44: { mask: 0xff, reset: 0 }, // LCR_H
  [CR]: { mask: 0xffff, reset: 0x300 },
  [IFLS]: { mask: 0x3f, reset: 0x12 },
  [IMSC]: { mask: INT_MASK, reset: 0 },
  [DMACR]: { mask: 0x7, reset: 0 },
};

export class UartPl011 extends Uart implements MmioDevice {
  readonly #plain = new Map(Object.entries(PLAIN).map(([offset, { reset }]) => [Number(offset), reset]));
  /** The transmit FIFO has run empty since the guest cleared its interrupt. */
  #sent = false;

  read(offset: number): number {
    switch (offset) {
      case DR: {
        const byte = this.takeReceived();
        this.updateIrq();
        return byte;
      }
      case FR:
        return FR_CTS | FR_TXFE | (this.hasReceived ? 0 : FR_RXFE);
      case RIS:
        return this.#raw;
      case MIS:
        return this.#masked;
      default:
        return this.#plain.get(offset) ?? IDS[(offset - IDS_AT) / 4] ?? 0;
    }
  }

  write(offset: number, value: number): void {
    const plain = PLAIN[offset];
    if (plain !== undefined) this.#plain.set(offset, value & plain.mask);
    if (offset === DR) {
      this.port.transmit(value & 0xff);
      this.#sent = true;
    }
    if (offset === ICR && value & INT_TX) this.#sent = false;
    this.updateIrq();
  }

  /** The receive interrupt stands as long as there is something to read. */
  get #raw(): number {
    return (this.hasReceived ? INT_RX : 0) | (this.#sent ? INT_TX : 0);
  }

  get #masked(): number {
    return this.#raw & this.#plain.get(IMSC)!;
  }

  protected override get irq(): boolean {
    return this.#masked !== 0;
  }
}
