/**
 * Guest memory: a region of a VM's physical addresses, and its bytes here.
 *
 * @packageDocumentation
 */
import { types } from 'node:util';
import { checkUnsigned, invalidType, outOfRange } from './abi/argument.ts';
import { dirtyBitmapSize, KVM_MEM } from './abi/memory.ts';
import type { Result, VmHandle } from './backend.ts';
import { closedError, ioctlError, KvmError } from './errors.ts';
import { hintFor } from './hints.ts';
import { toU64 } from './resource.ts';

/** Options of {@link Vm.addMemory}. */
export interface MemoryOptions {
  /** Where the guest finds it: a multiple of the host's page size. */
  guestPhysAddr: number | bigint;
  /** Bytes: a multiple of the host's page size, 4 GiB at most. */
  size: number;
  /** The guest may only read it; what it writes becomes an exit of the reason `MMIO`. Default: false. */
  readOnly?: boolean | undefined;
  /** Keep account of the pages that the guest writes: {@link GuestMemory.getDirtyLog}. Default: false. */
  logDirtyPages?: boolean | undefined;
}

/** What a WebAssembly.Memory can have, and what an array of Node 20 can. */
export const MAX_REGION_SIZE = 2 ** 32;

/** Memory of WebAssembly comes in these. */
const WASM_PAGE = 65_536;

/** TypeScript has the types of WebAssembly in its library for browsers only. */
const { WebAssembly } = globalThis as unknown as {
  WebAssembly: { Memory: new (limits: object) => { buffer: SharedArrayBuffer } };
};

/**
 * Zeroed bytes that never move, at a multiple of 64 KiB: the only memory of JavaScript that a kernel can be given. Pages
 * that nobody touches cost nothing.
 */
export function allocate(size: number): Uint8Array {
  const pages = Math.ceil(size / WASM_PAGE);
  try {
    const { buffer } = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    return new Uint8Array(buffer, 0, size);
  } catch (cause) {
    throw new KvmError('ENOMEM', `ENOMEM: no memory for ${size} bytes of guest memory`, {
      cause,
      hint: 'Each region takes some 10 GiB of address space, used or not: see ulimit -v, and vm.overcommit_memory',
    });
  }
}

/** How a region reaches its VM. */
interface Owner {
  /** The VM's handle; throws once it is closed. */
  handle(): VmHandle;
  readonly pageSize: number;
  /** The slot is free again. */
  release(slot: number): void;
}

/**
 * A region of guest memory, made by {@link Vm.addMemory}. It belongs to its VM, which keeps it until it is closed, or
 * {@link remove} is called.
 */
export class GuestMemory {
  /**
   * The memory itself, the very bytes that the guest has. It lies on shared memory: `postMessage()` to a worker passes
   * the same bytes on, and `Atomics` work on it. It stays readable after the VM is gone.
   */
  readonly bytes: Uint8Array;
  /** The number of its memory slot. */
  readonly slot: number;
  readonly readOnly: boolean;
  readonly #owner: Owner;
  #guestPhysAddr: bigint;
  #logDirtyPages: boolean;
  #removed = false;

  /** @internal Use {@link Vm.addMemory}. */
  constructor(owner: Owner, slot: number, bytes: Uint8Array, options: MemoryOptions) {
    this.#owner = owner;
    this.slot = slot;
    this.bytes = bytes;
    this.readOnly = options.readOnly ?? false;
    this.#guestPhysAddr = BigInt(options.guestPhysAddr);
    this.#logDirtyPages = options.logDirtyPages ?? false;
    this.#set(this.#guestPhysAddr, this.#logDirtyPages);
  }

  /** Where the guest finds it. */
  get guestPhysAddr(): bigint {
    return this.#guestPhysAddr;
  }

  /** Bytes of a page of the host, as {@link Kvm.pageSize}: a bit in {@link getDirtyLog}. */
  get pageSize(): number {
    return this.#owner.pageSize;
  }

  /** Bytes that it has. */
  get size(): number {
    return this.bytes.length;
  }

  /** Whether {@link getDirtyLog} can be asked. */
  get logDirtyPages(): boolean {
    return this.#logDirtyPages;
  }

  /**
   * Starts or ends the account of the pages that the guest writes.
   *
   * @throws KvmError as the kernel answers
   */
  setLogDirtyPages(logDirtyPages: boolean): void {
    if (typeof logDirtyPages !== 'boolean') throw invalidType('logDirtyPages', 'a boolean', logDirtyPages);
    this.#set(this.#guestPhysAddr, logDirtyPages);
    this.#logDirtyPages = logDirtyPages;
  }

  /**
   * Has the guest find it somewhere else from now on.
   *
   * @throws KvmError EEXIST: another region is there; EINVAL: not a multiple of the page size; EFAULT: beyond the VM's
   * addresses
   */
  move(guestPhysAddr: number | bigint): void {
    const to = toU64('guestPhysAddr', guestPhysAddr);
    this.#set(to, this.#logDirtyPages);
    this.#guestPhysAddr = to;
  }

  /** Takes it away from the guest. The bytes stay. May be called again. */
  remove(): void {
    if (this.#removed) return;
    const none = this.bytes.subarray(0, 0);
    this.#check('KVM_SET_USER_MEMORY_REGION', this.#handle.setUserMemoryRegion(this.slot, 0, 0n, none));
    this.#removed = true;
    this.#owner.release(this.slot);
  }

  /**
   * `KVM_GET_DIRTY_LOG`: the pages that the guest has written since it was asked last. (With
   * `KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2` enabled they stay until {@link clearDirtyLog}.)
   *
   * @returns a bit for each page of {@link Kvm.pageSize}, page 0 at bit 0 of byte 0, in whole words of 64; see
   * {@link dirtyPages}
   * @throws KvmError ENOENT: the region is not logged
   * @example
   * ```ts
   * for (const page of dirtyPages(memory.getDirtyLog())) send(memory.bytes.subarray(page * 4096, (page + 1) * 4096));
   * ```
   */
  getDirtyLog(): Uint8Array {
    const handle = this.#handle;
    const bitmap = new Uint8Array(dirtyBitmapSize(this.size / this.#owner.pageSize));
    this.#check('KVM_GET_DIRTY_LOG', handle.getDirtyLog(this.slot, bitmap));
    return bitmap;
  }

  /**
   * `KVM_CLEAR_DIRTY_LOG`: makes pages clean again.
   *
   * @param bitmap - a bit for each page, as {@link getDirtyLog} gives it, or a part of that
   * @param firstPage - the page of its first bit: a multiple of 64
   * @throws KvmError EINVAL: beyond the region, or not whole words; ENOENT: the region is not logged
   */
  clearDirtyLog(bitmap: Uint8Array, firstPage = 0): void {
    const handle = this.#handle;
    if (!types.isUint8Array(bitmap)) throw invalidType('bitmap', 'a Uint8Array', bitmap);
    checkUnsigned('firstPage', firstPage, Number.MAX_SAFE_INTEGER);
    const rest = Math.max(0, this.size / this.#owner.pageSize - firstPage);
    if (bitmap.length > dirtyBitmapSize(rest)) {
      throw outOfRange('bitmap.length', `at most ${dirtyBitmapSize(rest)}`, bitmap.length);
    }
    const count = Math.min(bitmap.length * 8, rest);
    this.#check('KVM_CLEAR_DIRTY_LOG', handle.clearDirtyLog(this.slot, firstPage, count, bitmap));
  }

  get #handle(): VmHandle {
    if (this.#removed) throw closedError('memory region');
    return this.#owner.handle();
  }

  #set(guestPhysAddr: bigint, logDirtyPages: boolean): void {
    const flags =
      (this.readOnly ? KVM_MEM.KVM_MEM_READONLY : 0) | (logDirtyPages ? KVM_MEM.KVM_MEM_LOG_DIRTY_PAGES : 0);
    this.#check(
      'KVM_SET_USER_MEMORY_REGION',
      this.#handle.setUserMemoryRegion(this.slot, flags, guestPhysAddr, this.bytes),
    );
  }

  #check(request: string, result: Result): void {
    if (result < 0) {
      throw ioctlError(request, result, {
        hint: hintFor(request, result, { pageSize: this.#owner.pageSize }),
      });
    }
  }
}

/**
 * The numbers of the pages that a bitmap of {@link GuestMemory.getDirtyLog} has.
 *
 * @example
 * ```ts
 * [...dirtyPages(Uint8Array.of(0b101))]; // [0, 2]
 * ```
 */
export function* dirtyPages(bitmap: Uint8Array): Generator<number> {
  if (!types.isUint8Array(bitmap)) throw invalidType('bitmap', 'a Uint8Array', bitmap);
  for (let byte = 0; byte < bitmap.length; byte++) {
    for (let rest = bitmap[byte]!, bit = 0; rest !== 0; rest >>= 1, bit++) {
      if (rest & 1) yield byte * 8 + bit;
    }
  }
}
