/** KVM_CREATE_VCPU: ids, and what becomes of them in MPIDR_EL1. */
import assert from 'node:assert/strict';
import type { Suite } from '#lib/testing.js';
import { refused, rejects, untyped, withVm } from './suite.ts';

/** `reset_mpidr` (arch/arm64/kvm/sys_regs.c): id 3:0 in Aff0, 11:4 in Aff1, 19:12 in Aff2, and bit 31. */
const MPIDR: readonly (readonly [id: number, mpidr: bigint])[] = [
  [0, 0x8000_0000n],
  [1, 0x8000_0001n],
  [15, 0x8000_000fn],
  [16, 0x8000_0100n],
  [17, 0x8000_0101n],
  [255, 0x8000_0f0fn],
  [256, 0x8000_1000n],
  [511, 0x8000_1f0fn],
];

export const vcpuCreation: Suite = ({ describe, it, open }) => {
  describe('KVM_CREATE_VCPU', () => {
    it('takes ids in any order and with gaps, and puts them into MPIDR_EL1', () => {
      withVm(open, vm => {
        for (const [id, mpidr] of [...MPIDR].reverse()) {
          const vcpu = vm.createVcpu(id);
          vcpu.init();
          assert.equal(vcpu.id, id);
          assert.equal(vcpu.getOneReg(0x6030_0000_0013_c005n), mpidr);
        }
      });
    });

    it('takes as many as KVM_CAP_MAX_VCPUS says, 512; then EINVAL comes before EEXIST', () => {
      // kvm_vm_ioctl_create_vcpu (virt/kvm/kvm_main.c) compares created_vcpus with max_vcpus first.
      withVm(open, vm => {
        for (let id = 0; id < 512; id++) vm.createVcpu(id);
        refused('EINVAL', 'KVM_CREATE_VCPU', () => vm.createVcpu(0));
      });
    });

    it('refuses a second vCPU with the same id: EEXIST', () => {
      withVm(open, vm => {
        vm.createVcpu(3);
        const { hint } = refused('EEXIST', 'KVM_CREATE_VCPU', () => vm.createVcpu(3));
        assert.equal(
          hint,
          'The VM has a vCPU 3 already; one that was closed keeps its id until the VM is closed',
        );
      });
    });

    it('keeps the id of a vCPU whose descriptor was closed: the vCPU lives as long as its VM', () => {
      withVm(open, vm => {
        vm.createVcpu(0).close();
        refused('EEXIST', 'KVM_CREATE_VCPU', () => vm.createVcpu(0));
      });
    });

    it('refuses an id of KVM_CAP_MAX_VCPU_ID or more: EINVAL (kvm_arch_vcpu_precreate)', () => {
      withVm(open, vm => {
        for (const id of [512, 4096, 0x7fff_ffff, 0xffff_ffff]) {
          refused('EINVAL', 'KVM_CREATE_VCPU', () => vm.createVcpu(id));
        }
        vm.createVcpu(0);
      });
    });

    it('refuses what is no id before the kernel is asked', () => {
      withVm(open, vm => {
        for (const id of [-1, 0.5, Number.NaN, 0x1_0000_0000]) {
          rejects('ERR_OUT_OF_RANGE', () => vm.createVcpu(id));
        }
        for (const id of ['0', 0n, undefined, null]) {
          rejects('ERR_INVALID_ARG_TYPE', () => vm.createVcpu(untyped(id)));
        }
      });
    });
  });
};
