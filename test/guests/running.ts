/** Guests that print, count and wait. */
import assert from 'node:assert/strict';
import type { Suite } from '#lib/testing.js';
import { kernelOf } from '../contract/kernel.ts';
import { ENDED, expectExit, expectRegisters, Machine, RAM } from './machine.ts';

export const running: Suite = ({ describe, it, open }) => {
  describe('a guest', () => {
    it('prints a line, and turns the machine off', () => {
      const machine = new Machine(open(), 'hello');
      machine.runToOff();
      assert.equal(machine.text, 'Hello from EL1\n');
      expectRegisters(machine.vcpu, {
        ...ENDED,
        ...{ X19: RAM + 0x34n, X20: 0x0900_0000n, X21: 0n, PC: RAM + 0x20n, PSTATE: 0x3c5n },
      });
    });

    it('counts on from run to run', () => {
      const machine = new Machine(open(), 'counter');
      for (let n = 1n; n <= 8n; n++) assert.equal(machine.nextReport(), 0x1000n * n);
      // The store that reports completes with the next run.
      assert.equal(machine.vcpu.getOneReg('X19'), 0x8000n);
      assert.equal(machine.view.getBigUint64(0x1_0000, true), 0x8000n);
    });

    it('that is kicked while it counts goes on where it was', async () => {
      const machine = new Machine(open(), 'counter');
      let exit = await machine.vcpu.run();
      for (let kicks = 0; kicks < 3; ) {
        const run = machine.vcpu.run();
        machine.vcpu.kick();
        exit = await run;
        if (exit.reason === 'INTR') kicks++;
      }
      const counted = machine.vcpu.getOneReg('X19');
      // It may be between the addition and the store.
      assert.ok(counted - machine.view.getBigUint64(0x1_0000, true) <= 1n);
      assert.equal(machine.nextReport(), (counted | 0xfffn) + 1n);
    });

    it('waits for its virtual timer, without an interrupt controller', async context => {
      const kvm = open();
      const machine = new Machine(kvm, 'timer-wake');
      const sleepsOn = !kernelOf(kvm, context).wakesByTimer;
      let interruptions = 0;
      let exit = await machine.runOn(sleepsOn ? 1500 : undefined);
      // The kernel shows the timer's line in struct kvm_run each time that it changes (Documentation/virt/kvm/api.rst, 5).
      for (; exit.reason === 'INTR'; exit = await machine.runOn(sleepsOn ? 1500 : undefined)) interruptions++;
      assert.equal(expectExit(exit, 'SYSTEM_EVENT').type, 'SHUTDOWN');
      assert.equal(machine.kicks > 0, sleepsOn);
      assert.ok(interruptions >= 2);
      assert.deepEqual(machine.reports, [1n, 5n, 1n, 0n, 0n, 1n]);
    });
  });
};
