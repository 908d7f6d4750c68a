/** Eventfds that a guest signals by writing. */
import assert from 'node:assert/strict';
import type { Suite } from '#lib/testing.js';
import { DEVICE, Machine } from '../guests/machine.ts';
import { refuses } from './suite.ts';

export const ioEventFds: Suite = ({ describe, it, open }) => {
  describe('eventfds', () => {
    it('take writes of the guest', async () => {
      const machine = new Machine(open(), 'counter');
      const { vm, vcpu } = machine;
      const event = vm.kvm.createEventFd();
      const reports = { physAddr: DEVICE - 0xff8n, size: 8 } as const;
      vm.assignIoEventFd(event, reports);
      refuses(() => vm.assignIoEventFd(event, reports), 'EEXIST');
      const run = vcpu.run();
      const keep = setInterval(() => {}, 1000);
      assert.ok((await new Promise<bigint>(resolve => event.watch(resolve))) > 0n);
      clearInterval(keep);
      vcpu.kick();
      assert.equal((await run).reason, 'INTR');
      vm.deassignIoEventFd(event, reports);
      refuses(() => vm.deassignIoEventFd(event, reports), 'ENOENT');
      event.watch(undefined);
      machine.nextReport();
      vm.kvm.close();
    });
  });
};
