/**
 * `kvm-arm64 state show`
 *
 * @packageDocumentation
 */
import { styleText } from 'node:util';
import { stateToJson } from '../../state.ts';
import type { Command } from '../command.ts';
import { readState } from '../state-file.ts';
import { table } from '../table.ts';

/** A state file in words. */
export const stateShow: Command = {
  name: 'state show',
  positionals: ['FILE'],
  summary: 'what a state file holds',
  json: {
    provenance: 'host, backend, kernel (of a native host), tool, saved (date)',
    vcpus:
      'of each: id, architecture, target, features, mpState, events, registerList (SHA-256 of the ids), registers (values in hex by name)',
  },
  examples: ['state show guest.state', 'state show guest.state --json'],

  run({ positionals: [file = ''] }) {
    const { provenance, vcpus } = stateToJson(readState(file));
    const facts = Object.entries(provenance).map(([name, value]) => [styleText('bold', name), value]);
    const parts = vcpus.map(vcpu => {
      const head = `vCPU ${vcpu.id}: ${vcpu.architecture}, target ${vcpu.target}, ${vcpu.features.join(', ') || 'no feature'}, ${vcpu.mpState}${vcpu.events.serrorPending ? ', an SError is pending' : ''}`;
      return `${head}\n\n${table(Object.entries(vcpu.registers), ['NAME', 'VALUE'])}`;
    });
    return { data: { provenance, vcpus }, text: [table(facts), ...parts].join('\n\n') };
  },
};
