/** Eventfds that a guest signals by writing. */
import assert from 'node:assert/strict';
import type { Suite } from '#lib/testing.js';
import { DEVICE, expectExit, Machine } from '../guests/machine.ts';
import { refuses, withVm } from './suite.ts';

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

  describe('an eventfd for writes of the guest', () => {
    const REPORT = 0x0900_0008n;

    it('takes those of its address, width and value, which are no exits then', () => {
      const machine = new Machine(open(), 'counter'); // reports 0x1000, 0x2000 …
      const { vm } = machine;
      const [one, two] = [vm.kvm.createEventFd(), vm.kvm.createEventFd()];
      vm.assignIoEventFd(one, { physAddr: REPORT, size: 8, value: 0x2000n });
      vm.assignIoEventFd(two, { physAddr: REPORT, size: 8, value: 0x3000n });
      vm.assignIoEventFd(two, { physAddr: REPORT, size: 4 });
      vm.assignIoEventFd(two, { physAddr: REPORT - 4n });
      assert.equal(machine.nextReport(), 0x1000n);
      assert.equal(machine.nextReport(), 0x4000n);
      assert.deepEqual([one.take(), two.take()], [1n, 1n]);
      vm.deassignIoEventFd(one, { physAddr: REPORT, size: 8, value: 0x2000n });
      vm.assignIoEventFd(one, { physAddr: REPORT, size: 8, value: 0x6000n });
      assert.equal(machine.nextReport(), 0x5000n);
      assert.equal(machine.nextReport(), 0x7000n);
      assert.deepEqual([one.take(), two.take()], [1n, 0n]);
      vm.kvm.close();
    });

    it('takes writes of any width, and no reads', () => {
      const machine = new Machine(open(), 'mmio');
      const { vm } = machine;
      const event = vm.kvm.createEventFd();
      for (const offset of [-4n, 0n, 2n, 4n, 8n, 0x20n])
        vm.assignIoEventFd(event, { physAddr: DEVICE + offset });
      for (let reads = 0; reads < 9; reads++) assert.equal(expectExit(machine.run(), 'MMIO').isWrite, false);
      machine.runToOff();
      assert.equal(event.take(), 9n);
      vm.kvm.close();
    });

    it('shares an address with others by width and value alone (ioeventfd_check_collision)', () => {
      withVm(open, vm => {
        const [event, other] = [vm.kvm.createEventFd(), vm.kvm.createEventFd()];
        vm.assignIoEventFd(event, { physAddr: 0x1000, size: 4, value: 1n });
        for (const access of [
          { physAddr: 0x1000, size: 4, value: 1n },
          { physAddr: 0x1000, size: 4 },
          { physAddr: 0x1000 },
        ] as const)
          refuses(() => vm.assignIoEventFd(other, access), 'EEXIST');
        vm.assignIoEventFd(other, { physAddr: 0x1000, size: 4, value: 2n });
        vm.assignIoEventFd(other, { physAddr: 0x1000, size: 2 });
        vm.assignIoEventFd(other, { physAddr: 0x1001, size: 4 });
        // kvm_deassign_ioeventfd_idx() wants all of it
        refuses(() => vm.deassignIoEventFd(other, { physAddr: 0x1000, size: 4, value: 1n }), 'ENOENT');
        refuses(() => vm.deassignIoEventFd(event, { physAddr: 0x1000, size: 4 }), 'ENOENT');
        refuses(() => vm.deassignIoEventFd(event, { physAddr: 0x1000, size: 8, value: 1n }), 'ENOENT');
        vm.deassignIoEventFd(event, { physAddr: 0x1000, size: 4, value: 1n });
        refuses(() => vm.assignIoEventFd(event, { physAddr: (1n << 64n) - 4n, size: 4 }), 'EINVAL');
        vm.assignIoEventFd(event, { physAddr: (1n << 64n) - 5n, size: 4 });
      });
    });
  });
};
