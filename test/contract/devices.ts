/**
 * What needs no interrupt controller of what VMs and vCPUs have beside registers: filters, timers' interrupts, eventfds.
 */
import assert from 'node:assert/strict';
import { KVM_IOCTL } from '#lib/abi/ioctls.js';
import type { Suite } from '#lib/testing.js';
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
