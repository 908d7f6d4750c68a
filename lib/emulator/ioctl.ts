/**
 * The escape hatch of the emulated descriptors: requests with a flat struct, by the methods that serve them.
 *
 * @packageDocumentation
 */
import { ERRNO } from '../abi/errno.ts';
import { type IoctlName, ioctlSize, KVM_IOCTL } from '../abi/ioctls.ts';
import type { Result } from '../backend.ts';
import { KvmError } from '../errors.ts';

/** What serves a request that takes a struct. */
type StructHandler = (argument: Uint8Array) => Result;
/** What serves a request that takes an integer. */
type IntegerHandler = (argument: bigint) => Result;

/** Requests that the kernel answers on a descriptor, and the emulated host does not yet. */
type NotYet = readonly IoctlName[];

/** Those of a VM. */
export const NOT_YET_ON_VM: NotYet = [
  'KVM_IRQFD',
  'KVM_IOEVENTFD',
  'KVM_REGISTER_COALESCED_MMIO',
  'KVM_UNREGISTER_COALESCED_MMIO',
];

/** Requests of a descriptor, by kernel name. */
export type FlatHandlers = { readonly [Name in IoctlName]?: StructHandler };

/** The error of a request that the kernel answers and nothing here does. */
export function notEmulated(request: IoctlName): KvmError {
  return new KvmError(
    'ERR_NOT_EMULATED',
    `ERR_NOT_EMULATED: the emulated host does not answer ${request} yet`,
    { request },
  );
}

/**
 * Calls the handler of a request; EINVAL for one that arm64's KVM does not know on this descriptor. Of a longer struct
 * it sees the bytes that the request has, as the kernel would.
 *
 * @throws KvmError `ERR_NOT_EMULATED` for a request that the kernel answers and nothing here does
 */
export function flatIoctl(
  request: number,
  argument: bigint | Uint8Array,
  structs: FlatHandlers,
  integers: { readonly [Name in IoctlName]?: IntegerHandler } = {},
  notYet: NotYet = [],
): Result {
  const missing = notYet.find(name => KVM_IOCTL[name] === request);
  // An errno of ours would be taken for the kernel's.
  if (missing !== undefined) throw notEmulated(missing);
  const find = <Handler>(handlers: { readonly [Name in IoctlName]?: Handler }): Handler | undefined =>
    Object.entries(handlers).find(([name]) => KVM_IOCTL[name as IoctlName] === request)?.[1] as
      | Handler
      | undefined;
  return typeof argument === 'bigint'
    ? (find(integers)?.(argument) ?? -ERRNO.EINVAL)
    : (find(structs)?.(argument.subarray(0, ioctlSize(request))) ?? -ERRNO.EINVAL);
}
