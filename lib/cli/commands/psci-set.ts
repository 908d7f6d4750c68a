/**
 * `kvm-arm64 psci set`
 *
 * @packageDocumentation
 */
import type { PsciVersion } from '../../abi/psci.ts';
import type { Command } from '../command.ts';
import { HOST_OPTIONS } from '../host-options.ts';
import { table } from '../table.ts';

/** What selecting a version does, shown on a scratch VM. */
export const psciSet: Command = {
  name: 'psci set',
  positionals: ['VERSION'],
  summary: 'select a PSCI version on a scratch VM, and see what that does',
  details:
    'The scratch VM has two vCPUs, of which only vCPU 0 is set. It is closed afterwards: nothing remains.',
  options: HOST_OPTIONS,
  json: {
    steps: 'what was done, in order: step (init, set, init again), and versions: what vCPU 0 and 1 have then',
  },
  examples: ['psci set 1.0', 'psci set 1.0 --json'],

  run(context) {
    const version = context.positionals[0] as PsciVersion;
    const vm = context.open().createVm();
    const vcpus = [vm.createVcpu(0), vm.createVcpu(1)] as const;
    const steps: { step: string; versions: PsciVersion[] }[] = [];
    const note = (step: string) => steps.push({ step, versions: vcpus.map(vcpu => vcpu.psciVersion) });

    for (const vcpu of vcpus) vcpu.init();
    note('init');
    vcpus[0].setPsciVersion(version);
    note('set');
    for (const vcpu of vcpus) vcpu.init();
    note('init again');
    vm.close();
    const rows = steps.map(({ step, versions }) => [
      step === 'set' ? `set ${version} on vCPU 0` : step,
      ...versions,
    ]);
    return {
      data: { steps },
      text: `${table(rows, ['AFTER', 'VCPU 0', 'VCPU 1'])}\n\nThe scratch VM is closed: nothing remains of this.`,
    };
  },
};
