/** How fast the emulated CPU is: `node dist/test/bench/cpu.js`. User time, since other work may share the machine. */
import { Cpu } from '#lib/emulator/cpu/cpu.js';
import { Machine } from '#lib/emulator/cpu/machine.js';
import { Ram } from '#lib/emulator/cpu/memory.js';

const INSTRUCTIONS = 20_000_000;
const ROUNDS = 5;
const DATA = 0x10_000;

/** A loop of eight instructions over a buffer. */
const LOOP = [
  0x9100_0421, // add x1, x1, #1
  0xf840_0262, // ldur x2, [x19]
  0x8b02_0023, // add x3, x1, x2
  0xf800_0263, // stur x3, [x19]
  0xca03_0c84, // eor x4, x4, x3, lsl #3
  0x8b01_00a5, // add x5, x5, x1
  0xeb14_003f, // cmp x1, x20
  0x54ff_ff21, // b.ne -28
];

/** A generator of words that are the same each time. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return below => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Random blocks of about six instructions, which end in a branch to one of the next two; the last goes to the first. */
function mixed(): number[] {
  const pick = random(7);
  const register = () => pick(16);
  const BLOCKS = 242;
  const bodies = Array.from({ length: BLOCKS }, () =>
    Array.from({ length: 3 + pick(6) }, () => {
      const [d, n, m] = [register(), register(), register()];
      const offset = pick(64);
      const forms = [
        0x8b00_0000 | (m << 16) | (pick(8) << 10) | (n << 5) | d, // add, lsl
        0xcb00_0000 | (m << 16) | (n << 5) | d, // sub
        0xca00_0000 | (m << 16) | (pick(64) << 10) | (n << 5) | d, // eor, lsl
        0x8a00_0000 | (m << 16) | (pick(64) << 10) | (n << 5) | d, // and, lsl
        0xaa40_0000 | (m << 16) | (pick(64) << 10) | (n << 5) | d, // orr, lsr
        0x9b00_7c00 | (m << 16) | (n << 5) | d, // mul
        0xf940_0000 | (offset << 10) | (19 << 5) | d, // ldr x
        0xf900_0000 | (offset << 10) | (19 << 5) | d, // str x
        0xb940_0000 | (offset << 10) | (19 << 5) | d, // ldr w
        0x3940_0000 | (offset << 10) | (19 << 5) | d, // ldrb
        0x9100_0000 | (offset << 10) | (n << 5) | d, // add immediate
      ];
      return forms[pick(forms.length)]! >>> 0;
    }),
  );
  const starts: number[] = [];
  let at = 0;
  for (const body of bodies) {
    starts.push(at);
    at += body.length + 3;
  }
  return bodies.flatMap((body, index) => {
    const here = starts[index]! + body.length;
    const to = (block: number, from: number) => starts[block % BLOCKS]! - from;
    const conditional =
      pick(6) === 0
        ? 0xb500_0000 | ((to(index + 2, here + 1) & 0x7ffff) << 5) | register() // cbnz
        : 0x5400_0000 | ((to(index + 2, here + 1) & 0x7ffff) << 5) | [0, 1, 2, 3, 10, 11][pick(6)]!;
    return [
      ...body,
      (0xeb00_001f | (register() << 16) | (register() << 5)) >>> 0, // cmp
      conditional >>> 0,
      (0x1400_0000 | (to(index + 1, here + 2) & 0x3ff_ffff)) >>> 0,
    ];
  });
}

function measure(name: string, words: readonly number[]): void {
  const ram = new Ram(0, new SharedArrayBuffer(0x20_000), 0, 0x20_000);
  ram.u32.set(words);
  const machine = new Machine({
    memory: { ram: page => (page < 0x20 ? ram : undefined) },
    hasFeature: () => true,
  });
  const cpu = new Cpu(machine, { read: () => 'undefined', write: () => 'undefined' });
  cpu.setX(19, BigInt(DATA));
  cpu.setX(20, 1n << 60n);
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage();
    cpu.run(INSTRUCTIONS);
    best = Math.min(best, process.cpuUsage(before).user);
  }
  console.log(`${name}: ${(INSTRUCTIONS / best).toFixed(1)} million instructions/s (aim: 40 or more)`);
}

measure('loop kernel', LOOP);
measure('mixed kernel', mixed());
