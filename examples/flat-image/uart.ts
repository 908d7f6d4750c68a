/** What the two kinds of UART have in common: bytes out, bytes in, and an interrupt line. */

/** The world around a UART. */
export interface UartPort {
  /** The guest has sent a byte. */
  transmit(byte: number): void;
  /** The interrupt line has another level. */
  setIrq(level: boolean): void;
}

/** The lines of a UART. Sending takes no time, and what the guest has not read yet waits without a limit. */
export abstract class Uart {
  protected readonly port: UartPort;
  readonly #received: number[] = [];
  #level = false;

  constructor(port: UartPort) {
    this.port = port;
  }

  /** Bytes come in. */
  receive(bytes: Iterable<number>): void {
    this.#received.push(...bytes);
    this.updateIrq();
  }

  /** Whether there is a byte to read. */
  protected get hasReceived(): boolean {
    return this.#received.length > 0;
  }

  /** The next byte; 0 where there is none. */
  protected takeReceived(): number {
    return this.#received.shift() ?? 0;
  }

  /** What the interrupt line should be. */
  protected abstract get irq(): boolean;

  protected updateIrq(): void {
    if (this.irq === this.#level) return;
    this.#level = this.irq;
    this.port.setIrq(this.#level);
  }
}
