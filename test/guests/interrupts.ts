/** Interrupts by the GIC that the host has: of a timer, of the program, of another vCPU. */
import assert from 'node:assert/strict';
import type { Suite } from '#lib/testing.js';
import { DEVICE, expectExit, Machine } from './machine.ts';

export const interrupts: Suite = ({ describe, it, open }) => {
  describe('a guest with an interrupt controller', () => {
    it('is interrupted by its timer, and by a line of its program', () => {
      const machine = new Machine(open(), 'interrupts', { gic: true });
      const spi = { type: 'spi', id: 40 } as const;
      for (const level of [true, false]) {
        const exit = expectExit(machine.run(), 'MMIO');
        assert.equal(exit.physAddr, level ? DEVICE : DEVICE + 4n);
        machine.vm.setIrqLine({ ...spi, level });
      }
      machine.runToOff();
      assert.deepEqual(machine.reports, [27n, 1n, 40n]);
    });

    it('has vCPUs that interrupt each other', async () => {
      const machine = new Machine(open(), 'sgi', { cpus: 2, gic: true });
      await machine.runAllToOff();
      // A GICv2 tells who sent it, in bits 12:10 (IHI 0048B, 4.4.4).
      const sender = machine.vm.gic!.version === 2 ? 1n << 10n : 0n;
      assert.deepEqual(machine.reports, [0n, 5n, 6n | sender]);
    });
  });
};
