/** KVM_ENABLE_CAP on a VM (`kvm_vm_ioctl_enable_cap_generic`, kvm_main.c; `kvm_vm_ioctl_enable_cap`, arm.c). */
import assert from 'node:assert/strict';
import type { Capability } from '#lib/abi/capabilities.js';
import type { Suite } from '#lib/testing.js';
import type { Vm } from '#lib/vm.js';
import { type Code, refused, rejects, untyped, withVm } from './suite.ts';

function refuses(
  code: Code,
  vm: Vm,
  cap: Capability | number,
  args: readonly bigint[] = [],
  flags = 0,
): void {
  refused(code, 'KVM_ENABLE_CAP', () => vm.enableCap(cap, args, flags));
}

const KIB_64 = 0x1_0000n;

export const enableCap: Suite = ({ describe, it, open }) => {
  describe('KVM_ENABLE_CAP', () => {
    it('enables ARM_NISV_TO_USER and ARM_SYSTEM_SUSPEND, with any arguments, again, and late', () => {
      withVm(open, vm => {
        for (const cap of ['ARM_NISV_TO_USER', 'ARM_SYSTEM_SUSPEND'] as const) {
          assert.equal(vm.enableCap(cap), 0);
          vm.enableCap(cap, [1n, 2, 2n ** 64n - 1n, 4]);
        }
        vm.createVcpu(0).init();
        vm.enableCap('ARM_SYSTEM_SUSPEND');
        assert.equal(vm.enableCap(177), 0);
      });
    });

    it('enables nothing else: EINVAL', () => {
      withVm(open, vm => {
        for (const cap of [
          'ARM_PSCI_0_2',
          'ONE_REG',
          'ARM_EL1_32BIT',
          'COUNTER_OFFSET',
          'STEAL_TIME',
        ] as const) {
          refuses('EINVAL', vm, cap);
        }
        refuses('EINVAL', vm, 'ARM_MTE'); // this CPU has no MTE
        refuses('EINVAL', vm, 'DIRTY_LOG_RING', [KIB_64]); // on arm64 it is the ACQ_REL one
        refuses('EINVAL', vm, 'ARM_WRITABLE_IMP_ID_REGS'); // since 6.15
        refuses('EINVAL', vm, 'ARM_SEA_TO_USER'); // since 6.19
        for (const cap of [999, 0xffff_ffff]) refuses('EINVAL', vm, cap);
      });
    });

    it('knows no flags: EINVAL', () => {
      withVm(open, vm => {
        for (const flags of [1, 0x8000_0000]) {
          refuses('EINVAL', vm, 'ARM_SYSTEM_SUSPEND', [], flags);
          refuses('EINVAL', vm, 'HALT_POLL', [0n], flags);
          refuses('EINVAL', vm, 'MANUAL_DIRTY_LOG_PROTECT2', [0n], flags);
          refuses('EINVAL', vm, 'ARM_EAGER_SPLIT_CHUNK_SIZE', [0n], flags);
          refuses('EINVAL', vm, 999, [], flags);
        }
      });
    });

    it('says in the hint what it may be', () => {
      withVm(open, vm => {
        const { hint } = refused('EINVAL', 'KVM_ENABLE_CAP', () => vm.enableCap('ARM_MTE'));
        assert.equal(hint, 'No capability to enable on this host, not now, or not with these arguments');
      });
    });

    it('refuses what is no capability, flag or argument before the kernel is asked', () => {
      withVm(open, vm => {
        rejects('ERR_INVALID_ARG_VALUE', () => vm.enableCap(untyped('ARM_SUSPEND')));
        rejects('ERR_OUT_OF_RANGE', () => vm.enableCap(-1));
        rejects('ERR_OUT_OF_RANGE', () => vm.enableCap(216, [], -1));
        rejects('ERR_OUT_OF_RANGE', () => vm.enableCap(216, [], 0x1_0000_0000));
        rejects('ERR_OUT_OF_RANGE', () => vm.enableCap(216, [0, 0, 0, 0, 0]));
        for (const arg of [-1, -1n, 1n << 64n, 0.5, 2 ** 53]) {
          rejects('ERR_OUT_OF_RANGE', () => vm.enableCap(216, [arg]));
        }
        for (const args of [['0'], [null], [undefined], 0, null, '0123', { length: 0 }]) {
          rejects('ERR_INVALID_ARG_TYPE', () => vm.enableCap(216, untyped(args)));
        }
      });
    });
  });

  describe('HALT_POLL', () => {
    it('takes 32 bits of nanoseconds: EINVAL for more', () => {
      withVm(open, vm => {
        for (const nanoseconds of [0n, 200_000n, 0xffff_ffffn]) vm.enableCap('HALT_POLL', [nanoseconds]);
        for (const nanoseconds of [1n << 32n, (1n << 63n) | 1n])
          refuses('EINVAL', vm, 'HALT_POLL', [nanoseconds]);
      });
    });
  });

  describe('MANUAL_DIRTY_LOG_PROTECT2', () => {
    it('takes nothing, ENABLE, or ENABLE with INITIALLY_SET: EINVAL for others', () => {
      withVm(open, vm => {
        for (const options of [0n, 1n, 3n, 1n, 0n]) vm.enableCap('MANUAL_DIRTY_LOG_PROTECT2', [options]);
        for (const options of [2n, 4n, 5n, 7n, 1n << 63n]) {
          refuses('EINVAL', vm, 'MANUAL_DIRTY_LOG_PROTECT2', [options]);
        }
      });
    });
  });

  // kvm_vm_ioctl_enable_dirty_log_ring (kvm_main.c): argument first, then whether it is set, then vCPUs.
  describe('DIRTY_LOG_RING_ACQ_REL', () => {
    it('takes a power of two from a page to 1 MiB, once', () => {
      for (const size of [4096n, KIB_64, 0x10_0000n]) {
        withVm(open, vm => {
          vm.enableCap('DIRTY_LOG_RING_ACQ_REL', [size]);
          refuses('EINVAL', vm, 'DIRTY_LOG_RING_ACQ_REL', [size]);
        });
      }
    });

    it('refuses other sizes: EINVAL, and E2BIG above 1 MiB', () => {
      withVm(open, vm => {
        for (const size of [0n, 1n, 2048n, 4097n, 12288n, 0xffff_ffffn]) {
          refuses('EINVAL', vm, 'DIRTY_LOG_RING_ACQ_REL', [size]);
        }
        for (const size of [0x20_0000n, 0x8000_0000n]) refuses('E2BIG', vm, 'DIRTY_LOG_RING_ACQ_REL', [size]);
        vm.enableCap('DIRTY_LOG_RING_ACQ_REL', [4096n]);
        refuses('E2BIG', vm, 'DIRTY_LOG_RING_ACQ_REL', [0x20_0000n]);
      });
    });

    it('looks at 32 bits of the argument, and at no flag', () => {
      withVm(open, vm => {
        refuses('EINVAL', vm, 'DIRTY_LOG_RING_ACQ_REL', [1n << 32n]);
        vm.enableCap('DIRTY_LOG_RING_ACQ_REL', [(1n << 32n) | 4096n], 0xff);
      });
    });

    it('comes too late after the first vCPU: EINVAL', () => {
      withVm(open, vm => {
        vm.createVcpu(0);
        refuses('EINVAL', vm, 'DIRTY_LOG_RING_ACQ_REL', [KIB_64]);
        refuses('E2BIG', vm, 'DIRTY_LOG_RING_ACQ_REL', [0x20_0000n]);
      });
    });
  });

  describe('DIRTY_LOG_RING_WITH_BITMAP', () => {
    it('needs the ring first: EINVAL; then it can be enabled, again and after the first vCPU', () => {
      withVm(open, vm => {
        refuses('EINVAL', vm, 'DIRTY_LOG_RING_WITH_BITMAP');
        vm.enableCap('DIRTY_LOG_RING_ACQ_REL', [KIB_64]);
        refuses('EINVAL', vm, 'DIRTY_LOG_RING_WITH_BITMAP', [], 1);
        vm.enableCap('DIRTY_LOG_RING_WITH_BITMAP');
        vm.createVcpu(0);
        vm.enableCap('DIRTY_LOG_RING_WITH_BITMAP', [7n]);
      });
    });
  });

  describe('ARM_EAGER_SPLIT_CHUNK_SIZE', () => {
    it('takes 0 and the block sizes of 4 KiB pages, and the VM shows it: 4 KiB, 2 MiB, 1 GiB', () => {
      withVm(open, vm => {
        for (const size of [4096, 0x20_0000, 0x4000_0000, 0]) {
          vm.enableCap('ARM_EAGER_SPLIT_CHUNK_SIZE', [size]);
          assert.equal(vm.checkExtension('ARM_EAGER_SPLIT_CHUNK_SIZE'), size);
          assert.equal(vm.kvm.checkExtension('ARM_EAGER_SPLIT_CHUNK_SIZE'), 0);
        }
      });
    });

    it('refuses other sizes: EINVAL, and keeps what it had', () => {
      withVm(open, vm => {
        vm.enableCap('ARM_EAGER_SPLIT_CHUNK_SIZE', [4096]);
        for (const size of [1n, 4095n, 0x2000n, 0x20_1000n, 0x4020_1000n, 1n << 32n, (1n << 32n) | 4096n]) {
          refuses('EINVAL', vm, 'ARM_EAGER_SPLIT_CHUNK_SIZE', [size]);
        }
        assert.equal(vm.checkExtension('ARM_EAGER_SPLIT_CHUNK_SIZE'), 4096);
      });
    });
  });
};
