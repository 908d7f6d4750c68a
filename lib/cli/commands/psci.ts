/**
 * `kvm-arm64 psci`
 *
 * @packageDocumentation
 */
import { styleText } from 'node:util';
import { formatPsciVersion, type PsciVersion } from '../../abi/psci.ts';
import { psciVersionId } from '../../abi/register-id.ts';
import type { Kvm } from '../../index.ts';
import type { VcpuInitOptions } from '../../vcpu.ts';
import type { Command } from '../command.ts';
import { HOST_OPTIONS } from '../host-options.ts';
import { table } from '../table.ts';

/** The PSCI versions of the host. */
export const psci: Command = {
  name: 'psci',
  summary: 'the PSCI versions that a guest can be given',
  options: HOST_OPTIONS,
  json: {
    supported: 'the versions that the host accepts, oldest first',
    default: 'what a new vCPU has; null where the kernel does not tell',
    withoutFeature: 'what a vCPU without the feature PSCI_0_2 has; null likewise',
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
      ['This host accepts', data.supported.join(', ') || 'none: its kernel has no register for the version'],
      ['A new vCPU has', data.default ?? NOT_TOLD],
      ['Without PSCI_0_2 it has', data.withoutFeature ?? NOT_TOLD],
    ] as const;
    return { data, text: table(rows.map(([title, value]) => [styleText('bold', title), value])) };
  },
};

const NOT_TOLD = 'what the kernel does not tell';

function versionAfter(kvm: Kvm, options: VcpuInitOptions): PsciVersion | null {
  const vcpu = kvm.createVm().createVcpu(0);
  vcpu.init(options);
  const versions = vcpu.getRegs([psciVersionId(kvm.architecture)]);
  return versions.failed > 0 ? null : formatPsciVersion(versions.valueAt(0));
}
