/**
 * `kvm-arm64 info`
 *
 * @packageDocumentation
 */
import { arch, platform, release } from 'node:os';
import { styleText } from 'node:util';
import { capabilityMeaning, capabilityName, MAX_CAPABILITY } from '../../abi/capabilities.ts';
import { VCPU_FEATURE_CAPABILITY } from '../../abi/vcpu-features.ts';
import { DEFAULT_IPA_BITS } from '../../abi/vm-type.ts';
import type { HostProfile } from '../../emulator/profile.ts';
import type { Kvm, Vm } from '../../index.ts';
import type { Command, Context } from '../command.ts';
import { HOST_OPTIONS, profileOf } from '../host-options.ts';
import { table } from '../table.ts';

/** Which backend answers here, why, and what its host can do. */
export const info: Command = {
  name: 'info',
  summary: 'which backend answers here and why, and what its host can do',
  options: HOST_OPTIONS,
  json: {
    reason: 'why this backend answers',
    machine: 'this machine: platform, arch, kernel, node',
    recorded:
      'what the emulated host was recorded from: kernel, machine, date, and the basis of a modelled one; null for native',
    apiVersion: 'version of the KVM API',
    vcpuMmapSize: 'bytes that a vCPU shares with its program',
    ipaBits: 'largest number of guest-physical address bits',
    maxVcpus: 'largest number of vCPUs in a VM',
    psciVersions: 'the PSCI versions that a guest can be given, oldest first',
    features: 'the vCPU features that there are capabilities for',
    capabilities: 'value by name: all names, and the numbers of those that have a value but no name here',
  },
  examples: ['info', 'info --json --backend native'],

  run(context) {
    const facts = factsOf(context);
    const capabilities = capabilitiesOf(context.open().createVm());
    const byName = Object.fromEntries(capabilities.map(({ name, value }) => [name, value]));
    return {
      data: { ...facts, capabilities: byName },
      text: `${factText(facts)}\n\n${capabilityText(capabilities)}`,
    };
  },
};

function factsOf(context: Context) {
  const kvm = context.open();
  const profile = profileOf(context);
  return {
    reason: kvm.reason,
    machine: { platform: platform(), arch: arch(), kernel: release(), node: process.versions.node },
    recorded: profile === undefined ? null : recordingOf(profile),
    apiVersion: kvm.apiVersion(),
    vcpuMmapSize: kvm.vcpuMmapSize(),
    // 0 before Linux 4.20, which has no choice.
    ipaBits: kvm.checkExtension('ARM_VM_IPA_SIZE') || DEFAULT_IPA_BITS,
    // Old kernels answer for the GIC that has most (`kvm_vm_ioctl_check_extension`, 4.18), whichever there is.
    maxVcpus: profile?.maxVcpus ?? kvm.checkExtension('MAX_VCPUS'),
    psciVersions: kvm.supportedPsciVersions(),
    features: featuresOf(kvm),
  };
}

function recordingOf({ provenance: { kernel, machine, recorded, basis } }: HostProfile) {
  return { kernel, machine, date: recorded, ...(basis && { basis }) };
}

function featuresOf(kvm: Kvm): string[] {
  return Object.entries(VCPU_FEATURE_CAPABILITY)
    .filter(([, capability]) => capability !== undefined && kvm.checkExtension(capability) > 0)
    .map(([feature]) => feature);
}

interface HostCapability {
  readonly name: string;
  readonly value: number;
  readonly meaning: string;
}

/** Asked of a VM, which answers for all of them; `/dev/kvm` answers EINVAL for some. */
function capabilitiesOf(vm: Vm): HostCapability[] {
  return Array.from({ length: MAX_CAPABILITY + 1 }, (_, number) => ({
    name: capabilityName(number),
    number,
    value: vm.checkExtension(number),
  }))
    .filter(({ name, value }) => name !== undefined || value !== 0)
    .map(({ name, number, value }) => ({
      name: name ?? String(number),
      value,
      meaning: capabilityMeaning(number) ?? 'a capability that this program does not know',
    }));
}

function factText({ machine, recorded, ...facts }: ReturnType<typeof factsOf>): string {
  const rows: [name: string, value: string | number][] = [
    ['Why', facts.reason],
    ['This machine', `${machine.platform} ${machine.arch}, kernel ${machine.kernel}, Node ${machine.node}`],
    ...(recorded === null ? [] : [originOf(recorded)]),
    ['KVM API', facts.apiVersion],
    ['vCPU mapping', `${facts.vcpuMmapSize} bytes`],
    ['IPA bits', `up to ${facts.ipaBits}`],
    ['vCPUs in a VM', `up to ${facts.maxVcpus}`],
    ['PSCI versions', facts.psciVersions.join(', ') || 'no choice'],
    ['Features with a capability', facts.features.join(', ')],
  ];
  return table(rows.map(([name, value]) => [styleText('bold', name), String(value)]));
}

function originOf({ kernel, machine, date, basis }: ReturnType<typeof recordingOf>): [string, string] {
  return basis === undefined
    ? ['Recorded from', `${machine} with kernel ${kernel}, on ${date}`]
    : ['Modelled after', `${basis}, as Linux ${kernel}`];
}

function capabilityText(capabilities: readonly HostCapability[]): string {
  const present = capabilities.filter(({ value }) => value !== 0);
  const absent = capabilities.filter(({ value }) => value === 0);
  const rows = present.map(({ name, value, meaning }) => [name, String(value), meaning]);
  return `${table(rows, ['CAPABILITY', 'VALUE', 'MEANING'])}

${styleText('bold', 'Without')}: ${absent.map(({ name }) => name.replace('KVM_CAP_', '')).join(', ')}`;
}
