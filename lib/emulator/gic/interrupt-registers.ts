/**
 * Registers with some bits for each interrupt, alike in both versions (arch/arm64/kvm/vgic/vgic-mmio.c).
 *
 * @packageDocumentation
 */

import { NR_PRIVATE_IRQS, NR_SGIS } from '../intids.ts';
import type { CpuInterface } from './cpu-interface.ts';
import type { Interrupt } from './interrupt.ts';
import { intidAt, type Read, type UserWrite, type Write } from './register-regions.ts';

/** Bits of a priority that are kept. */
const PRIORITY_MASK = 0xf8;

/** A read of one bit for each. */
const bitsOf =
  (bit: (irq: Interrupt, cpu: CpuInterface) => boolean): Read =>
  (cpu, offset, bytes) => {
    const first = intidAt(offset, 1);
    let value = 0;
    for (let i = 0; i < 8 * bytes; i++) {
      const irq = cpu.interrupt(first + i);
      if (irq !== undefined && bit(irq, cpu)) value |= 1 << i;
    }
    return value;
  };

/** A write that does something to each interrupt whose bit is 1. */
const forOnes =
  (act: (irq: Interrupt, cpu: CpuInterface) => void): Write =>
  (cpu, offset, bytes, value) => {
    const first = intidAt(offset, 1);
    for (let i = 0; i < 8 * bytes; i++) {
      const irq = (value >>> i) & 1 ? cpu.interrupt(first + i) : undefined;
      if (irq !== undefined) act(irq, cpu);
    }
    cpu.gic.updateAll();
  };

/** As userspace makes it: none is refused. */
const accepted =
  (write: Write): UserWrite =>
  (cpu, offset, bytes, value) => {
    write(cpu, offset, bytes, value);
    return 0;
  };

export const group = {
  read: bitsOf(irq => irq.group === 1),
  write: ((cpu, offset, bytes, value) => {
    const first = intidAt(offset, 1);
    for (let i = 0; i < 8 * bytes; i++) {
      const irq = cpu.interrupt(first + i);
      if (irq === undefined) continue;
      irq.group = (value >>> i) & 1 ? 1 : 0;
      cpu.gic.queue(irq);
    }
    cpu.gic.updateAll();
  }) satisfies Write,
};

export const enable = {
  read: bitsOf(irq => irq.enabled),
  set: forOnes((irq, { gic }) => {
    // The device may have moved the line while nobody looked.
    if (irq.isMapped) irq.lineLevel = gic.inputLevel(irq);
    irq.enabled = true;
    gic.queue(irq);
  }),
  clear: forOnes(irq => {
    irq.enabled = false;
  }),
  userSet: accepted(
    forOnes((irq, { gic }) => {
      irq.enabled = true;
      gic.queue(irq);
    }),
  ),
  userClear: accepted(
    forOnes(irq => {
      irq.enabled = false;
    }),
  ),
};

const isV2Sgi = ({ intid }: Interrupt, { gic }: CpuInterface) => gic.model === 2 && intid < NR_SGIS;

const setPending = (irq: Interrupt, cpu: CpuInterface): void => {
  // Whose it is cannot be said; it is taken for the vCPU's own.
  if (isV2Sgi(irq, cpu)) irq.source |= 1 << cpu.vcpu.id;
  irq.pendingLatch = true;
  cpu.gic.queue(irq);
};

const clearPending = (irq: Interrupt, cpu: CpuInterface): void => {
  if (isV2Sgi(irq, cpu)) irq.source = 0;
  irq.pendingLatch = false;
};

/** The guest of a GICv2 has other registers for software interrupts. */
const unlessV2Sgi =
  (act: (irq: Interrupt, cpu: CpuInterface) => void) =>
  (irq: Interrupt, cpu: CpuInterface): void => {
    if (!isV2Sgi(irq, cpu)) act(irq, cpu);
  };

const userSetPending = accepted(forOnes(setPending));
const userClearPending = accepted(forOnes(clearPending));

export const pending = {
  read: bitsOf((irq, { gic }) => (irq.isMapped ? gic.inputLevel(irq) : irq.pending)),
  set: forOnes(unlessV2Sgi(setPending)),
  clear: forOnes(unlessV2Sgi(clearPending)),
  /** What was latched, of a GICv3; userspace has levels by an attribute of their own. */
  userRead: bitsOf((irq, { gic }) => (gic.model === 3 ? irq.pendingLatch : irq.pending)),
  userSet: userSetPending,
  userClear: userClearPending,
  /** Of a GICv3: what is 0 is cleared. */
  userAssign: ((cpu, offset, bytes, value) => {
    userSetPending(cpu, offset, bytes, value);
    return userClearPending(cpu, offset, bytes, ~value);
  }) satisfies UserWrite,
};

/** @param requester - the CPU whose guest writes; 0: userspace does */
const changeActive = (isActive: boolean, isUser: boolean) =>
  forOnes((irq, cpu) => {
    if (irq.isMapped) {
      // A timer's is the hardware's, of which userspace sees nothing.
      if (!isUser) irq.active = isActive;
    } else {
      irq.active = isActive;
      if (isActive && isV2Sgi(irq, cpu)) irq.activeSource = isUser ? 0 : cpu.vcpu.id;
    }
    if (irq.active) cpu.gic.queue(irq);
  });

export const active = {
  read: bitsOf(irq => irq.active),
  set: changeActive(true, false),
  clear: changeActive(false, false),
  userSet: accepted(changeActive(true, true)),
  userClear: accepted(changeActive(false, true)),
};

/** One byte of each. */
export const bytesOf =
  (byte: (irq: Interrupt) => number): Read =>
  (cpu, offset, bytes) => {
    const first = intidAt(offset, 8);
    let value = 0;
    for (let i = 0; i < bytes; i++) {
      const irq = cpu.interrupt(first + i);
      if (irq !== undefined) value |= byte(irq) << (8 * i);
    }
    return value;
  };

export const forBytes =
  (act: (irq: Interrupt, byte: number, cpu: CpuInterface) => void): Write =>
  (cpu, offset, bytes, value) => {
    const first = intidAt(offset, 8);
    for (let i = 0; i < bytes; i++) {
      const irq = cpu.interrupt(first + i);
      if (irq !== undefined) act(irq, (value >>> (8 * i)) & 0xff, cpu);
    }
    cpu.gic.updateAll();
  };

export const priority = {
  read: bytesOf(irq => irq.priority),
  write: forBytes((irq, byte) => {
    irq.priority = byte & PRIORITY_MASK;
  }),
};

export const configuration = {
  read: ((cpu, offset, bytes) => {
    const first = intidAt(offset, 2);
    let value = 0;
    for (let i = 0; i < 4 * bytes; i++) if (cpu.interrupt(first + i)?.isEdge) value |= 2 << (2 * i);
    return value;
  }) satisfies Read,
  /** Private interrupts are what they are. */
  write: ((cpu, offset, bytes, value) => {
    const first = intidAt(offset, 2);
    for (let i = 0; i < 4 * bytes; i++) {
      const irq = first + i < NR_PRIVATE_IRQS ? undefined : cpu.gic.shared(first + i);
      if (irq !== undefined) irq.isEdge = ((value >>> (2 * i + 1)) & 1) === 1;
    }
    cpu.gic.updateAll();
  }) satisfies Write,
};

/** Levels of 32 level-triggered interrupts (`vgic_read_irq_line_level_info`). */
export function readLevels(cpu: CpuInterface, first: number): number {
  let value = 0;
  for (let i = 0; i < 32; i++) {
    const irq = withLine(cpu, first + i);
    if (irq !== undefined && !irq.isEdge && irq.lineLevel) value |= 1 << i;
  }
  return value >>> 0;
}

/** Whatever they are triggered by: that may be restored later (`vgic_write_irq_line_level_info`). */
export function writeLevels(cpu: CpuInterface, first: number, value: number): void {
  for (let i = 0; i < 32; i++) {
    const irq = withLine(cpu, first + i);
    if (irq === undefined) continue;
    irq.lineLevel = ((value >>> i) & 1) === 1;
    if (irq.lineLevel) cpu.gic.queue(irq);
  }
  cpu.gic.updateAll();
}

function withLine(cpu: CpuInterface, intid: number): Interrupt | undefined {
  return intid < NR_SGIS || intid >= cpu.gic.nrIrqs ? undefined : cpu.interrupt(intid);
}
