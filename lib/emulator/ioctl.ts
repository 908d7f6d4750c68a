/**
 * The escape hatch of the emulated descriptors: requests with a flat struct, by the methods that serve them.
 *
 * @packageDocumentation
 */
import { ERRNO } from '../abi/errno.ts';
import { type IoctlName, ioctlSize, KVM_IOCTL } from '../abi/ioctls.ts';
import type { Result } from '../backend.ts';

/** What serves a request that takes a struct. */
type StructHandler = (argument: Uint8Array) => Result;
/** What serves a request that takes an integer. */
type IntegerHandler = (argument: bigint) => Result;

/** Requests of a descriptor, by kernel name. */
export type FlatHandlers = { readonly [Name in IoctlName]?: StructHandler };

/**
 * Calls the handler of a request; EINVAL for one that arm64's KVM does not know on this descriptor. Of a longer struct
 * it sees the bytes that the request has, as the kernel would.
 */
export function flatIoctl(
  request: number,
  argument: bigint | Uint8Array,
  structs: FlatHandlers,
  integers: { readonly [Name in IoctlName]?: IntegerHandler } = {},
): Result {
  const find = <Handler>(handlers: { readonly [Name in IoctlName]?: Handler }): Handler | undefined =>
    Object.entries(handlers).find(([name]) => KVM_IOCTL[name as IoctlName] === request)?.[1] as
      | Handler
      | undefined;
  return typeof argument === 'bigint'
    ? (find(integers)?.(argument) ?? -ERRNO.EINVAL)
    : (find(structs)?.(argument.subarray(0, ioctlSize(request))) ?? -ERRNO.EINVAL);
}
