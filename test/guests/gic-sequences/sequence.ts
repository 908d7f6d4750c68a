/**
 * Random sequences of what guests and userspace do to a GIC, made from a seed: two vCPUs that access its frames and its
 * system registers with interrupts masked, lines that move, attributes that are read and written.
 */
import { encodeIrq } from '#lib/abi/interrupts.js';
import { encodingOf } from '#lib/emulator/cpu/system-registers.js';
import { Random } from '#lib/fidelity/random.js';
import { type Op, PLACES } from '../gic-guest.ts';

export type Step =
  /** A vCPU makes some accesses. */
  | { readonly do: 'run'; readonly cpu: number; readonly ops: readonly Op[] }
  | { readonly do: 'line'; readonly irq: number; readonly level: number }
  | { readonly do: 'get' | 'has'; readonly group: number; readonly attr: bigint; readonly bytes: 4 | 8 }
  | {
      readonly do: 'set';
      readonly group: number;
      readonly attr: bigint;
      readonly bytes: 4 | 8;
      readonly value: bigint;
    };

export const CPUS = 2;
export const NR_IRQS = 96;
const GICR_STRIDE = 0x2_0000;
const SGI_BASE = 0x1_0000;

const GRP = { DIST: 1, CPU: 2, NR_IRQS: 3, CTRL: 4, REDIST: 5, SYSREGS: 6, LEVEL: 7, MAINT: 9 } as const;

const icc = (crm: number, op2: number) => encodingOf(3, 0, 12, crm, op2);
const ICC = {
  PMR: encodingOf(3, 0, 4, 6, 0),
  IAR0: icc(8, 0),
  EOIR0: icc(8, 1),
  HPPIR0: icc(8, 2),
  BPR0: icc(8, 3),
  AP0R0: icc(8, 4),
  AP0R1: icc(8, 5),
  AP1R0: icc(9, 0),
  AP1R1: icc(9, 1),
  DIR: icc(11, 1),
  RPR: icc(11, 3),
  SGI1R: icc(11, 5),
  ASGI1R: icc(11, 6),
  SGI0R: icc(11, 7),
  IAR1: icc(12, 0),
  EOIR1: icc(12, 1),
  HPPIR1: icc(12, 2),
  BPR1: icc(12, 3),
  CTLR: icc(12, 4),
  SRE: icc(12, 5),
  IGRPEN0: icc(12, 6),
  IGRPEN1: icc(12, 7),
} as const;
const ISR_EL1 = encodingOf(3, 0, 12, 1, 0);
const CNTV_CTL_EL0 = encodingOf(3, 3, 14, 3, 1);
const CNTP_CTL_EL0 = encodingOf(3, 3, 14, 2, 1);

/**
 * Of private interrupts all but 27 and 30. What a guest clears of a timer's interrupt KVM clears in the hardware, which then
 * does not stop to interrupt the host.
 */
const NOT_TIMERS = ~((1 << 27) | (1 << 30));
/** Of QEMU's virtual interface. */
const LIST_REGISTERS = 4;
const INTIDS = [0, 1, 2, 15, 16, 20, 27, 30, 31, 32, 33, 34, 35, 40, 63, 64, 70, 95];

class Maker {
  readonly #random: Random;
  readonly #model: 2 | 3;

  /**
   * The interrupts that become pending: no more than the hardware has list registers. What becomes of more depends on when
   * the guest is left.
   */
  readonly #chosen: readonly number[];

  constructor(seed: number, model: 2 | 3) {
    this.#random = new Random(seed);
    this.#model = model;
    this.#chosen = Array.from({ length: LIST_REGISTERS }, () => this.#random.pick(INTIDS));
  }

  /** Of 32 interrupts, some of the chosen. */
  chosenBits(first: number): number {
    const bits = this.#chosen
      .filter(intid => intid >= first && intid < first + 32 && !this.#random.oneIn(3))
      .reduce((all, intid) => all | (1 << (intid - first)), 0);
    return bits >>> 0;
  }

  intid(): number {
    const random = this.#random;
    return random.oneIn(30) ? random.pick([96, 1019, 1020, 1022, 1023, 8192]) : random.pick(this.#chosen);
  }

  /** Some bits of 32, or nearly all. */
  mask(): number {
    const random = this.#random;
    return random.weighted<() => number>([
      [5, () => (1 << random.below(32)) >>> 0],
      [3, () => (random.u32() & random.u32() & random.u32()) >>> 0],
      [2, () => 0xffff_ffff],
      [1, () => 0],
      [1, () => random.u32()],
    ])();
  }

  priorities(): number {
    const random = this.#random;
    const byte = () => random.pick([0, 0x08, 0x10, 0x20, 0x40, 0x80, 0xa0, 0xf0, 0xf8, 0xff]);
    return (byte() | (byte() << 8) | (byte() << 16) | (byte() << 24)) >>> 0;
  }

  /** A register of the distributor with bits for each interrupt, or another, and a value for it. */
  distributor(): [offset: number, value: number] {
    const random = this.#random;
    const word = () =>
      random.weighted([
        [1, 0],
        [6, 1],
        [3, 2],
        [1, 3],
      ]);
    const at = (base: number) => base + 4 * word();
    const chosenAt = (base: number): [number, number] => {
      const n = word();
      return [base + 4 * n, this.chosenBits(32 * n)];
    };
    return random.weighted<() => [number, number]>([
      [3, () => [0, random.pick([0, 1, 2, 3, 0x12, 0xffff_ffff])]],
      [1, () => [random.pick([4, 8, 12, 16, 20, 0x60]), random.u32()]],
      [3, () => [at(0x80), this.mask()]],
      [5, () => [at(0x100), this.mask()]],
      [3, () => [at(0x180), this.mask()]],
      [6, () => chosenAt(0x200)],
      [3, () => [at(0x280), (this.mask() & NOT_TIMERS) >>> 0]],
      [3, () => chosenAt(0x300)],
      [3, () => [at(0x380), (this.mask() & NOT_TIMERS) >>> 0]],
      [4, () => [0x400 + 4 * random.below(26), this.priorities()]],
      [3, () => [0x800 + 4 * random.below(26), random.u32() & 0x0303_0303]],
      [3, () => [0xc00 + 4 * random.below(7), random.u32()]],
      [1, () => [0xd00 + 4 * random.below(4), random.u32()]],
      [1, () => this.sources()],
      [
        3,
        () => [
          0x6000 + 8 * random.pick(INTIDS) + 4 * random.below(2),
          random.pick([0, 1, 2, 0x100, 0x8000_0000]),
        ],
      ],
      [1, () => [random.pick([0xffd0, 0xffe8, 0xfffc, 0xfe8, 0xffc]), random.u32()]],
      [1, () => [4 * random.below(0x4000), 0]],
    ])();
  }

  /** GICD_CPENDSGIR or GICD_SPENDSGIR: a byte of sources for each of four. */
  sources(): [offset: number, value: number] {
    const random = this.#random;
    const n = random.below(4);
    const bytes = [0, 1, 2, 3].map(i => (this.#chosen.includes(4 * n + i) ? random.below(4) << (8 * i) : 0));
    return [random.pick([0xf10, 0xf20]) + 4 * n, bytes.reduce((all, byte) => all | byte, 0)];
  }

  redistributor(): [offset: number, value: number] {
    const random = this.#random;
    const sgi = (offset: number, value: number): [number, number] => [SGI_BASE + offset, value];
    return random.weighted<() => [number, number]>([
      [2, () => [random.pick([0, 4, 8, 12, 16, 20, 0x70, 0x74, 0x78, 0x7c, 0xa0, 0xb0, 0xc0]), random.u32()]],
      [2, () => sgi(0x80, this.mask())],
      [4, () => sgi(0x100, this.mask())],
      [2, () => sgi(0x180, this.mask())],
      [4, () => sgi(0x200, this.chosenBits(0))],
      [2, () => sgi(0x280, (this.mask() & NOT_TIMERS) >>> 0)],
      [2, () => sgi(0x300, this.chosenBits(0))],
      [2, () => sgi(0x380, (this.mask() & NOT_TIMERS) >>> 0)],
      [3, () => sgi(0x400 + 4 * random.below(8), this.priorities())],
      [2, () => sgi(0xc00 + 4 * random.below(2), random.u32())],
      [1, () => sgi(random.pick([0xd00, 0xe00, 0x84, 0x104, 0x500]), random.u32())],
      [1, () => [random.pick([0xffd0, 0xffe8, 0xfffc]), random.u32()]],
      [1, () => [4 * random.below(0x8000), 0]],
    ])();
  }

  /**
   * A register of a GICv2's CPU interface, as the guest has it. QEMU's has no minimum of GICC_ABPR, no source in GICC_HPPIR, and
   * none of the aliases.
   */
  cpuInterface(): [offset: number, value: number, isWrite: boolean] {
    const random = this.#random;
    return random.weighted<() => [number, number, boolean]>([
      [2, () => [0x0, random.pick([0, 1, 2, 3, 7, 0x17, 0x201, 0x203, 9]), random.oneIn(2)]],
      [2, () => [0x4, random.pick([0, 0x10, 0x80, 0xf0, 0xff]), random.oneIn(2)]],
      [1, () => [0x8, random.below(8), random.oneIn(2)]],
      [8, () => [0xc, 0, false]],
      [6, () => [0x10, this.intid() | (random.oneIn(3) ? 1 << 10 : 0), true]],
      [2, () => [0x14, 0, false]],
      [2, () => [0x1000, this.intid() | (random.oneIn(3) ? 1 << 10 : 0), true]],
    ])();
  }

  systemRegister(): Op {
    const random = this.#random;
    const mrs = (encoding: number): Op => ({ kind: 'mrs', encoding, value: 0n });
    const msr = (encoding: number, value: number | bigint): Op => ({
      kind: 'msr',
      encoding,
      value: BigInt(value),
    });
    return random.weighted<() => Op>([
      [8, () => mrs(ICC.IAR1)],
      [2, () => mrs(ICC.IAR0)],
      [7, () => msr(ICC.EOIR1, this.intid())],
      [2, () => msr(ICC.EOIR0, this.intid())],
      [2, () => msr(ICC.DIR, this.intid())],
      [3, () => mrs(random.pick([ICC.HPPIR1, ICC.HPPIR0]))],
      [3, () => mrs(ICC.RPR)],
      [6, () => msr(ICC.SGI1R, this.sgi())],
      [1, () => msr(random.pick([ICC.ASGI1R, ICC.SGI0R]), this.sgi())],
      [2, () => msr(ICC.PMR, random.pick([0, 0x10, 0x80, 0xf0, 0xff]))],
      [1, () => msr(random.pick([ICC.BPR0, ICC.BPR1]), random.below(8))],
      [1, () => msr(ICC.CTLR, random.below(4))],
      [1, () => msr(random.pick([ICC.AP0R0, ICC.AP1R0]), random.pick([0, 1, 0x100, 0x8000_0000]))],
      [2, () => msr(random.pick([ICC.IGRPEN0, ICC.IGRPEN1]), random.below(2))],
      [1, () => msr(ICC.SRE, random.below(8))],
      [4, () => mrs(random.pick(Object.values(ICC)))],
      [1, () => msr(random.pick([ICC.AP0R1, ICC.AP1R1, ICC.IAR1, ICC.RPR, ICC.HPPIR0]), 1)],
    ])();
  }

  sgiId(): number {
    const sgis = this.#chosen.filter(intid => intid < 16);
    // Without one there is a write that does nothing.
    return sgis.length > 0 ? this.#random.pick(sgis) : 0;
  }

  sgi(): bigint {
    const random = this.#random;
    if (!this.#chosen.some(intid => intid < 16)) return 0n;
    const list = random.pick([0n, 1n, 2n, 3n, 4n, 0xffffn]);
    const id = BigInt(this.sgiId()) << 24n;
    const others = random.oneIn(4) ? 1n << 40n : 0n;
    const affinity = random.oneIn(12) ? random.pick([1n << 16n, 1n << 32n, 1n << 48n]) : 0n;
    return list | id | others | affinity;
  }

  op(): Op {
    const random = this.#random;
    const access = (address: number, value: number, bytes: 1 | 2 | 4 | 8, isWrite: boolean): Op => ({
      kind: isWrite ? 'store' : 'load',
      bytes,
      address: address - (address % bytes),
      value: BigInt(value),
    });
    const width = () =>
      random.weighted<1 | 2 | 4 | 8>([
        [20, 4],
        [1, 1],
        [1, 2],
        [1, 8],
      ]);
    const ofFrame = (base: number, [offset, value]: [number, number]): Op => {
      const bytes = width();
      return access(base + offset + (bytes < 4 ? random.below(4) : 0), value, bytes, random.below(3) > 0);
    };
    const isr: Op = { kind: 'mrs', encoding: ISR_EL1, value: 0n };
    const timers = [
      ...(this.#chosen.includes(27) ? [CNTV_CTL_EL0] : []),
      ...(this.#chosen.includes(30) ? [CNTP_CTL_EL0] : []),
    ];
    const timer = (): Op =>
      timers.length === 0
        ? isr
        : { kind: 'msr', encoding: random.pick(timers), value: BigInt(random.pick([0, 1, 3])) };
    const distributor = () => {
      const [offset, value] = this.distributor();
      return ofFrame(PLACES.GICD, [this.#model === 2 ? offset % 0x1000 : offset, value]);
    };
    if (this.#model === 2) {
      return random.weighted<() => Op>([
        [
          10,
          () => {
            const [offset, value, isWrite] = this.cpuInterface();
            return access(PLACES.GICC + offset, value, 4, isWrite);
          },
        ],
        [8, distributor],
        [
          3,
          () => {
            const sgir = (random.below(4) << 24) | (random.below(4) << 16) | this.sgiId();
            return access(
              PLACES.GICD + 0xf00,
              this.#chosen.some(intid => intid < 16) ? sgir : 3 << 24,
              4,
              true,
            );
          },
        ],
        [3, () => isr],
        [1, timer],
      ])();
    }
    return random.weighted<() => Op>([
      [10, () => this.systemRegister()],
      [6, distributor],
      [3, () => ofFrame(PLACES.GICR + GICR_STRIDE * random.below(CPUS), this.redistributor())],
      [3, () => isr],
      [1, timer],
    ])();
  }

  /** What a guest does first. */
  prelude(cpu: number): Op[] {
    const store = (address: number, value: number): Op => ({
      kind: 'store',
      bytes: 4,
      address,
      value: BigInt(value),
    });
    const msr = (encoding: number, value: bigint): Op => ({ kind: 'msr', encoding, value });
    const shared = [1, 2].flatMap(n => [
      store(PLACES.GICD + 0x100 + 4 * n, 0xffff_ffff),
      ...Array.from({ length: 8 }, (_, i) => store(PLACES.GICD + 0x400 + 32 * n + 4 * i, this.priorities())),
    ]);
    if (this.#model === 2) {
      return [
        store(PLACES.GICD, 1),
        ...(cpu === 0 ? shared : []),
        store(PLACES.GICD + 0x100, 0xffff_ffff),
        store(PLACES.GICC, 1),
        store(PLACES.GICC + 4, 0xf0),
      ];
    }
    const own = PLACES.GICR + GICR_STRIDE * cpu + SGI_BASE;
    return [
      store(PLACES.GICD, 0x12),
      ...(cpu === 0 ? shared : []),
      store(own + 0x100, 0xffff_ffff),
      ...Array.from({ length: 8 }, (_, i) => store(own + 0x400 + 4 * i, this.priorities())),
      msr(ICC.PMR, 0xf0n),
      msr(ICC.IGRPEN1, 1n),
      msr(ICC.IGRPEN0, this.#random.oneIn(2) ? 1n : 0n),
    ];
  }

  attribute(): Step {
    const random = this.#random;
    const what = random.weighted<'get' | 'set' | 'has'>([
      [4, 'get'],
      [4, 'set'],
      [1, 'has'],
    ]);
    const cpu = BigInt(random.oneIn(20) ? 5 : random.below(CPUS)) << 32n;
    const step = (group: number, attr: bigint, value: bigint, bytes: 4 | 8 = 4): Step =>
      what === 'set' ? { do: 'set', group, attr, bytes, value } : { do: what, group, attr, bytes };
    const ofDistributor = (): Step => {
      const [offset, value] = this.distributor();
      return step(GRP.DIST, cpu | BigInt(offset), BigInt(value));
    };
    const rest = (): Step =>
      random.weighted<() => Step>([
        [1, () => step(GRP.NR_IRQS, 0n, BigInt(random.pick([32, 64, 96, 100, 992, 1024])))],
        [1, () => step(GRP.MAINT, 0n, BigInt(random.pick([15, 25, 32])))],
        [1, () => step(GRP.CTRL, BigInt(random.pick([0, 3])), 0n)],
        [1, () => step(random.pick([10, 77]), 0n, 0n)],
        [2, () => step(GRP.DIST, 8n, BigInt(0x4b00_043b | (random.below(5) << 12)))],
        [1, () => step(GRP.DIST, 12n, BigInt(random.pick([0, 0x100, 1])))],
      ])();
    if (this.#model === 2) {
      return random.weighted<() => Step>([
        [6, ofDistributor],
        [
          4,
          () => {
            const offset = random.pick([0, 4, 8, 0x1c, 0xd0, 0xd4, 0xfc, 0x1000, 0xc, 0x10]);
            return step(
              GRP.CPU,
              cpu | BigInt(offset),
              BigInt(random.pick([0, 1, 3, 7, 0x1f, 0xff, random.u32()])),
            );
          },
        ],
        [1, rest],
      ])();
    }
    return random.weighted<() => Step>([
      [6, ofDistributor],
      [
        4,
        () => {
          const [offset, value] = this.redistributor();
          return step(GRP.REDIST, cpu | BigInt(offset), BigInt(value));
        },
      ],
      [
        4,
        () => {
          const encoding = random.oneIn(10)
            ? random.pick([0, 0xe659, ISR_EL1])
            : random.pick(Object.values(ICC));
          const value = random.pick([
            0n,
            1n,
            2n,
            3n,
            5n,
            7n,
            0x80n,
            0xf0n,
            0xffn,
            0x8c00n,
            0x8c03n,
            0x8403n,
            0x0c00n,
            random.u64(),
          ]);
          return step(GRP.SYSREGS, cpu | BigInt(encoding), value, 8);
        },
      ],
      [
        3,
        () => {
          const attr = random.pick([0, 32, 64, 96, 33, 0x400]);
          return step(GRP.LEVEL, cpu | BigInt(attr), BigInt(this.chosenBits(attr)));
        },
      ],
      [1, rest],
    ])();
  }

  line(): Step {
    const random = this.#random;
    const level = random.below(2);
    const intid = this.intid();
    const type = random.oneIn(20) ? random.below(4) : intid < 32 ? 2 : 1;
    return { do: 'line', irq: encodeIrq(type, random.oneIn(20) ? 7 : random.below(CPUS), intid), level };
  }

  sequence(): Step[] {
    const random = this.#random;
    const before = Array.from({ length: random.below(6) }, () => this.attribute());
    const init: Step = { do: 'set', group: GRP.CTRL, attr: 0n, bytes: 4, value: 0n };
    const cpus = Array.from({ length: CPUS }, (_, cpu) => cpu);
    const preludes = random.oneIn(6)
      ? []
      : cpus.map((cpu): Step => ({ do: 'run', cpu, ops: this.prelude(cpu) }));
    const steps = Array.from({ length: 10 + random.below(25) }, () =>
      random.weighted<() => Step>([
        [
          6,
          () => ({
            do: 'run',
            cpu: random.below(CPUS),
            ops: Array.from({ length: 1 + random.below(10) }, () => this.op()),
          }),
        ],
        [3, () => this.attribute()],
        [3, () => this.line()],
      ])(),
    );
    return [...before, init, ...preludes, ...steps, ...this.state()];
  }

  /** All that a program would save. */
  state(): Step[] {
    const get = (group: number, attr: bigint, bytes: 4 | 8 = 4): Step => ({ do: 'get', group, attr, bytes });
    const range = (from: number, to: number, by = 4) =>
      Array.from({ length: (to - from) / by }, (_, i) => BigInt(from + by * i));
    const offsets = [
      0n,
      4n,
      8n,
      ...[0x80, 0x100, 0x180, 0x200, 0x280, 0x300, 0x380].flatMap(base => range(base, base + 12)),
      ...range(0x400, 0x460),
      ...range(0xc00, 0xc18),
    ];
    if (this.#model === 2) {
      const more = [...range(0x800, 0x860), ...range(0xf10, 0xf30)];
      return [0n, 1n].flatMap(cpu => [
        ...[...offsets, ...more].map(offset => get(GRP.DIST, (cpu << 32n) | offset)),
        ...[0n, 4n, 8n, 0x1cn, 0xd0n].map(offset => get(GRP.CPU, (cpu << 32n) | offset)),
      ]);
    }
    const own = [0x80, 0x100, 0x200, 0x280, 0x300, 0xc00, 0xc04].map(offset => BigInt(SGI_BASE + offset));
    return [
      ...[...offsets, ...range(0x6100, 0x6300, 8)].map(offset => get(GRP.DIST, offset)),
      ...[0n, 1n].flatMap(cpu => [
        ...[0n, 4n, 8n, 12n, 0x70n, 0x78n, ...own, ...range(SGI_BASE + 0x400, SGI_BASE + 0x420)].map(offset =>
          get(GRP.REDIST, (cpu << 32n) | offset),
        ),
        ...Object.values(ICC).map(encoding => get(GRP.SYSREGS, (cpu << 32n) | BigInt(encoding), 8)),
        ...[0n, 32n, 64n].map(first => get(GRP.LEVEL, (cpu << 32n) | first)),
      ]),
    ];
  }
}

export function makeSequence(seed: number, model: 2 | 3): Step[] {
  return new Maker(seed, model).sequence();
}
