/**
 * The GIC's descriptor: its attributes (arch/arm64/kvm/vgic/vgic-kvm-device.c, vgic-sys-reg-v3.c).
 *
 * @packageDocumentation
 */
import {
  KVM_DEV_ARM_VGIC_CTRL,
  KVM_DEV_ARM_VGIC_GRP,
  KVM_VGIC_ADDR_TYPE,
  KVM_VGIC_SIZE,
} from '../../abi/device-attributes.ts';
import { ERRNO } from '../../abi/errno.ts';
import type { DeviceHandle, Result } from '../../backend.ts';
import { isPpi, NR_PRIVATE_IRQS } from '../intids.ts';
import type { VmState } from '../state.ts';
import { readStruct, writeStruct } from '../user-memory.ts';
import type { CpuInterface } from './cpu-interface.ts';
import type { Gic } from './gic.ts';
import * as v2 from './gicv2-frames.ts';
import * as v3 from './gicv3-frames.ts';
import { getIcc, hasIcc, setIcc } from './icc-attributes.ts';
import { readLevels, writeLevels } from './interrupt-registers.ts';
import { addRegion, checkPlace } from './redistributors.ts';
import { findRegion, type Region, userRead, userWrite } from './register-regions.ts';

/** What serves a group of attributes. */
interface Group {
  has(gic: Gic, attr: bigint): Result;
  get?(gic: Gic, attr: bigint, data: Uint8Array): Result;
  set?(gic: Gic, attr: bigint, data: Uint8Array): Result;
}

const LOW_WORD = 0xffff_ffffn;

function readU32(data: Uint8Array): number {
  return new DataView(readStruct(data, 4).buffer).getUint32(0, true);
}

function readU64(data: Uint8Array): bigint {
  return new DataView(readStruct(data, 8).buffer).getBigUint64(0, true);
}

// Where it lies.

/** A frame of its own, by the type of its address. */
interface Frame {
  readonly model: 2 | 3;
  readonly name: 'distributor' | 'cpuFrame';
  readonly alignment: bigint;
  readonly size: bigint;
}

const PAGE = 0x1000n;
const FRAMES: ReadonlyMap<number, Frame> = new Map<number, Frame>([
  [
    KVM_VGIC_ADDR_TYPE.KVM_VGIC_V2_ADDR_TYPE_DIST,
    {
      model: 2,
      name: 'distributor',
      alignment: PAGE,
      size: BigInt(KVM_VGIC_SIZE.KVM_VGIC_V2_DIST_SIZE),
    },
  ],
  [
    KVM_VGIC_ADDR_TYPE.KVM_VGIC_V2_ADDR_TYPE_CPU,
    { model: 2, name: 'cpuFrame', alignment: PAGE, size: BigInt(KVM_VGIC_SIZE.KVM_VGIC_V2_CPU_SIZE) },
  ],
  [
    KVM_VGIC_ADDR_TYPE.KVM_VGIC_V3_ADDR_TYPE_DIST,
    {
      model: 3,
      name: 'distributor',
      alignment: 0x1_0000n,
      size: BigInt(KVM_VGIC_SIZE.KVM_VGIC_V3_DIST_SIZE),
    },
  ],
]);

/** An address that nobody has set (`VGIC_ADDR_UNDEF`). */
const UNDEFINED = 0xffff_ffff_ffff_ffffn;
const REGION = { index: 0xfffn, base: 0xf_ffff_ffff_0000n, flags: 0xf000n, countShift: 52n } as const;
/** The kernel keeps the index in a byte. */
const INDEX = 0xffn;

function setRegion(gic: Gic, value: bigint): Result {
  const count = Number(value >> REGION.countShift);
  if (count === 0 || (value & REGION.flags) !== 0n) return -ERRNO.EINVAL;
  return addRegion(gic, Number(value & REGION.index & INDEX), value & REGION.base, count);
}

function getRegion(gic: Gic, data: Uint8Array): Result {
  const index = readU64(data) & REGION.index & INDEX;
  const region = gic.regions.find(each => BigInt(each.index) === index);
  if (region === undefined) return -ERRNO.ENOENT;
  writeStruct(data, BigUint64Array.of(index | region.base | (BigInt(region.count) << REGION.countShift)));
  return 0;
}

const { KVM_VGIC_V3_ADDR_TYPE_REDIST, KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION } = KVM_VGIC_ADDR_TYPE;

const addresses: Group = {
  has({ model }, attr) {
    const type = Number(attr);
    const isRedistributors =
      type === KVM_VGIC_V3_ADDR_TYPE_REDIST || type === KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION;
    if (isRedistributors) return model === 3 ? 0 : -ERRNO.ENXIO;
    return FRAMES.get(type)?.model === model ? 0 : -ERRNO.ENXIO;
  },
  get(gic, attr, data) {
    if (this.has(gic, attr) < 0) return -ERRNO.ENXIO;
    const type = Number(attr);
    if (type === KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION) return getRegion(gic, data);
    const frame = FRAMES.get(type);
    const base = frame === undefined ? gic.regions[0]?.base : gic[frame.name];
    writeStruct(data, BigUint64Array.of(base ?? UNDEFINED));
    return 0;
  },
  set(gic, attr, data) {
    if (this.has(gic, attr) < 0) return -ERRNO.ENXIO;
    const type = Number(attr);
    const value = readU64(data);
    if (type === KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION) return setRegion(gic, value);
    if (type === KVM_VGIC_V3_ADDR_TYPE_REDIST) return addRegion(gic, 0, value, 0);
    return setFrame(gic, FRAMES.get(type)!, value);
  },
};

function setFrame(gic: Gic, { name, alignment, size }: Frame, base: bigint): Result {
  const result = checkPlace(gic, gic[name], base, alignment, size);
  if (result === 0) gic[name] = base;
  return result;
}

/** `struct kvm_arm_device_addr`: the device in 31:16 of the id, the address' type in 15:0. */
const DEVICE_SHIFT = 16n;
const VGIC_V2 = 0n;

/** KVM_ARM_SET_DEVICE_ADDR, for a GICv2 (`kvm_vm_ioctl_set_device_addr`, arch/arm64/kvm/arm.c). */
export function setDeviceAddress({ gic }: VmState, bytes: Uint8Array): Result {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const id = view.getBigUint64(0, true);
  if (((id >> DEVICE_SHIFT) & 0xffffn) !== VGIC_V2) return -ERRNO.ENODEV;
  const frame = FRAMES.get(Number(id & 0xffffn));
  if (gic?.model !== 2 || frame?.model !== 2) return -ERRNO.ENODEV;
  return setFrame(gic, frame, view.getBigUint64(8, true));
}

// Its registers.

/** The registers that an attribute is about: `vcpu << 32 | offset`. */
interface Target {
  readonly cpu: CpuInterface | undefined;
  readonly regions: readonly Region[];
}

type FindTarget = (gic: Gic, attr: bigint) => Target;

/** A vCPU by its affinity, 8 bits of each level in 63:32 (`VGIC_TO_MPIDR`). */
function cpuByAttr(gic: Gic, attr: bigint): CpuInterface | undefined {
  const field = attr >> 32n;
  return gic.byAffinity(((field >> 24n) << 32n) | (field & 0xff_ffffn));
}

const distributor: FindTarget = (gic, attr) =>
  gic.model === 2
    ? { cpu: gic.byId(Number((attr >> 32n) & 0xffn)), regions: v2.DISTRIBUTOR }
    : { cpu: gic.cpus[0], regions: v3.DISTRIBUTOR };
const redistributors: FindTarget = (gic, attr) => ({
  cpu: cpuByAttr(gic, attr),
  regions: v3.redistributorRegions(gic),
});
const interfaces: FindTarget = (gic, attr) => ({
  cpu: gic.byId(Number((attr >> 32n) & 0xffn)),
  regions: v2.interfaceRegions(gic),
});

/** GICD_IIDR and GICD_TYPER2. */
const EARLY: readonly number[] = [0x8, 0xc];

/** Whether state can be had now (`vgic_v3_attr_regs_access`; a GICv2 is initialised by that). */
function checkState(gic: Gic, isEarly: boolean): Result {
  if ([...gic.vm.vcpus.values()].some(({ isRunning }) => isRunning)) return -ERRNO.EBUSY;
  if (gic.model === 2) return gic.init();
  return gic.initialized || isEarly ? 0 : -ERRNO.EBUSY;
}

function registers(find: FindTarget, mayBeEarly = false): Group {
  const access = (
    gic: Gic,
    attr: bigint,
    act: (regions: readonly Region[], cpu: CpuInterface, offset: number) => Result,
  ): Result => {
    const { cpu, regions } = find(gic, attr);
    if (cpu === undefined) return -ERRNO.EINVAL;
    const offset = Number(attr & LOW_WORD);
    const isEarly = mayBeEarly && gic.profile.identifiesEarly === true && EARLY.includes(offset);
    const result = checkState(gic, isEarly);
    return result < 0 ? result : act(regions, cpu, offset);
  };
  return {
    has(gic, attr) {
      const { cpu, regions } = find(gic, attr);
      if (cpu === undefined) return -ERRNO.EINVAL;
      const offset = Number(attr & LOW_WORD);
      return findRegion(regions, gic.nrIrqs, offset, 4) === undefined ? -ERRNO.ENXIO : 0;
    },
    get: (gic, attr, data) =>
      access(gic, attr, (regions, cpu, offset) => {
        writeStruct(data, Uint32Array.of(userRead(regions, cpu, offset)));
        return 0;
      }),
    set: (gic, attr, data) =>
      access(gic, attr, (regions, cpu, offset) => userWrite(regions, cpu, offset, readU32(data))),
  };
}

const cpuRegisters: Group = {
  has(gic, attr) {
    const cpu = cpuByAttr(gic, attr);
    if (cpu === undefined) return -ERRNO.EINVAL;
    return hasIcc(attr) ? 0 : -ERRNO.ENXIO;
  },
  get(gic, attr, data) {
    const cpu = cpuByAttr(gic, attr);
    if (cpu === undefined) return -ERRNO.EINVAL;
    const result = checkState(gic, false);
    if (result < 0) return result;
    const value = getIcc(cpu, attr);
    if (typeof value === 'number') return value;
    writeStruct(data, BigUint64Array.of(value));
    return 0;
  },
  set(gic, attr, data) {
    const cpu = cpuByAttr(gic, attr);
    if (cpu === undefined) return -ERRNO.EINVAL;
    const result = checkState(gic, false);
    return result < 0 ? result : setIcc(cpu, attr, readU64(data));
  },
};

/** What of the lines: 0, their levels; in 31:10, with the first interrupt in 9:0. */
const LEVEL_SHIFT = 10n;

const levels: Group = {
  has: (_, attr) => ((attr & LOW_WORD) >> LEVEL_SHIFT === 0n ? 0 : -ERRNO.ENXIO),
  get(gic, attr, data) {
    return accessLevels(gic, attr, (cpu, first) => writeStruct(data, Uint32Array.of(readLevels(cpu, first))));
  },
  set(gic, attr, data) {
    return accessLevels(gic, attr, (cpu, first) => writeLevels(cpu, first, readU32(data)));
  },
};

function accessLevels(gic: Gic, attr: bigint, act: (cpu: CpuInterface, first: number) => void): Result {
  const cpu = cpuByAttr(gic, attr);
  if (cpu === undefined) return -ERRNO.EINVAL;
  const result = checkState(gic, false);
  if (result < 0) return result;
  const first = Number(attr & 0x3ffn);
  if (levels.has(gic, attr) < 0 || first % 32 !== 0) return -ERRNO.EINVAL;
  act(cpu, first);
  return 0;
}

// The rest.

const MAX_NR_IRQS = 1023;

const nrIrqs: Group = {
  has: () => 0,
  get(gic, _, data) {
    writeStruct(data, Uint32Array.of(gic.nrIrqs));
    return 0;
  },
  set(gic, _, data) {
    const count = readU32(data);
    if (count < NR_PRIVATE_IRQS + 32 || count > MAX_NR_IRQS || count % 32 !== 0) return -ERRNO.EINVAL;
    if (gic.nrSpis !== 0) return -ERRNO.EBUSY;
    gic.nrSpis = count - NR_PRIVATE_IRQS;
    return 0;
  },
};

const { KVM_DEV_ARM_VGIC_CTRL_INIT, KVM_DEV_ARM_VGIC_SAVE_PENDING_TABLES } = KVM_DEV_ARM_VGIC_CTRL;

const control: Group = {
  has({ model }, attr) {
    const action = Number(attr);
    if (action === KVM_DEV_ARM_VGIC_CTRL_INIT) return 0;
    return model === 3 && action === KVM_DEV_ARM_VGIC_SAVE_PENDING_TABLES ? 0 : -ERRNO.ENXIO;
  },
  set(gic, attr) {
    if (this.has(gic, attr) < 0) return -ERRNO.ENXIO;
    if (Number(attr) === KVM_DEV_ARM_VGIC_CTRL_INIT) return gic.init();
    // There are no LPIs whose tables could be saved.
    if ([...gic.vm.vcpus.values()].some(({ isRunning }) => isRunning)) return -ERRNO.EBUSY;
    return gic.initialized || !gic.profile.savingNeedsInit ? 0 : -ERRNO.ENXIO;
  },
};

const maintenance: Group = {
  has: () => 0,
  get(gic, _, data) {
    writeStruct(data, Uint32Array.of(gic.maintenanceIrq));
    return 0;
  },
  set(gic, _, data) {
    const intid = readU32(data);
    if (gic.initialized) return -ERRNO.EBUSY;
    if (!isPpi(intid)) return -ERRNO.EINVAL;
    gic.maintenanceIrq = intid;
    return 0;
  },
};

const GRP = KVM_DEV_ARM_VGIC_GRP;

const COMMON: readonly (readonly [number, Group])[] = [
  [GRP.KVM_DEV_ARM_VGIC_GRP_ADDR, addresses],
  [GRP.KVM_DEV_ARM_VGIC_GRP_NR_IRQS, nrIrqs],
  [GRP.KVM_DEV_ARM_VGIC_GRP_CTRL, control],
  [GRP.KVM_DEV_ARM_VGIC_GRP_DIST_REGS, registers(distributor, true)],
];

const GROUPS: Readonly<Record<2 | 3, ReadonlyMap<number, Group>>> = {
  2: new Map([...COMMON, [GRP.KVM_DEV_ARM_VGIC_GRP_CPU_REGS, registers(interfaces)]]),
  3: new Map([
    ...COMMON,
    [GRP.KVM_DEV_ARM_VGIC_GRP_REDIST_REGS, registers(redistributors)],
    [GRP.KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS, cpuRegisters],
    [GRP.KVM_DEV_ARM_VGIC_GRP_LEVEL_INFO, levels],
    [GRP.KVM_DEV_ARM_VGIC_GRP_MAINT_IRQ, maintenance],
  ]),
};

function findGroup({ model, profile }: Gic, group: number): Group | undefined {
  const isThere = group !== GRP.KVM_DEV_ARM_VGIC_GRP_MAINT_IRQ || profile.maintenanceIrq;
  return isThere ? GROUPS[model].get(group) : undefined;
}

/** `DeviceHandle` of a GIC. */
export class GicDevice implements DeviceHandle {
  /** Undefined after close, which leaves the GIC in its VM. */
  #gic: Gic | undefined;

  constructor(gic: Gic) {
    this.#gic = gic;
  }

  #answer(group: number, serve: (gic: Gic, served: Group) => Result | undefined): Result {
    const gic = this.#gic;
    if (gic === undefined) return -ERRNO.EBADF;
    if (gic.vm.isDead) return -ERRNO.EIO;
    gic.vm.clock.pass();
    const served = findGroup(gic, group);
    return (served && serve(gic, served)) ?? -ERRNO.ENXIO;
  }

  hasDeviceAttr(group: number, attr: bigint): Result {
    return this.#answer(group, (gic, served) => served.has(gic, attr));
  }

  getDeviceAttr(group: number, attr: bigint, data: Uint8Array): Result {
    return this.#answer(group, (gic, served) => served.get?.(gic, attr, data));
  }

  setDeviceAttr(group: number, attr: bigint, data: Uint8Array): Result {
    return this.#answer(group, (gic, served) => served.set?.(gic, attr, data));
  }

  /** A device knows no requests but those for its attributes (`kvm_device_ioctl`, virt/kvm/kvm_main.c). */
  ioctl(): Result {
    return this.#gic === undefined ? -ERRNO.EBADF : this.#gic.vm.isDead ? -ERRNO.EIO : -ERRNO.ENOTTY;
  }

  close(): void {
    this.#gic = undefined;
  }
}
