/**
 * `kvm-arm64 regs`
 *
 * @packageDocumentation
 */
import { didYouMean } from '../../abi/nearest.ts';
import { registerBits } from '../../abi/register-id.ts';
import { formatRegister } from '../../abi/register-names.ts';
import { featureBit, featureName, type VcpuFeature } from '../../abi/vcpu-features.ts';
import type { Command } from '../command.ts';
import { parseFeatures } from '../feature-option.ts';
import { hex } from '../json.ts';
import { table } from '../table.ts';

const SVE = featureBit('SVE');

/** The registers of a new vCPU. */
export const regs: Command = {
  name: 'regs',
  summary: 'the registers of a new vCPU: name, id, width in bits, value',
  options: {
    filter: {
      value: 'TEXT',
      summary: 'only names that contain TEXT; with * (any letters) in it, names that are it. Capitals or not',
    },
    features: {
      value: 'NAMES',
      summary: "vCPU features, by name or bit number, with commas; '' for none. Default: PSCI_0_2",
    },
  },
  json: {
    features: 'that the vCPU was initialised with',
    listed: 'how many registers the kernel lists for it',
    registers: 'name, id, bits, value of each; in place of value an error code where it cannot be read',
  },
  examples: ['regs --filter sctlr', "regs --filter 'ID_AA64*'", 'regs --features PSCI_0_2,PMU_V3 --json'],

  run(context) {
    const kvm = context.open();
    const bitOf = (feature: VcpuFeature | number) => featureBit(feature, kvm.architecture);
    const features = parseFeatures(context.options.get('features') ?? 'PSCI_0_2').map(bitOf);
    const filter = context.options.get('filter') ?? '';
    const vcpu = kvm.createVm().createVcpu(0);
    vcpu.init({ features });
    // The kernel does not list the registers of a vCPU with SVE before.
    if (features.includes(SVE) && kvm.checkExtension('ARM_SVE') > 0) vcpu.finalize('SVE');

    const pattern = toPattern(filter);
    const listed = Array.from(vcpu.getRegList(), id => ({ id, name: formatRegister(id) }));
    const wanted = listed.filter(({ name }) => pattern.test(name));
    const batch = vcpu.getRegs(wanted.map(({ id }) => id));
    const registers = wanted.map(({ id, name }, i) => {
      const error = batch.errorAt(i)?.code;
      const value = error === undefined ? batch.valueAt(i) : undefined;
      return { name, id, bits: registerBits(id), value, error };
    });

    const names = features.map(bit => featureName(bit, kvm.architecture) ?? bit);
    const near = registers.length > 0 ? '' : didYouMean(filter, namesOf(listed));
    const title = `${registers.length} of ${listed.length} registers${near}, vCPU with ${names.join(', ') || 'no feature'}`;
    const rows = registers.map(({ name, id, bits, value, error }) => [
      name,
      hex(id, 16),
      String(bits),
      value === undefined ? error! : hex(value),
    ]);
    return {
      data: { features: names, listed: listed.length, registers },
      text: `${title}\n\n${table(rows, ['NAME', 'ID', 'BITS', 'VALUE'])}`,
    };
  },
};

function namesOf(registers: readonly { readonly name: string }[]): string[] {
  return registers.map(({ name }) => name);
}

function toPattern(filter: string): RegExp {
  const escaped = filter.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*');
  return new RegExp(filter.includes('*') ? `^${escaped}$` : escaped, 'i');
}
