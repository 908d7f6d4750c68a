/**
 * `kvm-arm64 state load`
 *
 * @packageDocumentation
 */
import { type RestorePlan, restoreVcpu } from '../../state.ts';
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
    restored: `of each vCPU: id, registers (how many were written), verdict, findings: of each ${FINDING_FIELDS}`,
  },
  examples: ['state load guest.state --host linux-6.12-max'],

  run(context) {
    const { vcpus } = readState(context.positionals[0]!);
    const omit = omitted(context.options);
    const vm = context.open().createVm();
    const restored = vcpus.map(state => {
      const { verdict, findings }: RestorePlan = restoreVcpu(vm.createVcpu(state.id), state, { omit });
      const registers = [...state.registers.ids].filter(id => !omit.includes(id)).length;
      return { id: state.id, registers, verdict, findings };
    });
    const text = restored.map(({ id, registers, verdict, findings }) =>
      [`vCPU ${id}: ${registers} registers restored, ${colouredVerdict(verdict)}`, formatFindings(findings)]
        .filter(part => part !== '')
        .join('\n'),
    );
    return { data: { restored }, text: text.join('\n') };
  },
};
