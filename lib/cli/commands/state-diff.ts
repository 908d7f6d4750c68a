/**
 * `kvm-arm64 state diff`
 *
 * @packageDocumentation
 */
import { diffStates } from '../../state.ts';
import type { Command } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { hex } from '../json.ts';
import { readState } from '../state-file.ts';
import { table } from '../table.ts';

/** Two state files side by side. */
export const stateDiff: Command = {
  name: 'state diff',
  positionals: ['A', 'B'],
  summary: 'the registers in which two state files differ, counters aside; exit code 1 if any do',
  json: {
    differences:
      'of each: vcpu and id (absent of the interrupt controller), name, a and b (values; absent where one has no such register), fields (name, a, b)',
  },
  examples: ['state diff before.state after.state'],

  run({ positionals: [a = '', b = ''] }) {
    const differences = diffStates(readState(a), readState(b));
    const rows = differences.map(({ vcpu, name, a: left, b: right, fields }) => [
      vcpu === undefined ? '-' : String(vcpu),
      name,
      left === undefined ? '-' : hex(left),
      right === undefined ? '-' : hex(right),
      fields.map(field => `${field.name} ${field.a.toString(16)}, ${field.b.toString(16)}`).join('; '),
    ]);
    return {
      data: { differences },
      text: rows.length === 0 ? 'No difference' : table(rows, ['VCPU', 'NAME', 'A', 'B', 'FIELDS']),
      exitCode: rows.length === 0 ? EXIT.ok : EXIT.refused,
    };
  },
};
