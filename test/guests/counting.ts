/** Guests with a performance monitor. */
import assert from 'node:assert/strict';
import type { Suite } from '#lib/testing.js';
import { kernelOf } from '../contract/kernel.ts';
import { Machine } from './machine.ts';

export const counting: Suite = ({ describe, it, open }) => {
  describe('a guest with a performance monitor', () => {
    it('counts, and is interrupted when a counter overflows', context => {
      const kvm = open();
      const machine = new Machine(kvm, 'pmu', { gic: true, features: ['PSCI_0_2', 'PMU_V3'] });
      machine.vcpu.initPmu({ irq: 23 });
      machine.runToOff();
      const { reports } = machine;
      const [cycles] = reports.splice(19, 1);
      assert.ok(cycles! > 0n);
      // `kvm_pmu_software_increment` of Linux 5.10 marks no overflow on the lower half of a chain.
      const ofLowerHalf = kernelOf(kvm, context).chainsHalves ? 0n : 1n;
      assert.deepEqual(reports, [
        ...[0n, 0xffff_fffen, 0xffff_ffffn, 0n, 0n, 1n],
        ...[5n, 0x1en],
        ...[0n, 8n, ofLowerHalf],
        ...[23n, 1n, 0n, 23n, 0x8000_0000n, 0n],
        ...[0n, 1n, 0n],
        ...[0n, 0x15n, 0x8000_0001n],
      ]);
    });
  });
};
