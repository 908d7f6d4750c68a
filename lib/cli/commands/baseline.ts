/**
 * `kvm-arm64 baseline`
 *
 * @packageDocumentation
 */
import { findGicRegister } from '../../abi/gic-registers.ts';
import { formatRegister } from '../../abi/register-names.ts';
import { baseline as findBaseline, type GicBaseline, WANTED_FEATURES } from '../../state.ts';
import type { Command } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { featuresGiven } from '../feature-option.ts';
import { HOST_WORDS, withHosts } from '../hosts-of.ts';
import { hex } from '../json.ts';
import { table } from '../table.ts';
import { UsageError } from '../usage-error.ts';

/** What all of some hosts accept. */
export const baseline: Command = {
  name: 'baseline',
  positionals: ['HOST...'],
  summary: 'what all of some hosts accept: features, PSCI version, bit maps, ID registers',
  details: `${HOST_WORDS} A vCPU made so on any of them loads on every other. The exit code is 1 where nothing does, with the host that spoils it.`,
  options: {
    features: {
      value: 'NAMES',
      summary: `vCPU features that are wanted. Default: ${WANTED_FEATURES.join(',')}`,
    },
  },
  json: {
    hosts: 'their names',
    features: 'that all have, of those that are wanted',
    lacking: 'of the others: feature, hosts (that have it not)',
    registers: 'to write before the first run: values in hex by name',
    gic: 'the interrupt controller that all can give a guest: version, registers (to write behind its init: values in hex by name); or null',
    omit: 'names of registers to leave out of a restore, as not all hosts have them',
    spoilers: 'what stands in the way: host, name, reason of each',
  },
  examples: ['baseline linux-6.12-max linux-6.18-max linux-7.3-max'],

  run({ options, positionals }) {
    if (positionals.length < 2)
      throw new UsageError('baseline needs two hosts or more; see kvm-arm64 baseline --help');
    const found = withHosts(positionals, hosts => findBaseline(hosts, { features: featuresGiven(options) }));
    const { hosts, features, lacking, registers, spoilers } = found;
    const gic = found.gic && describeGic(found.gic);
    const omit = found.omit.map(formatRegister);
    const spoiled = spoilers.map(({ host, name, reason }) => [host, name, reason]);
    const lines = [
      ...(spoilers.length > 0 ? [table(spoiled, ['SPOILED BY', 'REGISTER', 'REASON'])] : []),
      `Features: ${features.join(', ') || 'none'}`,
      ...lacking.map(
        ({ feature, hosts: without }) =>
          `Not ${feature}: ${without.join(', ')} ${without.length > 1 ? 'lack' : 'lacks'} it`,
      ),
      registers.length > 0
        ? table(
            Array.from(registers, ([id, value]) => [formatRegister(id), hex(value)]),
            ['WRITE', 'VALUE'],
          )
        : 'Nothing to write.',
      ...(gic === undefined
        ? []
        : [
            `GICv${gic.version}: ${Object.entries(gic.registers)
              .map(([name, value]) => `${name} ${value}`)
              .join(', ')}`,
          ]),
      ...(omit.length > 0 ? [`Leave out of a restore: ${omit.join(', ')}`] : []),
    ];
    return {
      data: { hosts, features, lacking, registers, gic: gic ?? null, omit, spoilers },
      text: lines.join('\n\n'),
      exitCode: spoilers.length > 0 ? EXIT.refused : EXIT.ok,
    };
  },
};

function describeGic({ version, registers }: GicBaseline) {
  const named = registers.map(({ group, attr, value }): [string, string] => [
    findGicRegister(version, group, attr)!.name,
    hex(value),
  ]);
  return { version, registers: Object.fromEntries(named) };
}
