/**
 * The errors of both backends. A failed system call is a {@link KvmError} shaped like Node's own system
 * errors; a caller's bad argument is a `TypeError` or `RangeError` with Node's codes, before the kernel is asked.
 *
 * @packageDocumentation
 */
import { errnoMessage, errnoName } from './abi/errno.ts';

/** A register, as errors and listings name it. */
export interface RegisterName {
  /** The 64-bit id of `struct kvm_one_reg`. */
  readonly id: bigint;
  /** Its name, or the fields of its id where it has none. */
  readonly name: string;
}

/** What a {@link KvmError} tells beside its message. */
export interface KvmErrorDetails {
  /** Negative errno, where a system call failed. */
  readonly errno?: number | undefined;
  readonly syscall?: 'ioctl' | 'open' | undefined;
  /** The kernel's name of the request, `KVM_SET_ONE_REG`. */
  readonly request?: string | undefined;
  readonly register?: RegisterName | undefined;
  /** The likely cause and the cure, in a sentence. */
  readonly hint?: string | undefined;
  readonly path?: string | undefined;
  readonly cause?: unknown;
}

/**
 * KVM said no, or the library cannot ask it.
 *
 * `code` is the errno's name (`'EINVAL'`) where a system call failed, with `errno`, `syscall` and `request`
 * as the kernel was asked; or one of the library's own states:
 *
 * - `ERR_CLOSED`: the object, or the VM or Kvm that it belongs to, was closed;
 * - `ERR_VCPU_RUNNING`: the vCPU runs; only `kick()` and `close()` reach it;
 * - `ERR_BACKEND_UNAVAILABLE`: the backend that was asked for cannot be used here; `hint` has the cure;
 * - `ERR_NOT_EMULATED`: the kernel would answer this request, and the emulated host does not yet;
 * - `ERR_WAITS_FOREVER`: an emulated guest waits in `runSync()`, and nothing can wake it;
 * - `ERR_BAD_PROFILE`: a host profile is damaged or foreign; the message names the field;
 * - `ERR_BAD_STATE`: a state file is; the message names offset or field;
 * - `ERR_WILL_NOT_LOAD`: a restore was not begun, as its plan says that it would fail;
 * - `ERR_GIC_NOT_READY`: a run, or `gic.init()`, would come too early; a kernel would have given up the VM;
 * - `ERR_INCOMPLETE_STATE`: a state has only the pages that were written since an earlier one;
 * - `ERR_NOT_INITIALIZED`: a vCPU cannot be saved before `init()`.
 */
export class KvmError extends Error {
  override readonly name = 'KvmError';
  readonly code: string;
  readonly errno: number | undefined;
  readonly syscall: string | undefined;
  readonly request: string | undefined;
  readonly register: RegisterName | undefined;
  readonly hint: string | undefined;
  readonly path: string | undefined;

  constructor(code: string, message: string, details: KvmErrorDetails = {}) {
    super(
      details.hint === undefined ? message : `${message}. ${details.hint}`,
      details.cause === undefined ? undefined : { cause: details.cause },
    );
    this.code = code;
    this.errno = details.errno;
    this.syscall = details.syscall;
    this.request = details.request;
    this.register = details.register;
    this.hint = details.hint;
    this.path = details.path;
  }
}

/** The error of a failed `ioctl(request)`; `errno` as the seam gives it, negative. */
export function ioctlError(request: string, errno: number, details: KvmErrorDetails = {}): KvmError {
  const code = errnoName(-errno);
  const { register } = details;
  const target = register === undefined ? '' : ` (${register.name})`;
  return new KvmError(code, `${code}: ${errnoMessage(-errno)}, ioctl ${request}${target}`, {
    ...details,
    errno,
    syscall: 'ioctl',
    request,
  });
}

/** The error of a use of a vCPU that runs. */
export function runningError(): KvmError {
  return new KvmError('ERR_VCPU_RUNNING', 'ERR_VCPU_RUNNING: this vCPU is running', {
    hint: 'Await its run() first; kick() ends it',
  });
}

/** The error of a use after `close()`. */
export function closedError(what: string): KvmError {
  return new KvmError('ERR_CLOSED', `ERR_CLOSED: this ${what} has been closed`);
}
