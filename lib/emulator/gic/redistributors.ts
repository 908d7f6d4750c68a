/**
 * Where a GIC lies in the guest's addresses (`kvm_vgic_addr`, arch/arm64/kvm/vgic/vgic-kvm-device.c; redistributors in
 * vgic-mmio-v3.c and vgic-v3.c).
 *
 * @packageDocumentation
 */
import { KVM_VGIC_SIZE } from '../../abi/device-attributes.ts';
import { ERRNO } from '../../abi/errno.ts';
import type { Result } from '../../backend.ts';
import type { CpuInterface } from './cpu-interface.ts';
import type { Gic } from './gic.ts';

const DIST_SIZE = BigInt(KVM_VGIC_SIZE.KVM_VGIC_V3_DIST_SIZE);
const REDIST_SIZE = BigInt(KVM_VGIC_SIZE.KVM_VGIC_V3_REDIST_SIZE);
const ALIGNMENT = 0x1_0000n;
const wraps = (base: bigint, size: bigint) => base + size > 0xffff_ffff_ffff_ffffn;

/** `struct vgic_redist_region`. */
export interface RedistributorRegion {
  readonly index: number;
  readonly base: bigint;
  /** For how many vCPUs; 0: for all that there are. */
  readonly count: number;
  /** How many have their redistributor here. */
  used: number;
}

/** A place for a frame (`vgic_check_iorange`; in Linux 5.10 `vgic_check_ioaddr`). */
export function checkPlace(
  { vm, profile }: Gic,
  present: bigint | undefined,
  base: bigint,
  alignment: bigint,
  size: bigint,
): Result {
  const end = 1n << BigInt(vm.ipaBits);
  const isMisplaced = base % alignment !== 0n;
  if (!profile.framesCheckedWhole) {
    if (base >= end) return -ERRNO.E2BIG;
    if (isMisplaced) return -ERRNO.EINVAL;
    return present === undefined ? 0 : -ERRNO.EEXIST;
  }
  if (present !== undefined) return -ERRNO.EEXIST;
  if (isMisplaced || size % alignment !== 0n || wraps(base, size)) return -ERRNO.EINVAL;
  return base + size > end ? -ERRNO.E2BIG : 0;
}

function sizeOf(gic: Gic, count: number): bigint {
  return REDIST_SIZE * BigInt(count === 0 ? gic.cpus.length : count);
}

function overlaps(gic: Gic, base: bigint, size: bigint): boolean {
  return gic.regions.some(
    region => base + size > region.base && base < region.base + sizeOf(gic, region.count),
  );
}

/** Whether frames lie beside each other (`vgic_v3_check_base`). */
export function framesAreApart(gic: Gic): boolean {
  const { distributor, profile } = gic;
  for (const { base, count } of gic.regions) {
    const size = sizeOf(gic, count);
    const isOut = profile.framesCheckedWhole
      ? checkPlace(gic, undefined, base, ALIGNMENT, size) < 0
      : wraps(base, size);
    if (isOut) return false;
  }
  return distributor === undefined || !overlaps(gic, distributor, DIST_SIZE);
}

/** Adds a region (`vgic_v3_set_redist_base`), and gives the vCPUs that have none their redistributors. */
export function addRegion(gic: Gic, index: number, base: bigint, count: number): Result {
  const refusal = checkRegion(gic, index, base, count);
  if (refusal < 0) return refusal;
  const region: RedistributorRegion = { index, base, count, used: 0 };
  gic.regions.push(region);
  for (const cpu of gic.cpus) {
    const result = placeRedistributor(gic, cpu);
    if (result === 0) continue;
    for (const other of gic.cpus) if (other.redistributor?.region === region) other.redistributor = undefined;
    // Linux 5.10 keeps a region that could not be used.
    if (gic.profile.framesCheckedWhole) gic.regions.splice(gic.regions.indexOf(region), 1);
    return result;
  }
  return 0;
}

function checkRegion(gic: Gic, index: number, base: bigint, count: number): Result {
  const { profile, regions, distributor } = gic;
  const size = profile.framesCheckedWhole ? sizeOf(gic, count) : REDIST_SIZE * BigInt(count);
  const last = regions.at(-1);
  if (last !== undefined && count === 0 && !profile.redistributorsExist) return -ERRNO.EINVAL;
  if (wraps(base, size)) return -ERRNO.EINVAL;
  if (last === undefined) {
    if (index !== 0) return -ERRNO.EINVAL;
  } else if (profile.redistributorsExist) {
    if (count === 0) return last.count > 0 ? -ERRNO.EINVAL : -ERRNO.EEXIST;
    if (index !== last.index + 1) return -ERRNO.EINVAL;
  } else if (index !== last.index + 1 || last.count === 0) return -ERRNO.EINVAL;
  const isOverDistributor =
    count === 0 && distributor !== undefined && base + size > distributor && base < distributor + DIST_SIZE;
  if (isOverDistributor || overlaps(gic, base, size)) return -ERRNO.EINVAL;
  return checkPlace(gic, undefined, base, ALIGNMENT, size);
}

/** Gives a vCPU the next redistributor that is free, if there is one (`vgic_register_redist_iodev`). */
export function placeRedistributor(gic: Gic, cpu: CpuInterface): Result {
  if (cpu.redistributor !== undefined) return 0;
  const region = gic.regions.find(({ count, used }) => count === 0 || used < count);
  if (region === undefined) return 0;
  if (!framesAreApart(gic)) return -ERRNO.EINVAL;
  cpu.redistributor = {
    region,
    index: region.used,
    base: region.base + REDIST_SIZE * BigInt(region.used),
  };
  region.used++;
  return 0;
}

/** GICR_TYPER.Last (`vgic_mmio_vcpu_rdist_is_last`). */
export function isLastRedistributor({ gic, redistributor }: CpuInterface): boolean {
  if (redistributor === undefined) return false;
  const { region, index } = redistributor;
  if (index < region.used - 1) return false;
  if (region.count === 0 || index !== region.count - 1 || !gic.profile.lastToUserspace) return true;
  const end = region.base + sizeOf(gic, region.count);
  return !gic.regions.some(({ base, used }) => base === end && used > 0);
}
