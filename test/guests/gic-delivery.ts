/**
 * How interrupts reach a guest, by its own accesses: priorities, groups, triggers, routes. Interrupts are masked in PSTATE;
 * ISR_EL1 tells whether one is signalled. What a GICv2 and a GICv3 have in different places is `View`.
 */
import assert from 'node:assert/strict';
import { KVM_DEV_ARM_VGIC_GRP } from '#lib/abi/device-attributes.js';
import { encodeIrq, KVM_ARM_IRQ_TYPE } from '#lib/abi/interrupts.js';
import type { Kvm } from '#lib/kvm.js';
import type { Suite } from '#lib/testing.js';
import { GicGuest, modelOf, type Op, PLACES } from './gic-guest.ts';

const { GICD, GICC, GICR } = PLACES;
const SGI_BASE = 0x1_0000;
const GICR_STRIDE = 0x2_0000;
const SPURIOUS = 1023n;
const IDLE = 0xffn;
/** ISR_EL1.I and F. */
const [IRQ, FIQ] = [0x80n, 0x40n];

const load = (address: number, bytes: 1 | 2 | 4 | 8 = 4): Op => ({ kind: 'load', bytes, address, value: 0n });
const store = (address: number, value: number | bigint, bytes: 1 | 2 | 4 | 8 = 4): Op => ({
  kind: 'store',
  bytes,
  address,
  value: BigInt(value),
});
/** S3_op1_CRn_CRm_op2 */
const register = (op1: number, crn: number, crm: number, op2: number) =>
  (3 << 14) | (op1 << 11) | (crn << 7) | (crm << 3) | op2;
const mrs = (encoding: number): Op => ({ kind: 'mrs', encoding, value: 0n });
const msr = (encoding: number, value: number | bigint): Op => ({
  kind: 'msr',
  encoding,
  value: BigInt(value),
});

const icc = (crm: number, op2: number) => register(0, 12, crm, op2);
const ICC = {
  PMR: register(0, 4, 6, 0),
  IAR0: icc(8, 0),
  EOIR0: icc(8, 1),
  HPPIR1: icc(12, 2),
  DIR: icc(11, 1),
  RPR: icc(11, 3),
  SGI1R: icc(11, 5),
  IAR1: icc(12, 0),
  EOIR1: icc(12, 1),
  CTLR: icc(12, 4),
  IGRPEN0: icc(12, 6),
  IGRPEN1: icc(12, 7),
} as const;
const CNTV_CTL_EL0 = register(3, 14, 3, 1);
/** Whether an interrupt is signalled. */
const signalled = mrs(register(0, 12, 1, 0));

/** What a guest does with its version of the GIC. */
interface View {
  /** The distributor, and what is the same for all CPUs. */
  readonly distributor: readonly Op[];
  /** A CPU's own interface. */
  readonly cpu: readonly Op[];
  readonly acknowledge: Op;
  readonly running: Op;
  readonly highestPending: Op;
  end(intid: number | bigint): Op;
  deactivate(intid: number): Op;
  mask(priority: number): Op;
  /** Splits the end of interrupts in two, or not. */
  split(on: boolean): Op;
  /** Sends an SGI to CPUs, by a mask; undefined: to all but the sender. */
  send(intid: number, cpus: number | undefined): Op;
  route(intid: number, cpu: number): Op;
  /** Registers of a CPU's private interrupts. */
  own(cpu: number): number;
}

const V3: View = {
  distributor: [store(GICD, 0x12)],
  cpu: [msr(ICC.PMR, 0xf8), msr(ICC.IGRPEN1, 1)],
  acknowledge: mrs(ICC.IAR1),
  running: mrs(ICC.RPR),
  highestPending: mrs(ICC.HPPIR1),
  end: intid => msr(ICC.EOIR1, intid),
  deactivate: intid => msr(ICC.DIR, intid),
  mask: priority => msr(ICC.PMR, priority),
  split: on => msr(ICC.CTLR, on ? 2 : 0),
  send: (intid, cpus) =>
    msr(ICC.SGI1R, (BigInt(intid) << 24n) | (cpus === undefined ? 1n << 40n : BigInt(cpus))),
  route: (intid, cpu) => store(GICD + 0x6000 + 8 * intid, cpu, 8),
  own: cpu => GICR + GICR_STRIDE * cpu + SGI_BASE,
};

const V2: View = {
  distributor: [store(GICD, 1)],
  cpu: [store(GICC + 4, 0xf8), store(GICC, 1)],
  acknowledge: load(GICC + 0xc),
  running: load(GICC + 0x14),
  highestPending: load(GICC + 0x18),
  end: intid => store(GICC + 0x10, intid),
  deactivate: intid => store(GICC + 0x1000, intid),
  mask: priority => store(GICC + 4, priority),
  split: on => store(GICC, on ? 0x201 : 1),
  send: (intid, cpus) => store(GICD + 0xf00, intid | (cpus === undefined ? 1 << 24 : cpus << 16)),
  route: (intid, cpu) => store(GICD + 0x800 + intid, 1 << cpu, 1),
  own: () => GICD,
};

/** The guest is left, and KVM sees what has become of its interrupts. */
const leave = store(GICD + 0x10, 1);
const enableShared = (intid: number) => store(GICD + 0x100 + 4 * (intid >> 5), 2 ** (intid & 31));
const priorityOf = (intid: number, priority: number) => store(GICD + 0x400 + intid, priority, 1);
/** Of interrupts 32 to 47. */
const trigger = (intid: number, isEdge: boolean) =>
  store(GICD + 0xc08, isEdge ? 2 ** (2 * (intid - 32) + 1) : 0);

function setUp(kvm: Kvm, cpus = 2) {
  const model = modelOf(kvm);
  const guest = new GicGuest(kvm, { model, cpus });
  guest.init();
  const view = model === 3 ? V3 : V2;
  for (let cpu = 0; cpu < cpus; cpu++) guest.run(cpu, ...(cpu === 0 ? view.distributor : []), ...view.cpu);
  const line = (intid: number, level: boolean) =>
    assert.equal(guest.line(encodeIrq(KVM_ARM_IRQ_TYPE.KVM_ARM_IRQ_TYPE_SPI, 0, intid), Number(level)), 0);
  return { model, guest, view, line };
}

export const gicDelivery: Suite = ({ describe, it, open }) => {
  describe('an interrupt', () => {
    it('of a higher priority preempts, and one of a lower waits', () => {
      const { guest, view, line } = setUp(open());
      for (const [intid, priority] of [
        [40, 0x80],
        [41, 0x40],
        [42, 0x20],
      ] as const)
        guest.run(0, enableShared(intid), priorityOf(intid, priority), view.route(intid, 0));
      line(40, true);
      line(41, true);
      const { acknowledge, running, end } = view;
      assert.deepEqual(guest.run(0, running, signalled, acknowledge, running, signalled, acknowledge), [
        IDLE,
        IRQ,
        41n,
        0x40n,
        0n,
        SPURIOUS,
      ]);
      line(42, true);
      assert.deepEqual(guest.run(0, signalled, acknowledge, running), [IRQ, 42n, 0x20n]);
      assert.deepEqual(
        guest.run(
          0,
          end(42),
          running,
          end(41),
          running,
          signalled,
          acknowledge,
          end(40),
          running,
          acknowledge,
        ),
        [42n, 0x40n, 41n, IDLE, IRQ, 40n, 40n, IDLE, SPURIOUS],
      );
    });

    it('is masked by the priority mask', () => {
      const { model, guest, view, line } = setUp(open());
      guest.run(0, enableShared(40), priorityOf(40, 0x40), view.route(40, 0), view.mask(0x40));
      line(40, true);
      const { acknowledge, highestPending } = view;
      assert.deepEqual(guest.run(0, signalled, acknowledge), [0n, SPURIOUS]);
      // It is seen nevertheless; QEMU's GICv2 has another opinion of GICC_HPPIR.
      if (model === 3) assert.deepEqual(guest.run(0, highestPending), [40n]);
      assert.deepEqual(guest.run(0, view.mask(0x48), signalled, acknowledge), [0x48n, IRQ, 40n]);
    });

    it('keeps five bits of its priority', () => {
      const { guest } = setUp(open());
      assert.deepEqual(guest.run(0, priorityOf(40, 0xff), load(GICD + 0x400 + 40, 1)), [0xffn, 0xf8n]);
    });

    it('by an edge comes once, whatever the line does then', () => {
      const { guest, view, line } = setUp(open());
      guest.run(0, trigger(40, true), enableShared(40), view.route(40, 0));
      line(40, true);
      line(40, false);
      assert.deepEqual(guest.run(0, view.acknowledge, view.end(40), view.acknowledge), [40n, 40n, SPURIOUS]);
      line(40, true);
      assert.deepEqual(guest.run(0, view.acknowledge, view.end(40), view.acknowledge), [40n, 40n, SPURIOUS]);
    });

    it('by an edge that comes while it is active comes again', () => {
      const { guest, view, line } = setUp(open());
      guest.run(0, trigger(40, true), enableShared(40), view.route(40, 0));
      line(40, true);
      assert.deepEqual(guest.run(0, view.acknowledge), [40n]);
      line(40, true);
      assert.deepEqual(guest.run(0, signalled, view.end(40), view.acknowledge), [0n, 40n, 40n]);
    });

    it('by a level comes again until the line is low', () => {
      const { guest, view, line } = setUp(open());
      guest.run(0, trigger(40, false), enableShared(40), view.route(40, 0));
      line(40, true);
      assert.deepEqual(guest.run(0, view.acknowledge, signalled, view.end(40), leave, signalled), [
        40n,
        0n,
        40n,
        1n,
        IRQ,
      ]);
      line(40, false);
      assert.deepEqual(guest.run(0, signalled, view.acknowledge), [0n, SPURIOUS]);
    });

    it('can be ended in two steps: its priority is dropped, and then it is deactivated', () => {
      const { guest, view, line } = setUp(open());
      guest.run(
        0,
        trigger(40, false),
        enableShared(40),
        priorityOf(40, 0x40),
        view.route(40, 0),
        view.split(true),
      );
      line(40, true);
      const active = load(GICD + 0x304);
      const { acknowledge, running, end, deactivate } = view;
      assert.deepEqual(guest.run(0, acknowledge, running, end(40), running, active, signalled, acknowledge), [
        40n,
        0x40n,
        40n,
        IDLE,
        0x100n,
        0n,
        SPURIOUS,
      ]);
      assert.deepEqual(guest.run(0, deactivate(40), active, signalled, acknowledge), [40n, 0n, IRQ, 40n]);
    });

    it('goes where it is routed', () => {
      const { guest, view, line } = setUp(open());
      guest.run(0, enableShared(40), view.route(40, 1));
      line(40, true);
      assert.deepEqual(guest.run(0, signalled, view.acknowledge), [0n, SPURIOUS]);
      assert.deepEqual(guest.run(1, signalled, view.acknowledge, view.end(40)), [IRQ, 40n, 40n]);
      guest.run(0, view.route(40, 0));
      line(40, true);
      assert.deepEqual(guest.run(0, signalled, view.acknowledge), [IRQ, 40n]);
    });

    it('is sent to some CPUs, or to all but the sender', () => {
      const { model, guest, view } = setUp(open(), 3);
      // A GICv2 tells who sent it, in bits 12:10 (IHI 0048B, 4.4.4).
      const from = (cpu: bigint) => (model === 2 ? cpu << 10n : 0n);
      const ask = (cpu: number) => guest.run(cpu, view.acknowledge)[0]!;
      guest.run(1, view.send(3, 0b101));
      assert.deepEqual([0, 1, 2].map(ask), [3n | from(1n), SPURIOUS, 3n | from(1n)]);
      for (const cpu of [0, 2]) guest.run(cpu, view.end(3n | from(1n)));
      guest.run(2, view.send(4, undefined));
      assert.deepEqual([0, 1, 2].map(ask), [4n | from(2n), 4n | from(2n), SPURIOUS]);
    });

    it('of group 0 is an FIQ on a GICv3, with registers of its own', () => {
      const { model, guest, view, line } = setUp(open());
      if (model === 2) return;
      guest.run(0, store(GICD + 0x84, 0xffff_feff), enableShared(40), view.route(40, 0));
      line(40, true);
      assert.deepEqual(guest.run(0, signalled, msr(ICC.IGRPEN0, 1), signalled, view.acknowledge), [
        0n,
        1n,
        FIQ,
        SPURIOUS,
      ]);
      assert.deepEqual(guest.run(0, mrs(ICC.IAR0), signalled, msr(ICC.EOIR0, 40), view.running), [
        40n,
        0n,
        40n,
        IDLE,
      ]);
    });

    it('of a timer is the PPI that the program chose', () => {
      const kvm = open();
      const model = modelOf(kvm);
      const view = model === 3 ? V3 : V2;
      const guest = new GicGuest(kvm, { model, cpus: 1 });
      guest.vcpus[0]!.setTimerIrqs({ virtual: 20 });
      guest.init();
      guest.run(0, ...view.distributor, ...view.cpu, store(view.own(0) + 0x100, 2 ** 20));
      // The comparator is 0, long past.
      assert.deepEqual(
        guest.run(0, msr(CNTV_CTL_EL0, 1), signalled, view.acknowledge, msr(CNTV_CTL_EL0, 0)),
        [1n, IRQ, 20n, 0n],
      );
      assert.deepEqual(guest.run(0, view.end(20), signalled, view.acknowledge), [20n, 0n, SPURIOUS]);
    });
  });

  describe('a line with an eventfd that wants to know its end', () => {
    it('is lowered, and the eventfd signalled, when the guest ends the interrupt', () => {
      const kvm = open();
      const { guest, view } = setUp(kvm);
      guest.run(0, trigger(40, false), enableShared(40), view.route(40, 0));
      const [event, resample] = [kvm.createEventFd(), kvm.createEventFd()];
      guest.vm.assignIrqFd(event, 8, { resample });
      event.signal();
      assert.deepEqual(guest.run(0, view.acknowledge), [40n]);
      assert.equal(resample.take(), 0n);
      assert.deepEqual(guest.run(0, view.end(40), signalled, view.acknowledge), [40n, 0n, SPURIOUS]);
      assert.equal(resample.take(), 1n);
      event.take(); // Linux 5.10 has counted the signal, too
      guest.vm.deassignIrqFd(event, 8);
      event.signal();
      assert.equal(event.take(), 1n);
    });
  });

  describe('a frame', () => {
    it('reads as zero where there is nothing, or not so wide', () => {
      const { guest } = setUp(open());
      guest.run(0, store(GICD + 0x104, 0x8000_0001));
      assert.deepEqual(
        guest.run(
          0,
          load(GICD + 0x104),
          load(GICD + 0x104, 1),
          load(GICD + 0x104, 2),
          load(GICD + 0x100, 8),
          load(GICD + 0x60),
        ),
        [0x8000_0001n, 0n, 0n, 0n, 0n],
      );
      // Such writes are ignored.
      assert.deepEqual(guest.run(0, store(GICD + 0x104, 0x10, 1), load(GICD + 0x104)), [0x10n, 0x8000_0001n]);
      // Priorities can be had by bytes.
      assert.deepEqual(guest.run(0, store(GICD + 0x428, 0x40, 1), load(GICD + 0x428)), [0x40n, 0x40n]);
    });
  });

  describe('the state of a GIC', () => {
    it('goes on in another VM, with what is pending and what is active', () => {
      const kvm = open();
      const { model, guest, view, line } = setUp(kvm);
      for (const intid of [40, 41])
        guest.run(0, enableShared(intid), priorityOf(intid, 0x80), view.route(intid, 0));
      guest.run(0, trigger(41, true), priorityOf(41, 0x40));
      line(41, true);
      assert.deepEqual(guest.run(0, view.acknowledge), [41n]); // active, of priority 0x40
      line(40, true); // waits, by its level
      const other = new GicGuest(kvm, { model });
      other.init();
      moveState(guest, other, model);
      assert.deepEqual(
        other.run(0, view.running, signalled, view.end(41), view.running, signalled, view.acknowledge),
        [0x40n, 0n, 41n, IDLE, IRQ, 40n],
      );
    });
  });
};

const GRP = KVM_DEV_ARM_VGIC_GRP;

/** In the order of QEMU (hw/intc/arm_gicv3_kvm.c, arm_gic_kvm.c). */
function moveState(from: GicGuest, to: GicGuest, model: 2 | 3): void {
  const move = (group: number, attr: number | bigint, bytes: 4 | 8 = 4): void => {
    const value = from.getAttr(group, BigInt(attr), bytes);
    if (typeof value === 'number') assert.fail(`attribute ${attr.toString(16)} of group ${group}: ${value}`);
    assert.equal(to.setAttr(group, BigInt(attr), value, bytes), 0);
  };
  const words = (base: number, count: number, offset = 1) =>
    Array.from({ length: count }, (_, i) => base + 4 * (i + offset));
  const clear = (group: number, attr: number) =>
    assert.equal(to.setAttr(group, BigInt(attr), 0xffff_ffffn, 4), 0);
  const { KVM_DEV_ARM_VGIC_GRP_DIST_REGS: DIST, KVM_DEV_ARM_VGIC_GRP_REDIST_REGS: REDIST } = GRP;
  if (model === 2) {
    move(DIST, 8); // GICD_IIDR
    move(DIST, 0);
    for (const offset of [...words(0xc00, 4), ...words(0x800, 8, 8)]) move(DIST, offset);
    for (const base of [0x100, 0x200, 0x300]) {
      for (const offset of words(base, 3, 0)) {
        clear(DIST, offset + 0x80);
        move(DIST, offset);
      }
    }
    for (const offset of words(0x400, 24, 0)) move(DIST, offset);
    for (const offset of [0x0, 0x4, 0x8, 0x1c, 0xd0]) move(GRP.KVM_DEV_ARM_VGIC_GRP_CPU_REGS, offset);
    return;
  }
  move(DIST, 8);
  move(DIST, 0);
  for (const offset of [0x80, 0x100, 0x200, 0x300, 0xc04]) move(REDIST, SGI_BASE + offset);
  for (const offset of words(0x400, 8, 0)) move(REDIST, SGI_BASE + offset);
  for (const offset of [...words(0x80, 2), ...words(0x100, 2), ...words(0xc00, 4, 2)]) move(DIST, offset);
  for (const offset of [...words(0x200, 2), ...words(0x300, 2), ...words(0x400, 16, 8)]) move(DIST, offset);
  for (let intid = 32; intid < 96; intid++) move(DIST, 0x6000 + 8 * intid);
  for (const first of [0, 32, 64]) move(GRP.KVM_DEV_ARM_VGIC_GRP_LEVEL_INFO, first);
  const registers = [
    ICC.CTLR,
    ICC.PMR,
    icc(8, 3),
    icc(12, 3),
    icc(8, 4),
    icc(9, 0),
    ICC.IGRPEN0,
    ICC.IGRPEN1,
  ];
  for (const encoding of registers) move(GRP.KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS, encoding, 8);
}
