/**
 * `kvm-arm64 psci`
 *
 * @packageDocumentation
 */
import { styleText } from 'node:util';
import type { PsciVersion } from '../../abi/psci.ts';
import type { Kvm } from '../../index.ts';
import type { VcpuInitOptions } from '../../vcpu.ts';
import type { Command } from '../command.ts';
import { table } from '../table.ts';

/** The PSCI versions of the host. */
export const psci: Command = {
  name: 'psci',
  summary: 'the PSCI versions that a guest can be given',
  json: {
    supported: 'the versions that the host accepts, oldest first',
    default: 'what a new vCPU has',
    withoutFeature: 'what a vCPU without the feature PSCI_0_2 has',
  },
  examples: ['psci', 'psci --json'],

  run(context) {
    const kvm = context.open();
    const data = {
      supported: kvm.supportedPsciVersions(),
      default: versionAfter(kvm, {}),
      withoutFeature: versionAfter(kvm, { features: [] }),
    };
    const rows = [
      ['This host accepts', data.supported.join(', ')],
      ['A new vCPU has', data.default],
      ['Without PSCI_0_2 it has', data.withoutFeature],
    ];
    return { data, text: table(rows.map(([title, value]) => [styleText('bold', title!), value!])) };
  },
};

function versionAfter(kvm: Kvm, options: VcpuInitOptions): PsciVersion {
  const vcpu = kvm.createVm().createVcpu(0);
  vcpu.init(options);
  return vcpu.psciVersion;
}
