/**
 * Hosts that a command line names beside the one of `--host`.
 *
 * @packageDocumentation
 */
import { Kvm } from '../index.ts';

/** For the help of a command that takes hosts. */
export const HOST_WORDS =
  'A HOST is the name of an emulated one (see kvm-arm64 hosts), a FILE that record wrote (with a slash, or .json), or native: the KVM of this machine.';

/**
 * Opens hosts, and closes them when the work is done.
 *
 * @throws KvmError `ERR_BAD_PROFILE`, `ERR_BACKEND_UNAVAILABLE`
 */
export function withHosts<Result>(names: readonly string[], use: (hosts: Kvm[]) => Result): Result {
  const hosts: Kvm[] = [];
  try {
    for (const name of names)
      hosts.push(name === 'native' ? Kvm.open({ backend: 'native' }) : Kvm.open({ host: name }));
    return use(hosts);
  } finally {
    for (const kvm of hosts) kvm.close();
  }
}
