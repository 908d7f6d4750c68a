/**
 * Lifetime of what users hold: closed once, together with what was made from it, and never leaked in silence.
 *
 * @packageDocumentation
 */
import { types } from 'node:util';
import { invalidType, invalidValue, outOfRange } from './abi/argument.ts';
import {
  type FdKind,
  HATCH_REFUSES,
  type IoctlName,
  ioctlHasStruct,
  ioctlName,
  ioctlSize,
  KVMIO,
} from './abi/ioctls.ts';
import type { FdHandle, Result } from './backend.ts';
import { closedError, ioctlError, type KvmErrorDetails } from './errors.ts';
import { hintFor } from './hints.ts';

/** What holds something that must be closed. */
interface Closable {
  close(): void;
}

interface Forgotten {
  readonly handle: Closable;
  readonly what: string;
  readonly detach: (() => void) | undefined;
}

/** Closes the descriptor of an object that the program forgot, and says so. */
const forgotten = new FinalizationRegistry<Forgotten>(({ handle, what, detach }) => {
  handle.close();
  detach?.();
  process.emitWarning(`A ${what} was garbage collected without close(); its descriptor has been closed now`, {
    type: 'KvmWarning',
    code: 'KVM_ARM64_LEAK',
  });
});

/** Something with an owner that is closed once. */
export abstract class Owned<H extends Closable> {
  #handle: H | undefined;
  readonly #what: string;
  /** Weak, so that a forgotten child can be collected while its owner lives. */
  readonly #children = new Set<WeakRef<Owned<Closable>>>();
  readonly #detach: (() => void) | undefined;

  /** @internal */
  constructor(what: string, handle: H, owner?: Owned<Closable>) {
    if (handle === undefined) throw illegalConstructor(what);
    this.#what = what;
    this.#handle = handle;
    if (owner !== undefined) {
      const reference = new WeakRef<Owned<Closable>>(this);
      owner.#children.add(reference);
      this.#detach = () => owner.#children.delete(reference);
    }
    forgotten.register(this, { handle, what, detach: this.#detach }, this);
  }

  /** The seam's handle; throws `ERR_CLOSED` after {@link close}. */
  protected get handle(): H {
    if (this.#handle === undefined) throw closedError(this.#what);
    return this.#handle;
  }

  /** What was made from this and is open, in the order in which it was made. */
  protected get children(): Owned<Closable>[] {
    return [...this.#children].map(child => child.deref()).filter(child => child !== undefined);
  }

  /** Whether {@link close} was called, on this object or on what it belongs to. */
  get closed(): boolean {
    return this.#handle === undefined;
  }

  /** Turns the seam's negative errno into a KvmError. */
  protected check(request: string, result: Result, details?: KvmErrorDetails): number {
    if (result < 0) throw ioctlError(request, result, { hint: hintFor(request, result), ...details });
    return result;
  }

  /** Closes this and everything made from it, last made first. May be called again. */
  close(): void {
    const handle = this.#handle;
    if (handle === undefined) return;
    for (const child of [...this.#children].reverse()) child.deref()?.close();
    this.#handle = undefined;
    this.#detach?.();
    forgotten.unregister(this);
    handle.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** A descriptor of KVM: the base of Kvm, Vm, Vcpu and Device. */
export abstract class Resource<H extends FdHandle> extends Owned<H> {
  readonly #kind: FdKind;

  /** @internal */
  constructor(what: string, kind: FdKind, handle: H, owner?: Owned<Closable>) {
    super(what, handle, owner);
    this.#kind = kind;
  }

  /**
   * Any KVM request that has no method here, as `ioctl(2)` takes it.
   *
   * A request without a struct takes an integer; one with a struct takes the struct's bytes, which the kernel
   * updates in place. Requests that hold further addresses, block, or make a descriptor are refused: they have
   * methods of their own, because a wrong address there would corrupt the process.
   *
   * @param request - the request number, type byte 0xAE
   * @param argument - integer argument, or the bytes of the struct, at least as long as the request says
   * @returns what the kernel returned, zero or more
   * @throws KvmError as the kernel answers; TypeError or RangeError for a request or argument that cannot be
   */
  ioctl(request: number, argument: number | bigint | Uint8Array = 0n): number {
    const { handle } = this;
    if (typeof request !== 'number') throw invalidType('request', 'an ioctl number', request);
    if (
      !Number.isInteger(request) ||
      request < 0 ||
      request > 0xffff_ffff ||
      ((request >>> 8) & 0xff) !== KVMIO
    ) {
      throw outOfRange('request', 'a KVM request (type byte 0xae)', request);
    }
    const name = ioctlName(request, this.#kind);
    const instead = HATCH_REFUSES[name as IoctlName];
    if (instead !== undefined)
      throw invalidValue('request', `one that ioctl() takes; for ${name} use ${instead}`, request);
    return this.check(name, handle.ioctl(request, ioctlArgument(request, argument)));
  }
}

function ioctlArgument(request: number, argument: unknown): bigint | Uint8Array {
  if (ioctlHasStruct(request)) {
    const size = ioctlSize(request);
    if (!types.isUint8Array(argument)) {
      throw invalidType(
        'argument',
        `a Uint8Array of at least ${size} bytes, the struct of this request`,
        argument,
      );
    }
    if (argument.length < size) throw outOfRange('argument', `at least ${size} bytes long`, argument.length);
    return argument;
  }
  if (typeof argument !== 'number' && typeof argument !== 'bigint') {
    throw invalidType('argument', 'an integer (this request has no struct)', argument);
  }
  return toU64('argument', argument);
}

/** Accepts a number or bigint that is an unsigned 64-bit integer. */
export function toU64(name: string, value: number | bigint): bigint {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw outOfRange(name, 'an integer that a number holds exactly, or a bigint', value);
  }
  if (typeof value !== 'number' && typeof value !== 'bigint')
    throw invalidType(name, 'a bigint or a number', value);
  const wide = BigInt(value);
  if (wide < 0n || wide > 0xffff_ffff_ffff_ffffn) throw outOfRange(name, 'from 0 to 2^64-1', value);
  return wide;
}

/** `new Kvm()` and the like; with Node's code. */
function illegalConstructor(what: string): TypeError {
  const made = {
    Kvm: 'Kvm.open()',
    Vm: 'kvm.createVm()',
    Vcpu: 'vm.createVcpu()',
    Device: 'vm.createDevice()',
    Gic: 'vm.createGic()',
    EventFd: 'kvm.createEventFd()',
  }[what];
  return Object.assign(new TypeError(`A ${what} is made by ${made}`), { code: 'ERR_ILLEGAL_CONSTRUCTOR' });
}
