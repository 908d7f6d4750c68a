/**
 * A guest and its GIC: the frames that it finds in its addresses, and the system registers of its CPU interface.
 *
 * @packageDocumentation
 */
import { KVM_VGIC_SIZE } from '../../abi/device-attributes.ts';
import type { Refusal } from '../cpu/system-registers.ts';
import type { CpuInterface } from '../gic/cpu-interface.ts';
import type { Gic } from '../gic/gic.ts';
import * as v2 from '../gic/gicv2-frames.ts';
import * as v3 from '../gic/gicv3-frames.ts';
import type { IccRegister } from '../gic/icc-registers.ts';
import { type Region, readFrame, writeFrame } from '../gic/register-regions.ts';

/** An access to a frame of the GIC. */
export interface FrameAccess {
  read(cpu: CpuInterface): bigint;
  write(cpu: CpuInterface, value: bigint): undefined;
}

/** The vCPU is loaded: KVM_RUN begins. */
export function loadGic(cpu: CpuInterface): void {
  cpu.load();
  cpu.moveTimers('loaded');
  cpu.gic.sync(cpu);
}

/** Before the guest goes on. */
export function enterWithGic(cpu: CpuInterface): void {
  cpu.moveTimers('runs');
  cpu.gic.sync(cpu);
}

/** The guest is left, to have something done for it. */
export function leaveWithGic(cpu: CpuInterface): void {
  cpu.moveTimers('left');
  cpu.gic.sync(cpu);
}

const {
  KVM_VGIC_V2_CPU_SIZE: V2_CPU_SIZE,
  KVM_VGIC_V2_DIST_SIZE: V2_DIST_SIZE,
  KVM_VGIC_V3_DIST_SIZE: V3_DIST_SIZE,
  KVM_VGIC_V3_REDIST_SIZE: REDIST_SIZE,
} = KVM_VGIC_SIZE;

/** The frame that an access falls into as a whole; undefined: it is for the program. */
export function findFrame(gic: Gic, address: number, bytes: number): FrameAccess | undefined {
  if (!gic.ready) return undefined;
  const offsetIn = (base: bigint | undefined, size: number): number | undefined => {
    const offset = base === undefined ? -1 : address - Number(base);
    return offset >= 0 && offset + bytes <= size ? offset : undefined;
  };
  if (gic.model === 2) {
    const ofCpu = offsetIn(gic.cpuFrame, V2_CPU_SIZE);
    if (ofCpu !== undefined) return cpuFrame(ofCpu);
    const ofDistributor = offsetIn(gic.distributor, V2_DIST_SIZE);
    return ofDistributor === undefined ? undefined : frame(v2.DISTRIBUTOR, ofDistributor, bytes);
  }
  const ofDistributor = offsetIn(gic.distributor, V3_DIST_SIZE);
  if (ofDistributor !== undefined) return frame(v3.DISTRIBUTOR, ofDistributor, bytes);
  for (const owner of gic.cpus) {
    const offset = offsetIn(owner.redistributor?.base, REDIST_SIZE);
    if (offset !== undefined) return frame(v3.redistributorRegions(gic), offset, bytes, owner);
  }
  return undefined;
}

/** @param owner - whose registers they are; the CPU's that makes the access, where it is not said */
function frame(regions: readonly Region[], offset: number, bytes: number, owner?: CpuInterface): FrameAccess {
  return {
    read: cpu => asGuest(cpu, () => readFrame(regions, owner ?? cpu, offset, bytes)),
    write(cpu, value) {
      asGuest(cpu, () => writeFrame(regions, owner ?? cpu, offset, bytes, value));
      return undefined;
    },
  };
}

function asGuest<Result>(cpu: CpuInterface, access: () => Result): Result {
  leaveWithGic(cpu);
  cpu.gic.running = cpu;
  try {
    return access();
  } finally {
    cpu.gic.running = undefined;
  }
}

function cpuFrame(offset: number): FrameAccess {
  return {
    read: cpu => BigInt(v2.readCpuFrame(cpu, offset) >>> 0),
    write(cpu, value) {
      v2.writeCpuFrame(cpu, offset, Number(value & 0xffff_ffffn));
      return undefined;
    },
  };
}

export function readIcc(cpu: CpuInterface, register: IccRegister): bigint | Refusal {
  const value = register.read?.(cpu);
  return value === undefined ? 'undefined' : BigInt(value >>> 0);
}

export function writeIcc(cpu: CpuInterface, register: IccRegister, value: bigint): Refusal | undefined {
  if (register.write === undefined) return 'undefined';
  register.write(cpu, value);
  return undefined;
}
