/** A vCPU that was created and not yet initialised (reference section 2: "Before INIT"), and KVM_ARM_VCPU_FINALIZE. */
import assert from 'node:assert/strict';
import type { Suite } from '#lib/testing.js';
import { PC, PSCI_VERSION } from './registers.ts';
import { refused, refusesGet, refusesSet, rejects, untyped, withNewVcpu, withVcpu } from './suite.ts';

const NOT_INITIALISED = 'The vCPU is not initialised: call vcpu.init() first';

export const beforeInit: Suite = ({ describe, it, open }) => {
  // kvm_arch_vcpu_ioctl (arch/arm64/kvm/arm.c).
  describe('before KVM_ARM_VCPU_INIT', () => {
    it('no register can be read or written, whatever its id: ENOEXEC', () => {
      withNewVcpu(open, vcpu => {
        for (const id of [
          PC,
          PSCI_VERSION,
          0n,
          0x4030_0000_0014_0000n,
          0x6030_0000_0014_0009n,
          2n ** 64n - 1n,
        ]) {
          assert.equal(refusesGet('ENOEXEC', vcpu, id).hint, NOT_INITIALISED);
          assert.equal(refusesSet('ENOEXEC', vcpu, id, 0n).hint, NOT_INITIALISED);
        }
      });
    });

    it('a batch fails for each register: ENOEXEC', () => {
      withNewVcpu(open, vcpu => {
        assert.deepEqual([...vcpu.getRegs([PC, 0n]).status], [-8, -8]);
        assert.deepEqual([...vcpu.setRegs([[PC, 0n]]).status], [-8]);
      });
    });

    it('there is no register list: ENOEXEC', () => {
      withNewVcpu(open, vcpu => {
        assert.equal(refused('ENOEXEC', 'KVM_GET_REG_LIST', () => vcpu.getRegList()).hint, NOT_INITIALISED);
        refused('ENOEXEC', 'KVM_GET_REG_LIST', () => vcpu.getRegs());
      });
    });

    it('no feature can be finalized: ENOEXEC, before the feature is looked at', () => {
      withNewVcpu(open, vcpu => {
        for (const feature of ['SVE', 'PSCI_0_2', 99] as const) {
          refused('ENOEXEC', 'KVM_ARM_VCPU_FINALIZE', () => vcpu.finalize(feature));
        }
      });
    });

    it('the MP state can be read and written', () => {
      withNewVcpu(open, vcpu => {
        assert.equal(vcpu.getMpState(), 'RUNNABLE');
        vcpu.setMpState('STOPPED');
        assert.equal(vcpu.getMpState(), 'STOPPED');
      });
    });

    // The check for an initialised vCPU came with 6.18 and by stable releases with 6.12.117: the lab has the newest.
    it('pending events can be read and written, or give ENOEXEC', () => {
      withNewVcpu(open, vcpu => {
        if (isRefused(() => vcpu.getVcpuEvents())) {
          refused('ENOEXEC', 'KVM_GET_VCPU_EVENTS', () => vcpu.getVcpuEvents());
          refused('ENOEXEC', 'KVM_SET_VCPU_EVENTS', () => vcpu.setVcpuEvents({ serrorPending: true }));
          return;
        }
        vcpu.setVcpuEvents({ serrorPending: true, serrorHasEsr: true, serrorEsr: 0x12n });
        assert.deepEqual(vcpu.getVcpuEvents(), {
          serrorPending: true,
          serrorHasEsr: true,
          extDabtPending: false,
          serrorEsr: 0x12n,
        });
        vcpu.setVcpuEvents({ extDabtPending: true });
        vcpu.init();
        assert.equal(vcpu.getVcpuEvents().serrorPending, false);
      });
    });

    it('device attributes can be asked for', () => {
      withNewVcpu(open, vcpu => {
        assert.equal(vcpu.hasDeviceAttr(1, 0), true);
        assert.deepEqual([...vcpu.getDeviceAttr(1, 0, 4)], [27, 0, 0, 0]);
        assert.equal(vcpu.hasDeviceAttr(2, 0), true);
        assert.equal(vcpu.hasDeviceAttr(0, 0), false);
      });
    });

    it("the VM's own requests work", () => {
      withNewVcpu(open, vcpu => {
        assert.equal(vcpu.vm.getRegWritableMasks().length, 192);
        vcpu.vm.setCounterOffset(0n);
        assert.equal(vcpu.vm.preferredTarget().target, 5);
      });
    });
  });

  // kvm_arm_vcpu_finalize (arch/arm64/kvm/reset.c): SVE is the only feature, and this CPU lacks it.
  describe('KVM_ARM_VCPU_FINALIZE on a CPU without SVE', () => {
    it('refuses every feature, known or not: EINVAL', () => {
      withVcpu(open, ['PSCI_0_2'], vcpu => {
        for (const feature of ['SVE', 'POWER_OFF', 'PSCI_0_2', 'PMU_V3', 7, 31, 223] as const) {
          const { hint } = refused('EINVAL', 'KVM_ARM_VCPU_FINALIZE', () => vcpu.finalize(feature));
          assert.match(hint ?? '', /Only SVE is finalized/);
        }
        assert.equal(vcpu.getRegList().length, 259);
      });
    });

    it('refuses what is no feature before the kernel is asked', () => {
      withVcpu(open, [], vcpu => {
        rejects('ERR_INVALID_ARG_VALUE', () => vcpu.finalize(untyped('SVE2')));
        rejects('ERR_OUT_OF_RANGE', () => vcpu.finalize(-1));
        for (const feature of [undefined, 4n, null]) {
          rejects('ERR_INVALID_ARG_TYPE', () => vcpu.finalize(untyped(feature)));
        }
      });
    });
  });
};

function isRefused(call: () => unknown): boolean {
  try {
    call();
    return false;
  } catch {
    return true;
  }
}
