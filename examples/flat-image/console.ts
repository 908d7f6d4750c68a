/** The machine's console: what UARTs send goes to stdout, and is read for the line by which an image tells its status. */
import type { Uart } from './uart.ts';

/** What kvm-unit-tests print before they turn the machine off (lib/arm/io.c, `exit`). */
const STATUS_LINE = /^EXIT: STATUS=(-?\d+)\r?$/;
const LONGEST_LINE = 256;

const NEWLINE = 10;
/** Ctrl-A, and what may follow it: as in QEMU. */
const ESCAPE = 1;
const QUIT = 'x'.charCodeAt(0);

export class Console {
  readonly #output: NodeJS.WritableStream;
  #pending: number[] = [];
  #line: number[] = [];
  #status: number | undefined;

  constructor(output: NodeJS.WritableStream) {
    this.#output = output;
  }

  /** The status that the image has told: 0 is success. */
  get status(): number | undefined {
    return this.#status;
  }

  transmit(byte: number): void {
    if (this.#pending.length === 0) setImmediate(() => this.flush());
    this.#pending.push(byte);
    if (byte === NEWLINE) this.#endLine();
    else if (this.#line.length < LONGEST_LINE) this.#line.push(byte);
  }

  /** Writes what has been sent since the last time. */
  flush(): void {
    if (this.#pending.length > 0) this.#output.write(Buffer.from(this.#pending));
    this.#pending = [];
  }

  #endLine(): void {
    const found = STATUS_LINE.exec(Buffer.from(this.#line).toString('latin1'));
    if (found !== null) this.#status = exitCode(Number(found[1]));
    this.#line = [];
  }
}

/** Of a line's number: n >> 1 in the 8 bits of an exit code. A failure that has none of them set is still none to hide. */
function exitCode(told: number): number {
  const status = Math.floor(told / 2);
  return status === 0 ? 0 : status & 0xff || 1;
}

/**
 * Gives a UART what comes in by stdin.
 *
 * @returns ends that
 */
export function connectInput(input: NodeJS.ReadStream, uart: Uart, quit: () => void): () => void {
  const isTerminal = input.isTTY === true;
  let escaped = false;
  const receive = (bytes: Buffer) => {
    if (!isTerminal) return uart.receive(bytes);
    for (const byte of bytes) {
      if (escaped && byte === QUIT) return quit();
      // Ctrl-A twice is Ctrl-A once.
      if (escaped || byte !== ESCAPE) uart.receive([byte]);
      escaped = !escaped && byte === ESCAPE;
    }
  };
  // A closed stdin is no reason to end: there is nothing to read, then.
  input.on('error', () => {});
  input.on('data', receive);
  if (isTerminal) input.setRawMode(true);
  return () => {
    if (isTerminal) input.setRawMode(false);
    input.destroy();
  };
}
