/**
 * Hosts that a command line names beside the one of `--host`.
 *
 * @packageDocumentation
 */
import { findHost, isPath } from '../emulator/host-file.ts';
import { Kvm } from '../index.ts';
import { readState } from './state-file.ts';
import { UsageError } from './usage-error.ts';

/** For the help of a command that takes hosts. */
export const HOST_WORDS =
  'A HOST is the name of an emulated one (see kvm-arm64 hosts), a FILE that record wrote (with a slash, or .json), or native: the KVM of this machine.';

/**
 * Opens hosts, and closes them when the work is done.
 *
 * @throws KvmError `ERR_BAD_PROFILE`, `ERR_BACKEND_UNAVAILABLE`; UsageError for a state file
 */
export function withHosts<Result>(names: readonly string[], use: (hosts: Kvm[]) => Result): Result {
  const hosts: Kvm[] = [];
  try {
    for (const name of names) hosts.push(open(name));
    // Machines of one kernel and CPU are recorded under one name: then files are what tells them apart.
    const recorded = hosts.map(({ host }) => host);
    for (const [i, name] of names.entries()) {
      const isShared = recorded.some((other, j) => other === recorded[i] && names[j] !== name);
      if (!isShared || !isPath(name)) continue;
      hosts[i]!.close();
      hosts[i] = Kvm.open({ host: { ...findHost(name), name } });
    }
    return use(hosts);
  } finally {
    for (const kvm of hosts) kvm.close();
  }
}

function open(name: string): Kvm {
  if (name === 'native') return Kvm.open({ backend: 'native' });
  try {
    return Kvm.open({ host: name });
  } catch (error) {
    if (!isState(name)) throw error;
    throw new UsageError(
      `${name} is a state file, and a host is wanted there; kvm-arm64 plan ${name} HOST says whether it loads`,
    );
  }
}

function isState(file: string): boolean {
  try {
    readState(file);
    return true;
  } catch {
    return false;
  }
}
