/**
 * What becomes of a state's devices on a host, tried on a scratch VM.
 *
 * @packageDocumentation
 */
import { findGicRegister, gicRegisterFields } from '../abi/gic-registers.ts';
import type { Kvm } from '../kvm.ts';
import type { Vcpu } from '../vcpu.ts';
import type { Vm } from '../vm.ts';
import { onScratch } from './features.ts';
import { differing, type Finding, type Remedy } from './finding.ts';
import { type GicState, type GicValue, gicRegisterName, readRegister } from './gic-state.ts';
import type { VcpuTrial } from './plan-restore.ts';
import type { SavedState, VcpuState } from './vcpu-state.ts';
import { prepareDevices, presentValues, writeGic, writeGicRegister } from './write-devices.ts';
import { attempt, type Refusal } from './write-state.ts';

/** The devices of a state on a scratch VM, whose vCPUs are initialised. */
export class DeviceTrial {
  /** What cannot be made. */
  readonly prepared: readonly Finding[];
  readonly #vm: Vm;
  readonly #state: SavedState;
  readonly #source: Kvm | undefined;

  constructor(vm: Vm, state: SavedState, trials: readonly VcpuTrial[], source: Kvm | undefined) {
    this.#vm = vm;
    this.#state = state;
    this.#source = source;
    const vcpus = new Map<VcpuState, Vcpu>();
    for (const { state: each, vcpu } of trials) {
      if (vcpu === undefined) continue;
      vcpus.set(each, vcpu);
      addPageFor(vm, each);
    }
    this.prepared = prepareDevices(vm, state, vcpus).map(refusal => this.#unmade(refusal));
  }

  /** What becomes of the GIC's registers, once those of the vCPUs are written. */
  finish(): Finding[] {
    const { gic: state } = this.#state;
    const { gic } = this.#vm;
    if (state === undefined || gic === undefined || !gic.initialized) return [];
    const refusals = new Map(
      writeGic(gic, state, true).map(({ device, error }) => [device!.entry as GicValue, error.code]),
    );
    const present = presentValues(gic, state);
    return state.registers.flatMap((entry, i) => {
      const code = refusals.get(entry);
      const value = present[i];
      if (code === undefined && value === entry.value) return [];
      return [this.#ofRegister(state, entry, value, code)];
    });
  }

  #ofRegister(state: GicState, entry: GicValue, destination: bigint | undefined, code?: string): Finding {
    const { name, cpu } = findGicRegister(state.placement.version, entry.group, entry.attr)!;
    const { value: source } = entry;
    const fields = destination === undefined ? [] : differing(gicRegisterFields(name), source, destination);
    const remedy =
      code === undefined || destination === undefined
        ? undefined
        : this.#pin(state, entry, destination, name, fields);
    return {
      what: 'GIC',
      effect: destination === undefined ? 'lacked' : code === undefined ? 'changed' : 'refused',
      name: gicRegisterName(name, cpu),
      source,
      ...(destination !== undefined && { destination }),
      fields,
      ...(code !== undefined && { code }),
      guestNotices: true,
      ...(remedy && { remedy }),
    };
  }

  /** What describes the GIC can be written at the source as the destination has it. */
  #pin(
    { placement }: GicState,
    entry: GicValue,
    value: bigint,
    name: string,
    fields: Finding['fields'],
  ): Remedy | undefined {
    if (fields.length === 0) return undefined;
    const pinned = { ...entry, value };
    const isTaken = this.#source === undefined || takesRegister(this.#source, placement.version, pinned);
    if (!isTaken) return undefined;
    const change = fields.map(
      field => `${field.name} ${field.source.toString(16)} to ${field.destination.toString(16)}`,
    );
    const proviso = this.#source === undefined ? ', if the source kernel allows' : '';
    const text = `write 0x${value.toString(16)} to ${name} (${change.join(', ')}) behind gic.init(), before the first run${proviso}`;
    return { action: 'write', on: 'source', value, text };
  }

  #unmade({ device, error }: Refusal): Finding {
    const { what, name, vcpu } = device!;
    const version = this.#state.gic?.placement.version;
    const isMissing = name === `GICv${version}` && error.code === 'ENODEV';
    const other = version === 3 ? 2 : 3;
    const hasOther = isMissing && this.#vm.canCreateDevice(`ARM_VGIC_V${other}`);
    return {
      what,
      effect: isMissing || error.code === 'ENXIO' ? 'lacked' : 'refused',
      name: hasOther ? `${name} (the host has GICv${other})` : name,
      ...(vcpu !== undefined && { vcpu }),
      fields: [],
      code: error.code,
      guestNotices: true,
      ...(hasOther && this.#makesOther(other)),
    };
  }

  #makesOther(version: 2 | 3): { remedy: Remedy } | undefined {
    const isPossible =
      this.#source === undefined ||
      onScratch(this.#source, ({ vm }) => vm.canCreateDevice(`ARM_VGIC_V${version}`));
    const text = `give the guest a GICv${version} from the start: createGic({ version: ${version} })`;
    return isPossible ? { remedy: { action: 'make', on: 'source', text } } : undefined;
  }
}

/** Stolen time wants memory where it is told. */
function addPageFor(vm: Vm, { pvTime }: VcpuState): void {
  if (pvTime === undefined) return;
  const size = vm.kvm.pageSize;
  const guestPhysAddr = pvTime - (pvTime % BigInt(size));
  const isThere = vm.memory.some(memory => memory.guestPhysAddr === guestPhysAddr);
  if (!isThere) vm.addMemory({ guestPhysAddr, size });
}

/** Whether a new GIC of a host takes a register, and then has it. */
export function takesRegister(kvm: Kvm, version: 2 | 3, entry: GicValue): boolean {
  const { register, cpu } = findGicRegister(version, entry.group, entry.attr)!;
  return onScratch(kvm, vcpu => {
    const { vm } = vcpu;
    if (!vm.canCreateDevice(`ARM_VGIC_V${version}`)) return false;
    vcpu.init();
    const gic = vm.createGic({ version });
    gic.init();
    // There is one CPU, of number or affinity 0.
    const attr = cpu === undefined ? entry.attr : entry.attr & 0xffff_ffffn;
    const refused = attempt(() => writeGicRegister(gic, register, { ...entry, attr }));
    return refused === undefined && readRegister(gic, register, attr) === entry.value;
  });
}
