/**
 * `kvm-arm64 plan`
 *
 * @packageDocumentation
 */
import { planRestore } from '../../state.ts';
import type { Command } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { colouredVerdict, FINDING_FIELDS, formatFindings } from '../findings.ts';
import { HOST_WORDS, withHosts } from '../hosts-of.ts';
import { OMIT_OPTION, omitted, readState } from '../state-file.ts';

/** Whether a saved state loads on a host. */
export const plan: Command = {
  name: 'plan',
  positionals: ['STATE', 'HOST'],
  summary: 'whether a saved state loads on a host, and what the host would change',
  details: `${HOST_WORDS} The exit code is 0 if it loads, else 1.`,
  options: {
    from: {
      value: 'HOST',
      summary: 'where the state comes from: remedies are then tried there, too',
    },
    omit: OMIT_OPTION,
  },
  json: {
    plan: `host, verdict (identical, superset, compatible, incompatible), loads, findings: of each ${FINDING_FIELDS}`,
  },
  examples: ['plan guest.state linux-6.12-max', 'plan guest.state native --json'],

  run({ options, positionals: [file, host] }) {
    const state = readState(file!);
    const from = options.get('from');
    return withHosts([host!, ...(from === undefined ? [] : [from])], ([destination, source]) => {
      const result = planRestore(state, destination!, { source, omit: omitted(options) });
      const head = `${file} to ${result.host}: ${colouredVerdict(result.verdict)}`;
      return {
        data: { plan: result },
        text: result.findings.length === 0 ? head : `${head}\n${formatFindings(result.findings)}`,
        exitCode: result.loads ? EXIT.ok : EXIT.refused,
      };
    });
  },
};
