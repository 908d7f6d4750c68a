/** Device attributes of VMs and vCPUs: the SMCCC filter, the timers' interrupts, stolen time. The PMU's: `pmu.ts`. */
import assert from 'node:assert/strict';
import type { Suite } from '#lib/testing.js';
import type { Vm } from '#lib/vm.js';
import { type Code, refused, rejects, untyped, withNewVcpu, withVcpu, withVm } from './suite.ts';

const HAS = 'KVM_HAS_DEVICE_ATTR';
const GET = 'KVM_GET_DEVICE_ATTR';
const SET = 'KVM_SET_DEVICE_ATTR';

/** struct kvm_smccc_filter: base, nr_functions, action, pad[15]. */
function smcccFilter(base: number, count: number, action: number, pad: readonly number[] = []): Uint8Array {
  const bytes = new Uint8Array(24);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, base, true);
  view.setUint32(4, count, true);
  view.setUint8(8, action);
  for (const at of pad) view.setUint8(at, 1);
  return bytes;
}

function refusesFilter(code: Code, vm: Vm, filter: Uint8Array): void {
  refused(code, SET, () => vm.setDeviceAttr(0, 0, filter));
}

const PSCI_VERSION = 0x8400_0000;
const HANDLE = 0;
const DENY = 1;
const FWD_TO_USER = 2;

export const attributes: Suite = ({ describe, it, open }) => {
  describe('the device attributes of a VM', () => {
    it('are one: the SMCCC filter, attribute 0 of group 0', () => {
      withVm(open, vm => {
        assert.equal(vm.hasDeviceAttr(0, 0), true);
        for (const [group, attr] of [
          [0, 1],
          [0, 1n << 32n],
          [1, 0],
          [0xffff_ffff, 0],
        ] as const) {
          assert.equal(vm.hasDeviceAttr(group, attr), false);
          refused('ENXIO', SET, () => vm.setDeviceAttr(group, attr, new Uint8Array(24)));
        }
      });
    });

    it('cannot be read: arm64 has no KVM_GET_DEVICE_ATTR on a VM, EINVAL', () => {
      withVm(open, vm => {
        for (const [group, attr] of [
          [0, 0],
          [0, 1],
          [7, 7],
        ] as const) {
          refused('EINVAL', GET, () => vm.getDeviceAttr(group, attr, 24));
        }
      });
    });
  });

  // kvm_smccc_set_filter (hypercalls.c); selftests smccc_filter.c.
  describe('the SMCCC filter', () => {
    it('takes ranges with each action, before there is a vCPU and after', () => {
      withVm(open, vm => {
        vm.setDeviceAttr(0, 0, smcccFilter(PSCI_VERSION, 1, DENY));
        vm.setDeviceAttr(0, 0, smcccFilter(0xc400_0000, 0x20, FWD_TO_USER));
        vm.createVcpu(0).init();
        vm.setDeviceAttr(0, 0, smcccFilter(0x8600_0000, 0x1_0000, HANDLE));
        vm.setDeviceAttr(0, 0, smcccFilter(0xffff_ffff, 1, DENY));
        vm.setDeviceAttr(0, 0, smcccFilter(0, 1, DENY));
      });
    });

    it('refuses padding that is not zero, no functions, a range that wraps, and unknown actions: EINVAL', () => {
      withVm(open, vm => {
        for (const at of [9, 16, 23]) refusesFilter('EINVAL', vm, smcccFilter(PSCI_VERSION, 1, DENY, [at]));
        refusesFilter('EINVAL', vm, smcccFilter(PSCI_VERSION, 0, DENY));
        // Debian's 6.12.107 took it for all functions and said EEXIST; 6.12.117 does not.
        refusesFilter('EINVAL', vm, smcccFilter(0, 0, DENY));
        refusesFilter('EINVAL', vm, smcccFilter(0xffff_ffff, 0xffff_ffff, DENY));
        refusesFilter('EINVAL', vm, smcccFilter(0xffff_ffff, 2, DENY));
        for (const action of [3, 255]) refusesFilter('EINVAL', vm, smcccFilter(PSCI_VERSION, 1, action));
        vm.setDeviceAttr(0, 0, smcccFilter(PSCI_VERSION, 1, DENY));
      });
    });

    it("refuses Arm's own calls, in part or whole: EEXIST", () => {
      withVm(open, vm => {
        for (const [base, count] of [
          [0x8000_0000, 1],
          [0x8000_8000, 1],
          [0x8000_ffff, 1],
          [0x7fff_ffff, 2],
          [0xc000_0000, 1],
          [0xc000_ffff, 0x10],
          [0, 0xffff_ffff],
        ] as const) {
          refusesFilter('EEXIST', vm, smcccFilter(base, count, DENY));
        }
        for (const [base, count] of [
          [0x7fff_ffff, 1],
          [0x8001_0000, 1],
          [0xbfff_ffff, 1],
          [0xc001_0000, 1],
        ] as const) {
          vm.setDeviceAttr(0, 0, smcccFilter(base, count, DENY));
        }
      });
    });

    it('refuses what overlaps an earlier range, whatever the action: EEXIST; what was refused is not there', () => {
      withVm(open, vm => {
        vm.setDeviceAttr(0, 0, smcccFilter(0x8400_0010, 0x10, DENY));
        for (const [base, count] of [
          [0x8400_0010, 0x10],
          [0x8400_001f, 1],
          [0x8400_0000, 0x11],
          [0x8400_0000, 0x100],
        ] as const) {
          for (const action of [HANDLE, DENY]) refusesFilter('EEXIST', vm, smcccFilter(base, count, action));
        }
        vm.setDeviceAttr(0, 0, smcccFilter(0x8400_0000, 0x10, DENY));
        vm.setDeviceAttr(0, 0, smcccFilter(0x8400_0020, 1, DENY));
      });
    });

    it('looks at the struct before it looks at ranges', () => {
      withVm(open, vm => {
        refusesFilter('EINVAL', vm, smcccFilter(0x8000_0000, 1, 3));
        refusesFilter('EINVAL', vm, smcccFilter(0x8000_0000, 1, DENY, [9]));
        refused('ENXIO', SET, () => vm.setDeviceAttr(0, 1, smcccFilter(0, 0, 255, [9])));
      });
    });

    it("is each VM's own", () => {
      withVm(open, vm => {
        const other = vm.kvm.createVm();
        for (const each of [vm, other]) each.setDeviceAttr(0, 0, smcccFilter(PSCI_VERSION, 1, DENY));
      });
    });
  });

  describe('the device attributes of a vCPU', () => {
    it('are those of the PMU, the timers and stolen time', () => {
      withVcpu(open, ['PMU_V3'], vcpu => {
        const groups = [0, 1, 2, 3, 7, 0xffff_ffff].map(group =>
          [0, 1, 2, 3, 4].map(attr => Number(vcpu.hasDeviceAttr(group, attr))).join(''),
        );
        assert.deepEqual(groups, ['11110', '11110', '10000', '00000', '00000', '00000']);
      });
    });

    it('are ENXIO where there are none', () => {
      withVcpu(open, [], vcpu => {
        for (const [group, attr] of [
          [2, 1],
          [2, 1n << 32n],
          [3, 0],
          [0xffff_ffff, 0],
        ] as const) {
          refused('ENXIO', GET, () => vcpu.getDeviceAttr(group, attr, 8));
          refused('ENXIO', SET, () => vcpu.setDeviceAttr(group, attr, new Uint8Array(8)));
        }
        for (const attr of [4, 1n << 32n]) refused('ENXIO', GET, () => vcpu.getDeviceAttr(1, attr, 4));
      });
    });
  });

  // arch_timer.c: default_ppi.
  describe("the timers' interrupts", () => {
    it('are PPI 27 virtual, 30 physical, 28 and 26 for the hypervisor, as 32-bit numbers', () => {
      withNewVcpu(open, vcpu => {
        const ppis = [0, 1, 2, 3].map(attr => vcpu.getDeviceAttr(1, attr, 4));
        assert.deepEqual(
          ppis.map(bytes => [...bytes]),
          [27, 30, 28, 26].map(ppi => [ppi, 0, 0, 0]),
        );
        vcpu.init();
        assert.equal(vcpu.getDeviceAttr(1, 0, 4)[0], 27);
      });
    });

    it('cannot be set without an interrupt controller in the kernel: EINVAL, before the attribute is looked at', () => {
      withVcpu(open, [], vcpu => {
        for (const attr of [0, 1, 2, 3, 4, 99]) {
          for (const ppi of [20, 27, 5, 200]) {
            refused('EINVAL', SET, () => vcpu.setDeviceAttr(1, attr, Uint8Array.of(ppi, 0, 0, 0)));
          }
        }
        assert.equal(vcpu.getDeviceAttr(1, 0, 4)[0], 27);
      });
    });
  });

  // pvtime.c: kvm_arm_pvtime_set_attr.
  describe('the address of stolen time', () => {
    it('is not set at first: all ones, INVALID_GPA', () => {
      withVcpu(open, [], vcpu => {
        assert.deepEqual([...vcpu.getDeviceAttr(2, 0, 8)], new Array(8).fill(0xff));
      });
    });

    it('must be a multiple of 64 in memory that the VM has: EINVAL, and stays unset', () => {
      withVcpu(open, [], vcpu => {
        for (const low of [1, 32, 63, 0, 64]) {
          refused('EINVAL', SET, () => vcpu.setDeviceAttr(2, 0, Uint8Array.of(low, 0, 0, 0x40, 0, 0, 0, 0)));
        }
        assert.deepEqual([...vcpu.getDeviceAttr(2, 0, 8)], new Array(8).fill(0xff));
      });
    });
  });

  describe('an attribute', () => {
    it('that is no number of its width is refused before the kernel is asked', () => {
      withVcpu(open, [], vcpu => {
        for (const target of [vcpu, vcpu.vm]) {
          for (const group of [-1, 1.5, 0x1_0000_0000]) {
            rejects('ERR_OUT_OF_RANGE', () => target.hasDeviceAttr(group, 0));
          }
          for (const attr of [-1, -1n, 1n << 64n, 2 ** 53, 0.5]) {
            rejects('ERR_OUT_OF_RANGE', () => target.setDeviceAttr(0, attr));
          }
          for (const attr of ['0', null, undefined, {}]) {
            rejects('ERR_INVALID_ARG_TYPE', () => target.getDeviceAttr(0, untyped(attr), 4));
          }
          for (const data of [[0, 0], 'data', 0, null, new Uint16Array(4), new ArrayBuffer(8)]) {
            rejects('ERR_INVALID_ARG_TYPE', () => target.setDeviceAttr(0, 0, untyped(data)));
          }
          for (const size of [-1, 0.5, 0x1_0001]) {
            rejects('ERR_OUT_OF_RANGE', () => target.getDeviceAttr(0, 0, size));
          }
        }
      });
    });

    it('that is absent is no error of hasDeviceAttr()', () => {
      withVm(open, vm => assert.equal(vm.hasDeviceAttr(5, 5), false, HAS));
    });
  });
};
