/**
 * KVM_ARM_VCPU_INIT, what comes before it, and what it leaves behind when it fails, which no selftest has (reference
 * section 2; `kvm_vcpu_set_target()`, arch/arm64/kvm/arm.c of 5.10, `kvm_vcpu_init_check_features()` of 6.12).
 */
import assert from 'node:assert/strict';
import { KVM_IOCTL } from '#lib/abi/ioctls.js';
import type { Kvm } from '#lib/kvm.js';
import type { CaseContext, Suite } from '#lib/testing.js';
import type { Vcpu } from '#lib/vcpu.js';
import { kernelOf } from '../contract/kernel.ts';
import { PC, PSCI_VERSION, X } from '../contract/registers.ts';
import { type Code, refused, refusesGet, refusesSet, stores } from '../contract/suite.ts';

const INIT = 'KVM_ARM_VCPU_INIT';
const SVE_VLS = 0x6060_0000_0015_ffffn;
const SVE_Z0 = 0x6080_0000_0015_0000n;
const SVE_P0 = 0x6050_0000_0015_0400n;
const SVE_FFR = 0x6050_0000_0015_0600n;
const SVE_STATE = [SVE_Z0, SVE_P0, SVE_FFR];
/** Feature bits that no kernel has: the last of the first word, and those of others. */
const NO_FEATURES = [31, 32, 63, 64, 223];

const newVcpu = (kvm: Kvm): Vcpu => kvm.createVm().createVcpu(0);

/** What knows the vCPU's width, its features or its registers. */
function refusesRegisters(code: Code, vcpu: Vcpu, ids: readonly bigint[]): void {
  for (const id of ids) {
    refusesGet(code, vcpu, id);
    refusesSet(code, vcpu, id, 0n);
  }
}

/** What works on any vCPU, initialised or not; and struct kvm_regs, which arm64 never had. */
function answersAlways(vcpu: Vcpu): void {
  vcpu.setMpState('STOPPED');
  assert.equal(vcpu.getMpState(), 'STOPPED');
  vcpu.setMpState('RUNNABLE');
  assert.equal(vcpu.hasDeviceAttr(1, 0), true);
  assert.deepEqual([...vcpu.getDeviceAttr(1, 0, 4)], [27, 0, 0, 0]);
  for (const name of ['KVM_GET_REGS', 'KVM_SET_REGS'] as const)
    refused('EINVAL', name, () => vcpu.ioctl(KVM_IOCTL[name], new Uint8Array(864)));
}

function withSve(kvm: Kvm, context: CaseContext): Vcpu {
  if (kvm.checkExtension('ARM_SVE') === 0) context.skip('the host has no SVE');
  return newVcpu(kvm);
}

export const init: Suite = ({ describe, it, open }) => {
  describe('a vCPU that is not initialised', () => {
    it('has no registers and does not run: ENOEXEC; it has an MP state and attributes', () => {
      const vcpu = newVcpu(open());
      refusesRegisters('ENOEXEC', vcpu, [PC, PSCI_VERSION, SVE_VLS, SVE_Z0, 0n, 2n ** 64n - 1n]);
      refused('ENOEXEC', 'KVM_GET_REG_LIST', () => vcpu.getRegList());
      for (const feature of ['SVE', 'PSCI_0_2', 99] as const)
        refused('ENOEXEC', 'KVM_ARM_VCPU_FINALIZE', () => vcpu.finalize(feature));
      refused('ENOEXEC', 'KVM_RUN', () => vcpu.runSync());
      answersAlways(vcpu);
    });

    it('does not run either when it is kicked: ENOEXEC comes first', () => {
      const vcpu = newVcpu(open());
      vcpu.kick();
      refused('ENOEXEC', 'KVM_RUN', () => vcpu.runSync());
    });

    it('has events on some kernels', context => {
      const kvm = open();
      const vcpu = newVcpu(kvm);
      const { eventsNeedInit } = kernelOf(kvm, context);
      if (eventsNeedInit) {
        refused('ENOEXEC', 'KVM_GET_VCPU_EVENTS', () => vcpu.getVcpuEvents());
        refused('ENOEXEC', 'KVM_SET_VCPU_EVENTS', () => vcpu.setVcpuEvents({ serrorPending: true }));
      } else {
        vcpu.setVcpuEvents({ serrorPending: true });
        assert.equal(vcpu.getVcpuEvents().serrorPending, true);
      }
    });
  });

  describe('a vCPU with SVE', () => {
    it('before it is finalized has no list, no vectors, and does not run: EPERM', context => {
      const vcpu = withSve(open(), context);
      vcpu.init({ features: ['SVE'] });
      refusesRegisters('EPERM', vcpu, SVE_STATE);
      refused('EPERM', 'KVM_GET_REG_LIST', () => vcpu.getRegList());
      refused('EPERM', 'KVM_RUN', () => vcpu.runSync());
      stores(vcpu, X(0), 1n);
      vcpu.setOneReg(SVE_VLS, vcpu.getOneReg(SVE_VLS));
      assert.equal(vcpu.psciVersion, '0.1');
      answersAlways(vcpu);
    });

    it('after that has its lengths for good: EPERM', context => {
      const vcpu = withSve(open(), context);
      vcpu.init({ features: ['SVE'] });
      vcpu.finalize('SVE');
      refused('EPERM', 'KVM_ARM_VCPU_FINALIZE', () => vcpu.finalize('SVE'));
      refused('EINVAL', 'KVM_ARM_VCPU_FINALIZE', () => vcpu.finalize('PSCI_0_2'));
      refusesSet('EPERM', vcpu, SVE_VLS, vcpu.getOneReg(SVE_VLS));
      for (const id of SVE_STATE) assert.equal(vcpu.getOneReg(id), 0n);
      assert.ok(vcpu.getRegList().includes(SVE_VLS));
    });

    it('is finalized only where it has it: EINVAL', () => {
      const vcpu = newVcpu(open());
      vcpu.init();
      for (const feature of ['SVE', 'PSCI_0_2', 99] as const)
        refused('EINVAL', 'KVM_ARM_VCPU_FINALIZE', () => vcpu.finalize(feature));
      refusesRegisters('ENOENT', vcpu, [SVE_VLS, ...SVE_STATE]);
    });
  });

  describe('features', () => {
    it('that the kernel does not know are ENOENT', context => {
      const kvm = open();
      const vcpu = newVcpu(kvm);
      const { features } = kernelOf(kvm, context);
      for (const bit of [features, features + 1, ...NO_FEATURES])
        refused('ENOENT', INIT, () => vcpu.init({ features: [bit] }));
      refusesRegisters('ENOEXEC', vcpu, [PC]);
    });

    it('that one init gave and the kernel then refused are there after the next, until Linux 6.5', context => {
      const kvm = open();
      const { sharesFeatures, features, psci } = kernelOf(kvm, context);
      const vcpu = newVcpu(kvm);
      refused('ENOENT', INIT, () => vcpu.init({ features: ['POWER_OFF', 'PSCI_0_2', features] }));
      refusesRegisters('ENOEXEC', vcpu, [PC]);
      vcpu.init({ features: [] });
      assert.equal(vcpu.psciVersion, sharesFeatures ? '0.1' : psci.at(-1));
      assert.equal(vcpu.getMpState(), sharesFeatures ? 'RUNNABLE' : 'STOPPED');
    });

    it('that are refused for the host leave nothing: EINVAL', () => {
      const vcpu = newVcpu(open());
      // One half of pointer authentication alone: on every CPU.
      for (const half of ['PTRAUTH_ADDRESS', 'PTRAUTH_GENERIC'] as const)
        refused('EINVAL', INIT, () => vcpu.init({ features: ['POWER_OFF', 'PSCI_0_2', half] }));
      vcpu.init({ features: [] });
      assert.equal(vcpu.psciVersion, '0.1');
      assert.equal(vcpu.getMpState(), 'RUNNABLE');
    });

    it('of a further init are the same: EINVAL, which comes with the lower bit before Linux 6.5', context => {
      const kvm = open();
      const { sharesFeatures, features } = kernelOf(kvm, context);
      const vcpu = newVcpu(kvm);
      vcpu.init();
      stores(vcpu, X(3), 3n);
      refused('EINVAL', INIT, () => vcpu.init({ features: [] }));
      refused('EINVAL', INIT, () => vcpu.init({ features: ['PSCI_0_2', 'PMU_V3'] }));
      refused('ENOENT', INIT, () => vcpu.init({ features: ['PSCI_0_2', features] }));
      refused(sharesFeatures ? 'ENOENT' : 'EINVAL', INIT, () => vcpu.init({ features: [features] }));
      assert.equal(vcpu.getOneReg(X(3)), 3n);
    });

    it('of the vCPUs of a VM are the same from Linux 6.5 on: EINVAL', context => {
      const kvm = open();
      const vm = kvm.createVm();
      const [first, second] = [vm.createVcpu(0), vm.createVcpu(1)];
      first.init();
      const other = () => second.init({ features: [] });
      if (kernelOf(kvm, context).sharesFeatures) refused('EINVAL', INIT, other);
      else {
        other();
        assert.equal(second.psciVersion, '0.1');
      }
      assert.equal(first.psciVersion, kernelOf(kvm, context).psci.at(-1));
    });

    it('POWER_OFF is of one call from Linux 6.5 on, and before it a feature like others', context => {
      const kvm = open();
      const vcpu = newVcpu(kvm);
      const off = { features: ['PSCI_0_2', 'POWER_OFF'] } as const;
      vcpu.init(off);
      assert.equal(vcpu.getMpState(), 'STOPPED');
      if (kernelOf(kvm, context).sharesFeatures) {
        vcpu.init();
        assert.equal(vcpu.getMpState(), 'RUNNABLE');
        vcpu.init(off);
      } else {
        refused('EINVAL', INIT, () => vcpu.init());
        vcpu.setMpState('RUNNABLE');
        vcpu.init(off);
        const other = vcpu.vm.createVcpu(1);
        other.init();
        assert.equal(other.getMpState(), 'RUNNABLE');
        refused('EINVAL', INIT, () => other.init(off));
      }
      assert.equal(vcpu.getMpState(), 'STOPPED');
    });
  });
};
