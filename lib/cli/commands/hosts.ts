/**
 * `kvm-arm64 hosts`
 *
 * @packageDocumentation
 */
import { styleText } from 'node:util';
import { capabilityName } from '../../abi/capabilities.ts';
import { formatPsciVersion } from '../../abi/psci.ts';
import { DEFAULT_IPA_BITS } from '../../abi/vm-type.ts';
import { cpuGaps } from '../../emulator/cpu-features.ts';
import { findHost } from '../../emulator/host-file.ts';
import { modelOf } from '../../emulator/model.ts';
import {
  DEFAULT_HOST,
  HOSTS,
  type HostProfile,
  type ProfileBehaviours,
  type ProfileConfiguration,
} from '../../emulator/profile.ts';
import type { Command, Report } from '../command.ts';
import { nameOfFeature } from '../host-features.ts';
import { table } from '../table.ts';

/** The hosts that can be emulated. */
export const hosts: Command = {
  name: 'hosts',
  positionals: ['[HOST]'],
  summary: 'the emulated hosts; or one of them, or of a FILE that record wrote, in detail',
  options: {
    'cpu-gaps': {
      summary: 'instead: what the ID registers of each claim and the emulated CPU does not execute',
    },
  },
  json: {
    hosts:
      'of each, or of the one: name, isDefault, architecture (arm64, arm), kernel, machine, midr, recorded (date), tool, psciVersions (that a guest can be given), ipaBits (min, max), counterHz, targets (preferred, accepted), featureSets (features by name; registers, how many), enableCaps, behaviours; of a modelled one also basis and rules (rule, source). With --cpu-gaps: name, gaps (feature, kind: integer, simd or system; instructions, effect)',
  },
  examples: ['hosts', 'hosts linux-6.12-max-sve', 'hosts --json', 'hosts --cpu-gaps'],

  run({ options, positionals: [host] }) {
    if (options.has('cpu-gaps')) return gapsReport(host === undefined ? HOSTS : [host]);
    if (host !== undefined) {
      const description = describe(findHost(host));
      return { data: { hosts: [description] }, text: detail(description) };
    }
    const all = HOSTS.map(name => describe(findHost(name)));
    return { data: { hosts: all }, text: overview(all) };
  },
};

function gapsReport(names: readonly string[]): Report {
  const found = names.map(name => {
    const profile = findHost(name);
    return { name: profile.name, gaps: cpuGaps(profile) };
  });
  const all = new Map(found.flatMap(({ gaps }) => gaps.map(gap => [gap.feature, gap] as const)));
  const rows = [...all.values()].map(({ feature, kind, instructions, effect }) => [
    feature,
    kind,
    instructions.length === 0 ? effect : instructions.join(' '),
  ]);
  return {
    data: { hosts: found },
    text: [
      table(
        found.map(({ name, gaps }) => [name, gaps.map(({ feature }) => feature).join(' ') || 'nothing']),
        ['HOST', 'CLAIMED AND NOT EXECUTED'],
      ),
      ...(rows.length === 0 ? [] : [table(rows, ['FEATURE', 'KIND', 'UNDEFINED INSTRUCTIONS, OR EFFECT'])]),
    ].join('\n\n'),
  };
}

/** What a host of a kernel that leaves none has. */
const NO_CHOICE = 'no choice';

type Description = ReturnType<typeof describe>;

function describe(profile: HostProfile) {
  const { name, provenance, psci, ipaBits, counterHz, targets, enableCaps, behaviours } = profile;
  return {
    name,
    isDefault: name === DEFAULT_HOST,
    architecture: profile.architecture ?? 'arm64',
    ...provenance,
    psciVersions: psci.withFeature.map(version => formatPsciVersion(BigInt(`0x${version}`))),
    ipaBits: { min: ipaBits.min || DEFAULT_IPA_BITS, max: ipaBits.max || DEFAULT_IPA_BITS },
    counterHz,
    targets,
    featureSets: profile.configurations
      .flatMap(one => featureSetsOf(profile, one))
      .sort((a, b) => a.bits - b.bits)
      .map(({ bits, registers }) => ({ features: namesOf(profile, bits), registers })),
    enableCaps: enableCaps.map(cap => capabilityName(cap) ?? String(cap)),
    behaviours,
  };
}

function featureSetsOf(profile: HostProfile, { features }: ProfileConfiguration) {
  const model = modelOf(profile);
  return features.map(bits => ({ bits, registers: model.configuration(bits)!.list.length }));
}

function namesOf(profile: HostProfile, features: number): string[] {
  return Array.from({ length: 32 }, (_, bit) => bit)
    .filter(bit => ((features >>> bit) & 1) === 1)
    .map(bit => nameOfFeature(bit, profile));
}

/** The features that are in any of the sets. */
function featuresOf({ featureSets }: Description): string {
  return [...new Set(featureSets.flatMap(({ features }) => features))].join(', ');
}

function overview(all: readonly Description[]): string {
  const rows = all.map(host => [
    host.name,
    `${host.kernel.split(' ', 1)[0]!}${host.architecture === 'arm' ? ' arm' : ''}`,
    host.machine,
    host.psciVersions.length > 0 ? `to ${host.psciVersions.at(-1)}` : NO_CHOICE,
    String(host.ipaBits.max),
    featuresOf(host),
  ]);
  return [
    table(rows, ['HOST', 'KERNEL', 'MACHINE', 'PSCI', 'IPA BITS', 'VCPU FEATURES']),
    `Default: ${DEFAULT_HOST}`,
  ].join('\n\n');
}

/** What a behaviour is, in a line. */
const BEHAVIOURS: Readonly<Record<keyof ProfileBehaviours, string>> = {
  vcpuEventsNeedInit: 'KVM_GET_VCPU_EVENTS and KVM_SET_VCPU_EVENTS want an initialised vCPU',
  workaround2WithoutSsbs: 'what SMCCC_ARCH_WORKAROUND_2 is while ID_AA64PFR1_EL1.SSBS is 0',
  aarch32User: 'PSTATE may be set to 32-bit user mode',
  clidr: 'what CLIDR_EL1 may be set to: its own value, any, or any that names a level of coherence',
  featuresPerVcpu: 'each vCPU has features of its own; else all of a VM have the same',
  widthOfAllVcpus: 'EL1_32BIT must be the same in all vCPUs that there are, initialised or not',
  vmAttributes: 'a VM has device attributes, such as the SMCCC filter',
  pmu: "what a write of the PMU's registers is: stored, a change by PM*SET and PM*CLR, or assigned to them",
  bankedNarrowing: 'in 32-bit modes registers are cut to 32 bits as that mode banks them',
  abortTakenAtOnce: 'KVM_SET_VCPU_EVENTS has a data abort taken at once, not at the next run',
  abort32TakenAtOnce: 'the same of a vCPU with a 32-bit EL1',
  serrorTakenAtOnce: 'an SError that is not masked is taken at once, too',
  abortSyndrome: 'ESR_EL1 of such a data abort, in hex',
  timerControl:
    'what CNTx_CTL shows: its status as it is now, what was written but the status, or all that was',
  emptyFilterRefused: 'an SMCCC filter of no functions is EINVAL',
  identitySettledByRun: 'the first run settles the ID registers of a VM: changes are then EBUSY',
  signedReadsCut: 'a read of a device that extends the sign loses it',
  guestCtrLacksIdc: 'a guest reads CTR_EL0 without the IDC that userspace reads',
  timersEndWaits: 'without a GIC of KVM, a timer that fires ends the wait of a vCPU',
  reservedAffinityIgnored: 'CPU_ON ignores the reserved bits of an affinity',
  stepKept: "a debugger's single step is kept over exits; else it runs on over what KVM emulates",
  debuggerMeetsGuest: "the guest's own breakpoints stop for a debugger that brings none",
  debugTellsHigh: 'a debug exit tells the upper half of the syndrome, too',
  iccWithoutGic: 'what a guest without an interrupt controller has of the ICC registers of a GICv3',
  pmmirReadsZero: 'a guest reads PMMIR_EL1 as zero, with a PMU and without',
  pmuChainsPairs: 'a PMU counter and its CHAIN are one of 64 bits, whose lower half never overflows',
  pmuKeepsResets: 'PMCR_EL0 shows userspace the resets that a guest has written last',
  pmuInterruptNeedsEnable: "the PMU's interrupt is of counters that are enabled now",
  rawCore: 'core registers are any bytes of struct kvm_regs',
  beforeSve: 'KVM_ARM_VCPU_FINALIZE and the registers of SVE are unknown',
  unknownFirmware: 'what a firmware register that is not there gives, in place of ENOENT',
};

function detail(host: Description): string {
  const { min, max } = host.ipaBits;
  const facts: [name: string, value: string | number][] = [
    ['Name', host.name],
    ['Kernel', host.kernel],
    ['Machine', `${host.machine}, MIDR_EL1 0x${host.midr}`],
    host.basis === undefined
      ? ['Recorded', `${host.recorded} by ${host.tool}`]
      : ['Modelled after', host.basis],
    ['PSCI versions', host.psciVersions.join(', ') || NO_CHOICE],
    ['IPA bits', min === max ? String(max) : `${min} to ${max}`],
    ['Counter', `${host.counterHz} Hz`],
    ['Targets', `${host.targets.accepted.join(', ')}; preferred: ${host.targets.preferred}`],
    ['Enables', host.enableCaps.map(name => name.replace('KVM_CAP_', '')).join(', ') || 'nothing'],
  ];
  const sets = host.featureSets.map(({ features, registers }) => [
    String(registers),
    features.join(', ') || 'none',
  ]);
  return [
    table(facts.map(([name, value]) => [styleText('bold', name), String(value)])),
    table(sets, ['REGISTERS', 'WITH VCPU FEATURES']),
    table(
      Object.entries(host.behaviours).map(([name, value]) => [
        name,
        String(value),
        BEHAVIOURS[name as keyof ProfileBehaviours],
      ]),
      ['BEHAVIOUR', 'VALUE', 'MEANING'],
    ),
    ...(host.rules ?? []).map(({ rule, source }) => `${rule}\n  ${source}`),
  ].join('\n\n');
}
