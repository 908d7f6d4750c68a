/**
 * What needs no interrupt controller of what VMs and vCPUs have beside registers: filters, timers' interrupts, eventfds.
 */
import assert from 'node:assert/strict';
import { KVM_IOCTL } from '#lib/abi/ioctls.js';
import type { Suite } from '#lib/testing.js';
import { DEVICE, expectExit, Machine } from '../guests/machine.ts';
import { refused, refuses, withKvm, withNewVcpu, withVcpu, withVm } from './suite.ts';

export const devices: Suite = ({ describe, it, open }) => {
  describe('an eventfd', () => {
    it('counts signals until they are taken', () => {
      withKvm(open, kvm => {
        const event = kvm.createEventFd();
        assert.equal(event.take(), 0n);
        for (let n = 0; n < 3; n++) event.signal();
        assert.equal(event.take(), 3n);
        assert.equal(event.take(), 0n);
      });
    });

    it('calls whoever watches it, with the count', async () => {
      const kvm = open();
      const event = kvm.createEventFd();
      const keep = setInterval(() => {}, 1000);
      const rang = new Promise<bigint>(resolve => event.watch(resolve));
      event.signal();
      event.signal();
      assert.equal(await rang, 2n);
      event.watch(undefined);
      clearInterval(keep);
      kvm.close();
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

  describe('KVM_SET_GUEST_DEBUG', () => {
    it('knows ENABLE, SINGLESTEP, USE_SW_BP and USE_HW: other bits are EINVAL', () => {
      // kvm_arch_vcpu_ioctl_set_guest_debug(), arch/arm64/kvm/guest.c: no vCPU is too new for it
      withNewVcpu(open, vcpu => {
        const debug = (control: number) => {
          const bytes = new Uint8Array(520);
          new DataView(bytes.buffer).setUint32(0, control, true);
          return vcpu.ioctl(KVM_IOCTL.KVM_SET_GUEST_DEBUG, bytes);
        };
        for (const control of [0, 1, 2, 0x3_0000, 0x3_0003]) assert.equal(debug(control), 0);
        for (const control of [4, 0x4_0001, 0x8000_0000])
          refused('EINVAL', 'KVM_SET_GUEST_DEBUG', () => debug(control));
      });
    });
  });

  describe('the SMCCC filter', () => {
    it('says who answers, by function id', () => {
      withVm(open, vm => {
        vm.setSmcccFilter([
          { base: 0x8600_0000, count: 16, action: 'forward' },
          { base: 0x8500_0000, count: 1, action: 'deny' },
        ]);
        assert.equal(vm.smcccFilter.length, 2);
        // smccc_filter_insert(), arch/arm64/kvm/hypercalls.c: what is set stays
        refuses(() => vm.setSmcccFilter([{ base: 0x8600_000f, count: 1, action: 'handle' }]), 'EEXIST');
        refuses(() => vm.setSmcccFilter([{ base: 0x8000_0000, count: 1, action: 'deny' }]), 'EEXIST');
        refuses(() => vm.setSmcccFilter([{ base: 0xffff_ffff, count: 2, action: 'deny' }]), 'EINVAL');
        assert.equal(vm.smcccFilter.length, 2);
      });
    });
  });

  describe('the timers', () => {
    it('have the PPIs 27 and 30, which without a GIC nobody can change', () => {
      withVcpu(open, ['PSCI_0_2'], vcpu => {
        assert.deepEqual(vcpu.getTimerIrqs(), { virtual: 27, physical: 30 });
        refuses(() => vcpu.setTimerIrqs({ virtual: 20 }), 'EINVAL');
      });
    });
  });

  describe('stolen time', () => {
    it('is told in 64 bytes of memory', () => {
      withVcpu(open, ['PSCI_0_2'], vcpu => {
        vcpu.vm.addMemory({ guestPhysAddr: 0x4000_0000, size: 65536 });
        refuses(() => vcpu.setPvTime(0x4000_0020), 'EINVAL');
        vcpu.setPvTime(0x4000_0040);
        refuses(() => vcpu.setPvTime(0x4000_0080), 'EEXIST');
      });
    });
  });
};
