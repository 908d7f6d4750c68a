/** The hosts that a suite can run on, and whether they are there. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { checkOptions } from '../abi/argument.ts';
import { type HostProfile, Kvm, probe } from '../index.ts';
import { labStatus } from '../lab/status.ts';
import type { MachineOptions } from '../lab.ts';

/** A machine of the lab. */
export interface LabHost extends MachineOptions {
  /** A kernel that was set up, by the beginning of its version (`6.12`, `7`), or the path of an `Image`. */
  readonly kernel: string;
}

/** `'native'` for this machine's KVM; an emulated host by name or as a profile; a machine of the lab. */
export type TestHost = 'native' | (string & {}) | HostProfile | LabHost;

/** Hosts that a machine may lack. */
export type Tier = 'lab' | 'host';

const TIERS: readonly string[] = ['lab', 'host'] satisfies Tier[];

/** A host, looked at. */
export interface KnownHost {
  readonly title: string;
  /** What is missing, and what kind of host that makes unavailable. */
  readonly missing?: { readonly tier: Tier; readonly reason: string } | undefined;
  /** The machine to boot; on other hosts the cases run in this process. */
  readonly machine?: LabHost;
  readonly open: () => Kvm;
}

/**
 * Looks at a host.
 *
 * @throws KvmError `ERR_BAD_PROFILE` for a host to emulate that is none; TypeError for a machine that is none
 */
export function knownHost(host: TestHost): KnownHost {
  if (host === 'native') {
    const { usable, reason } = probe();
    const missing: KnownHost['missing'] = usable
      ? undefined
      : { tier: 'host', reason: reason.replace(/\.$/, '') };
    return { title: 'native', missing, open: () => Kvm.open({ backend: 'native' }) };
  }
  if (typeof host === 'object' && 'kernel' in host) {
    checkOptions('host', host, ['kernel', 'cpu', 'gic', 'mode', 'memory', 'cpus']);
    const { kernel, cpu, gic, mode, memory, cpus } = host;
    const machine = [
      cpu ?? 'neoverse-n1',
      ...(gic === undefined ? [] : [`GICv${gic}`]),
      ...(mode === undefined ? [] : [mode]),
      ...(memory === undefined ? [] : [`${memory} MiB`]),
      ...(cpus === undefined ? [] : [`${cpus} CPUs`]),
    ].join(', ');
    const reason = labFault(kernel);
    return {
      title: `Linux ${kernel} on ${machine}`,
      missing: reason === undefined ? undefined : { tier: 'lab', reason },
      machine: host,
      open: () => Kvm.open({ backend: 'native' }), // in the guest, where the cases run
    };
  }
  const open = () => Kvm.open({ host });
  open().close(); // a name that is none is an error now
  return { title: typeof host === 'string' ? host : host.name, open };
}

/** Why a suite cannot run in the lab here, if it cannot. */
export function labFault(kernel: string | undefined): string | undefined {
  const status = labStatus(kernel);
  if (!status.available) return status.reason;
  const addon = fileURLToPath(new URL('../../../prebuilds/linux-arm64', import.meta.url));
  return existsSync(addon) ? undefined : 'there is no addon for arm64: npm run build:cross';
}

/** Whether `KVM_ARM64_REQUIRE` makes a missing host of that kind a failure. A misspelt kind must not pass for none. */
export function isRequired(tier: Tier): boolean {
  const required = (process.env['KVM_ARM64_REQUIRE'] ?? '').split(',').filter(name => name !== '');
  const odd = required.find(name => !TIERS.includes(name));
  if (odd !== undefined) throw new Error(`KVM_ARM64_REQUIRE knows ${TIERS.join(' and ')}, not ${odd}`);
  return required.includes(tier);
}
