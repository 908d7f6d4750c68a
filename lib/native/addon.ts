/**
 * The addon: its typed face, and how it is found. Nothing is loaded before {@link loadAddon} is called, and a
 * failure is data, because the package must be importable everywhere.
 *
 * @packageDocumentation
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Result } from '../backend.ts';
import { findElfFault, libcOfProgram } from './elf.ts';

/** The version of the contract below; `kAbi` in native/module.cc is the other side. */
export const ADDON_ABI = 3;

declare const brand: unique symbol;

/** A descriptor that the addon owns: opaque, and closed at the latest when it is collected. */
export interface Fd {
  readonly [brand]: never;
}

/**
 * What the addon exports. The functions answer the kernel's result or `-errno`; arguments of the wrong type or
 * range throw a `TypeError` or `RangeError` with Node's codes.
 */
export interface Addon {
  readonly abi: number;
  /** Bytes of a page of this machine. */
  readonly pageSize: number;
  /** `open(path, O_RDWR | O_CLOEXEC)`. */
  open(path: string): Fd | Result;
  /** May be called again; afterwards every function answers `-EBADF` to this descriptor. */
  close(fd: Fd): void;
  /**
   * `ioctl(fd, request, argument)`; the direction bits of the request decide whether it takes an integer or
   * a struct.
   *
   * @param argument - the integer (a number is faster, a bigint goes further), or the struct: updated in place, 256 KiB at most
   * @param pointee - bytes whose address the struct has at `offset`: updated in place, 256 KiB at most
   */
  ioctl(
    fd: Fd,
    request: number,
    argument: number | bigint | Uint8Array,
    pointee?: Uint8Array,
    offset?: number,
  ): Result;
  /**
   * For `KVM_CREATE_VM` and `KVM_CREATE_VCPU`, which answer a descriptor; EINTR is retried.
   *
   * @param mapped - of a vCPU: what `KVM_GET_VCPU_MMAP_SIZE` says; without it the vCPU cannot run
   */
  create(fd: Fd, request: number, argument: bigint, mapped?: number): Fd | Result;
  /** `KVM_CREATE_DEVICE`, which answers a descriptor in its struct; 0 where the flags have `KVM_CREATE_DEVICE_TEST`. */
  createDevice(fd: Fd, type: number, flags: number): Fd | Result;
  /** `eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)`, unless `fd` is closed. The functions of an eventfd take no other descriptor. */
  createEventFd(fd: Fd): Fd | Result;
  /** As the methods of `EventFdHandle` of the seam. */
  signalEventFd(fd: Fd): Result;
  takeEventFd(fd: Fd): bigint | Result;
  watchEventFd(fd: Fd, onSignal: (() => void) | undefined): Result;
  /** A descriptor's number, for structs that name it; -1 once it is closed. */
  fdNumber(fd: Fd): number;
  /** As `VcpuHandle.run` of the seam; `-EBUSY` while {@link start} has it. */
  run(fd: Fd, bytes: Uint8Array): Result;
  /** As `VcpuHandle.start` of the seam; `-EBUSY` while it goes on. */
  start(fd: Fd, bytes: Uint8Array, done: (result: Result) => void): Result;
  kick(fd: Fd): Result;
  /**
   * `KVM_SET_USER_MEMORY_REGION`. The VM, and whatever else keeps it alive, refers to the bytes until the slot is deleted.
   *
   * @param bytes - on shared memory; none delete the slot
   */
  setUserMemoryRegion(fd: Fd, slot: number, flags: number, guestPhysAddr: bigint, bytes: Uint8Array): Result;
  getOneReg(fd: Fd, id: bigint): bigint | Result;
  setOneReg(fd: Fd, id: bigint, value: bigint): Result;
  getRegList(fd: Fd): BigUint64Array | Result;
  /** As `VcpuHandle.getRegs` of the seam. */
  getRegs(fd: Fd, ids: BigUint64Array, words: BigUint64Array, status: Int32Array): Result;
  setRegs(fd: Fd, ids: BigUint64Array, words: BigUint64Array, status: Int32Array): Result;
}

/** One file that the addon was not loaded from. */
export interface Attempt {
  readonly path: string;
  /**
   * An errno's name (`'ENOENT'`), Node's code (`'ERR_DLOPEN_FAILED'`, `'ERR_DLOPEN_DISABLED'`), or one of
   * `ERR_ADDON_NOT_ELF`, `ERR_ADDON_MACHINE`, `ERR_ADDON_TRUNCATED`, `ERR_ADDON_LIBC`, `ERR_ADDON_ABI`.
   */
  readonly code: string;
  /** A sentence that names the file. */
  readonly message: string;
}

/** The addon and where it came from, or why there is none. */
export type LoadedAddon =
  | { readonly addon: Addon; readonly path: string; readonly attempts: readonly Attempt[] }
  | { readonly addon: undefined; readonly path: undefined; readonly attempts: readonly Attempt[] };

/** Where to look. */
export interface AddonSearch {
  /** The package's directory. */
  readonly root: string;
  readonly arch: string;
  /** The only file to try; the environment variable `KVM_ARM64_ADDON`. */
  readonly override: string | undefined;
}

// tsc puts the compiled file one directory deeper (dist/) than its source.
const UP = import.meta.url.endsWith('.ts') ? '../..' : '../../..';

// On Linux also good where the program's file has been replaced or its path is hidden.
const PROGRAM = process.platform === 'linux' ? '/proc/self/exe' : process.execPath;

let loaded: LoadedAddon | undefined;

/** The addon of this process, looked for once. */
export function loadAddon(): LoadedAddon {
  loaded ??= searchAddon({
    root: fileURLToPath(new URL(UP, import.meta.url)),
    arch: process.arch,
    override: process.env['KVM_ARM64_ADDON'],
  });
  return loaded;
}

/** Tries the candidates in order, and keeps why each was refused. Never throws. */
export function searchAddon(search: AddonSearch): LoadedAddon {
  const attempts: Attempt[] = [];
  for (const path of candidates(search)) {
    const outcome = tryFile(path, search.arch);
    if ('addon' in outcome) return { addon: outcome.addon, path, attempts };
    attempts.push(outcome);
  }
  return { addon: undefined, path: undefined, attempts };
}

function candidates({ root, arch, override }: AddonSearch): string[] {
  // Whoever names a file means that file: another one in its stead would be a surprise.
  if (override) return [resolve(override)];
  const paths: string[] = [];
  if (existsSync(join(root, 'binding.gyp'))) paths.push(join(root, 'build/Release/kvm_arm64.node'));
  if (arch === 'arm64') paths.push(join(root, 'prebuilds/linux-arm64/kvm_arm64.glibc.node'));
  return paths;
}

function tryFile(path: string, arch: string): { addon: Addon } | Attempt {
  const refuse = (code: string, message: string): Attempt => ({ path, code, message: `${path}: ${message}` });
  try {
    const fault = findElfFault(readFileSync(path), arch, libcOfProgram(PROGRAM));
    if (fault !== undefined) return refuse(fault.code, fault.message);
    const addon = createRequire(import.meta.url)(path) as Partial<Addon>;
    if (addon.abi === ADDON_ABI) return { addon: addon as Addon };
    const age = `it speaks version ${addon.abi} of the addon's contract, and this package version ${ADDON_ABI}`;
    return refuse('ERR_ADDON_ABI', age);
  } catch (error) {
    const { code = 'ERR_ADDON_LOAD', message } = error as NodeJS.ErrnoException;
    return refuse(code, CAUSES[code] ?? message);
  }
}

/** Plain words for what the system says cryptically. */
const CAUSES: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ERR_DLOPEN_DISABLED: 'this process may not load addons (--no-addons, or the permission model)',
};
