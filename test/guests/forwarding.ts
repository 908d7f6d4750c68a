/** A call of the guest that the program answers. */
import assert from 'node:assert/strict';
import type { Suite } from '#lib/testing.js';
import { kernelOf } from '../contract/kernel.ts';
import { Caller } from './calls.ts';
import { expectExit, Machine } from './machine.ts';

const PSCI_VERSION = 0x8400_0000;

export const forwarding: Suite = ({ describe, it, open }) => {
  describe('a filter', () => {
    it('forwards a call to the program, which answers', context => {
      const kvm = open();
      const range = { base: PSCI_VERSION, count: 1, action: 'forward' } as const;
      if (!kernelOf(kvm, context).filtersCalls) {
        assert.throws(() => kvm.createVm().setSmcccFilter([range]), { code: 'EINVAL' });
        return;
      }
      const machine = new Machine(kvm, 'psci-version', { prepare: vm => vm.setSmcccFilter([range]) });
      let exit = machine.run();
      for (const answer of [0x7_0003n, 0x1_0000n]) {
        const call = expectExit(exit, 'HYPERCALL');
        assert.deepEqual([call.nr, call.isSmc], [BigInt(PSCI_VERSION), false]);
        machine.vcpu.setOneReg('X0', answer);
        exit = machine.run(); // reports it, and calls again
        assert.equal(machine.reports.at(-1), answer);
      }
    });

    it('hands on what a call has in its registers, and the guest gets what the program leaves there', context => {
      const kvm = open();
      if (!kernelOf(kvm, context).filtersCalls) context.skip('SMCCC filters came with Linux 6.4');
      const id = 0xc600_1234; // a hypervisor's own, of 64 bits, which KVM does not know
      const given = [BigInt(id), 2n ** 64n - 1n, 22n, 1n << 63n];
      const calls = [false, true].map(smc => ({ smc, x: given }));
      const caller = new Caller(kvm, calls, {
        prepare: vm => vm.setSmcccFilter([{ base: id, count: 1, action: 'forward' }]),
      });
      const names = ['X0', 'X1', 'X2', 'X3'];
      const answers = [false, true].map(smc => {
        const { nr, isSmc } = expectExit(caller.run(), 'HYPERCALL');
        assert.deepEqual([nr, isSmc], [BigInt(id), smc]);
        assert.deepEqual(
          names.map(name => caller.vcpu.getOneReg(name)),
          given,
        );
        const answer = names.map((_, n) => (smc ? 0x100n : 0n) + BigInt(n));
        caller.vcpu.setRegs(names.map((name, n) => [name, answer[n]!]));
        return answer;
      });
      caller.runToOff();
      assert.deepEqual(caller.results, answers);
    });
  });
};
