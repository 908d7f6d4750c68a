/**
 * A 16550A, register for register at consecutive bytes (TL16C550C data sheet, chapter "Principles of operation"; what
 * Linux tries on it: `autoconfig`, `serial8250_do_startup`, drivers/tty/serial/8250/8250_port.c).
 */
import type { MmioDevice } from './bus.ts';
import { Uart } from './uart.ts';

const RBR_THR = 0;
const IER = 1;
const IIR_FCR = 2;
const LCR = 3;
const MCR = 4;
const LSR = 5;
const MSR = 6;
const SCR = 7;

const IER_RDI = 0x01;
const IER_THRI = 0x02;
const IER_MASK = 0x0f;
const IIR_NO_INT = 0x01;
const IIR_THRI = 0x02;
const IIR_RDI = 0x04;
const IIR_FIFO = 0xc0;
const FCR_ENABLE_FIFO = 0x01;
const LCR_DLAB = 0x80;
const MCR_LOOP = 0x10;
const MCR_MASK = 0x1f;
const LSR_DR = 0x01;
/** The holding register is empty, and so is the transmitter. */
const LSR_EMPTY = 0x60;
/** Carrier, data set ready, clear to send: somebody listens. */
const MSR_CONNECTED = 0xb0;

/** In loop mode the modem's four outputs are its four inputs: MCR bits 1, 0, 2, 3 at MSR 4, 5, 6, 7. */
const LOOPED = [
  [0x02, 0x10],
  [0x01, 0x20],
  [0x04, 0x40],
  [0x08, 0x80],
] as const;

export class Uart8250 extends Uart implements MmioDevice {
  /** 115200 baud of the 1.8432 MHz that the device tree says. */
  #divisor = 1;
  #ier = 0;
  #lcr = 0x03;
  #mcr = 0x08;
  #scratch = 0;
  #fifo = false;
  /** The holding register has become empty, and the guest has not been told. */
  #emptied = false;

  read(offset: number): number {
    const value = this.#read(offset);
    this.updateIrq();
    return value;
  }

  #read(offset: number): number {
    switch (offset) {
      case RBR_THR:
        return this.#divisorAccess ? this.#divisor & 0xff : this.takeReceived();
      case IER:
        return this.#divisorAccess ? this.#divisor >> 8 : this.#ier;
      case IIR_FCR:
        return this.#takeCause() | (this.#fifo ? IIR_FIFO : 0);
      case LCR:
        return this.#lcr;
      case MCR:
        return this.#mcr;
      case LSR:
        return LSR_EMPTY | (this.hasReceived ? LSR_DR : 0);
      case MSR:
        return this.#mcr & MCR_LOOP ? this.#looped() : MSR_CONNECTED;
      case SCR:
        return this.#scratch;
      default:
        return 0;
    }
  }

  write(offset: number, value: number): void {
    this.#write(offset, value & 0xff);
    this.updateIrq();
  }

  #write(offset: number, value: number): void {
    switch (offset) {
      case RBR_THR:
        if (this.#divisorAccess) this.#divisor = (this.#divisor & 0xff00) | value;
        else this.#send(value);
        break;
      case IER:
        if (this.#divisorAccess) this.#divisor = (value << 8) | (this.#divisor & 0xff);
        else this.#enable(value);
        break;
      case IIR_FCR:
        // What came in stays where the guest clears its FIFO: it was meant for the guest.
        this.#fifo = (value & FCR_ENABLE_FIFO) !== 0;
        break;
      case LCR:
        this.#lcr = value;
        break;
      case MCR:
        this.#mcr = value & MCR_MASK;
        break;
      case SCR:
        this.#scratch = value;
        break;
    }
  }

  #send(byte: number): void {
    if (this.#mcr & MCR_LOOP) this.receive([byte]);
    else this.port.transmit(byte);
    this.#emptied = true;
  }

  /** Enabling the interrupt of an empty holding register raises it. */
  #enable(value: number): void {
    if (value & ~this.#ier & IER_THRI) this.#emptied = true;
    this.#ier = value & IER_MASK;
  }

  get #divisorAccess(): boolean {
    return (this.#lcr & LCR_DLAB) !== 0;
  }

  /** The cause of the interrupt, the most urgent first. */
  get #cause(): number {
    if (this.#ier & IER_RDI && this.hasReceived) return IIR_RDI;
    if (this.#ier & IER_THRI && this.#emptied) return IIR_THRI;
    return IIR_NO_INT;
  }

  /** Reading it ends the interrupt of an empty holding register. */
  #takeCause(): number {
    const cause = this.#cause;
    if (cause === IIR_THRI) this.#emptied = false;
    return cause;
  }

  #looped(): number {
    return LOOPED.reduce((msr, [output, input]) => (this.#mcr & output ? msr | input : msr), 0);
  }

  protected override get irq(): boolean {
    return this.#cause !== IIR_NO_INT;
  }
}
