/** A call of the guest that the program answers. */
import assert from 'node:assert/strict';
import type { Kvm } from '#lib/kvm.js';
import type { Suite } from '#lib/testing.js';
import { expectExit, Machine } from './machine.ts';

const PSCI_VERSION = 0x8400_0000;

/** Kernels before 6.4 have no attributes of VMs: EINVAL, as of any request that `kvm_arch_vm_ioctl` does not know. */
function hasFilter(kvm: Kvm): boolean {
  try {
    return kvm.createVm().hasDeviceAttr(0, 0);
  } catch (error) {
    assert.equal((error as { code?: string }).code, 'EINVAL');
    return false;
  }
}

export const forwarding: Suite = ({ describe, it, open }) => {
  describe('a filter', () => {
    it('forwards a call to the program, which answers', () => {
      const kvm = open();
      const range = { base: PSCI_VERSION, count: 1, action: 'forward' } as const;
      if (!hasFilter(kvm)) {
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
  });
};
