/**
 * `kvm-arm64 hosts`
 *
 * @packageDocumentation
 */
import { styleText } from 'node:util';
import { capabilityName } from '../../abi/capabilities.ts';
import { formatPsciVersion } from '../../abi/psci.ts';
import { featureName } from '../../abi/vcpu-features.ts';
import { DEFAULT_IPA_BITS } from '../../abi/vm-type.ts';
import { findHost } from '../../emulator/host-file.ts';
import { modelOf } from '../../emulator/model.ts';
import { DEFAULT_HOST, HOSTS, type HostProfile, type ProfileConfiguration } from '../../emulator/profile.ts';
import type { Command } from '../command.ts';
import { table } from '../table.ts';

/** The hosts that can be emulated. */
export const hosts: Command = {
  name: 'hosts',
  positionals: ['[HOST]'],
  summary: 'the emulated hosts; or one of them, or of a FILE that record wrote, in detail',
  json: {
    hosts:
      'of each, or of the one: name, isDefault, kernel, machine, midr, recorded (date), tool, psciVersions (that a guest can be given), ipaBits (min, max), counterHz, targets (preferred, accepted), featureSets (features by name; registers, how many), enableCaps, behaviours; of a modelled one also basis and rules (rule, source)',
  },
  examples: ['hosts', 'hosts linux-6.12-max-sve', 'hosts --json'],

  run({ positionals: [host] }) {
    if (host !== undefined) {
      const description = describe(findHost(host));
      return { data: { hosts: [description] }, text: detail(description) };
    }
    const all = HOSTS.map(name => describe(findHost(name)));
    return { data: { hosts: all }, text: overview(all) };
  },
};

/** What a host of a kernel that leaves none has. */
const NO_CHOICE = 'no choice';

type Description = ReturnType<typeof describe>;

function describe(profile: HostProfile) {
  const { name, provenance, psci, ipaBits, counterHz, targets, enableCaps, behaviours } = profile;
  return {
    name,
    isDefault: name === DEFAULT_HOST,
    ...provenance,
    psciVersions: psci.withFeature.map(version => formatPsciVersion(BigInt(`0x${version}`))),
    ipaBits: { min: ipaBits.min, max: ipaBits.max },
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

function namesOf({ architecture, psci: { forcedBy } }: HostProfile, features: number): string[] {
  return Array.from({ length: 32 }, (_, bit) => bit)
    .filter(bit => ((features >>> bit) & 1) === 1)
    .map(bit => (bit === forcedBy?.feature ? forcedBy.name : featureName(bit, architecture)) ?? String(bit));
}

/** The features that are in any of the sets. */
function featuresOf({ featureSets }: Description): string {
  return [...new Set(featureSets.flatMap(({ features }) => features))].join(', ');
}

function overview(all: readonly Description[]): string {
  const rows = all.map(host => [
    host.name,
    host.kernel.split(' ', 1)[0]!,
    host.machine,
    host.psciVersions.length > 0 ? `to ${host.psciVersions.at(-1)}` : NO_CHOICE,
    String(host.ipaBits.max || DEFAULT_IPA_BITS),
    featuresOf(host),
  ]);
  return [
    table(rows, ['HOST', 'KERNEL', 'MACHINE', 'PSCI', 'IPA BITS', 'VCPU FEATURES']),
    `Default: ${DEFAULT_HOST}`,
  ].join('\n\n');
}

function detail(host: Description): string {
  const facts: [name: string, value: string | number][] = [
    ['Name', host.name],
    ['Kernel', host.kernel],
    ['Machine', `${host.machine}, MIDR_EL1 0x${host.midr}`],
    ['Recorded', `${host.recorded} by ${host.tool}${host.basis === undefined ? '' : `, as ${host.basis}`}`],
    ['PSCI versions', host.psciVersions.join(', ') || NO_CHOICE],
    [
      'IPA bits',
      host.ipaBits.max === 0 ? String(DEFAULT_IPA_BITS) : `${host.ipaBits.min} to ${host.ipaBits.max}`,
    ],
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
      Object.entries(host.behaviours).map(([name, value]) => [name, String(value)]),
      ['BEHAVIOUR', 'VALUE'],
    ),
    ...(host.rules ?? []).map(({ rule, source }) => `${rule}\n  ${source}`),
  ].join('\n\n');
}
