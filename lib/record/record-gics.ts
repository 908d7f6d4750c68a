/**
 * The devices that a kernel has, and what it does about its interrupt controllers: each value by an experiment on a
 * scratch VM.
 *
 * @packageDocumentation
 */
import {
  KVM_ARM_VCPU_CTRL,
  KVM_ARM_VCPU_TIMER,
  KVM_CREATE_DEVICE_TEST,
  KVM_DEV_ARM_VGIC_CTRL,
  KVM_DEV_ARM_VGIC_GRP,
  KVM_DEV_TYPE,
  KVM_VGIC_ADDR_TYPE,
} from '../abi/device-attributes.ts';
import { ERRNO } from '../abi/errno.ts';
import { KVM_RUN_SIZE } from '../abi/exits.ts';
import { sysRegId } from '../abi/register-id.ts';
import { encodeVcpuInit } from '../abi/structs.ts';
import type { DeviceHandle, KvmHandle, Result, VcpuHandle, VmHandle } from '../backend.ts';
import type { HostProfile, ProfileGic, ProfileGics } from '../emulator/profile.ts';
import { ioctlError } from '../errors.ts';
import { expectValue, type Scratch, withVcpus } from './scratch.ts';

/** More than a kernel has types. */
const DEVICE_TYPES = 64;
const { KVM_DEV_TYPE_ARM_VGIC_V2, KVM_DEV_TYPE_ARM_VGIC_V3 } = KVM_DEV_TYPE;
const GRP = KVM_DEV_ARM_VGIC_GRP;
const ADDR = KVM_VGIC_ADDR_TYPE;
const { KVM_DEV_ARM_VGIC_CTRL_INIT: INIT, KVM_DEV_ARM_VGIC_SAVE_PENDING_TABLES: SAVE } =
  KVM_DEV_ARM_VGIC_CTRL;

const GICD_IIDR = 0x8n;
const REVISION_SHIFT = 12;
const REVISION_MASK = 0xf000;
const GICR_TYPER = 0x8n;
const LAST = 1 << 4;
const GICR_SYNCR = 0xc0n;
const GICC_DIR = 0x1000n;
/** A register's encoding is the low end of its id. */
const ICC_CTLR_EL1 = sysRegId(3, 0, 12, 12, 4) & 0xffffn;
const MISALIGNED_AND_TOO_HIGH = (1n << 40n) + 0x10n;
const BASES = { distributor: 0x0800_0000n, interfaces: 0x0801_0000n, redistributors: 0x080a_0000n } as const;
const ANOTHER_PPI = 20;
const ISACTIVER0 = 0x300n;
const SGI_BASE = 0x1_0000n;
/** PPI 30. */
const PHYSICAL_TIMER = 1 << 30;
const ID_AA64PFR0_EL1 = sysRegId(3, 0, 0, 4, 0);
const GIC_FIELD = 0xfn << 24n;

/** A VM with a GIC and initialised vCPUs. */
interface Bench {
  readonly vm: VmHandle;
  readonly vcpus: readonly VcpuHandle[];
  readonly gic: DeviceHandle;
}

type Ask<Answer> = (bench: Bench) => Answer;

const u64 = (value: bigint) => new Uint8Array(BigUint64Array.of(value).buffer);

function readU32(gic: DeviceHandle, group: number, attr: bigint): number {
  const data = new Uint32Array(1);
  const result = gic.getDeviceAttr(group, attr, new Uint8Array(data.buffer));
  if (result < 0) throw ioctlError('KVM_GET_DEVICE_ATTR', result);
  return data[0]!;
}

const setAddress = (gic: DeviceHandle, type: number, address: bigint): Result =>
  gic.setDeviceAttr(GRP.KVM_DEV_ARM_VGIC_GRP_ADDR, BigInt(type), u64(address));
const init = (gic: DeviceHandle): Result =>
  gic.setDeviceAttr(GRP.KVM_DEV_ARM_VGIC_GRP_CTRL, BigInt(INIT), new Uint8Array());
const has = (gic: DeviceHandle, group: number, attr: bigint): boolean => gic.hasDeviceAttr(group, attr) === 0;

function place(gic: DeviceHandle, type: number): void {
  if (type === KVM_DEV_TYPE_ARM_VGIC_V2) {
    setAddress(gic, ADDR.KVM_VGIC_V2_ADDR_TYPE_DIST, BASES.distributor);
    setAddress(gic, ADDR.KVM_VGIC_V2_ADDR_TYPE_CPU, BASES.interfaces);
  } else {
    setAddress(gic, ADDR.KVM_VGIC_V3_ADDR_TYPE_DIST, BASES.distributor);
    setAddress(gic, ADDR.KVM_VGIC_V3_ADDR_TYPE_REDIST, BASES.redistributors);
  }
}

/** What `recordHost` writes of devices. */
export function recordGics(kvm: KvmHandle, target: number): Pick<HostProfile, 'devices' | 'gics'> {
  const devices = withVcpus(kvm, 0, ({ vm }) =>
    Array.from({ length: DEVICE_TYPES }, (_, type) => type).filter(
      type => vm.createDevice(type, KVM_CREATE_DEVICE_TEST) === 0,
    ),
  );
  const types = [KVM_DEV_TYPE_ARM_VGIC_V2, KVM_DEV_TYPE_ARM_VGIC_V3].filter(type => devices.includes(type));
  const type = types[0];
  if (type === undefined) return { devices, gics: null };
  const ask = <Answer>(which: number, question: Ask<Answer>, vcpuCount = 1): Answer =>
    withVcpus(kvm, vcpuCount, ({ vm, vcpus }) => {
      for (const vcpu of vcpus) vcpu.armVcpuInit(encodeVcpuInit(target, 0n));
      const gic = vm.createDevice(which, 0);
      if (typeof gic === 'number') throw ioctlError('KVM_CREATE_DEVICE', gic);
      try {
        return question({ vm, vcpus, gic });
      } finally {
        gic.close();
      }
    });
  const gics: ProfileGics = {
    ...(types.includes(KVM_DEV_TYPE_ARM_VGIC_V2) && {
      v2: recordV2(question => ask(KVM_DEV_TYPE_ARM_VGIC_V2, question)),
    }),
    ...(types.includes(KVM_DEV_TYPE_ARM_VGIC_V3) && {
      v3: recordV3(question => ask(KVM_DEV_TYPE_ARM_VGIC_V3, question)),
    }),
    failureIsDeadly: ask(type, ({ vm, vcpus: [vcpu] }) => {
      vcpu!.run(new Uint8Array(KVM_RUN_SIZE));
      return vm.checkExtension(0) === -ERRNO.EIO;
    }),
    existenceFirst: ask(type, ({ vm }) => vm.createIrqchip() === -ERRNO.EEXIST),
    existingVcpuFirst: ask(type, ({ vm, gic }) => {
      init(gic);
      return vm.createVcpu(0) === -ERRNO.EEXIST;
    }),
    setsIdRegisters: withVcpus(kvm, 1, scratch => {
      scratch.vcpus[0]!.armVcpuInit(encodeVcpuInit(target, 0n));
      return setsIdRegisters(scratch);
    }),
    physicalTimerMapped: ask(type, bench => !keepsActive(bench, type)),
    irqfdDrains: ask(type, ({ vm, gic }) => {
      init(gic);
      return drains(kvm, vm);
    }),
    timerPpisPerVcpu: ask(type, bench => changesPpiOfAnother(bench, type), 2),
  };
  return { devices, gics };
}

/** Has a vCPU be entered, and left at once. */
function enter(vcpu: VcpuHandle): void {
  vcpu.kick();
  vcpu.run(new Uint8Array(KVM_RUN_SIZE));
}

/** Whether a signal is the line's alone. */
function drains(kvm: KvmHandle, vm: VmHandle): boolean {
  const event = kvm.createEventFd();
  if (typeof event === 'number') throw new Error(`eventfd: errno ${-event}`);
  try {
    vm.irqfd(event, 0, 0, undefined);
    event.signal();
    return typeof event.take() === 'number';
  } finally {
    event.close();
  }
}

/** Whether a GICv3 is in the ID registers that userspace has taken it from. */
function setsIdRegisters({ vm, vcpus: [vcpu] }: Scratch): boolean {
  const read = () => expectValue(vcpu!.getOneReg(ID_AA64PFR0_EL1));
  if (vcpu!.setOneReg(ID_AA64PFR0_EL1, read() & ~GIC_FIELD) < 0) return false;
  const gic = vm.createDevice(KVM_DEV_TYPE_ARM_VGIC_V3, 0);
  if (typeof gic === 'number') return false;
  gic.close();
  return (read() & GIC_FIELD) !== 0n;
}

/** Whether userspace can make the physical timer's interrupt active once the vCPU has run. */
function keepsActive({ gic, vcpus: [vcpu] }: Bench, type: number): boolean {
  place(gic, type);
  init(gic);
  enter(vcpu!);
  const isV2 = type === KVM_DEV_TYPE_ARM_VGIC_V2;
  const group = isV2 ? GRP.KVM_DEV_ARM_VGIC_GRP_DIST_REGS : GRP.KVM_DEV_ARM_VGIC_GRP_REDIST_REGS;
  const active = isV2 ? ISACTIVER0 : SGI_BASE + ISACTIVER0;
  const data = new Uint8Array(Uint32Array.of(PHYSICAL_TIMER).buffer);
  gic.setDeviceAttr(group, active, data);
  return (readU32(gic, group, active) & PHYSICAL_TIMER) !== 0;
}

/** Whether a vCPU that has not run can still change the timers' interrupts when another has. */
function changesPpiOfAnother({ gic, vcpus: [vcpu, other] }: Bench, type: number): boolean {
  place(gic, type);
  init(gic);
  enter(vcpu!);
  const { KVM_ARM_VCPU_TIMER_CTRL } = KVM_ARM_VCPU_CTRL;
  const timer = BigInt(KVM_ARM_VCPU_TIMER.KVM_ARM_VCPU_TIMER_IRQ_VTIMER);
  return other!.setDeviceAttr(KVM_ARM_VCPU_TIMER_CTRL, timer, Uint8Array.of(ANOTHER_PPI, 0, 0, 0)) === 0;
}

function recordRevisions({ gic }: Bench): Pick<ProfileGic, 'revision' | 'revisions' | 'revisionKept'> {
  init(gic);
  const iidr = () => readU32(gic, GRP.KVM_DEV_ARM_VGIC_GRP_DIST_REGS, GICD_IIDR);
  const revisionNow = () => (iidr() & REVISION_MASK) >> REVISION_SHIFT;
  const revision = revisionNow();
  const accepts = (other: number) => {
    const value = (iidr() & ~REVISION_MASK) | (other << REVISION_SHIFT);
    const data = new Uint8Array(Uint32Array.of(value).buffer);
    return gic.setDeviceAttr(GRP.KVM_DEV_ARM_VGIC_GRP_DIST_REGS, GICD_IIDR, data) === 0;
  };
  const revisions = Array.from({ length: 16 }, (_, other) => other).filter(accepts);
  const other = revisions.find(each => each !== revision);
  const isKept = other !== undefined && accepts(other) && revisionNow() === revision;
  return { revision, revisions, ...(isKept && { revisionKept: true }) };
}

type Asker = <Answer>(question: Ask<Answer>) => Answer;

function recordV2(ask: Asker): ProfileGic {
  return {
    ...ask(recordRevisions),
    framesCheckedWhole: ask(
      ({ gic }) =>
        setAddress(gic, ADDR.KVM_VGIC_V2_ADDR_TYPE_DIST, MISALIGNED_AND_TOO_HIGH) === -ERRNO.EINVAL,
    ),
    deactivation: ask(({ gic }) => has(gic, GRP.KVM_DEV_ARM_VGIC_GRP_CPU_REGS, GICC_DIR)),
  };
}

function recordV3(ask: Asker): ProfileGic {
  return {
    ...ask(recordRevisions),
    iccControl: ask(({ gic }) => {
      init(gic);
      return readU32(gic, GRP.KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS, ICC_CTLR_EL1).toString(16);
    }),
    unknownRegister: ask(({ gic }) => {
      init(gic);
      const result = gic.getDeviceAttr(GRP.KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS, 0n, new Uint8Array(8));
      return result === -ERRNO.ENOENT ? 'ENOENT' : 'ENXIO';
    }),
    framesCheckedWhole: ask(
      ({ gic }) =>
        setAddress(gic, ADDR.KVM_VGIC_V3_ADDR_TYPE_DIST, MISALIGNED_AND_TOO_HIGH) === -ERRNO.EINVAL,
    ),
    redistributorsExist: ask(({ gic }) => {
      place(gic, KVM_DEV_TYPE_ARM_VGIC_V3);
      return setAddress(gic, ADDR.KVM_VGIC_V3_ADDR_TYPE_REDIST, BASES.redistributors) === -ERRNO.EEXIST;
    }),
    lastToUserspace: ask(({ gic }) => {
      place(gic, KVM_DEV_TYPE_ARM_VGIC_V3);
      init(gic);
      return (readU32(gic, GRP.KVM_DEV_ARM_VGIC_GRP_REDIST_REGS, GICR_TYPER) & LAST) !== 0;
    }),
    invalidation: ask(({ gic }) => has(gic, GRP.KVM_DEV_ARM_VGIC_GRP_REDIST_REGS, GICR_SYNCR)),
    identifiesEarly: ask(
      ({ gic }) => gic.getDeviceAttr(GRP.KVM_DEV_ARM_VGIC_GRP_DIST_REGS, GICD_IIDR, new Uint8Array(4)) === 0,
    ),
    maintenanceIrq: ask(({ gic }) => has(gic, GRP.KVM_DEV_ARM_VGIC_GRP_MAINT_IRQ, 0n)),
    savingNeedsInit: ask(
      ({ gic }) =>
        gic.setDeviceAttr(GRP.KVM_DEV_ARM_VGIC_GRP_CTRL, BigInt(SAVE), new Uint8Array()) === -ERRNO.ENXIO,
    ),
  };
}
