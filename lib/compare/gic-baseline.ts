/**
 * The interrupt controller that all hosts of a fleet can give a guest.
 *
 * @packageDocumentation
 */
import { findGicRegister, gicRegisterFields } from '../abi/gic-registers.ts';
import { fieldValue } from '../abi/register-fields.ts';
import type { Gic } from '../gic.ts';
import type { Kvm } from '../kvm.ts';
import { onScratch } from '../snapshot/features.ts';
import { cpuOf, type GicValue, saveGic } from '../snapshot/gic-state.ts';
import { takesRegister } from '../snapshot/plan-devices.ts';
import { writeGicRegister } from '../snapshot/write-devices.ts';

/** What {@link applyBaseline} makes of a GIC. */
export interface GicBaseline {
  /** For `createGic()`. */
  readonly version: 2 | 3;
  /** What to write behind `init()`: GICD_IIDR with its revision, ICC_CTLR_EL1 with its priority bits. Those of CPU 0. */
  readonly registers: readonly GicValue[];
}

/** What says how a GIC is made; all others are the guest's. */
const DESCRIBES = ['GICD_IIDR', 'ICC_CTLR_EL1'];

/** The newest version that all hosts have, with what all take; undefined where there is none. */
export function gicBaseline(hosts: readonly Kvm[]): GicBaseline | undefined {
  for (const version of [3, 2] as const) {
    const states = hosts.map(kvm => descriptionOn(kvm, version));
    if (states.includes(undefined)) continue;
    const registers = commonOf(version, states as readonly (readonly GicValue[])[]);
    const isTaken = hosts.every(kvm => registers.every(entry => takesRegister(kvm, version, entry)));
    if (isTaken) return { version, registers };
  }
  return undefined;
}

/** What describes a new GIC of a host. */
function descriptionOn(kvm: Kvm, version: 2 | 3): readonly GicValue[] | undefined {
  return onScratch(kvm, vcpu => {
    const { vm } = vcpu;
    if (!vm.canCreateDevice(`ARM_VGIC_V${version}`)) return undefined;
    vcpu.init();
    vm.createGic({ version }).init();
    return saveGic(vm)!.registers.filter(({ group, attr }) =>
      DESCRIBES.includes(findGicRegister(version, group, attr)!.name),
    );
  });
}

/** Field by field the least. */
function commonOf(version: 2 | 3, states: readonly (readonly GicValue[])[]): GicValue[] {
  return states[0]!.map(({ group, attr }, i) => {
    const values = states.map(state => state[i]!.value);
    const { name } = findGicRegister(version, group, attr)!;
    const value = gicRegisterFields(name).reduce((result, field) => {
      const least = values.map(each => fieldValue(field, each)).reduce((a, b) => (a < b ? a : b));
      return result | (least << BigInt(field.shift));
    }, 0n);
    return { group, attr, value };
  });
}

/** @throws KvmError for a value that this host does not take after all */
export function applyToGic(gic: Gic, { registers }: GicBaseline): void {
  for (const { group, attr, value } of registers) {
    const found = findGicRegister(gic.version, group, attr)!;
    const cpus = found.cpu === undefined ? [0n] : gic.vm.vcpus.map(vcpu => cpuOf(gic.version, vcpu));
    for (const cpu of cpus)
      writeGicRegister(gic, found.register, { group, attr: attr | (cpu << 32n), value });
  }
}
