/**
 * Hosts that nobody can boot in the lab: kernels of 2017 and 2018, and two proposals that were never merged as posted.
 * Each is a recorded host with changes, and each change says how it is known.
 *
 * @packageDocumentation
 */

import type { HostProfile, MODELLED_HOSTS } from '../profile.ts';
import { ARM32 } from './arm32.ts';
import {
  BEFORE_FIRMWARE,
  LINUX_4_14,
  LINUX_4_17,
  LINUX_4_17_ARM64,
  ONE_FIRMWARE_REGISTER,
} from './linux-4.ts';
import { FEATURE_BIT, FIRMWARE_REGISTER_V3 } from './proposals.ts';
import type { Rule } from './rule.ts';

interface ModelledHost {
  /** Its release first, as with a recorded one. */
  readonly kernel: string;
  readonly rules: readonly Rule[];
}

/** What all are made from: the oldest kernel that the lab boots, on the CPU that is old enough for all of them. */
const BASIS = 'linux-5.10-cortex-a57';

const ARM64_4_17 = [...LINUX_4_17, ...LINUX_4_17_ARM64];
const ARM64_4_14 = [...ARM64_4_17, ...LINUX_4_14];
const ARM32_4_17 = [...LINUX_4_17, ...ARM32];

const HOSTS: Readonly<Record<string, ModelledHost>> = {
  'linux-4.14': { kernel: '4.14', rules: [...ARM64_4_14, ...BEFORE_FIRMWARE] },
  'linux-4.17': { kernel: '4.17', rules: [...ARM64_4_17, ...ONE_FIRMWARE_REGISTER] },
  'linux-4.17-arm': {
    kernel: '4.17 for 32-bit arm',
    rules: [...ARM32_4_17, ...ONE_FIRMWARE_REGISTER],
  },
  'psci-firmware-register-v3': {
    kernel: '4.14 with the patch "KVM: Add PSCI version selection API" v3',
    rules: [...ARM64_4_14, ...ONE_FIRMWARE_REGISTER, ...FIRMWARE_REGISTER_V3],
  },
  'psci-firmware-register-v3-arm': {
    kernel: '4.17 for 32-bit arm with the patch "KVM: Add PSCI version selection API" v3',
    rules: [...ARM32_4_17, ...ONE_FIRMWARE_REGISTER, ...FIRMWARE_REGISTER_V3],
  },
  'psci-feature-bit': {
    kernel: '4.14 with KVM_ARM_VCPU_FORCE_PSCI_0_2',
    rules: [...ARM64_4_14, ...BEFORE_FIRMWARE, ...FEATURE_BIT],
  },
} satisfies Record<(typeof MODELLED_HOSTS)[number], ModelledHost>;

/**
 * A modelled host.
 *
 * @param read - reads a recorded host
 * @returns its profile; undefined where there is no modelled host of that name
 */
export function modelHost(name: string, read: (name: string) => HostProfile): HostProfile | undefined {
  const modelled = HOSTS[name];
  if (modelled === undefined) return undefined;
  const { kernel, rules } = modelled;
  const recorded = read(BASIS);
  const host = rules.reduce((before, { apply }) => apply?.(before) ?? before, recorded);
  return {
    ...host,
    name,
    provenance: {
      ...host.provenance,
      kernel,
      machine: 'modelled',
      basis: BASIS,
      rules: rules.map(({ rule, source }) => ({ rule, source })),
    },
  };
}
