/**
 * What the vCPUs of a VM share once one of them runs.
 *
 * @packageDocumentation
 */
import { sysRegId } from '../../abi/register-id.ts';
import { featuresOf } from '../cpu/features.ts';
import { Machine } from '../cpu/machine.ts';
import type { VcpuState, VmState } from '../state.ts';
import { physicalMemory } from './memory.ts';
import { Scheduler } from './scheduler.ts';

const schedulers = new WeakMap<VmState, Scheduler>();

/** Low half of the id of a system register that has no fields. */
const SYSTEM_REGISTER = sysRegId(0, 0, 0, 0, 0);
const ID_AA64MMFR0_EL1 = sysRegId(3, 0, 0, 7, 0);

/** ID_AA64MMFR0_EL1.PARange: bits of a physical address (D24.2.81). */
const PHYSICAL_BITS = [32, 36, 40, 42, 44, 48, 52, 56];

/** Instructions that a guest used and the interpreter lacks: the program is told once. */
const warned = new Set<string>();

function warn(mnemonic: string, feature: string): void {
  if (warned.has(mnemonic)) return;
  warned.add(mnemonic);
  process.emitWarning(
    `The guest used ${mnemonic} (${feature}), which this host's ID registers claim and the emulated CPU does not execute: it is UNDEFINED there. "kvm-arm64 hosts --cpu-gaps" lists what is missing.`,
    { code: 'KVM_ARM64_CPU_GAP' },
  );
}

/** The machine of a vCPU's VM; its CPUs are what the ID registers of the first that runs say. */
export function machineOf(vcpu: VcpuState): { readonly machine: Machine; readonly scheduler: Scheduler } {
  const { vm } = vcpu;
  vm.machine ??= makeMachine(vcpu);
  let scheduler = schedulers.get(vm);
  if (scheduler === undefined) {
    scheduler = new Scheduler(vm.clock);
    schedulers.set(vm, scheduler);
  }
  return { machine: vm.machine, scheduler };
}

function makeMachine(vcpu: VcpuState): Machine {
  const read = (id: bigint): bigint => {
    const value = vcpu.configuration!.registers.get(id)?.get(vcpu);
    return typeof value === 'bigint' ? value : 0n;
  };
  const features = featuresOf(encoding => read(SYSTEM_REGISTER | BigInt(encoding)));
  return new Machine({
    memory: physicalMemory(vcpu.vm),
    hasFeature: feature => features.has(feature),
    physicalBits: PHYSICAL_BITS[Number(read(ID_AA64MMFR0_EL1) & 0xfn)] ?? 48,
    ipaBits: vcpu.vm.ipaBits,
    cutsSignedReads: vcpu.vm.host.profile.behaviours.signedReadsCut,
    onGap: warn,
  });
}
