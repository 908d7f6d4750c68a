/**
 * The distributor and the redistributors of a GICv3 (arch/arm64/kvm/vgic/vgic-mmio-v3.c; IHI 0069H, 12.8 to 12.11). There
 * is no ITS, and so there are no LPIs.
 *
 * @packageDocumentation
 */
import { ERRNO } from '../../abi/errno.ts';
import type { CpuInterface } from './cpu-interface.ts';
import { affinityOf, type Gic } from './gic.ts';
import { active, configuration, enable, group, pending, priority } from './interrupt-registers.ts';
import { isLastRedistributor } from './redistributors.ts';
import {
  intidAt,
  perIrq,
  type Read,
  type Region,
  rao,
  raz,
  registers,
  type UserWrite,
  userWi,
  WORD_OR_BYTE,
  WORD_OR_LONG,
  type Write,
  wi,
} from './register-regions.ts';

const GICD = { CTLR: 0x0, TYPER: 0x4, IIDR: 0x8, TYPER2: 0xc } as const;
/** GICD_CTLR: EnableGrp1, ARE, DS. */
const ENABLE_GRP1 = 1 << 1;
const ARE = 1 << 4;
const DS = 1 << 6;
/** GICD_TYPER.IDbits: 10 bits of INTIDs, less one. */
const IDBITS = 9 << 19;

/** GICD_IIDR: KVM's product at Arm, 'K' (`PRODUCT_ID_KVM`, `IMPLEMENTER_ARM`). */
const IIDR = 0x4b00_043b;
const REVISION_SHIFT = 12;
const REVISION_MASK = 0xf000;

export function iidr({ revision }: Gic): number {
  return IIDR | (revision << REVISION_SHIFT);
}

/** A write of GICD_IIDR by userspace: another revision, if the kernel has it. */
export function setIidr(gic: Gic, value: number): number {
  const revision = (value & REVISION_MASK) >>> REVISION_SHIFT;
  const isOther = ((iidr(gic) ^ value) & ~REVISION_MASK) !== 0;
  if (isOther || !gic.profile.revisions.includes(revision)) return -ERRNO.EINVAL;
  if (!gic.profile.revisionKept) gic.revision = revision;
  return 0;
}

/** The first registers of the distributor. */
const readMisc: Read = ({ gic }, offset) => {
  switch (offset & 0xc) {
    case GICD.CTLR:
      return (gic.enabled ? ENABLE_GRP1 : 0) | ARE | DS;
    case GICD.TYPER:
      return ((gic.nrIrqs >> 5) - 1) | IDBITS;
    case GICD.IIDR:
      return iidr(gic);
    default:
      return 0;
  }
};

const writeMisc: Write = ({ gic }, offset, _, value) => {
  if ((offset & 0xc) !== GICD.CTLR) return;
  gic.enabled = (value & ENABLE_GRP1) !== 0;
  gic.updateAll();
};

const userWriteMisc: UserWrite = (cpu, offset, bytes, value) => {
  const { gic } = cpu;
  switch (offset & 0xc) {
    case GICD.IIDR:
      return setIidr(gic, value);
    case GICD.TYPER2:
      if (value === 0) return 0;
      return gic.initialized && gic.profile.identifiesEarly ? -ERRNO.EBUSY : -ERRNO.EINVAL;
    default:
      writeMisc(cpu, offset, bytes, value);
      return 0;
  }
};

/** The upper word, with Aff3, is nothing. */
const readRouter: Read = ({ gic }, offset) =>
  offset & 4 ? 0 : (gic.shared(intidAt(offset, 64))?.mpidr ?? 0);

const writeRouter: Write = ({ gic }, offset, _, value) => {
  const irq = offset & 4 ? undefined : gic.shared(intidAt(offset, 64));
  if (irq === undefined) return;
  irq.mpidr = value & 0xff_ffff;
  irq.target = gic.byAffinity(BigInt(irq.mpidr));
  gic.updateAll();
};

const PIDR2 = 0xffe8;
/** GICv3, by Arm. */
const readId: Read = (_, offset) => ((offset & 0xffff) === PIDR2 ? 0x3b : 0);

/** Of the distributor's registers with bits for each interrupt those of private ones are the redistributor's. */
function sharedRegions(region: Region): Region[] {
  const { offset, bitsPerIrq, widths } = region;
  const own = (bitsPerIrq * 32) / 8;
  return [
    { offset, length: own, widths, bitsPerIrq, read: raz, write: wi },
    { ...region, offset: offset + own, length: region.length - own },
  ];
}

const nothing = { read: raz, write: wi };

/** Handlers of registers that the distributor has for shared interrupts, and a redistributor for private ones. */
const BITS = {
  isenabler: { read: enable.read, write: enable.set, userWrite: enable.userSet },
  icenabler: { read: enable.read, write: enable.clear, userWrite: enable.userClear },
  ispendr: {
    read: pending.read,
    write: pending.set,
    userRead: pending.userRead,
    userWrite: pending.userAssign,
  },
  icpendr: { read: pending.read, write: pending.clear, userRead: raz, userWrite: userWi },
  isactiver: { read: active.read, write: active.set, userWrite: active.userSet },
  icactiver: { read: active.read, write: active.clear, userWrite: active.userClear },
} as const;

export const DISTRIBUTOR: readonly Region[] = [
  registers(0x0, 16, { read: readMisc, write: writeMisc, userWrite: userWriteMisc }),
  registers(0x10, 4, { read: rao, write: wi }), // GICD_STATUSR
  ...[
    perIrq(0x80, 1, group),
    perIrq(0x100, 1, BITS.isenabler),
    perIrq(0x180, 1, BITS.icenabler),
    perIrq(0x200, 1, BITS.ispendr),
    perIrq(0x280, 1, BITS.icpendr),
    perIrq(0x300, 1, BITS.isactiver),
    perIrq(0x380, 1, BITS.icactiver),
    perIrq(0x400, 8, priority, WORD_OR_BYTE),
    perIrq(0x800, 8, nothing, WORD_OR_BYTE), // GICD_ITARGETSR
    perIrq(0xc00, 2, configuration),
    perIrq(0xd00, 1, nothing), // GICD_IGRPMODR
    perIrq(0x6000, 64, { read: readRouter, write: writeRouter }, WORD_OR_LONG),
  ].flatMap(sharedRegions),
  registers(0xffd0, 48, { read: readId, write: wi }),
];

/** GICR_CTLR: IR and CES, from revision 3 on. */
const GICR_CTLR = 0x6;
const REVISION_3 = 3;
const LAST = 1 << 4;

/** A half of a register of 64 bits. */
const half = (value: bigint, offset: number) => Number((offset & 4 ? value >> 32n : value) & 0xffff_ffffn);

function typer(cpu: CpuInterface, offset: number, isLast: boolean): number {
  const affinity = affinityOf(cpu.vcpu) & 0xff_ffffn;
  const low = ((cpu.vcpu.id & 0xffff) << 8) | (isLast ? LAST : 0);
  return offset & 4 ? Number(affinity) : low;
}

const readTyper: Read = (cpu, offset) => typer(cpu, offset, isLastRedistributor(cpu));
/** An old kernel does not tell userspace which one is the last. */
const userReadTyper: Read = (cpu, offset) =>
  typer(cpu, offset, cpu.gic.profile.lastToUserspace === true && isLastRedistributor(cpu));

/** Fields of the base registers that KVM corrects, each as [position, mask, what becomes of a value]. */
type Correction = readonly [shift: bigint, mask: bigint, correct: (field: bigint) => bigint];
const [INNER, RAWB, NON_CACHEABLE, DEVICE, SAME_AS_INNER] = [1n, 3n, 1n, 0n, 0n];
const CORRECTIONS: readonly Correction[] = [
  [10n, 3n, field => (field === 2n ? INNER : field)], // outer shareable
  [7n, 7n, field => (field === DEVICE || field === NON_CACHEABLE ? RAWB : field)],
  [56n, 7n, field => (field === SAME_AS_INNER || field === NON_CACHEABLE ? field : SAME_AS_INNER)],
];
const ones = (high: bigint, low: bigint) => ((1n << (high - low + 1n)) - 1n) << low;
const PROPBASER_RES0 = ones(63n, 59n) | ones(55n, 52n) | ones(6n, 5n);
const PENDBASER_RES0 = ones(63n, 63n) | ones(61n, 59n) | ones(55n, 52n) | ones(15n, 12n) | ones(6n, 0n);
const PENDBASER_PTZ = 1n << 62n;

/** A base register after a write of one half (`vgic_sanitise_propbaser`, `vgic_sanitise_pendbaser`). */
function withHalf(register: bigint, offset: number, value: number, res0: bigint): bigint {
  const shift = offset & 4 ? 32n : 0n;
  const written = (register & ~(0xffff_ffffn << shift)) | (BigInt(value >>> 0) << shift);
  const corrected = CORRECTIONS.reduce(
    (whole, [at, mask, correct]) => (whole & ~(mask << at)) | (correct((whole >> at) & mask) << at),
    written,
  );
  return corrected & ~res0;
}

/** The second frame of a redistributor. */
const SGI_BASE = 0x1_0000;

const REDISTRIBUTOR_HEAD: readonly Region[] = [
  registers(0x0, 4, { read: ({ gic }) => (gic.revision >= REVISION_3 ? GICR_CTLR : 0), write: wi }),
  registers(0x4, 4, { read: () => IIDR, write: wi }),
  registers(0x8, 8, { read: readTyper, write: wi, userRead: userReadTyper, userWrite: userWi }, WORD_OR_LONG),
  registers(0x10, 4, nothing), // GICR_STATUSR
  registers(0x14, 4, nothing), // GICR_WAKER
  registers(
    0x70,
    8,
    {
      read: ({ gic }, offset) => half(gic.propbaser, offset),
      write: ({ gic }, offset, _, value) => {
        gic.propbaser = withHalf(gic.propbaser, offset, value, PROPBASER_RES0);
      },
    },
    WORD_OR_LONG,
  ),
  registers(
    0x78,
    8,
    {
      read: (cpu, offset) => half(cpu.pendbaser & ~PENDBASER_PTZ, offset),
      write: (cpu, offset, _, value) => {
        cpu.pendbaser = withHalf(cpu.pendbaser, offset, value, PENDBASER_RES0);
      },
    },
    WORD_OR_LONG,
  ),
];

/** GICR_INVLPIR, GICR_INVALLR and GICR_SYNCR: without LPIs they do nothing. */
const INVALIDATION: readonly Region[] = [
  registers(0xa0, 8, nothing, WORD_OR_LONG),
  registers(0xb0, 8, nothing, WORD_OR_LONG),
  registers(0xc0, 4, nothing),
];

const REDISTRIBUTOR_TAIL: readonly Region[] = [
  registers(0xffd0, 48, { read: readId, write: wi }),
  registers(SGI_BASE + 0x80, 4, group),
  registers(SGI_BASE + 0x100, 4, BITS.isenabler),
  registers(SGI_BASE + 0x180, 4, BITS.icenabler),
  registers(SGI_BASE + 0x200, 4, BITS.ispendr),
  registers(SGI_BASE + 0x280, 4, BITS.icpendr),
  registers(SGI_BASE + 0x300, 4, BITS.isactiver),
  registers(SGI_BASE + 0x380, 4, BITS.icactiver),
  registers(SGI_BASE + 0x400, 32, priority, WORD_OR_BYTE),
  registers(SGI_BASE + 0xc00, 8, configuration),
  registers(SGI_BASE + 0xd00, 4, nothing), // GICR_IGRPMODR0
  registers(SGI_BASE + 0xe00, 4, nothing), // GICR_NSACR
];

const REDISTRIBUTOR = [...REDISTRIBUTOR_HEAD, ...REDISTRIBUTOR_TAIL];
const REDISTRIBUTOR_WITH_INVALIDATION = [...REDISTRIBUTOR_HEAD, ...INVALIDATION, ...REDISTRIBUTOR_TAIL];

export function redistributorRegions({ profile }: Gic): readonly Region[] {
  return profile.invalidation ? REDISTRIBUTOR_WITH_INVALIDATION : REDISTRIBUTOR;
}
