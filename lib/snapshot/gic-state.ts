/**
 * The state of a VM's interrupt controller, taken from it.
 *
 * @packageDocumentation
 */
import { KVM_DEV_ARM_VGIC_GRP } from '../abi/device-attributes.ts';
import {
  GIC_REGISTERS,
  type GicRegister,
  type GicVersion,
  gicAttribute,
  isPerCpu,
  numbersOf,
} from '../abi/gic-registers.ts';
import { KvmError } from '../errors.ts';
import type { Gic, GicPlacement } from '../gic.ts';
import type { Vcpu } from '../vcpu.ts';
import type { Vm } from '../vm.ts';

/** A register of a GIC, as its attribute. */
export interface GicValue {
  /** `KVM_DEV_ARM_VGIC_GRP_*` */
  readonly group: number;
  readonly attr: bigint;
  readonly value: bigint;
}

/** An interrupt controller at rest. */
export interface GicState {
  readonly placement: GicPlacement;
  /** How many interrupts, the 32 private ones among them; undefined where nobody has said, and it is not initialised. */
  readonly irqs: number | undefined;
  /** The PPI that maintains list registers, of guests with an EL2 of their own; undefined of others. */
  readonly maintenanceIrq: number | undefined;
  /** Whether it is initialised; without that it has no registers. */
  readonly initialized: boolean;
  /** In the order of a restore; those that this kernel has. */
  readonly registers: readonly GicValue[];
}

const GROUP = KVM_DEV_ARM_VGIC_GRP;
/** NR_IRQS while no number was chosen: the private ones alone. */
const NO_SPIS = 32;

/**
 * Saves the interrupt controller of a VM, but for an ITS. Reading a GICv2 initialises it, as its first run would.
 *
 * @throws KvmError EBUSY: a vCPU runs
 */
export function saveGic(vm: Vm): GicState | undefined {
  const { gic } = vm;
  if (gic === undefined) return undefined;
  const { version } = gic;
  const initialized = version === 2 ? vm.vcpus.length > 0 : gic.initialized;
  const registers = initialized ? [...registersOf(vm, gic)] : [];
  const irqs = gic.getU32(GROUP.KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0);
  return {
    placement: gic.placement,
    irqs: irqs === NO_SPIS ? undefined : irqs,
    // Before Linux 6.15 there is no such attribute; later it is 0 where nobody has set it.
    maintenanceIrq: present(() => gic.getU32(GROUP.KVM_DEV_ARM_VGIC_GRP_MAINT_IRQ, 0)) || undefined,
    initialized,
    registers,
  };
}

function* registersOf(vm: Vm, gic: Gic): Generator<GicValue> {
  const cpus = vm.vcpus.map(vcpu => cpuOf(gic.version, vcpu));
  // A GICv2 is initialised by the first access, and only then has a number of interrupts.
  if (gic.version === 2) gic.getU32(GROUP.KVM_DEV_ARM_VGIC_GRP_DIST_REGS, cpus[0]! << 32n);
  const irqs = gic.getU32(GROUP.KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0);
  for (const register of GIC_REGISTERS[gic.version]) {
    const [first, end] = numbersOf(register, irqs);
    for (const cpu of isPerCpu(register) ? cpus : [0n]) {
      for (let number = first; number < end; number++) {
        const attr = gicAttribute(register, number, cpu);
        const value = readRegister(gic, register, attr);
        if (value !== undefined) yield { group: register.group, attr, value };
      }
    }
  }
}

/** What the attributes call a CPU: a GICv2 its number, a GICv3 its affinity. */
export function cpuOf(version: GicVersion, vcpu: Vcpu): bigint {
  if (version === 2) return BigInt(vcpu.id);
  const mpidr = vcpu.getOneReg('MPIDR_EL1');
  return (((mpidr >> 32n) & 0xffn) << 24n) | (mpidr & 0xff_ffffn);
}

/** The value of a register; undefined where this kernel has none. */
export function readRegister(gic: Gic, { group, bytes }: GicRegister, attr: bigint): bigint | undefined {
  return present(() => (bytes === 8 ? gic.getU64(group, attr) : BigInt(gic.getU32(group, attr))));
}

/** No such register; of ICC_* and ICH_* on Linux 6.12 (`kvm_sys_reg_get_user`); beyond the priority bits. */
const ABSENT: readonly string[] = ['ENXIO', 'ENOENT', 'EINVAL'];

function present<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof KvmError && ABSENT.includes(error.code)) return undefined;
    throw error;
  }
}

/** `'GICR_ISENABLER0 of CPU 1'`: which CPU's where there is one of each. */
export function gicRegisterName(name: string, cpu: bigint | undefined): string {
  return cpu === undefined ? name : `${name} of CPU ${cpu.toString(16)}`;
}
