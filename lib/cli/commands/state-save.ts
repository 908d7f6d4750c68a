/**
 * `kvm-arm64 state save`
 *
 * @packageDocumentation
 */
import { encodeState, saveVcpus } from '../../state.ts';
import type { Command } from '../command.ts';
import { featuresGiven } from '../feature-option.ts';
import { HOST_OPTIONS } from '../host-options.ts';
import { checkOutput, writeOutput } from '../output-file.ts';

/** A new vCPU in a file. */
export const stateSave: Command = {
  name: 'state save',
  positionals: ['FILE'],
  summary: 'a new vCPU of the host in a state file',
  details: 'That is what kvm-arm64 plan takes; programs save their guests with kvm-arm64/state.',
  options: {
    features: {
      value: 'NAMES',
      summary: 'vCPU features, by name or bit number, with commas. Default: PSCI_0_2',
    },
    psci: { value: 'VERSION', summary: 'pins the PSCI version' },
    ...HOST_OPTIONS,
  },
  json: { file: 'the file', bytes: 'its length', registers: 'how many are in it' },
  examples: ['state save new.state --host linux-6.18-max --features PSCI_0_2,PMU_V3 --psci 1.1'],

  run(context) {
    const [file = ''] = context.positionals;
    checkOutput(file);
    const kvm = context.open();
    const vcpu = kvm.createVm().createVcpu(0);
    const features = featuresGiven(context.options);
    vcpu.init({ features });
    if (
      features?.some(name => /^(KVM_ARM_VCPU_)?SVE$|^4$/.test(String(name))) &&
      kvm.checkExtension('ARM_SVE') > 0
    )
      vcpu.finalize('SVE');
    const version = context.options.get('psci');
    if (version !== undefined) vcpu.setPsciVersion(version as `${number}.${number}`);
    const state = saveVcpus([vcpu]);
    const content = encodeState(state);
    writeOutput(file, content);
    const registers = state.vcpus[0]!.registers.length;
    return {
      data: { file, bytes: content.length, registers },
      text: `${registers} registers in ${file}, ${content.length} bytes`,
    };
  },
};
