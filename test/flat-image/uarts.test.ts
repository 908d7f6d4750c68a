/** The UARTs of examples/flat-image, against their data sheets and what Linux's drivers try on them. */
import { PassThrough } from 'node:stream';
import { beforeEach, describe, expect, it } from 'vitest';
import { Bus } from '../../examples/flat-image/bus.ts';
import { Console } from '../../examples/flat-image/console.ts';
import { Uart8250 } from '../../examples/flat-image/uart-8250.ts';
import { UartPl011 } from '../../examples/flat-image/uart-pl011.ts';

let sent: string;
let irq: boolean;
const port = {
  transmit: (byte: number) => {
    sent += String.fromCharCode(byte);
  },
  setIrq: (level: boolean) => {
    irq = level;
  },
};

beforeEach(() => {
  sent = '';
  irq = false;
});

describe('the 8250', () => {
  const [DATA, IER, IIR, FCR, LCR, MCR, LSR, MSR, SCR] = [0, 1, 2, 2, 3, 4, 5, 6, 7];
  let uart: Uart8250;
  beforeEach(() => {
    uart = new Uart8250(port);
  });

  it('sends at once, and is always ready to', () => {
    for (const byte of Buffer.from('ok')) {
      expect(uart.read(LSR) & 0x60).toBe(0x60);
      uart.write(DATA, byte);
    }
    expect(sent).toBe('ok');
  });

  it('is taken for a 16550A by the tests of autoconfig() in 8250_port.c', () => {
    // the interrupt enable register has four bits
    uart.write(IER, 0);
    expect(uart.read(IER) & 0x0f).toBe(0);
    uart.write(IER, 0x0f);
    expect(uart.read(IER)).toBe(0x0f);
    uart.write(IER, 0);
    // UART_MCR_LOOP | UART_MCR_OUT2 | UART_MCR_RTS: "status1 != (UART_MSR_DCD | UART_MSR_CTS)" is no UART
    uart.write(MCR, 0x1a);
    expect(uart.read(MSR) & 0xf0).toBe(0x90);
    uart.write(MCR, 0);
    // 11: a FIFO that works
    expect(uart.read(IIR) >> 6).toBe(0);
    uart.write(FCR, 1);
    expect(uart.read(IIR) >> 6).toBe(3);
    uart.write(SCR, 0xa5);
    expect(uart.read(SCR)).toBe(0xa5);
  });

  it('has its divisor behind DLAB, apart from data and interrupts', () => {
    uart.write(IER, 1);
    uart.write(LCR, 0x83);
    uart.write(0, 0x34);
    uart.write(1, 0x12);
    expect([uart.read(0), uart.read(1)]).toEqual([0x34, 0x12]);
    uart.write(LCR, 0x03);
    expect([sent, uart.read(IER), uart.read(LCR)]).toEqual(['', 1, 0x03]);
  });

  it('interrupts while there is something to read', () => {
    uart.receive(Buffer.from('ab'));
    expect([irq, uart.read(LSR) & 1]).toEqual([false, 1]);
    uart.write(IER, 1);
    expect([irq, uart.read(IIR) & 0x0f]).toEqual([true, 4]);
    expect([uart.read(DATA), irq]).toEqual([97, true]);
    expect([uart.read(DATA), irq]).toEqual([98, false]);
    expect([uart.read(LSR) & 1, uart.read(IIR) & 0x0f]).toEqual([0, 1]);
  });

  it('interrupts when it can send again, until IIR is read (the UART_BUG_THRE test of serial8250_do_startup)', () => {
    uart.write(IER, 2);
    expect([irq, uart.read(IIR) & 0x0f, irq]).toEqual([true, 2, false]);
    expect(uart.read(IIR) & 0x0f).toBe(1);
    uart.write(IER, 0);
    uart.write(IER, 2);
    expect(uart.read(IIR) & 0x0f).toBe(2);
    uart.write(DATA, 120);
    expect(irq).toBe(true);
    uart.write(IER, 0);
    expect(irq).toBe(false);
  });

  it('reads what it sends in loop mode, and nobody else does', () => {
    uart.write(MCR, 0x10);
    uart.write(DATA, 0x5a);
    expect([uart.read(DATA), sent]).toEqual([0x5a, '']);
  });
});

describe('the PL011', () => {
  const [DR, FR, IBRD, CR, IMSC, RIS, MIS, ICR] = [0, 0x18, 0x24, 0x30, 0x38, 0x3c, 0x40, 0x44];
  const [RX, TX] = [0x10, 0x20];
  let uart: UartPl011;
  beforeEach(() => {
    uart = new UartPl011(port);
  });

  it('sends at once, and is neither busy (bit 3) nor full (bit 5)', () => {
    for (const byte of Buffer.from('ok')) {
      expect(uart.read(FR) & 0x28).toBe(0);
      uart.write(DR, byte);
    }
    expect(sent).toBe('ok');
  });

  it('has the identification by which AMBA buses find it (DDI 0183G, 3.3.15 to 3.3.16)', () => {
    const words = Array.from({ length: 8 }, (_, i) => uart.read(0xfe0 + 4 * i));
    // periphid 0x00041011 in the bits that amba-pl011.c looks at, then the PrimeCell class 0xb105f00d
    expect((words[0]! | (words[1]! << 8) | (words[2]! << 16)) & 0xfffff).toBe(0x41011);
    expect(words.slice(4)).toEqual([0x0d, 0xf0, 0x05, 0xb1]);
  });

  it('begins with the receiver and the transmitter on (UARTCR is 0x300)', () => {
    expect(uart.read(CR)).toBe(0x300);
    uart.write(IBRD, 0x1_2345);
    expect(uart.read(IBRD)).toBe(0x2345);
  });

  it('interrupts while there is something to read', () => {
    uart.write(IMSC, RX);
    expect(uart.read(FR) & 0x10).toBe(0x10); // RXFE
    uart.receive(Buffer.from('ab'));
    expect([irq, uart.read(FR) & 0x10, uart.read(MIS)]).toEqual([true, 0, RX]);
    expect([uart.read(DR), irq]).toEqual([97, true]);
    expect([uart.read(DR), irq, uart.read(RIS) & RX]).toEqual([98, false, 0]);
  });

  it('interrupts when it has sent, not before, until that is cleared', () => {
    uart.write(IMSC, TX);
    expect(irq).toBe(false);
    uart.write(DR, 120);
    expect([irq, uart.read(RIS), uart.read(MIS)]).toEqual([true, TX, TX]);
    uart.write(ICR, TX);
    expect([irq, uart.read(RIS)]).toEqual([false, 0]);
    uart.write(DR, 120);
    uart.write(IMSC, 0);
    expect([irq, uart.read(RIS), uart.read(MIS)]).toEqual([false, TX, 0]);
  });
});

describe('the bus', () => {
  const mmio = (physAddr: bigint, data: number[], isWrite: boolean) =>
    ({ reason: 'MMIO', physAddr, isWrite, data: Uint8Array.from(data) }) as const;

  it('passes accesses of every width on, in little endian', () => {
    const seen: number[][] = [];
    const device = {
      read: (offset: number) => 0x8765_4321 + offset,
      write: (...write: number[]) => {
        seen.push(write);
      },
    };
    const bus = new Bus([{ base: 0x1000, size: 0x100, device }], text => expect.fail(text));
    for (const size of [1, 2, 4, 8])
      bus.access(mmio(0x1010n, [0x11, 0x22, 0x33, 0x84, 0, 0, 0, 0].slice(0, size), true));
    expect(seen).toEqual([
      [0x10, 0x11],
      [0x10, 0x2211],
      [0x10, 0x8433_2211],
      [0x10, 0x8433_2211],
    ]);
    const read = [1, 2, 4, 8].map(size => {
      const exit = mmio(
        0x10ffn,
        Array.from({ length: size }, () => 0xee),
        false,
      );
      bus.access(exit);
      return [...exit.data];
    });
    expect(read).toEqual([
      [0x20],
      [0x20, 0x44],
      [0x20, 0x44, 0x65, 0x87],
      [0x20, 0x44, 0x65, 0x87, 0, 0, 0, 0],
    ]);
  });

  it('gives zeros where nothing is, with one warning for an address, and not for thousands', () => {
    const warnings: string[] = [];
    const bus = new Bus([], text => warnings.push(text));
    const exit = mmio(0xa00_0000n, [1, 2, 3, 4], false);
    bus.access(exit);
    bus.access(exit);
    bus.access(mmio(0x3f00_0000n, [1], true));
    expect([...exit.data]).toEqual([0, 0, 0, 0]);
    expect(warnings).toEqual([
      'the guest reads 0xa000000, where nothing is',
      'the guest writes 0x3f000000, where nothing is',
    ]);
    for (let address = 0n; address < 100n; address++) bus.access(mmio(address, [1], false));
    expect(warnings.length).toBe(9);
    expect(warnings.at(-1)).toMatch(/further/);
  });
});

describe('the console', () => {
  // Of each line the exit code: what kvm-unit-tests gave to exit(), which prints (code << 1) | 1 (lib/arm/io.c).
  it.each([
    ['EXIT: STATUS=1\n', 0],
    ['EXIT: STATUS=3\r\n', 1],
    ['EXIT: STATUS=127\n', 63],
    ['EXIT: STATUS=-1\n', 255],
    ['EXIT: STATUS=513\n', 1],
    ['EXIT: STATUS=99999999999\n', 255],
    ['the guest: EXIT: STATUS=1\n', undefined],
    ['EXIT: STATUS=\n', undefined],
    ['EXIT: STATUS=3', undefined],
  ])('takes %j for %s', (line, status) => {
    const console = new Console(new PassThrough());
    for (const byte of Buffer.from(line)) console.transmit(byte);
    expect(console.status).toBe(status);
  });
});
