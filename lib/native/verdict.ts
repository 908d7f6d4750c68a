/**
 * What the facts about a machine amount to: whether native KVM for Arm can be used, and if not, why and what
 * to do. A pure function of a table, so every machine that nobody here has can be tested.
 *
 * @packageDocumentation
 */
import { KVM_API_VERSION } from '../abi/ioctls.ts';
import type { Facts } from './facts.ts';

/** The cases that can be told apart. */
export type Situation =
  | 'usable'
  | 'not-linux'
  | 'x86-kvm'
  | 'not-arm64'
  | 'no-device'
  | 'no-access'
  | 'busy'
  | 'device-error'
  | 'addon-disabled'
  | 'addon-foreign'
  | 'addon-broken'
  | 'addon-missing'
  | 'not-kvm';

/** The judgement on {@link Facts}. */
export interface Verdict {
  readonly situation: Situation;
  readonly usable: boolean;
  /** There is no Arm KVM here that could be made usable, so the emulator may stand in without asking. */
  readonly noArmHost: boolean;
  /** One sentence. */
  readonly reason: string;
  /** One sentence, with commands where there are any; empty where nothing needs a cure. */
  readonly cure: string;
}

interface Rule {
  readonly situation: Situation;
  readonly applies: (facts: Facts) => boolean;
  readonly noArmHost?: true;
  readonly reason: (facts: Facts) => string;
  readonly cure: string;
}

const X86: readonly string[] = ['x64', 'ia32'];
const USE_EMULATOR = "Use the emulator (backend 'emulated'), or an ARM64 Linux machine.";
const BUILD = 'in a checkout run `npm run build:native`, otherwise install the package anew.';

const openFailed = (facts: Facts, ...codes: string[]) =>
  facts.device.fault?.syscall === 'open' && (codes.length === 0 || codes.includes(facts.device.fault.code));
const addonFailed = (facts: Facts, ...codes: string[]) =>
  facts.addon.attempts.some(attempt => codes.includes(attempt.code));
const attemptsOf = (facts: Facts) => facts.addon.attempts.map(attempt => attempt.message).join('; ');

/** The first rule that applies decides. */
const RULES: readonly Rule[] = [
  {
    situation: 'not-linux',
    applies: facts => facts.platform !== 'linux',
    noArmHost: true,
    reason: facts => `KVM is part of Linux, and this is ${facts.platform}.`,
    cure: USE_EMULATOR,
  },
  {
    // Without the addon nobody can ask the device, and on x86 nobody need to. An arm64 Node that meets a KVM
    // without the capability of Arm is an emulated one (qemu-user).
    situation: 'x86-kvm',
    applies: ({ arch, device }) =>
      X86.includes(arch)
        ? device.fault === undefined && !device.isArm
        : arch === 'arm64' && device.apiVersion === KVM_API_VERSION && device.isArm === false,
    noArmHost: true,
    reason: facts => `${facts.device.path} is the KVM of an x86 machine, which runs no Arm guests.`,
    cure: USE_EMULATOR,
  },
  {
    situation: 'not-arm64',
    applies: facts => facts.arch !== 'arm64',
    noArmHost: true,
    reason: facts => `This Node runs on ${facts.arch}, and KVM for Arm guests needs arm64.`,
    cure: USE_EMULATOR,
  },
  {
    situation: 'no-device',
    applies: facts => !facts.device.exists,
    noArmHost: true,
    reason: facts => `${facts.device.path} does not exist.`,
    cure:
      'In a container pass `--device /dev/kvm`; in a virtual machine turn nested virtualisation on or take a ' +
      'bare-metal instance; otherwise `dmesg | grep -i kvm` says why the kernel did not start KVM.',
  },
  {
    situation: 'no-access',
    applies: facts => openFailed(facts, 'EACCES', 'EPERM', 'ERR_ACCESS_DENIED'),
    reason: facts => `${facts.device.path} cannot be opened: ${facts.device.fault?.code}.`,
    cure:
      'Run `sudo usermod -aG kvm $USER` and log in anew; in a container pass `--device /dev/kvm` and ' +
      '`--group-add $(stat -c %g /dev/kvm)`.',
  },
  {
    situation: 'busy',
    applies: facts => openFailed(facts, 'EBUSY'),
    reason: facts => `${facts.device.path} is busy: another hypervisor holds the CPU's virtualisation.`,
    cure: 'Stop the other hypervisor; `sudo fuser -v /dev/kvm` lists who uses KVM.',
  },
  {
    situation: 'device-error',
    applies: facts => openFailed(facts),
    reason: facts => `${facts.device.path} cannot be opened: ${facts.device.fault?.code}.`,
    cure: 'Look at `ls -l /dev/kvm` (it should be character device 10, 232) and at `dmesg | grep -i kvm`.',
  },
  {
    situation: 'addon-disabled',
    applies: facts => !facts.addon.available && addonFailed(facts, 'ERR_DLOPEN_DISABLED'),
    reason: () => 'This process may not load addons, and KVM is reached through one.',
    cure: 'Start Node without `--no-addons`, and with `--allow-addons` where the permission model is on.',
  },
  {
    situation: 'addon-foreign',
    applies: facts => !facts.addon.available && addonFailed(facts, 'ERR_ADDON_MACHINE', 'ERR_ADDON_LIBC'),
    reason: facts => `The native addon does not fit this Node: ${attemptsOf(facts)}.`,
    cure: `Build it for this machine: ${BUILD}`,
  },
  {
    situation: 'addon-broken',
    applies: facts =>
      !facts.addon.available && facts.addon.attempts.some(attempt => attempt.code !== 'ENOENT'),
    reason: facts => `The native addon cannot be loaded: ${attemptsOf(facts)}.`,
    cure: `Build it again: ${BUILD}`,
  },
  {
    situation: 'addon-missing',
    applies: facts => !facts.addon.available,
    reason: facts =>
      `There is no native addon: ${attemptsOf(facts) || 'the package holds none for this machine'}.`,
    cure: `Build it: ${BUILD}`,
  },
  {
    situation: 'not-kvm',
    applies: ({ device }) => device.apiVersion !== KVM_API_VERSION,
    reason: ({ device }) =>
      device.fault === undefined
        ? `${device.path} speaks version ${device.apiVersion} of the KVM API, and only ${KVM_API_VERSION} was ever stable.`
        : `${device.path} is not KVM: it answers ${device.fault.code} to KVM_GET_API_VERSION.`,
    cure: 'Name the KVM device, which is `/dev/kvm` on every Linux.',
  },
];

/** Judges the facts. */
export function judge(facts: Facts): Verdict {
  const rule = RULES.find(({ applies }) => applies(facts));
  if (rule === undefined) {
    const reason = `${facts.device.path} is KVM on ARM64, and can be used.`;
    return { situation: 'usable', usable: true, noArmHost: false, reason, cure: '' };
  }
  return {
    situation: rule.situation,
    usable: false,
    noArmHost: rule.noArmHost ?? false,
    reason: rule.reason(facts),
    cure: rule.cure,
  };
}
