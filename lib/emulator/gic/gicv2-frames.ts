/**
 * The distributor of a GICv2, and its CPU interface as userspace and as the guest have it
 * (arch/arm64/kvm/vgic/vgic-mmio-v2.c; IHI 0048B, 4.3 and 4.4, and 5.5 for what the guest finds).
 *
 * @packageDocumentation
 */

import { NR_PRIVATE_IRQS } from '../intids.ts';
import type { CpuInterface } from './cpu-interface.ts';
import type { Gic } from './gic.ts';
import { iidr, setIidr } from './gicv3-frames.ts';
import {
  active,
  bytesOf,
  configuration,
  enable,
  forBytes,
  group,
  pending,
  priority,
} from './interrupt-registers.ts';
import {
  type Handlers,
  perIrq,
  type Read,
  type Region,
  raz,
  registers,
  type UserWrite,
  userWi,
  WORD_OR_BYTE,
  type Write,
  wi,
} from './register-regions.ts';

const GICD = { CTLR: 0x0, TYPER: 0x4, IIDR: 0x8 } as const;

const readMisc: Read = ({ gic }, offset) => {
  switch (offset & 0xc) {
    case GICD.CTLR:
      return Number(gic.enabled);
    case GICD.TYPER:
      return ((gic.nrIrqs >> 5) - 1) | ((gic.cpus.length - 1) << 5);
    case GICD.IIDR:
      return iidr(gic);
    default:
      return 0;
  }
};

const writeMisc: Write = ({ gic }, offset, _, value) => {
  if ((offset & 0xc) !== GICD.CTLR) return;
  gic.enabled = (value & 1) !== 0;
  gic.updateAll();
};

const userWriteMisc: UserWrite = (cpu, offset, bytes, value) => {
  const { gic } = cpu;
  if ((offset & 0xc) === GICD.IIDR) {
    const result = setIidr(gic, value);
    // Whoever writes it knows of groups (`v2_groups_user_writable`).
    if (result === 0) gic.groupsWritable = true;
    return result;
  }
  writeMisc(cpu, offset, bytes, value);
  return 0;
};

const userWriteGroup: UserWrite = (cpu, offset, bytes, value) => {
  if (cpu.gic.groupsWritable) group.write(cpu, offset, bytes, value);
  return 0;
};

/** GICD_ITARGETSR; those of private interrupts are what they are. */
const writeTarget: Write = (cpu, offset, bytes, value) => {
  if ((offset & 0x3ff) < NR_PRIVATE_IRQS) return;
  forBytes((irq, byte, { gic }) => {
    irq.targets = byte & ((1 << gic.cpus.length) - 1);
    irq.target = gic.cpus[irq.targets === 0 ? 0 : 31 - Math.clz32(irq.targets & -irq.targets)];
  })(cpu, offset, bytes, value);
};

/** GICD_SGIR.TargetListFilter */
const FILTER = { list: 0, others: 1, self: 2 } as const;

/** GICD_SGIR: sends a software interrupt. */
const sendSgi: Write = (cpu, _offset, _bytes, value) => {
  const { gic, vcpu } = cpu;
  const self = 1 << vcpu.id;
  const lists: Readonly<Record<number, number>> = {
    [FILTER.list]: (value >>> 16) & 0xff,
    [FILTER.others]: ((1 << gic.cpus.length) - 1) & ~self,
    [FILTER.self]: self,
  };
  const targets = lists[(value >>> 24) & 3] ?? 0;
  for (const target of gic.cpus) {
    if (((targets >> target.index) & 1) === 0) continue;
    const irq = target.privateIrqs[value & 0xf]!;
    irq.pendingLatch = true;
    irq.source |= self;
    gic.queue(irq);
  }
};

/** GICD_CPENDSGIR and GICD_SPENDSGIR: a byte for each, of who sent it. */
const readSources: Read = (cpu, offset, bytes) => bytesOf(irq => irq.source)(cpu, offset & 0xf, bytes);

const clearSources: Write = (cpu, offset, bytes, value) =>
  forBytes((irq, byte) => {
    irq.source &= ~byte;
    if (irq.source === 0) irq.pendingLatch = false;
  })(cpu, offset & 0xf, bytes, value);

const setSources: Write = (cpu, offset, bytes, value) =>
  forBytes((irq, byte, { gic }) => {
    irq.source |= byte;
    if (irq.source === 0) return;
    irq.pendingLatch = true;
    gic.queue(irq);
  })(cpu, offset & 0xf, bytes, value);

export const DISTRIBUTOR: readonly Region[] = [
  registers(0x0, 12, { read: readMisc, write: writeMisc, userWrite: userWriteMisc }),
  perIrq(0x80, 1, { ...group, userWrite: userWriteGroup }),
  perIrq(0x100, 1, { read: enable.read, write: enable.set, userWrite: enable.userSet }),
  perIrq(0x180, 1, { read: enable.read, write: enable.clear, userWrite: enable.userClear }),
  perIrq(0x200, 1, {
    read: pending.read,
    write: pending.set,
    userRead: pending.userRead,
    userWrite: pending.userSet,
  }),
  perIrq(0x280, 1, {
    read: pending.read,
    write: pending.clear,
    userRead: pending.userRead,
    userWrite: pending.userClear,
  }),
  perIrq(0x300, 1, { read: active.read, write: active.set, userWrite: active.userSet }),
  perIrq(0x380, 1, { read: active.read, write: active.clear, userWrite: active.userClear }),
  perIrq(0x400, 8, priority, WORD_OR_BYTE),
  perIrq(0x800, 8, { read: bytesOf(irq => irq.targets), write: writeTarget }, WORD_OR_BYTE),
  perIrq(0xc00, 2, configuration),
  registers(0xf00, 4, { read: raz, write: sendSgi }),
  registers(0xf10, 16, { read: readSources, write: clearSources }, WORD_OR_BYTE),
  registers(0xf20, 16, { read: readSources, write: setSources }, WORD_OR_BYTE),
];

// The CPU interface.

const GICC = {
  CTLR: 0x0,
  PMR: 0x4,
  BPR: 0x8,
  IAR: 0xc,
  EOIR: 0x10,
  RPR: 0x14,
  HPPIR: 0x18,
  ABPR: 0x1c,
  AIAR: 0x20,
  AEOIR: 0x24,
  AHPPIR: 0x28,
  APR: 0xd0,
  IIDR: 0xfc,
  DIR: 0x1000,
} as const;

/** GICC_CTLR, by bit. */
const CTLR = [
  [0, 'grpen0'],
  [1, 'grpen1'],
  [2, 'ackctl'],
  [3, 'fiqen'],
  [4, 'cbpr'],
  [9, 'eoim'],
] as const;

function readControl({ vmcr }: CpuInterface): number {
  return CTLR.reduce((value, [bit, name]) => value | (Number(vmcr[name]) << bit), 0);
}

function writeControl(cpu: CpuInterface, value: number): void {
  for (const [bit, name] of CTLR) cpu.vmcr[name] = ((value >>> bit) & 1) === 1;
  cpu.update();
}

/** Userspace has the five bits of the mask that count, as GICH_VMCR does. */
const PMR_SHIFT = 3;
/** GICC_IIDR: KVM's product, architecture 2, at Arm. */
const GICC_IIDR = 0x04b2_043b;

const readInterface: Read = (cpu, offset) => {
  const { vmcr } = cpu;
  switch (offset & 0xff) {
    case GICC.CTLR:
      return readControl(cpu);
    case GICC.PMR:
      return vmcr.pmr >> PMR_SHIFT;
    case GICC.BPR:
      return vmcr.bpr;
    case GICC.ABPR:
      return vmcr.abpr;
    case GICC.IIDR:
      return GICC_IIDR;
    default:
      return 0;
  }
};

const writeInterface: Write = (cpu, offset, _, value) => {
  const { vmcr } = cpu;
  switch (offset & 0xff) {
    case GICC.CTLR:
      writeControl(cpu, value);
      break;
    case GICC.PMR:
      vmcr.pmr = (value << PMR_SHIFT) & 0xf8;
      break;
    case GICC.BPR:
      vmcr.bpr = value & 7;
      break;
    case GICC.ABPR:
      vmcr.abpr = value & 7;
      break;
  }
  cpu.update();
};

/** The register of active priorities; a GICv2 has one. */
const activePriorities: Handlers = {
  read: (cpu, offset) => (((offset >> 2) & 3) === 0 ? cpu.activePriorities[1][0]! : 0),
  write: (cpu, offset, _, value) => {
    if (((offset >> 2) & 3) !== 0) return;
    cpu.activePriorities[1][0] = value;
    cpu.update();
  },
};

const INTERFACE: readonly Region[] = [
  ...[GICC.CTLR, GICC.PMR, GICC.BPR, GICC.ABPR].map(offset =>
    registers(offset, 4, { read: readInterface, write: writeInterface }),
  ),
  registers(GICC.APR, 16, activePriorities),
  registers(GICC.IIDR, 4, { read: readInterface, write: writeInterface }),
];
const INTERFACE_WITH_DIR: readonly Region[] = [
  ...INTERFACE,
  registers(GICC.DIR, 4, { read: raz, write: wi, userRead: raz, userWrite: userWi }),
];

/** The CPU interface as userspace has it. */
export function interfaceRegions({ profile }: Gic): readonly Region[] {
  return profile.deactivation ? INTERFACE_WITH_DIR : INTERFACE;
}

const INTID = 0x3ff;

/** What the guest reads in the frame of its CPU interface, which is the hardware's. */
export function readCpuFrame(cpu: CpuInterface, offset: number): number {
  switch (offset) {
    case GICC.CTLR:
      return readControl(cpu);
    case GICC.PMR:
      return cpu.vmcr.pmr;
    case GICC.BPR:
      return cpu.binaryPoint(0);
    case GICC.IAR:
      return cpu.acknowledgeV2(false);
    case GICC.RPR:
      return cpu.runningPriority;
    case GICC.HPPIR:
      return cpu.highestPendingV2(false);
    case GICC.ABPR:
      return cpu.vmcr.abpr;
    case GICC.AIAR:
      return cpu.acknowledgeV2(true);
    case GICC.AHPPIR:
      return cpu.highestPendingV2(true);
    case GICC.APR:
      return cpu.activePriorities[1][0]!;
    default:
      return 0;
  }
}

export function writeCpuFrame(cpu: CpuInterface, offset: number, value: number): void {
  switch (offset) {
    case GICC.CTLR:
      writeControl(cpu, value);
      break;
    case GICC.PMR:
      cpu.vmcr.pmr = value & 0xf8;
      cpu.update();
      break;
    case GICC.BPR:
      cpu.setBinaryPoint(0, value);
      break;
    case GICC.ABPR:
      cpu.setAliasedBinaryPoint(value);
      break;
    case GICC.EOIR:
    case GICC.AEOIR:
      cpu.end(value & INTID);
      break;
    case GICC.APR:
      cpu.activePriorities[1][0] = value;
      cpu.update();
      break;
    case GICC.DIR:
      cpu.deactivate(value & INTID);
      break;
  }
}
