/** Guest code that the emulated CPU is measured with. */

/** A loop of eight instructions over a buffer. */
export const LOOP: readonly number[] = [
  0x9100_0421, // add x1, x1, #1
  0xf840_0262, // ldur x2, [x19]
  0x8b02_0023, // add x3, x1, x2
  0xf800_0263, // stur x3, [x19]
  0xca03_0c84, // eor x4, x4, x3, lsl #3
  0x8b01_00a5, // add x5, x5, x1
  0xeb14_003f, // cmp x1, x20
  0x54ff_ff21, // b.ne -28
];

/**
 * What a compiler makes of calls, copies, bytes and words: a block of 64 bytes copied, hashed and searched, X20 times. X19
 * is the block; SP must be good. Ends in PSCI SYSTEM_OFF.
 */
export const CALLS: readonly number[] = [
  // main
  0x9104_0260, // add x0, x19, #0x100
  0xaa13_03e1, // mov x1, x19
  0xd280_0802, // mov x2, #0x40
  0x9400_0010, // bl 4c <copy>
  0xaa13_03e0, // mov x0, x19
  0x5280_0401, // mov w1, #0x20
  0x9400_0015, // bl 6c <hash>
  0xb900_2260, // str w0, [x19, #32]
  0x3600_0040, // tbz w0, #0, 28 <main+0x28>
  0x1100_06b5, // add w21, w21, #0x1
  0x0b20_02d6, // add w22, w22, w0, uxtb
  0xaa13_03e0, // mov x0, x19
  0x9400_0017, // bl 8c <greatest>
  0x7900_0660, // strh w0, [x19, #2]
  0xf100_0694, // subs x20, x20, #0x1
  0x54ff_fe21, // b.ne 0 <main>
  0xd2b0_8000, // mov x0, #0x84000000
  0xf280_0100, // movk x0, #0x8
  0xd400_0002, // hvc #0x0
  // copy
  0xa9bf_7bfd, // stp x29, x30, [sp, #-16]!
  0x9100_03fd, // mov x29, sp
  0xa8c1_1023, // ldp x3, x4, [x1], #16
  0xa881_1003, // stp x3, x4, [x0], #16
  0xf100_4042, // subs x2, x2, #0x10
  0x54ff_ffa1, // b.ne 54 <copy+0x8>
  0xa8c1_7bfd, // ldp x29, x30, [sp], #16
  0xd65f_03c0, // ret
  // hash
  0x5282_a0a2, // mov w2, #0x1505
  0x3840_1403, // ldrb w3, [x0], #1
  0x0b02_1442, // add w2, w2, w2, lsl #5
  0x4a03_0042, // eor w2, w2, w3
  0x5100_0421, // sub w1, w1, #0x1
  0x35ff_ff81, // cbnz w1, 70 <hash+0x4>
  0x2a02_03e0, // mov w0, w2
  0xd65f_03c0, // ret
  // greatest
  0x5280_0002, // mov w2, #0x0
  0x5280_0003, // mov w3, #0x0
  0xb862_d801, // ldr w1, [x0, w2, sxtw #2]
  0x6b03_003f, // cmp w1, w3
  0x1a83_c023, // csel w3, w1, w3, gt
  0xd348_5c24, // ubfx x4, x1, #8, #16
  0x1100_0442, // add w2, w2, #0x1
  0x1200_1c85, // and w5, w4, #0xff
  0x7100_405f, // cmp w2, #0x10
  0x54ff_ff2b, // b.lt 94 <greatest+0x8>
  0x2a03_03e0, // mov w0, w3
  0xd65f_03c0, // ret
];

/** Instructions of one time through {@link CALLS}: 18, 20 of `copy`, 163 of `hash`, 132 of `greatest`, one of them half the times. */
export const CALLS_LENGTH = 332;

/** A generator of words that are the same each time. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return below => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Random blocks of about six instructions, which end in a branch to one of the next two; the last goes to the first. */
export function mixed(): number[] {
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
