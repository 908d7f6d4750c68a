/**
 * The registers of a VM's interrupt controller that are its state, as attributes of the device: which there are, their
 * names, and in which order a kernel takes them (Documentation/virt/kvm/devices/arm-vgic.rst and arm-vgic-v3.rst; what
 * they do, arch/arm64/kvm/vgic/vgic-mmio-v2.c, vgic-mmio-v3.c and vgic-sys-reg-v3.c).
 *
 * Registers of an ITS are none of it, nor those that mean something only with one (GICR_PROPBASER, GICR_PENDBASER,
 * GICR_CTLR), nor what only tells about the others (GICD_TYPER, GICR_TYPER, PIDR).
 *
 * @packageDocumentation
 */
import { KVM_DEV_ARM_VGIC_GRP } from './device-attributes.ts';
import type { RegisterField } from './register-fields.ts';
import { parseRegister } from './register-names.ts';

/** The versions of a GIC that KVM has for a guest. */
export type GicVersion = 2 | 3;

/** How many there are of a register, and whose. */
type Scope =
  /** One. */
  | 'vm'
  /** Some for each CPU. */
  | 'cpu'
  /** Of the interrupts 0 to 31, for each CPU. */
  | 'private'
  /** Of the interrupts from 32 on. */
  | 'shared';

/** A register, or a row of them with numbers. */
export interface GicRegister {
  /** Without its number. */
  readonly name: string;
  readonly group: number;
  readonly scope: Scope;
  /** Where in the group the one with number 0 is. */
  readonly offset: number;
  /** From one to the next. */
  readonly stride: number;
  /** Interrupts in each; of the scope `'cpu'` how many there are. */
  readonly count: number;
  /** Bytes of the attribute. */
  readonly bytes: 4 | 8;
  /** Where the twin is that clears what is set: these only set. */
  readonly clear?: number;
}

const GROUP = KVM_DEV_ARM_VGIC_GRP;
const DIST = GROUP.KVM_DEV_ARM_VGIC_GRP_DIST_REGS;
const REDIST = GROUP.KVM_DEV_ARM_VGIC_GRP_REDIST_REGS;

function one(name: string, offset: number): GicRegister {
  return { name, group: DIST, scope: 'vm', offset, stride: 4, count: 1, bytes: 4 };
}

function ofCpu(name: string, group: number, offset: number, count = 1): GicRegister {
  return { name, group, scope: 'cpu', offset, stride: 4, count, bytes: 4 };
}

/** Some bits for each interrupt. */
function ofInterrupts(
  name: string,
  scope: Scope,
  group: number,
  offset: number,
  count: number,
  clear?: number,
): GicRegister {
  return { name, group, scope, offset, stride: 4, count, bytes: 4, ...(clear !== undefined && { clear }) };
}

/** ICC_* and ICH_*: the attribute has the encoding that the register's id has. */
function ofCpuInterface(name: string, first = '', count = 1): GicRegister {
  const offset = Number(parseRegister(first === '' ? name : first) & 0xffffn);
  return {
    name,
    group: GROUP.KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS,
    scope: 'cpu',
    offset,
    stride: 1,
    count,
    bytes: 8,
  };
}

/** Of a GICv3, 32 interrupts each; the attribute has the first. */
function levels(scope: 'private' | 'shared'): GicRegister {
  const group = GROUP.KVM_DEV_ARM_VGIC_GRP_LEVEL_INFO;
  return { name: 'LEVEL_INFO', group, scope, offset: 0, stride: 32, count: 32, bytes: 4 };
}

/** Where the second frame of a redistributor is, that of its interrupts. */
const SGI = 0x1_0000;

/**
 * In the order of a restore. GICD_IIDR first, as the others mean what its revision says, and as a GICv2 without it keeps all
 * interrupts in group 0. GICD_CTLR before anything pends: an interrupt that is pending when the distributor is switched on
 * is not queued for its CPU, not even when its line rises again (`vgic_target_oracle`, vgic.c), and a guest that waits for
 * it waits for ever. What an interrupt is (group, priority, edge or level, target) before whether it is enabled, pending or
 * active; ICC_CTLR_EL1 before what its priority bits decide about.
 */
export const GIC_REGISTERS: Readonly<Record<GicVersion, readonly GicRegister[]>> = {
  2: [
    one('GICD_IIDR', 0x8),
    one('GICD_CTLR', 0x0),
    ...(['private', 'shared'] as const).flatMap(scope => [
      ofInterrupts('GICD_IGROUPR', scope, DIST, 0x80, 32),
      ofInterrupts('GICD_IPRIORITYR', scope, DIST, 0x400, 4),
      ofInterrupts('GICD_ICFGR', scope, DIST, 0xc00, 16),
      // Those of private interrupts can only be read.
      ...(scope === 'shared' ? [ofInterrupts('GICD_ITARGETSR', scope, DIST, 0x800, 4)] : []),
      ofInterrupts('GICD_ISENABLER', scope, DIST, 0x100, 32, 0x180),
      ofInterrupts('GICD_ISPENDR', scope, DIST, 0x200, 32, 0x280),
      ofInterrupts('GICD_ISACTIVER', scope, DIST, 0x300, 32, 0x380),
    ]),
    // Who sent the 16 SGIs; behind GICD_ISPENDR, which says that it was the CPU itself (`__set_pending`, vgic-mmio.c).
    { ...ofCpu('GICD_SPENDSGIR', DIST, 0xf20, 4), clear: 0xf10 },
    ...(
      [
        ['GICC_CTLR', 0x0],
        ['GICC_PMR', 0x4],
        ['GICC_BPR', 0x8],
        ['GICC_ABPR', 0x1c],
      ] as const
    ).map(([name, offset]) => ofCpu(name, GROUP.KVM_DEV_ARM_VGIC_GRP_CPU_REGS, offset)),
    ofCpu('GICC_APR', GROUP.KVM_DEV_ARM_VGIC_GRP_CPU_REGS, 0xd0, 4),
  ],
  3: [
    one('GICD_IIDR', 0x8),
    one('GICD_TYPER2', 0xc),
    one('GICD_CTLR', 0x0),
    ofInterrupts('GICR_IGROUPR', 'private', REDIST, SGI + 0x80, 32),
    ofInterrupts('GICR_IPRIORITYR', 'private', REDIST, SGI + 0x400, 4),
    ofInterrupts('GICR_ICFGR', 'private', REDIST, SGI + 0xc00, 16),
    ofInterrupts('GICR_ISENABLER', 'private', REDIST, SGI + 0x100, 32, SGI + 0x180),
    ofInterrupts('GICD_IGROUPR', 'shared', DIST, 0x80, 32),
    ofInterrupts('GICD_IPRIORITYR', 'shared', DIST, 0x400, 4),
    ofInterrupts('GICD_ICFGR', 'shared', DIST, 0xc00, 16),
    // The lower halves: KVM has no Aff3, and the upper ones read as 0.
    { ...ofInterrupts('GICD_IROUTER', 'shared', DIST, 0x6000, 1), stride: 8 },
    ofInterrupts('GICD_ISENABLER', 'shared', DIST, 0x100, 32, 0x180),
    // The line of a level-triggered interrupt and its latch are two things, and together make it pending. A write of the
    // latch clears, too (`vgic_v3_uaccess_write_pending`).
    levels('private'),
    levels('shared'),
    ofInterrupts('GICR_ISPENDR', 'private', REDIST, SGI + 0x200, 32),
    ofInterrupts('GICD_ISPENDR', 'shared', DIST, 0x200, 32),
    ofInterrupts('GICR_ISACTIVER', 'private', REDIST, SGI + 0x300, 32, SGI + 0x380),
    ofInterrupts('GICD_ISACTIVER', 'shared', DIST, 0x300, 32, 0x380),
    ...['ICC_SRE_EL1', 'ICC_CTLR_EL1', 'ICC_IGRPEN0_EL1', 'ICC_IGRPEN1_EL1', 'ICC_PMR_EL1'].map(name =>
      ofCpuInterface(name),
    ),
    ...['ICC_BPR0_EL1', 'ICC_BPR1_EL1'].map(name => ofCpuInterface(name)),
    ofCpuInterface('ICC_AP0R_EL1', 'ICC_AP0R0_EL1', 4),
    ofCpuInterface('ICC_AP1R_EL1', 'ICC_AP1R0_EL1', 4),
    // Of guests with an EL2 of their own.
    ...['ICC_SRE_EL2', 'ICH_VTR_EL2', 'ICH_HCR_EL2', 'ICH_VMCR_EL2'].map(name => ofCpuInterface(name)),
    ofCpuInterface('ICH_AP0R_EL2', 'ICH_AP0R0_EL2', 4),
    ofCpuInterface('ICH_AP1R_EL2', 'ICH_AP1R0_EL2', 4),
    ofCpuInterface('ICH_LR_EL2', 'ICH_LR0_EL2', 16),
  ],
};

/** Private interrupts: SGIs and PPIs. */
const PRIVATE = 32;
/** As many as there can be; 1020 and up are none. */
const MOST_INTERRUPTS = 1024;

/** The numbers that a register has, first and behind the last, in a GIC of so many interrupts. */
export function numbersOf({ scope, count }: GicRegister, irqs: number): [first: number, end: number] {
  if (scope === 'private') return [0, PRIVATE / count];
  return scope === 'shared' ? [PRIVATE / count, irqs / count] : [0, count];
}

/**
 * The attribute of one register.
 *
 * @param cpu - of a CPU's registers: its affinity, Aff3 to Aff0 in a byte each, or for a GICv2 its number
 */
export function gicAttribute({ offset, stride }: GicRegister, number: number, cpu: bigint): bigint {
  return (cpu << 32n) | BigInt(offset + stride * number);
}

/** Whether it is one of each CPU. */
export function isPerCpu({ scope }: GicRegister): boolean {
  return scope === 'cpu' || scope === 'private';
}

/** A register of a GIC, found by its attribute. */
export interface FoundGicRegister {
  readonly register: GicRegister;
  /** With its number: `'GICD_ISENABLER1'`. */
  readonly name: string;
  /** Which CPU's, as {@link gicAttribute} has it; undefined where it is of none. */
  readonly cpu: bigint | undefined;
}

/** Finds a register by its attribute; undefined for what is no state, or beyond any GIC. */
export function findGicRegister(
  version: GicVersion,
  group: number,
  attr: bigint,
): FoundGicRegister | undefined {
  const cpu = attr >> 32n;
  const offset = Number(attr & 0xffff_ffffn);
  for (const register of GIC_REGISTERS[version]) {
    const number = (offset - register.offset) / register.stride;
    const [first, end] = numbersOf(register, MOST_INTERRUPTS);
    if (register.group !== group || !Number.isInteger(number) || number < first || number >= end) continue;
    if (!isPerCpu(register) && cpu !== 0n) return undefined;
    return { register, name: nameOf(register, number), cpu: isPerCpu(register) ? cpu : undefined };
  }
  return undefined;
}

function nameOf({ name, scope, count }: GicRegister, number: number): string {
  if (scope === 'vm' || (scope === 'cpu' && count === 1)) return name;
  const [, stem = name, level = ''] = /^(.*?)(_EL[12])$/.exec(name) ?? [];
  return `${stem}${number}${level}`;
}

/** The fields of those that say what the GIC is. Arm IHI 0069H, 12.9.22 (GICD_IIDR) and 12.2.6 (ICC_CTLR_EL1). */
const FIELDS: Readonly<Record<string, readonly RegisterField[]>> = {
  GICD_IIDR: [
    { name: 'Implementer', shift: 0, width: 12 },
    { name: 'Revision', shift: 12, width: 4 },
    { name: 'Variant', shift: 16, width: 4 },
    { name: 'ProductID', shift: 24, width: 8 },
  ],
  GICD_TYPER2: [{ name: 'nASSGIcap', shift: 8, width: 1 }],
  ICC_CTLR_EL1: [
    { name: 'CBPR', shift: 0, width: 1 },
    { name: 'EOImode', shift: 1, width: 1 },
    { name: 'PRIbits', shift: 8, width: 3 },
    { name: 'IDbits', shift: 11, width: 3 },
    { name: 'SEIS', shift: 14, width: 1 },
    { name: 'A3V', shift: 15, width: 1 },
  ],
};

/** The fields of a register of the GIC, by its name; none of most. */
export function gicRegisterFields(name: string): readonly RegisterField[] {
  return FIELDS[name] ?? [];
}
