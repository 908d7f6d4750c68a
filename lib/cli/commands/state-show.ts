/**
 * `kvm-arm64 state show`
 *
 * @packageDocumentation
 */
import { styleText } from 'node:util';
import { type GicJson, stateToJson } from '../../state.ts';
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
    vm: 'of a saved VM, else null: ipaBits, capabilities (of each: name, args); smcccFilter and timerIrqs where they were set',
    gic: 'its interrupt controller, or null: version, distributor, cpuInterface or redistributors (base, count; 0 is as many as vCPUs), irqs, initialized, registers (values in hex by name)',
    memory:
      'of each region of a saved VM: guestPhysAddr, size, readOnly, logDirtyPages, complete (other pages are zero), pages (of 4096 bytes, how many are in it), sha256 (of those)',
    vcpus:
      'of each: id, architecture, target, features, mpState, events, pmu (irq, filter) and pvTime where they were set, registerList (SHA-256 of the ids), registers (values in hex by name)',
  },
  examples: ['state show guest.state', 'state show guest.state --json'],

  run({ positionals: [file = ''] }) {
    const state = stateToJson(readState(file));
    const { provenance, vm, gic, vcpus, memory = [] } = state;
    const facts = Object.entries(provenance).map(([name, value]) => [styleText('bold', name), value]);
    const parts = vcpus.map(vcpu => {
      const head = `vCPU ${vcpu.id}: ${vcpu.architecture}, target ${vcpu.target}, ${vcpu.features.join(', ') || 'no feature'}, ${vcpu.mpState}${vcpu.events.serrorPending ? ', an SError is pending' : ''}${vcpu.pmu === undefined ? '' : `, PMU with ${vcpu.pmu.irq === null ? 'no interrupt' : `interrupt ${vcpu.pmu.irq}`}`}${vcpu.pvTime === undefined ? '' : `, stolen time at ${vcpu.pvTime}`}`;
      return `${head}\n\n${table(Object.entries(vcpu.registers), ['NAME', 'VALUE'])}`;
    });
    const machine = [
      vm &&
        `VM: ${vm.ipaBits} bits of addresses, ${vm.capabilities.map(({ name }) => name).join(', ') || 'no capability'} enabled`,
      ...memory.map(
        region =>
          `Memory at ${region.guestPhysAddr}: ${region.size} bytes${region.readOnly ? ', read-only' : ''}, ${region.pages} pages of 4096 bytes ${region.complete ? 'are not zero' : 'were written since an earlier state'}`,
      ),
    ].filter(line => line !== undefined);
    const heads = [table(facts), ...(machine.length > 0 ? [machine.join('\n')] : [])];
    return {
      data: { provenance, vm: vm ?? null, gic: gic ?? null, memory, vcpus },
      text: [...heads, ...(gic === undefined ? [] : [describeGic(gic)]), ...parts].join('\n\n'),
    };
  },
};

/** The zeros of a GIC say little, and are most of it. */
function describeGic({ version, irqs, initialized, distributor, registers, ...rest }: GicJson): string {
  const { cpuInterface, redistributors = [] } = rest;
  const places = [
    `distributor at ${distributor}`,
    ...(cpuInterface === undefined ? [] : [`CPU interface at ${cpuInterface}`]),
    ...redistributors.map(
      ({ base, count }) => `redistributors ${count === 0 ? '' : `of ${count} vCPUs `}at ${base}`,
    ),
  ];
  const head = `GICv${version}: ${irqs ?? 'no number of'} interrupts, ${initialized ? 'initialised' : 'not initialised'}, ${places.join(', ')}`;
  const rows = Object.entries(registers).filter(([, value]) => value !== '0x0');
  const zeros = Object.keys(registers).length - rows.length;
  if (rows.length === 0) return head;
  return `${head}\n\n${table(rows, ['NAME', 'VALUE'])}\nand ${zeros} that are 0`;
}
