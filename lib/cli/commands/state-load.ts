/**
 * `kvm-arm64 state load`
 *
 * @packageDocumentation
 */
import { restoreVm } from '../../state.ts';
import type { Command } from '../command.ts';
import { colouredVerdict, FINDING_FIELDS, formatFindings } from '../findings.ts';
import { HOST_OPTIONS } from '../host-options.ts';
import { OMIT_OPTION, omitted, readState } from '../state-file.ts';

/** Tries a state on the host. */
export const stateLoad: Command = {
  name: 'state load',
  positionals: ['FILE'],
  summary: 'restores a state file in a scratch VM of the host, and says what became of it',
  options: { omit: OMIT_OPTION, ...HOST_OPTIONS },
  json: {
    vcpus: 'of each: id, registers (how many were written)',
    memory: 'bytes of guest memory',
    verdict: 'as plan has it',
    findings: `of each: ${FINDING_FIELDS}`,
  },
  examples: ['state load guest.state --host linux-6.12-max'],

  run(context) {
    const state = readState(context.positionals[0]!);
    const omit = omitted(context.options);
    const { vm, plan } = restoreVm(context.open(), state, { omit });
    const { verdict, findings } = plan;
    const vcpus = state.vcpus.map(({ id, registers }) => ({
      id,
      registers: [...registers.ids].filter(register => !omit.includes(register)).length,
    }));
    const memory = vm.memory.reduce((sum, { size }) => sum + size, 0);
    const parts = [
      ...vcpus.map(({ id, registers }) => `vCPU ${id}: ${registers} registers restored`),
      ...(memory > 0 ? [`Memory: ${memory} bytes restored`] : []),
      `Verdict: ${colouredVerdict(verdict)}`,
      formatFindings(findings),
    ];
    const text = parts.filter(part => part !== '').join('\n');
    return { data: { vcpus, memory, verdict, findings }, text };
  },
};
