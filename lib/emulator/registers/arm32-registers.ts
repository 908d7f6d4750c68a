/**
 * The registers of 32-bit arm with rules of their own (`set_core_reg`, arch/arm/kvm/guest.c; `reset_mpidr`,
 * `reset_actlr` and `reset_l2ctlr`, coproc.c). Of the host's values in them only the bits of one with several CPUs and
 * nothing else are known: those of QEMU's Cortex-A15.
 *
 * @packageDocumentation
 */
import { ERRNO } from '../../abi/errno.ts';
import { encodeRegisterId } from '../../abi/register-id.ts';
import type { VcpuState } from '../state.ts';
import type { SpecialRegister } from './register-access.ts';
import { plainRegister } from './write-rules.ts';

const CPSR = encodeRegisterId({ kind: 'core', arch: 'arm', bytes: 4, offset: 16 * 4 });
const cp15 = (opc1: number, crn: number, opc2: number) =>
  encodeRegisterId({ kind: 'coprocessor', arch: 'arm', bytes: 4, coproc: 15, opc1, crn, crm: 0, opc2 });

/** USR, FIQ, IRQ, SVC, ABT and UND. */
const MODE_MASK = 0x1fn;
const MODES = new Set([0x10n, 0x11n, 0x12n, 0x13n, 0x17n, 0x1bn]);

const cpsr: SpecialRegister = context => {
  const plain = plainRegister(context);
  return {
    ...plain,
    set: (vcpu, value) => (MODES.has(value & MODE_MASK) ? plain.set(vcpu, value) : -ERRNO.EINVAL),
  };
};

/** Storage with a reset value that depends on the vCPU. */
const resetTo =
  (reset: (vcpu: VcpuState) => number): SpecialRegister =>
  context => ({ ...plainRegister(context), reset: vcpu => BigInt(reset(vcpu)) });

/** Clusters of four. */
const mpidr = resetTo(({ id }) => 0x8000_0000 + ((id >> 2) << 8) + (id & 3));

/** The SMP bit: there are several vCPUs by now. */
const actlr = resetTo(({ vm }) => (vm.vcpus.size > 1 ? 1 << 6 : 0));

/** How many further CPUs there are by now, in this cluster and the next ones. */
const l2ctlr = resetTo(({ vm, id }) => {
  const further = (vm.vcpus.size - 1 - (id & ~3)) >>> 0;
  return Math.min(further, 3) << 24;
});

/** The special registers of 32-bit arm, by id. */
export const arm32Registers: readonly (readonly [bigint, SpecialRegister])[] = [
  [CPSR, cpsr],
  [cp15(0, 0, 5), mpidr],
  [cp15(0, 1, 1), actlr],
  [cp15(1, 9, 2), l2ctlr],
];
