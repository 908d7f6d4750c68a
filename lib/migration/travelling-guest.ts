/**
 * A guest that asks its firmware for the PSCI version, tells it, and asks again, for ever: what moves in a migration that
 * is tried.
 *
 * @packageDocumentation
 */
import type { Vcpu } from '../vcpu.ts';
import type { Vm } from '../vm.ts';

const RAM = 0x4000_0000n;
const RAM_SIZE = 0x1_0000;

const PROGRAM = [
  0xd2b0_8000, // mov x0, #0x84000000 (PSCI_VERSION)
  0xd400_0002, // hvc #0
  0xd2a1_2001, // mov x1, #0x9000000, where there is no memory
  0xf900_0020, // str x0, [x1]
  0x17ff_fffc, // b .-16
];

/** Puts the guest into the memory of a VM, and its first vCPU, which must be initialised, before it. */
export function board(vm: Vm): void {
  const { bytes } = vm.addMemory({ guestPhysAddr: RAM, size: RAM_SIZE });
  bytes.set(new Uint8Array(Uint32Array.from(PROGRAM).buffer));
  vm.vcpus[0]!.setOneReg('PC', RAM);
}

/**
 * Runs the guest until it tells the version that it found.
 *
 * @returns as PSCI_VERSION answers: major in 31:16, minor in 15:0
 * @throws Error where it leaves for anything else: what moved was not the guest
 */
export function askGuest(vcpu: Vcpu): bigint {
  for (;;) {
    const exit = vcpu.runSync();
    if (exit.reason === 'MMIO' && exit.isWrite && exit.data.length === 8) {
      const { buffer, byteOffset } = exit.data;
      return new DataView(buffer, byteOffset).getBigUint64(0, true);
    }
    if (exit.reason !== 'INTR')
      throw new Error(`The guest left for ${exit.reason}, and should tell a version`);
  }
}
