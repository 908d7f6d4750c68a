/** `ioctl()`: requests that have no method, and those that the hatch does not take. */
import assert from 'node:assert/strict';
import { KVM_IOCTL } from '#lib/abi/ioctls.js';
import type { Suite } from '#lib/testing.js';
import { PSCI_VERSION } from './registers.ts';
import { refused, refusesSet, rejects, untyped, withKvm, withVcpu, withVm } from './suite.ts';

const { KVM_GET_API_VERSION, KVM_CHECK_EXTENSION, KVM_GET_VCPU_MMAP_SIZE } = KVM_IOCTL;

/** struct kvm_enable_cap. */
function enableCapStruct(cap: number, flags: number, arg: bigint): Uint8Array {
  const bytes = new Uint8Array(104);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, cap, true);
  view.setUint32(4, flags, true);
  view.setBigUint64(8, arg, true);
  return bytes;
}

/** struct kvm_vcpu_init: target and the first word of features[]. */
function initStruct(target: number, features: number, size = 32): Uint8Array {
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, target, true);
  view.setUint32(4, features, true);
  return bytes;
}

const u32 = (value: number) => new Uint8Array(Uint32Array.of(value).buffer);

export const escapeHatch: Suite = ({ describe, it, open }) => {
  describe('ioctl() on /dev/kvm', () => {
    it('takes requests without a struct, with an integer or none', () => {
      withKvm(open, kvm => {
        assert.equal(kvm.ioctl(KVM_GET_API_VERSION), 12);
        assert.equal(kvm.ioctl(KVM_GET_API_VERSION, 0n), 12);
        assert.equal(kvm.ioctl(KVM_GET_VCPU_MMAP_SIZE), 8192);
        assert.equal(kvm.ioctl(KVM_CHECK_EXTENSION, 102), 1);
        assert.equal(kvm.ioctl(KVM_CHECK_EXTENSION, 102n), 1);
      });
    });

    it('passes the integer on, all 64 bits', () => {
      withKvm(open, kvm => {
        refused('EINVAL', 'KVM_GET_API_VERSION', () => kvm.ioctl(KVM_GET_API_VERSION, 1));
        refused('EINVAL', 'KVM_GET_VCPU_MMAP_SIZE', () => kvm.ioctl(KVM_GET_VCPU_MMAP_SIZE, 1n << 63n));
        assert.equal(kvm.ioctl(KVM_CHECK_EXTENSION, (1n << 32n) | 102n), 0);
        refused('EINVAL', 'KVM_CHECK_EXTENSION', () => kvm.ioctl(KVM_CHECK_EXTENSION, 131));
      });
    });

    it('names a request that it does not know by its number: EINVAL on arm64', () => {
      withVcpu(open, [], vcpu => {
        for (const object of [vcpu, vcpu.vm, vcpu.vm.kvm]) {
          refused('EINVAL', '0xaeff', () => object.ioctl(0xaeff));
          refused('EINVAL', '0x4008aeff', () => object.ioctl(0x4008_aeff, new Uint8Array(8)));
        }
      });
    });

    it('knows what belongs to another descriptor as little: EINVAL', () => {
      withVcpu(open, [], vcpu => {
        const { vm } = vcpu;
        for (const object of [vm, vm.kvm]) {
          refused('EINVAL', 'KVM_GET_MP_STATE', () => object.ioctl(KVM_IOCTL.KVM_GET_MP_STATE, u32(0)));
        }
        for (const object of [vcpu, vm]) {
          refused('EINVAL', 'KVM_GET_API_VERSION', () => object.ioctl(KVM_GET_API_VERSION));
        }
        refused('EINVAL', 'KVM_CHECK_EXTENSION', () => vcpu.ioctl(KVM_CHECK_EXTENSION, 102));
      });
    });
  });

  describe('ioctl() on a VM', () => {
    it('takes requests with a struct and lets the kernel fill it in place', () => {
      withVm(open, vm => {
        const struct = new Uint8Array(32).fill(0xff);
        assert.equal(vm.ioctl(KVM_IOCTL.KVM_ARM_PREFERRED_TARGET, struct), 0);
        assert.deepEqual(struct, initStruct(5, 0));
        const within = new Uint8Array(48).fill(0xff);
        vm.ioctl(KVM_IOCTL.KVM_ARM_PREFERRED_TARGET, within.subarray(8, 40));
        assert.deepEqual([...within.subarray(0, 12)], [255, 255, 255, 255, 255, 255, 255, 255, 5, 0, 0, 0]);
        assert.deepEqual([...within.subarray(39, 42)], [0, 255, 255]);
      });
    });

    it('is the same as the methods', () => {
      withVm(open, vm => {
        assert.equal(vm.ioctl(KVM_CHECK_EXTENSION, 131), 0);
        assert.equal(vm.ioctl(KVM_IOCTL.KVM_ENABLE_CAP, enableCapStruct(228, 0, 4096n)), 0);
        assert.equal(vm.checkExtension('ARM_EAGER_SPLIT_CHUNK_SIZE'), 4096);
        refused('EINVAL', 'KVM_ENABLE_CAP', () =>
          vm.ioctl(KVM_IOCTL.KVM_ENABLE_CAP, enableCapStruct(216, 1, 0n)),
        );
      });
    });
  });

  describe('KVM_RESET_DIRTY_RINGS', () => {
    // kvm_vm_ioctl_reset_dirty_pages (kvm_main.c).
    it('finds nothing to reset in an empty ring; without a ring it is EINVAL', () => {
      withVm(open, vm => {
        refused('EINVAL', 'KVM_RESET_DIRTY_RINGS', () => vm.ioctl(KVM_IOCTL.KVM_RESET_DIRTY_RINGS));
        vm.enableCap('DIRTY_LOG_RING_ACQ_REL', [65536]);
        vm.createVcpu(0);
        assert.equal(vm.ioctl(KVM_IOCTL.KVM_RESET_DIRTY_RINGS), 0);
      });
    });
  });

  describe('ioctl() on a vCPU', () => {
    it('is the same as the methods, with a struct that may be longer than the request says', () => {
      withVm(open, vm => {
        const vcpu = vm.createVcpu(0);
        const { KVM_ARM_VCPU_INIT, KVM_ARM_VCPU_FINALIZE, KVM_GET_MP_STATE, KVM_SET_MP_STATE } = KVM_IOCTL;
        refused('ENOEXEC', 'KVM_ARM_VCPU_FINALIZE', () => vcpu.ioctl(KVM_ARM_VCPU_FINALIZE, u32(4)));
        refused('EINVAL', 'KVM_ARM_VCPU_INIT', () => vcpu.ioctl(KVM_ARM_VCPU_INIT, initStruct(0, 4)));
        refused('ENOENT', 'KVM_ARM_VCPU_INIT', () => vcpu.ioctl(KVM_ARM_VCPU_INIT, initStruct(5, 0x80)));
        assert.equal(vcpu.ioctl(KVM_ARM_VCPU_INIT, initStruct(5, 5, 100)), 0);
        assert.equal(vcpu.psciVersion, '1.1');
        const refusal = refusesSet('EINVAL', vcpu, PSCI_VERSION, 0x1_0007n);
        assert.equal(refusal.hint, 'This host accepts 0.2, 1.0, 1.1');
        refused('EINVAL', 'KVM_ARM_VCPU_FINALIZE', () => vcpu.ioctl(KVM_ARM_VCPU_FINALIZE, u32(4)));
        const state = new Uint8Array(8).fill(0xff);
        assert.equal(vcpu.ioctl(KVM_GET_MP_STATE, state), 0);
        assert.deepEqual([...state], [5, 0, 0, 0, 255, 255, 255, 255]);
        assert.equal(vcpu.ioctl(KVM_SET_MP_STATE, u32(10)), 0);
        assert.equal(vcpu.getMpState(), 'SUSPENDED');
        refused('EINVAL', 'KVM_SET_MP_STATE', () => vcpu.ioctl(KVM_SET_MP_STATE, u32(1)));
        const events = new Uint8Array(80);
        assert.equal(vcpu.ioctl(KVM_IOCTL.KVM_GET_VCPU_EVENTS, events), 0);
        assert.equal(vcpu.ioctl(KVM_IOCTL.KVM_SET_VCPU_EVENTS, events), 0);
      });
    });

    it('refuses struct kvm_regs, which arm64 never had: EINVAL', () => {
      withVcpu(open, [], vcpu => {
        for (const name of ['KVM_GET_REGS', 'KVM_SET_REGS'] as const) {
          refused('EINVAL', name, () => vcpu.ioctl(KVM_IOCTL[name], new Uint8Array(864)));
        }
      });
    });
  });

  describe('ioctl() refuses', () => {
    it('requests that hold addresses, block, or make descriptors, and names the method', () => {
      withVcpu(open, [], vcpu => {
        const { vm } = vcpu;
        for (const [object, name] of [
          [vm.kvm, 'KVM_CREATE_VM'],
          [vm, 'KVM_CREATE_VCPU'],
          [vm, 'KVM_CREATE_DEVICE'],
          [vm, 'KVM_CREATE_GUEST_MEMFD'],
          [vm, 'KVM_GET_STATS_FD'],
          [vm, 'KVM_HAS_DEVICE_ATTR'],
          [vm, 'KVM_SET_USER_MEMORY_REGION'],
          [vm, 'KVM_SET_USER_MEMORY_REGION2'],
          [vm, 'KVM_GET_DIRTY_LOG'],
          [vm, 'KVM_CLEAR_DIRTY_LOG'],
          [vm, 'KVM_ARM_GET_REG_WRITABLE_MASKS'],
          [vm, 'KVM_ARM_MTE_COPY_TAGS'],
          [vm, 'KVM_SET_GSI_ROUTING'],
          [vcpu, 'KVM_GET_ONE_REG'],
          [vcpu, 'KVM_SET_ONE_REG'],
          [vcpu, 'KVM_GET_REG_LIST'],
          [vcpu, 'KVM_GET_DEVICE_ATTR'],
          [vcpu, 'KVM_SET_DEVICE_ATTR'],
          [vcpu, 'KVM_SET_SIGNAL_MASK'],
          [vcpu, 'KVM_RUN'],
        ] as const) {
          const { message } = rejects('ERR_INVALID_ARG_VALUE', () =>
            object.ioctl(KVM_IOCTL[name], new Uint8Array(1024)),
          );
          assert.match(message, new RegExp(`for ${name} use `));
        }
      });
    });

    it('what is no request of KVM', () => {
      withVcpu(open, [], vcpu => {
        for (const object of [vcpu, vcpu.vm, vcpu.vm.kvm]) {
          for (const request of [-1, 0, 0x5401, 0xaf00, 0x1_0000_ae00, 0xae00 + 0.5, Number.NaN]) {
            rejects('ERR_OUT_OF_RANGE', () => object.ioctl(request));
          }
          for (const request of ['KVM_GET_API_VERSION', 0xae00n, null, undefined]) {
            rejects('ERR_INVALID_ARG_TYPE', () => object.ioctl(untyped(request)));
          }
        }
      });
    });

    it('an argument of another kind than the request has', () => {
      withVcpu(open, [], vcpu => {
        const { vm } = vcpu;
        const { KVM_GET_MP_STATE } = KVM_IOCTL;
        for (const argument of [undefined, 0, 0n, null, [0, 0, 0, 0], 'state', new Uint32Array(1)]) {
          rejects('ERR_INVALID_ARG_TYPE', () => vcpu.ioctl(KVM_GET_MP_STATE, untyped(argument)));
        }
        for (const length of [0, 3]) {
          rejects('ERR_OUT_OF_RANGE', () => vcpu.ioctl(KVM_GET_MP_STATE, new Uint8Array(length)));
        }
        for (const argument of [new Uint8Array(4), '0', null, {}]) {
          rejects('ERR_INVALID_ARG_TYPE', () => vm.ioctl(KVM_CHECK_EXTENSION, untyped(argument)));
        }
        for (const argument of [-1, -1n, 1n << 64n, 0.5]) {
          rejects('ERR_OUT_OF_RANGE', () => vm.ioctl(KVM_CHECK_EXTENSION, argument));
        }
      });
    });

    it('by the direction in the request, not its size, whether it takes a struct', () => {
      withVm(open, vm => {
        // _IO with a size, and _IOW without: no header has such numbers, and the kernel knows none.
        rejects('ERR_INVALID_ARG_TYPE', () => vm.ioctl(0x0008_aeff, new Uint8Array(8)));
        refused('EINVAL', '0x8aeff', () => vm.ioctl(0x0008_aeff, 0n));
        rejects('ERR_INVALID_ARG_TYPE', () => vm.ioctl(0x4000_aeff, 0n));
        refused('EINVAL', '0x4000aeff', () => vm.ioctl(0x4000_aeff, new Uint8Array(0)));
      });
    });
  });
};
