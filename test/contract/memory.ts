/** Guest memory: `vm.addMemory()` and what it gives (virt/kvm/kvm_main.c, api.rst 4.35, 4.8, 4.117). */
import assert from 'node:assert/strict';
import { dirtyPages } from '#lib/memory.js';
import type { Suite } from '#lib/testing.js';
import { refused, rejects, untyped, withVm } from './suite.ts';

const MIB = 2 ** 20;
const SET = 'KVM_SET_USER_MEMORY_REGION';

export const memory: Suite = ({ describe, it, open }) => {
  describe('guest memory', () => {
    it('is zeroed, shared, and where it was put', () => {
      withVm(open, vm => {
        const region = vm.addMemory({ guestPhysAddr: 0x4000_0000, size: 2 * MIB });
        assert.equal(region.guestPhysAddr, 0x4000_0000n);
        assert.equal(region.size, 2 * MIB);
        assert.equal(region.bytes.length, 2 * MIB);
        assert.ok(region.bytes.buffer instanceof SharedArrayBuffer);
        assert.ok(region.bytes.every(byte => byte === 0));
        assert.deepEqual([region.readOnly, region.logDirtyPages], [false, false]);
      });
    });

    it('has several regions, each a slot of its own; one that is removed frees its slot', () => {
      withVm(open, vm => {
        const [a, b] = [0, MIB].map(guestPhysAddr => vm.addMemory({ guestPhysAddr, size: MIB }));
        assert.deepEqual([a!.slot, b!.slot], [0, 1]);
        a!.remove();
        a!.remove();
        assert.equal(vm.addMemory({ guestPhysAddr: 0, size: MIB, readOnly: true }).slot, 0);
        assert.throws(() => a!.move(0), { code: 'ERR_CLOSED' });
      });
    });

    it('can be one page, and of 4 GiB, the most that a region can have', () => {
      withVm(open, vm => {
        const { pageSize } = vm.kvm;
        assert.equal(vm.addMemory({ guestPhysAddr: 0, size: pageSize }).bytes.length, pageSize);
        const large = vm.addMemory({ guestPhysAddr: 0x1_0000_0000n, size: 2 ** 32, logDirtyPages: true });
        assert.equal(large.bytes.length, 2 ** 32);
        assert.equal(large.getDirtyLog().length, 2 ** 32 / pageSize / 8);
        const error = rejects('ERR_OUT_OF_RANGE', () =>
          vm.addMemory({ guestPhysAddr: 0x2_0000_0000n, size: 2 ** 32 + pageSize }),
        );
        assert.match(error.message, /size must be .*4 GiB \(add several regions/);
      });
    });

    it('must not overlap', () => {
      withVm(open, vm => {
        const first = vm.addMemory({ guestPhysAddr: MIB, size: MIB });
        refused('EEXIST', SET, () => vm.addMemory({ guestPhysAddr: 2 * MIB - 65536, size: MIB }));
        const next = vm.addMemory({ guestPhysAddr: 2 * MIB, size: MIB });
        refused('EEXIST', SET, () => first.move(next.guestPhysAddr));
        assert.equal(first.guestPhysAddr, BigInt(MIB));
      });
    });

    it('moves', () => {
      withVm(open, vm => {
        const region = vm.addMemory({ guestPhysAddr: 0, size: MIB });
        region.move(4 * MIB);
        assert.equal(region.guestPhysAddr, BigInt(4 * MIB));
        vm.addMemory({ guestPhysAddr: 0, size: MIB });
        refused('EEXIST', SET, () => vm.addMemory({ guestPhysAddr: 4 * MIB, size: MIB }));
      });
    });

    it('is made of whole pages', () => {
      withVm(open, vm => {
        const error = refused('EINVAL', SET, () => vm.addMemory({ guestPhysAddr: 8, size: MIB }));
        assert.match(error.hint!, new RegExp(`page size, ${vm.kvm.pageSize}$`));
        refused('EINVAL', SET, () => vm.addMemory({ guestPhysAddr: 0, size: MIB + 8 }));
        refused('EINVAL', SET, () => vm.addMemory({ guestPhysAddr: 2n ** 64n - 65536n, size: MIB }));
      });
    });

    it('ends within the addresses of the VM', () => {
      withVm(open, vm => {
        vm.addMemory({ guestPhysAddr: 2n ** 40n - BigInt(MIB), size: MIB });
        refusedByRange(() => vm.addMemory({ guestPhysAddr: 2n ** 40n, size: MIB }));
      });
    });

    it('takes no size of zero and no nonsense', () => {
      withVm(open, vm => {
        rejects('ERR_OUT_OF_RANGE', () => vm.addMemory({ guestPhysAddr: 0, size: 0 }));
        rejects('ERR_OUT_OF_RANGE', () => vm.addMemory({ guestPhysAddr: -1, size: MIB }));
        rejects('ERR_INVALID_ARG_TYPE', () => vm.addMemory({ guestPhysAddr: 0, size: untyped('1') }));
        rejects('ERR_INVALID_ARG_VALUE', () =>
          vm.addMemory({ guestPhysAddr: 0, size: MIB, readonly: true } as never),
        );
      });
    });

    it('logs dirty pages where that is asked for', () => {
      withVm(open, vm => {
        const region = vm.addMemory({ guestPhysAddr: 0, size: MIB });
        refused('ENOENT', 'KVM_GET_DIRTY_LOG', () => region.getDirtyLog());
        refused('ENOENT', 'KVM_CLEAR_DIRTY_LOG', () => region.clearDirtyLog(new Uint8Array(8)));
        region.setLogDirtyPages(true);
        assert.equal(region.logDirtyPages, true);
        assert.deepEqual([...dirtyPages(region.getDirtyLog())], []);
        region.setLogDirtyPages(false);
        refused('ENOENT', 'KVM_GET_DIRTY_LOG', () => region.getDirtyLog());
      });
    });

    it('clears dirty pages by whole words', () => {
      withVm(open, vm => {
        const size = 256 * vm.kvm.pageSize;
        const region = vm.addMemory({ guestPhysAddr: 0, size, logDirtyPages: true });
        region.clearDirtyLog(region.getDirtyLog());
        region.clearDirtyLog(new Uint8Array(8), 192);
        refused('EINVAL', 'KVM_CLEAR_DIRTY_LOG', () => region.clearDirtyLog(new Uint8Array(8), 32));
        refused('EINVAL', 'KVM_CLEAR_DIRTY_LOG', () => region.clearDirtyLog(new Uint8Array(1)));
        rejects('ERR_OUT_OF_RANGE', () => region.clearDirtyLog(new Uint8Array(16), 192));
      });
    });

    it('outlives its VM, but only for the program', () => {
      withVm(open, vm => {
        const region = vm.addMemory({ guestPhysAddr: 0, size: MIB });
        region.bytes[5] = 7;
        vm.close();
        assert.equal(region.bytes[5], 7);
        assert.throws(() => region.move(0), { code: 'ERR_CLOSED' });
        assert.throws(() => region.remove(), { code: 'ERR_CLOSED' });
      });
    });
  });
};

function refusedByRange(call: () => unknown): void {
  assert.throws(call, { code: 'EFAULT', errno: -14, request: SET, hint: /createVm\(\{ ipaBits \}\)$/ });
}
