/** Devices that the VMM is: accesses to no memory (kvm_handle_mmio_return, arch/arm64/kvm/mmio.c). */
import assert from 'node:assert/strict';
import type { MmioExit } from '#lib/abi/exits.js';
import type { Suite } from '#lib/testing.js';
import { kernelOf } from '../contract/kernel.ts';
import { DEVICE, ENDED, expectExit, expectRegisters, Machine, RAM } from './machine.ts';

/** An access to the device. */
function access(machine: Machine): MmioExit {
  return expectExit(machine.run(), 'MMIO');
}

/** The guest reads these bytes there. */
function reads(machine: Machine, offset: bigint, bytes: readonly number[]): void {
  const { physAddr, isWrite, data } = access(machine);
  assert.deepEqual([physAddr, isWrite, data.length], [DEVICE + offset, false, bytes.length]);
  data.set(bytes);
}

/** The guest writes these bytes there. */
function writes(machine: Machine, offset: bigint, bytes: readonly number[]): void {
  const { physAddr, isWrite, data } = access(machine);
  assert.deepEqual([physAddr, isWrite, [...data]], [DEVICE + offset, true, bytes]);
}

const EIGHT = [0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff];

export const devices: Suite = ({ describe, it, open }) => {
  describe('a device', () => {
    it('is read and written in every width', () => {
      const machine = new Machine(open(), 'mmio');
      reads(machine, 0n, [0x88]);
      reads(machine, 2n, [0x88, 0x99]);
      reads(machine, 4n, [0x88, 0x99, 0xaa, 0xbb]);
      reads(machine, 8n, EIGHT);
      reads(machine, 0n, [0x88, 0x99, 0xaa, 0xbb]); // ldar
      reads(machine, -4n, [0x88, 0x99, 0xaa, 0xbb]); // ldur
      reads(machine, 0x20n, EIGHT);
      reads(machine, 0x100n, EIGHT);
      reads(machine, 0n, [0x88, 0x99, 0xaa, 0xbb]); // to wzr
      writes(machine, 0n, [0xff]);
      assert.deepEqual(machine.reports, [
        0x88n,
        0x9988n,
        0xbbaa_9988n,
        0xffee_ddcc_bbaa_9988n,
        0xbbaa_9988n,
        0xbbaa_9988n,
        0xffee_ddcc_bbaa_9988n,
        0xffee_ddcc_bbaa_9988n,
        0xffff_ffff_ffff_ffffn,
      ]);
      writes(machine, 2n, [0xff, 0xee]);
      writes(machine, 4n, [0xff, 0xee, 0xdd, 0xcc]);
      writes(machine, 8n, EIGHT.toReversed());
      writes(machine, 0n, [0xff, 0xee, 0xdd, 0xcc]); // stlr
      writes(machine, -4n, [0xff, 0xee, 0xdd, 0xcc]); // stur
      writes(machine, 0x20n, EIGHT.toReversed());
      writes(machine, 8n, [0, 0, 0, 0, 0, 0, 0, 0]); // xzr
      writes(machine, 4n, [0, 0, 0, 0]);
      machine.runToOff();
      expectRegisters(machine.vcpu, { ...ENDED, X29: 0x0900_0000n, PC: RAM + 0xc8n, PSTATE: 0x3c5n });
    });

    // Linux before 7 extends the sign and then cuts the value to the width of the access again (`kvm_handle_mmio_return`,
    // arch/arm64/kvm/mmio.c of 6.12); 7.3 does it in the other order, as the architecture wants it.
    it('is read with the sign extended, which kernels before 7 lose', context => {
      const kvm = open();
      const machine = new Machine(kvm, 'mmio-signed');
      for (const width of [1, 1, 2, 2, 4]) reads(machine, 0n, EIGHT.slice(-width));
      machine.runToOff();
      assert.deepEqual(
        machine.reports,
        kernelOf(kvm, context).cutsSignedReads
          ? [0xffn, 0xffn, 0xffeen, 0xffeen, 0xffee_ddccn]
          : [
              0xffff_ffffn,
              0xffff_ffff_ffff_ffffn,
              0xffff_ffeen,
              0xffff_ffff_ffff_ffeen,
              0xffff_ffff_ffee_ddccn,
            ],
      );
    });
  });
};
