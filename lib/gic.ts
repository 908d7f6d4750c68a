/**
 * The interrupt controller of a VM: a GICv2 or GICv3 in the kernel (Documentation/virt/kvm/devices/arm-vgic.rst and
 * arm-vgic-v3.rst).
 *
 * @packageDocumentation
 */
import { checkOptions, checkUnsigned, invalidType, invalidValue, outOfRange } from './abi/argument.ts';
import {
  encodeRedistributorRegion,
  KVM_CREATE_DEVICE_TEST,
  KVM_DEV_ARM_VGIC_CTRL,
  KVM_DEV_ARM_VGIC_GRP,
  KVM_DEV_TYPE,
  KVM_VGIC_ADDR_TYPE,
  KVM_VGIC_SIZE,
} from './abi/device-attributes.ts';
import { ERRNO } from './abi/errno.ts';
import type { DeviceHandle, VmHandle } from './backend.ts';
import { Device } from './device.ts';
import { ioctlError, KvmError } from './errors.ts';
import { hintFor } from './hints.ts';
import { toU64 } from './resource.ts';
import type { Vm } from './vm.ts';

/** Some redistributors of a GICv3, side by side. */
export interface GicRedistributors {
  /** Guest physical address: a multiple of 64 KiB. */
  readonly base: number | bigint;
  /** For how many vCPUs: 1 to 4095, 128 KiB each. */
  readonly count: number;
}

/** Options of {@link Vm.createGic}. Addresses are guest physical; their defaults are those of QEMU's machine `virt`. */
export interface GicOptions {
  /** Default: `'auto'`, 3 where the host has it, else 2. */
  readonly version?: 'auto' | 2 | 3 | undefined;
  /** The distributor: 64 KiB of a GICv3, 4 KiB of a GICv2. Default: 0x0800_0000. */
  readonly distributor?: number | bigint | undefined;
  /** The CPU interface of a GICv2, 8 KiB. Default: 0x0801_0000. */
  readonly cpuInterface?: number | bigint | undefined;
  /**
   * The redistributors of a GICv3: where they begin, 128 KiB for each vCPU; or several runs (Linux 4.18+). Default:
   * 0x080a_0000.
   */
  readonly redistributors?: number | bigint | readonly GicRedistributors[] | undefined;
  /** How many interrupts, the 32 private ones among them: 64 to 992 in steps of 32. Default: 256, as the kernel's. */
  readonly irqs?: number | undefined;
}

const DEFAULTS = {
  distributor: 0x0800_0000n,
  cpuInterface: 0x0801_0000n,
  redistributors: 0x080a_0000n,
} as const;

const { KVM_DEV_TYPE_ARM_VGIC_V2, KVM_DEV_TYPE_ARM_VGIC_V3 } = KVM_DEV_TYPE;
const GROUP = KVM_DEV_ARM_VGIC_GRP;

/** Which version a GIC is of, and where it lies: what {@link Vm.createGic} can be told for another like it. */
export type GicPlacement =
  | { readonly version: 2; readonly distributor: bigint; readonly cpuInterface: bigint }
  | {
      readonly version: 3;
      readonly distributor: bigint;
      readonly redistributors: bigint | readonly { readonly base: bigint; readonly count: number }[];
    };

/** A place in the guest's addresses. */
interface Frame {
  readonly what: string;
  readonly base: bigint;
  readonly size: bigint;
}

/** Options that have been checked. */
interface Plan {
  readonly version: 2 | 3;
  readonly irqs: number | undefined;
  readonly distributor: bigint;
  readonly cpuInterface: bigint;
  readonly redistributors: bigint | readonly { readonly base: bigint; readonly count: number }[];
}

/**
 * A GIC, made by {@link Vm.createGic}. The order that kernels want: vCPUs, then {@link init}, then the first run; a PMU with
 * an interrupt is initialised behind it. Kernels punish the wrong order by a VM that answers nothing but EIO; here the first
 * run throws `ERR_GIC_NOT_READY` instead.
 *
 * Its state are attributes of the groups `KVM_DEV_ARM_VGIC_GRP_*`: see {@link Device}.
 */
export class Gic extends Device {
  /** 2 or 3. */
  readonly version: 2 | 3;
  readonly #plan: Plan;
  #initialized = false;

  /** @internal Use {@link Vm.createGic}. */
  constructor(handle: DeviceHandle, vm: Vm, plan: Plan) {
    super(handle, vm, typeOf(plan.version), 'Gic');
    this.version = plan?.version;
    this.#plan = plan;
  }

  /** Where it lies, as {@link Vm.createGic} was told; what is of the other version is not in it. Kept after close. */
  get placement(): GicPlacement {
    const { version, distributor, cpuInterface, redistributors } = this.#plan;
    return version === 2 ? { version, distributor, cpuInterface } : { version, distributor, redistributors };
  }

  /** Whether {@link init} was called. */
  get initialized(): boolean {
    return this.#initialized;
  }

  /**
   * `KVM_DEV_ARM_VGIC_CTRL_INIT`: the VM has all its vCPUs, and the GIC gets its interrupts.
   *
   * @throws KvmError `ERR_GIC_NOT_READY`: the VM has no vCPU, or more than there are redistributors for; EBUSY: a vCPU is
   * being created
   */
  init(): void {
    const { handle } = this;
    const { length } = this.vm.vcpus;
    if (length === 0)
      throw notReady('the VM has no vCPU, and can have none after this', 'Create all vCPUs first');
    this.#checkRoom(length);
    const init = BigInt(KVM_DEV_ARM_VGIC_CTRL.KVM_DEV_ARM_VGIC_CTRL_INIT);
    this.check(
      'KVM_SET_DEVICE_ATTR',
      handle.setDeviceAttr(GROUP.KVM_DEV_ARM_VGIC_GRP_CTRL, init, new Uint8Array()),
    );
    this.#initialized = true;
  }

  /** @internal What the kernel would answer by a dead VM. */
  checkReady(): void {
    // A GICv2 is initialised by the first run.
    if (this.version === 3) this.checkInitialized();
  }

  /** @internal */
  checkInitialized(): void {
    if (!this.#initialized)
      throw notReady(
        `the GICv${this.version} is not initialised`,
        'Call gic.init() behind the last createVcpu()',
      );
  }

  #checkRoom(vcpus: number): void {
    const { version, redistributors } = this.#plan;
    if (version === 2) return;
    if (typeof redistributors === 'bigint') {
      const frames = framesOf(this.#plan, vcpus);
      checkFrames(frames);
      checkReach(frames, this.vm.ipaBits);
      return;
    }
    const room = redistributors.reduce((sum, { count }) => sum + count, 0);
    if (room < vcpus)
      throw notReady(
        `there are ${room} redistributors for ${vcpus} vCPUs`,
        'Give createGic() regions for all of them',
      );
  }

  /** @internal Places it. */
  place(): void {
    const { version, irqs, distributor, cpuInterface, redistributors } = this.#plan;
    const set = (type: keyof typeof KVM_VGIC_ADDR_TYPE, address: bigint) =>
      this.setU64(GROUP.KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_ADDR_TYPE[type], address);
    if (version === 2) {
      set('KVM_VGIC_V2_ADDR_TYPE_DIST', distributor);
      set('KVM_VGIC_V2_ADDR_TYPE_CPU', cpuInterface);
    } else {
      set('KVM_VGIC_V3_ADDR_TYPE_DIST', distributor);
      if (typeof redistributors === 'bigint') set('KVM_VGIC_V3_ADDR_TYPE_REDIST', redistributors);
      else
        for (const [index, region] of redistributors.entries())
          set('KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION', encodeRedistributorRegion({ ...region, index }));
    }
    if (irqs !== undefined) this.setU32(GROUP.KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, irqs);
  }
}

function typeOf(version: 2 | 3): number {
  return version === 2 ? KVM_DEV_TYPE_ARM_VGIC_V2 : KVM_DEV_TYPE_ARM_VGIC_V3;
}

function notReady(what: string, hint: string): KvmError {
  return new KvmError('ERR_GIC_NOT_READY', `ERR_GIC_NOT_READY: ${what}`, { hint });
}

/** Makes a GIC for {@link Vm.createGic}. */
export function createGic(vm: Vm, handle: VmHandle, options: GicOptions): Gic {
  const plan = planGic(options, vm.vcpus.length, () => newestVersion(handle));
  checkReach(framesOf(plan, vm.vcpus.length), vm.ipaBits);
  const device = handle.createDevice(typeOf(plan.version), 0);
  if (typeof device === 'number') {
    const hint = hintFor('KVM_CREATE_DEVICE', device);
    throw ioctlError('KVM_CREATE_DEVICE', device, { hint });
  }
  const gic = new Gic(device, vm, plan);
  gic.place();
  return gic;
}

/**
 * Options must be such as a VM of so many vCPUs can be given.
 *
 * @internal
 */
export function checkGicOptions(options: GicOptions & { readonly version: 2 | 3 }, vcpus: number): void {
  planGic(options, vcpus, () => options.version);
}

function planGic(options: GicOptions, vcpus: number, newest: () => 2 | 3): Plan {
  checkOptions('options', options, ['version', 'distributor', 'cpuInterface', 'redistributors', 'irqs']);
  const { version: wanted = 'auto', irqs } = options;
  if (wanted !== 'auto' && wanted !== 2 && wanted !== 3)
    throw invalidValue('version', "'auto', 2 or 3", wanted);
  if (irqs !== undefined) {
    checkUnsigned('irqs', irqs, 992);
    if (irqs < 64 || irqs % 32 !== 0) throw outOfRange('irqs', '64 to 992 in steps of 32', irqs);
  }
  const version = wanted === 'auto' ? newest() : wanted;
  const redistributors = redistributorsOf(options.redistributors ?? DEFAULTS.redistributors);
  const frameSize = version === 2 ? 0x1000n : 0x1_0000n;
  const plan: Plan = {
    version,
    irqs,
    distributor: aligned('distributor', options.distributor ?? DEFAULTS.distributor, frameSize),
    cpuInterface: aligned('cpuInterface', options.cpuInterface ?? DEFAULTS.cpuInterface, 0x1000n),
    redistributors,
  };
  checkFrames(framesOf(plan, vcpus));
  return plan;
}

function newestVersion(handle: VmHandle): 2 | 3 {
  return handle.createDevice(KVM_DEV_TYPE_ARM_VGIC_V3, KVM_CREATE_DEVICE_TEST) === 0 ? 3 : 2;
}

function redistributorsOf(given: NonNullable<GicOptions['redistributors']>): Plan['redistributors'] {
  if (typeof given === 'number' || typeof given === 'bigint')
    return aligned('redistributors', given, 0x1_0000n);
  if (!Array.isArray(given))
    throw invalidType('redistributors', 'an address, or an array of { base, count }', given);
  if (given.length === 0) throw outOfRange('redistributors.length', 'at least 1', 0);
  return Array.from(given as readonly GicRedistributors[], (region, i) => {
    checkOptions(`redistributors[${i}]`, region, ['base', 'count']);
    const { count } = region;
    checkUnsigned(`redistributors[${i}].count`, count, 0xfff);
    if (count === 0) throw outOfRange(`redistributors[${i}].count`, 'from 1 to 4095', 0);
    return { base: aligned(`redistributors[${i}].base`, region.base, 0x1_0000n), count };
  });
}

function aligned(name: string, given: number | bigint, alignment: bigint): bigint {
  const address = toU64(name, given);
  if (address % alignment !== 0n || address >> 52n !== 0n)
    throw outOfRange(name, `a multiple of 0x${alignment.toString(16)} below 2^52`, given);
  return address;
}

/** What the GIC takes of the guest's addresses with so many vCPUs. */
function framesOf({ version, distributor, cpuInterface, redistributors }: Plan, vcpus: number): Frame[] {
  const { KVM_VGIC_V2_DIST_SIZE, KVM_VGIC_V2_CPU_SIZE, KVM_VGIC_V3_DIST_SIZE, KVM_VGIC_V3_REDIST_SIZE } =
    KVM_VGIC_SIZE;
  if (version === 2) {
    return [
      { what: 'distributor', base: distributor, size: BigInt(KVM_VGIC_V2_DIST_SIZE) },
      { what: 'cpuInterface', base: cpuInterface, size: BigInt(KVM_VGIC_V2_CPU_SIZE) },
    ];
  }
  const regions =
    typeof redistributors === 'bigint' ? [{ base: redistributors, count: vcpus }] : redistributors;
  return [
    { what: 'distributor', base: distributor, size: BigInt(KVM_VGIC_V3_DIST_SIZE) },
    ...regions.map(({ base, count }) => ({
      what: 'redistributors',
      base,
      size: BigInt(count * KVM_VGIC_V3_REDIST_SIZE),
    })),
  ];
}

/** Frames over each other are what kernels find out at the first run, for good. */
function checkFrames(frames: readonly Frame[]): void {
  const sorted = frames.filter(({ size }) => size > 0n).toSorted((a, b) => (a.base < b.base ? -1 : 1));
  for (const [i, { what, base, size }] of sorted.entries()) {
    const next = sorted[i + 1];
    if (next !== undefined && base + size > next.base) {
      const end = (base + size).toString(16);
      throw outOfRange(next.what, `clear of the ${what}, which ends at 0x${end}`, next.base);
    }
  }
}

/** What the kernel answers, but to a VM that then has a GIC with no place, of which its first run dies. */
function checkReach(frames: readonly Frame[], ipaBits: number): void {
  const beyond = frames.find(({ base, size }) => base + size > 1n << BigInt(ipaBits));
  if (beyond === undefined) return;
  const { what, base, size } = beyond;
  const hint = `${what} would be from 0x${base.toString(16)} to 0x${(base + size).toString(16)}, beyond the ${ipaBits} bits of addresses of this VM: see createVm({ ipaBits })`;
  throw ioctlError('KVM_SET_DEVICE_ATTR', -ERRNO.E2BIG, { hint });
}
