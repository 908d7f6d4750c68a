/**
 * The seam between what users hold and what answers: a real `/dev/kvm` through the addon (`native/`), or
 * the host in TypeScript (`emulator/`). Types only.
 *
 * One method per ioctl, spelled like the kernel, with raw numbers and bytes. The contract, for both:
 *
 * - **Results are the kernel's.** A method answers what the system call answers: zero or more on success
 *   and the **negative errno** on failure (`-22` is `-EINVAL`). Where success is something else than a
 *   number (a handle, a register value), a `number` still means failure. Nothing throws for an errno; the
 *   classes above turn it into a `KvmError`, in one place for both backends. (What a backend cannot do at all is no
 *   errno: `ERR_NOT_EMULATED`.)
 * - **Arguments are trusted to be of their type and within the width that the kernel's struct has**; the
 *   classes above have checked them. What only the kernel can judge (an unknown capability, a foreign
 *   register id) comes here unchecked.
 * - **Bytes are little-endian structs** as `lib/abi` lays them out. Inputs are not kept; outputs are fresh.
 * - **A handle owns its descriptor.** `close` may be called twice; afterwards every method answers `-EBADF` (a batch for
 *   each register).
 *   Closing a VM does not close its vCPUs: as in the kernel, they keep the VM alive.
 * - A failed call changes nothing, except where the kernel itself does.
 *
 * @packageDocumentation
 */

/** Zero or more: success. Negative: `-errno`. */
export type Result = number;

/** Which backend answers. */
export type BackendName = 'native' | 'emulated';

/** What every descriptor of KVM offers. */
export interface FdHandle {
  /**
   * A request that has no method here.
   *
   * @param request - the request number, type byte 0xAE
   * @param argument - the integer argument, or the bytes of the struct (updated in place by the kernel)
   */
  ioctl(request: number, argument: bigint | Uint8Array): Result;
  close(): void;
}

/** A descriptor with device attributes (`struct kvm_device_attr`): a VM, a vCPU, a device. */
export interface AttrHandle extends FdHandle {
  hasDeviceAttr(group: number, attr: bigint): Result;
  /** Fills `data` with the attribute's value; its length must be the attribute's. */
  getDeviceAttr(group: number, attr: bigint, data: Uint8Array): Result;
  setDeviceAttr(group: number, attr: bigint, data: Uint8Array): Result;
}

/** An open `/dev/kvm`. */
export interface KvmHandle extends FdHandle {
  readonly backend: BackendName;
  /** What answers, for people: a device path, or the name of an emulated host. */
  readonly host: string;
  /** Whose register ids and vCPU features the kernel has. */
  readonly architecture: 'arm64' | 'arm';
  /** Bytes of a page of the host: the unit of guest memory. */
  readonly pageSize: number;
  getApiVersion(): Result;
  checkExtension(cap: number): Result;
  /** @param type - machine type: on arm64 the IPA bits in 7:0 (0: the default, 40) */
  createVm(type: bigint): VmHandle | Result;
  getVcpuMmapSize(): Result;
  createEventFd(): EventFdHandle | Result;
}

/** An eventfd (eventfd(2), `EFD_NONBLOCK | EFD_CLOEXEC`), or on an emulated host what behaves as one. */
export interface EventFdHandle {
  /** Its number; -1 on an emulated host, and once it is closed. */
  readonly fd: number;
  /** Adds 1; `-EAGAIN` where the counter is full. */
  signal(): Result;
  /** Reads the counter and clears it; `-EAGAIN` where it is 0. */
  take(): bigint | Result;
  /**
   * Has a function called in turns of its own for as long as the counter is not 0; `undefined` ends that. Waiting
   * for a signal does not keep the process alive.
   */
  watch(onSignal: (() => void) | undefined): Result;
  close(): void;
}

/** A virtual machine's descriptor. */
export interface VmHandle extends AttrHandle {
  checkExtension(cap: number): Result;
  /** @param args - the four arguments of `struct kvm_enable_cap` */
  enableCap(cap: number, flags: number, args: BigUint64Array): Result;
  createVcpu(id: number): VcpuHandle | Result;
  /** @param flags - `KVM_CREATE_DEVICE_TEST`: nothing is created, the answer is 0 or `-errno` */
  createDevice(type: number, flags: number): DeviceHandle | Result;
  createIrqchip(): Result;
  /** @param irq - of `struct kvm_irq_level`; see `encodeIrq` of `abi/interrupts.ts` */
  irqLine(irq: number, level: number): Result;
  /** @param msi - `struct kvm_msi` (32 bytes) */
  signalMsi(msi: Uint8Array): Result;
  /** @param entries - each a `struct kvm_irq_routing_entry` (48 bytes) */
  setGsiRouting(entries: Uint8Array): Result;
  /**
   * @param flags - `KVM_IRQFD_FLAG_*`
   * @param resample - signalled when the guest has ended a level interrupt; undefined where the flags do not have RESAMPLE
   */
  irqfd(event: EventFdHandle, gsi: number, flags: number, resample: EventFdHandle | undefined): Result;
  /**
   * @param len - bytes of the access; 0: any
   * @param flags - `KVM_IOEVENTFD_FLAG_*`
   */
  ioeventfd(event: EventFdHandle, addr: bigint, len: number, flags: number, datamatch: bigint): Result;
  /**
   * The memory stays the VM's, whatever becomes of the caller's references, until the slot is deleted or the VM is gone.
   *
   * @param flags - `KVM_MEM_*`
   * @param bytes - on shared memory, which cannot be moved or freed; none delete the slot
   */
  setUserMemoryRegion(slot: number, flags: number, guestPhysAddr: bigint, bytes: Uint8Array): Result;
  /** @param bitmap - receives a bit for each page of the slot; as long as `dirtyBitmapSize` of `abi/memory.ts` says */
  getDirtyLog(slot: number, bitmap: Uint8Array): Result;
  /** @param bitmap - which of the `pageCount` pages from `firstPage` on to clear */
  clearDirtyLog(slot: number, firstPage: number, pageCount: number, bitmap: Uint8Array): Result;
  /** @param init - receives `struct kvm_vcpu_init` (32 bytes) */
  armPreferredTarget(init: Uint8Array): Result;
  /**
   * @param range - the `range` member of `struct reg_mask_range`; the kernel accepts 0
   * @param masks - receives 3×8×8 masks of the feature ID space
   */
  armGetRegWritableMasks(range: number, masks: BigUint64Array): Result;
  /** @param offset - `struct kvm_arm_counter_offset` (16 bytes) */
  armSetCounterOffset(offset: Uint8Array): Result;
}

/** A device in the kernel: all that it has are attributes. */
export interface DeviceHandle extends AttrHandle {}

/** A virtual CPU's descriptor. */
export interface VcpuHandle extends AttrHandle {
  /** @param init - `struct kvm_vcpu_init` (32 bytes) */
  armVcpuInit(init: Uint8Array): Result;
  armVcpuFinalize(feature: number): Result;
  /** The ids in the kernel's order; asks for the count first (`E2BIG` inside). */
  getRegList(): BigUint64Array | Result;
  /** The value, unsigned, of the width that the id encodes. */
  getOneReg(id: bigint): bigint | Result;
  setOneReg(id: bigint, value: bigint): Result;
  /**
   * Reads many registers in one call: register i fills the words from `wordOffsets(ids)[i]` on (see
   * `abi/register-id.ts`), zero-extended, or leaves them zero where it fails.
   *
   * @param status - receives 0 or `-errno` for each
   * @returns how many failed
   * @throws RangeError where words or status are too short: the arrays of a batch are the caller's, who may have changed them
   */
  getRegs(ids: BigUint64Array, words: BigUint64Array, status: Int32Array): Result;
  /** Writes many, in order, going on after a failure; as {@link getRegs}. */
  setRegs(ids: BigUint64Array, words: BigUint64Array, status: Int32Array): Result;
  getMpState(): Result;
  setMpState(state: number): Result;
  /**
   * `KVM_RUN` on the calling thread.
   *
   * @param bytes - `KVM_RUN_SIZE` of `struct kvm_run` (`abi/exits.ts`). Its union goes in, with the program's answer to the
   * last exit; all of it comes out, also where the result is an errno
   * @returns 0: see the exit reason; `-EINTR`: a kick or a signal
   */
  run(bytes: Uint8Array): Result;
  /**
   * The same on a thread of the vCPU's own. Nothing but `kick` and `close` may be called until it is done.
   *
   * @param done - called with the result of {@link run}, on the thread that called this, in a turn of its own; never once
   * the handle is closed
   * @returns 0 where it began
   */
  start(bytes: Uint8Array, done: (result: Result) => void): Result;
  /** Has the run that goes on, or else the next one, answer `-EINTR`. */
  kick(): Result;
  /** @param events - receives `struct kvm_vcpu_events` (64 bytes) */
  getVcpuEvents(events: Uint8Array): Result;
  setVcpuEvents(events: Uint8Array): Result;
  /** @param debug - `struct kvm_guest_debug` (520 bytes) */
  setGuestDebug(debug: Uint8Array): Result;
}
