/**
 * A virtual machine: the vCPUs made in it, and what holds for all of them.
 *
 * @packageDocumentation
 */
import { checkOptions, checkUnsigned, invalidType, outOfRange } from './abi/argument.ts';
import { type Capability, capabilityNumber } from './abi/capabilities.ts';
import {
  type DeviceType,
  KVM_ARM_VM_SMCCC_CTRL,
  KVM_ARM_VM_SMCCC_FILTER,
  KVM_CREATE_DEVICE_TEST,
} from './abi/device-attributes.ts';
import { encodeSmcccFilter, type SmcccRange } from './abi/smccc-filter.ts';
import {
  decodeVcpuInit,
  encodeCounterOffset,
  FEATURE_ID_RANGE_SIZE,
  STRUCT_SIZE,
  type VcpuInit,
} from './abi/structs.ts';
import type { VmHandle } from './backend.ts';
import { Device, deviceTypeNumber } from './device.ts';
import { ioctlError } from './errors.ts';
import { createGic, type Gic, type GicOptions } from './gic.ts';
import { hintFor } from './hints.ts';
import { InterruptResource } from './interrupts.ts';
import type { Kvm } from './kvm.ts';
import { allocate, GuestMemory, MAX_REGION_SIZE, type MemoryOptions } from './memory.ts';
import { toU64 } from './resource.ts';
import { Vcpu } from './vcpu.ts';

/** A capability that {@link Vm.enableCap} has enabled. */
export interface EnabledCapability {
  /** Its number. */
  readonly cap: number;
  readonly flags: number;
  /** Four words of 64 bits. */
  readonly args: readonly bigint[];
}

/** A VM. Closing it closes its vCPUs. */
export class Vm extends InterruptResource {
  /** The Kvm that it was made on. */
  readonly kvm: Kvm;
  /** Bits of its guest physical (IPA) address space. */
  readonly ipaBits: number;
  /** By number. */
  readonly #enabled = new Map<number, EnabledCapability>();
  readonly #smcccFilter: SmcccRange[] = [];
  #gic: Gic | undefined;
  readonly #devices: number[] = [];
  /** By slot. */
  readonly #memory = new Map<number, GuestMemory>();

  /** @internal Use {@link Kvm.createVm}. */
  constructor(handle: VmHandle, kvm: Kvm, ipaBits: number) {
    super('Vm', 'vm', handle, kvm);
    this.kvm = kvm;
    this.ipaBits = ipaBits;
  }

  /** Its vCPUs, in the order in which they were made. */
  get vcpus(): readonly Vcpu[] {
    return this.children.filter(child => child instanceof Vcpu);
  }

  /** Its regions of memory, by slot. */
  get memory(): readonly GuestMemory[] {
    return [...this.#memory.values()].sort((a, b) => a.slot - b.slot);
  }

  /** What {@link enableCap} has enabled, as the kernel does not tell. Kept after close. */
  get enabledCaps(): readonly EnabledCapability[] {
    return [...this.#enabled.values()];
  }

  /** `KVM_CHECK_EXTENSION` on this VM, which may answer otherwise than {@link Kvm.checkExtension}. */
  checkExtension(cap: Capability | number): number {
    return this.check('KVM_CHECK_EXTENSION', this.handle.checkExtension(capabilityNumber(cap)));
  }

  /**
   * `KVM_ENABLE_CAP`.
   *
   * @param cap - the capability, by name or number
   * @param args - up to four 64-bit arguments, as the capability defines them
   * @param flags - none is defined so far
   * @throws KvmError EINVAL: not a capability to enable here, not now, or not with these arguments
   */
  enableCap(cap: Capability | number, args: readonly (number | bigint)[] = [], flags = 0): number {
    const { handle } = this;
    const number = capabilityNumber(cap);
    checkUnsigned('flags', flags, 0xffff_ffff);
    if (!Array.isArray(args)) throw invalidType('args', 'an array of numbers or bigints', args);
    checkUnsigned('args.length', args.length, 4);
    const words = new BigUint64Array(4);
    args.forEach((arg, i) => {
      words[i] = toU64(`args[${i}]`, arg);
    });
    const result = this.check('KVM_ENABLE_CAP', handle.enableCap(number, flags, words));
    this.#enabled.set(number, { cap: number, flags, args: [...words] });
    return result;
  }

  /**
   * `KVM_SET_USER_MEMORY_REGION`: gives the guest memory, zeroed. A VM can have many regions; together they may be more
   * than the 4 GiB that one can have. Pages that nobody touches cost nothing.
   *
   * @throws KvmError EEXIST: another region has some of these addresses; EINVAL: no multiples of {@link Kvm.pageSize};
   * EFAULT: beyond the VM's addresses; ENOMEM; RangeError: a size beyond 4 GiB
   * @example
   * ```ts
   * const memory = vm.addMemory({ guestPhysAddr: 0x4000_0000, size: 64 * 2 ** 20 });
   * memory.bytes.set(image);
   * ```
   */
  addMemory(options: MemoryOptions): GuestMemory {
    checkOptions('options', options, ['guestPhysAddr', 'size', 'readOnly', 'logDirtyPages']);
    const { size, readOnly = false, logDirtyPages = false } = options;
    const guestPhysAddr = toU64('guestPhysAddr', options.guestPhysAddr);
    checkUnsigned('size', size, Number.MAX_SAFE_INTEGER);
    if (size === 0 || size > MAX_REGION_SIZE) {
      throw outOfRange('size', 'from a page to 4 GiB (add several regions for more)', size);
    }
    if (typeof readOnly !== 'boolean') throw invalidType('readOnly', 'a boolean', readOnly);
    if (typeof logDirtyPages !== 'boolean') throw invalidType('logDirtyPages', 'a boolean', logDirtyPages);
    let slot = 0;
    while (this.#memory.has(slot)) slot++;
    const owner = {
      handle: () => this.handle,
      pageSize: this.kvm.pageSize,
      release: (freed: number) => this.#memory.delete(freed),
    };
    const memory = new GuestMemory(owner, slot, allocate(size), {
      guestPhysAddr,
      size,
      readOnly,
      logDirtyPages,
    });
    this.#memory.set(slot, memory);
    return memory;
  }

  /** `KVM_ARM_PREFERRED_TARGET`: the target that {@link Vcpu.init} takes by default. */
  preferredTarget(): VcpuInit {
    const init = new Uint8Array(STRUCT_SIZE.kvm_vcpu_init);
    this.check('KVM_ARM_PREFERRED_TARGET', this.handle.armPreferredTarget(init));
    return decodeVcpuInit(init);
  }

  /**
   * `KVM_CREATE_VCPU`. Initialise it with {@link Vcpu.init} before anything else.
   *
   * @param id - 0 to the host's limit (`KVM_CAP_MAX_VCPU_ID`); it becomes the affinity fields of `MPIDR_EL1`
   * @throws KvmError EEXIST: the id is taken; EINVAL: beyond the limit; EBUSY: the VGIC is initialised already
   */
  createVcpu(id: number): Vcpu {
    const { handle } = this;
    checkUnsigned('id', id, 0xffff_ffff);
    const vcpu = handle.createVcpu(id);
    if (typeof vcpu === 'number') {
      throw ioctlError('KVM_CREATE_VCPU', vcpu, { hint: hintFor('KVM_CREATE_VCPU', vcpu, { vcpuId: id }) });
    }
    return new Vcpu(vcpu, this, id);
  }

  /** What {@link createGic} made. */
  get gic(): Gic | undefined {
    return this.#gic;
  }

  /**
   * Gives the VM an interrupt controller: a GICv3, or a GICv2 where the host has no other. Then create all vCPUs, in
   * whatever order with this, call {@link Gic.init}, and run.
   *
   * @throws KvmError ENODEV: the host cannot have one of this version; EEXIST: the VM has one; EBUSY: a vCPU has run; E2BIG: a
   * place beyond the VM's addresses, or more vCPUs than a GICv2 can have (8); EINVAL: `irqs` that the kernel does not take
   * @example
   * ```ts
   * const gic = vm.createGic();
   * const vcpu = vm.createVcpu(0);
   * vcpu.init();
   * gic.init();
   * gic.version; // 3 on a Neoverse N1
   * ```
   */
  createGic(options: GicOptions = {}): Gic {
    this.#gic = createGic(this, this.handle, options);
    return this.#gic;
  }

  /**
   * `KVM_CREATE_DEVICE`: any device, with nothing done for it. For an interrupt controller see {@link createGic}.
   *
   * @param type - its name without `KVM_DEV_TYPE_`, or a number
   * @throws KvmError ENODEV: the host has no such device; others as the device has them
   */
  createDevice(type: DeviceType | number): Device {
    const { handle } = this;
    const number = deviceTypeNumber(type);
    checkUnsigned('type', number, 0xffff_ffff);
    const device = handle.createDevice(number, 0);
    if (typeof device === 'number') {
      throw ioctlError('KVM_CREATE_DEVICE', device, { hint: hintFor('KVM_CREATE_DEVICE', device) });
    }
    this.#devices.push(number);
    return new Device(device, this, number);
  }

  /** The types of what {@link createDevice} has made, as the kernel does not tell. Kept after close. */
  get deviceTypes(): readonly number[] {
    return [...this.#devices];
  }

  /** Whether the host has such a device (`KVM_CREATE_DEVICE_TEST`), and this VM could be given one now. */
  canCreateDevice(type: DeviceType | number): boolean {
    const { handle } = this;
    const number = deviceTypeNumber(type);
    checkUnsigned('type', number, 0xffff_ffff);
    return handle.createDevice(number, KVM_CREATE_DEVICE_TEST) === 0;
  }

  /**
   * Decides who answers which calls of the guest (Linux 6.4+): KVM, nobody (the guest is told NOT_SUPPORTED), or the program,
   * by an exit of the reason `HYPERCALL`. Ranges add up; before any vCPU has run.
   *
   * @throws KvmError EEXIST: a range that has been set, or is the kernel's own (0x8000_0000, and 0x8000_8000 and on with
   * their 64-bit twins); EINVAL: no function, or beyond 32 bits, or a kernel before 6.4; EBUSY: a vCPU has run. Those before
   * the one that is refused hold
   * @example
   * ```ts
   * vm.setSmcccFilter([{ base: 0x8600_0000, count: 16, action: 'forward' }]); // vendor hypervisor services
   * ```
   */
  setSmcccFilter(ranges: readonly SmcccRange[]): void {
    const { handle } = this;
    if (!Array.isArray(ranges)) throw invalidType('ranges', 'an array of { base, count, action }', ranges);
    const structs = Array.from(ranges as readonly SmcccRange[], (range, i) => {
      checkOptions(`ranges[${i}]`, range, ['base', 'count', 'action']);
      return encodeSmcccFilter(range);
    });
    for (const [i, struct] of structs.entries()) {
      const attr = BigInt(KVM_ARM_VM_SMCCC_FILTER);
      const result = handle.setDeviceAttr(KVM_ARM_VM_SMCCC_CTRL, attr, struct);
      const hasFilter = () => handle.hasDeviceAttr(KVM_ARM_VM_SMCCC_CTRL, attr) === 0;
      this.check('KVM_SET_DEVICE_ATTR', result, {
        hint: hintFor('KVM_ARM_VM_SMCCC_FILTER', result, { hasFilter }),
      });
      this.#smcccFilter.push(ranges[i]!);
    }
  }

  /** What {@link setSmcccFilter} has set, as the kernel does not tell. Kept after close. */
  get smcccFilter(): readonly SmcccRange[] {
    return [...this.#smcccFilter];
  }

  /**
   * `KVM_ARM_GET_REG_WRITABLE_MASKS` (Linux 6.7+): which bits of the ID registers userspace may change.
   *
   * @returns 192 masks; the one of S3_op1_C0_CRm_op2 stands at `(op1 === 3 ? 2 : op1) * 64 + CRm * 8 + op2`
   */
  getRegWritableMasks(): BigUint64Array {
    const masks = new BigUint64Array(FEATURE_ID_RANGE_SIZE);
    this.check('KVM_ARM_GET_REG_WRITABLE_MASKS', this.handle.armGetRegWritableMasks(0, masks));
    return masks;
  }

  /**
   * `KVM_ARM_SET_COUNTER_OFFSET` (Linux 6.4+): the guest's virtual and physical counters are the host's minus this.
   * From then on writes of the counter registers are ignored.
   *
   * @param offset - counter ticks
   */
  setCounterOffset(offset: bigint): void {
    const { handle } = this;
    this.check(
      'KVM_ARM_SET_COUNTER_OFFSET',
      handle.armSetCounterOffset(encodeCounterOffset(toU64('offset', offset))),
    );
  }
}
