/**
 * `kvm-arm64 compare`
 *
 * @packageDocumentation
 */
import { HOSTS } from '../../emulator/profile.ts';
import type { Kvm } from '../../index.ts';
import { compareHosts, type FeatureOptions, type HostComparison, WANTED_FEATURES } from '../../state.ts';
import { version } from '../../version.ts';
import type { Command, Report } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { featuresGiven } from '../feature-option.ts';
import { colouredVerdict, FINDING_FIELDS, formatFindings } from '../findings.ts';
import { HOST_WORDS, withHosts } from '../hosts-of.ts';
import { matrixPage } from '../matrix-page.ts';
import { checkOutput, writeOutput } from '../output-file.ts';
import { table } from '../table.ts';
import { UsageError } from '../usage-error.ts';

/** Two hosts, or many, side by side. */
export const compare: Command = {
  name: 'compare',
  positionals: ['[HOST...]'],
  summary: 'whether what runs on one host loads on another, both ways; or on any of many',
  details: `${HOST_WORDS} What is compared is a new vCPU; a saved one is planned by kvm-arm64 plan. With two hosts the exit code is 0 if the first loads on the second, else 1.`,
  options: {
    matrix: { summary: `every ordered pair, as a table; without hosts: all that the package has` },
    html: { value: 'FILE', summary: 'with --matrix: as a page, too, with the findings behind each cell' },
    features: {
      value: 'NAMES',
      summary: `vCPU features, of which those are compared that both hosts have. Default: ${WANTED_FEATURES.join(',')}`,
    },
  },
  json: {
    comparisons: `of each ordered pair: source, destination, verdict (identical, superset, compatible, incompatible), features, findings: of each ${FINDING_FIELDS}`,
  },
  examples: [
    'compare linux-6.18-max linux-7.3-max',
    'compare --matrix linux-6.12-max linux-6.18-max linux-7.3-max',
    'compare --matrix --html hosts.html',
  ],

  run({ options, positionals }) {
    const features = { features: featuresGiven(options) };
    const page = options.get('html');
    if (page !== undefined) {
      if (!options.has('matrix')) throw new UsageError('--html is a page of a --matrix');
      checkOutput(page);
    }
    if (options.has('matrix'))
      return withHosts(positionals.length > 0 ? positionals : HOSTS, hosts => matrix(hosts, features, page));
    if (positionals.length !== 2)
      throw new UsageError('compare needs two hosts, or --matrix; see kvm-arm64 compare --help');
    return withHosts(positionals, ([a, b]) => both(a!, b!, features));
  },
};

function both(a: Kvm, b: Kvm, features: FeatureOptions): Report {
  const comparisons = [compareHosts(a, b, features), compareHosts(b, a, features)];
  return {
    data: { comparisons },
    text: comparisons.map(describe).join('\n\n'),
    exitCode: comparisons[0]!.verdict === 'incompatible' ? EXIT.refused : EXIT.ok,
  };
}

function describe({ source, destination, verdict, features, findings }: HostComparison): string {
  const head = `${source} to ${destination}: ${colouredVerdict(verdict)}, with ${features.join(', ') || 'no feature'}`;
  return findings.length === 0 ? head : `${head}\n${formatFindings(findings)}`;
}

function matrix(hosts: readonly Kvm[], features: FeatureOptions, page: string | undefined): Report {
  const comparisons = hosts.map(a => hosts.map(b => compareHosts(a, b, features)));
  if (page !== undefined) {
    const made = `kvm-arm64 ${version()}, ${new Date().toISOString()}`;
    writeOutput(page, matrixPage(comparisons, made));
  }
  const rows = comparisons.map((row, i) => [
    `${i + 1} ${hosts[i]!.host}`,
    ...row.map(({ verdict }) => colouredVerdict(verdict, verdict)),
  ]);
  return {
    data: { comparisons: comparisons.flat() },
    text: table(rows, ['FROM, TO', ...hosts.map((_, i) => String(i + 1))]),
  };
}
