/**
 * A virtual machine: the vCPUs made in it, and what holds for all of them.
 *
 * @packageDocumentation
 */
import { checkOptions, checkUnsigned, invalidType, outOfRange } from './abi/argument.ts';
import { type Capability, capabilityNumber } from './abi/capabilities.ts';
import {
  decodeVcpuInit,
  encodeCounterOffset,
  FEATURE_ID_RANGE_SIZE,
  STRUCT_SIZE,
  type VcpuInit,
} from './abi/structs.ts';
import { AttrResource } from './attributes.ts';
import type { VmHandle } from './backend.ts';
import { ioctlError } from './errors.ts';
import { hintFor } from './hints.ts';
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
export class Vm extends AttrResource<VmHandle> {
  /** The Kvm that it was made on. */
  readonly kvm: Kvm;
  /** Bits of its guest physical (IPA) address space. */
  readonly ipaBits: number;
  /** By number. */
  readonly #enabled = new Map<number, EnabledCapability>();
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
