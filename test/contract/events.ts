/** KVM_GET_VCPU_EVENTS and KVM_SET_VCPU_EVENTS (`__kvm_arm_vcpu_set_events`, guest.c; inject_fault.c), and MP states. */
import assert from 'node:assert/strict';
import { KVM_IOCTL } from '#lib/abi/ioctls.js';
import type { Suite } from '#lib/testing.js';
import type { Vcpu } from '#lib/vcpu.js';
import { PC, PSTATE, RESET_UNKNOWN, sys, X } from './registers.ts';
import { refused, rejects, sibling, untyped, withVcpu } from './suite.ts';

const SET = 'KVM_SET_VCPU_EVENTS';
const ESR_EL1 = sys(3, 0, 5, 2, 0);
const FAR_EL1 = sys(3, 0, 6, 0, 0);

/** What this host answers while nothing is pending: serror_has_esr says that the CPU has the RAS extension. */
const NOTHING = { serrorPending: false, serrorHasEsr: true, extDabtPending: false, serrorEsr: 0n };

/** struct kvm_vcpu_events, with these bytes set. */
function events(bytes: Readonly<Record<number, number>>): Uint8Array {
  const struct = new Uint8Array(64);
  for (const [at, value] of Object.entries(bytes)) struct[Number(at)] = value;
  return struct;
}

const set = (vcpu: Vcpu, bytes: Readonly<Record<number, number>>) =>
  vcpu.ioctl(KVM_IOCTL.KVM_SET_VCPU_EVENTS, events(bytes));

export const vcpuEvents: Suite = ({ describe, it, open }) => {
  describe('the events of a vCPU', () => {
    it('are none at first', () => {
      withVcpu(open, [], vcpu => assert.deepEqual(vcpu.getVcpuEvents(), NOTHING));
    });

    it('are left alone by events that are not pending', () => {
      withVcpu(open, [], vcpu => {
        vcpu.setVcpuEvents({ serrorPending: true, serrorHasEsr: true, serrorEsr: 5n });
        vcpu.setVcpuEvents({});
        vcpu.setVcpuEvents({ serrorHasEsr: true, serrorEsr: 2n ** 64n - 1n });
        assert.deepEqual(vcpu.getVcpuEvents(), { ...NOTHING, serrorPending: true, serrorEsr: 5n });
      });
    });

    it("are each vCPU's own", () => {
      withVcpu(open, [], vcpu => {
        const other = sibling(vcpu, 1, []);
        vcpu.setVcpuEvents({ serrorPending: true });
        assert.deepEqual(other.getVcpuEvents(), NOTHING);
      });
    });

    it('must be given in a struct whose padding and reserved words are 0: EINVAL, and nothing is pending', () => {
      withVcpu(open, [], vcpu => {
        for (const at of [3, 7, 16, 17, 40, 63]) {
          refused('EINVAL', SET, () => set(vcpu, { 0: 1, 2: 1, [at]: 1 }));
        }
        assert.deepEqual(vcpu.getVcpuEvents(), NOTHING);
        assert.equal(vcpu.getOneReg(ESR_EL1), RESET_UNKNOWN);
      });
    });

    it('are written into a struct that is zero elsewhere', () => {
      withVcpu(open, [], vcpu => {
        set(vcpu, { 0: 1, 1: 1, 8: 0x34, 9: 0x12 });
        const struct = new Uint8Array(64).fill(0xaa);
        assert.equal(vcpu.ioctl(KVM_IOCTL.KVM_GET_VCPU_EVENTS, struct), 0);
        assert.deepEqual(struct, events({ 0: 1, 1: 1, 8: 0x34, 9: 0x12 }));
      });
    });

    it('are refused before the kernel is asked where they are none', () => {
      withVcpu(open, [], vcpu => {
        for (const given of [undefined, null, 1, 'serror', new Uint8Array(64)]) {
          rejects('ERR_INVALID_ARG_TYPE', () => vcpu.setVcpuEvents(untyped(given)));
        }
        for (const member of ['serrorPending', 'serrorHasEsr', 'extDabtPending']) {
          for (const value of [1, 'true', null, Symbol('true'), 256]) {
            rejects('ERR_INVALID_ARG_TYPE', () => vcpu.setVcpuEvents({ [member]: untyped(value) }));
          }
        }
        rejects('ERR_INVALID_ARG_TYPE', () => vcpu.setVcpuEvents({ serrorEsr: untyped(5) }));
        for (const serrorEsr of [-1n, 1n << 64n])
          rejects('ERR_OUT_OF_RANGE', () => vcpu.setVcpuEvents({ serrorEsr }));
        assert.deepEqual(vcpu.getVcpuEvents(), NOTHING);
      });
    });
  });

  describe('an SError', () => {
    it('has the syndrome that is given with it: 25 bits, the ISS', () => {
      withVcpu(open, [], vcpu => {
        for (const serrorEsr of [0n, 0x11n, 0x1ff_ffffn]) {
          vcpu.setVcpuEvents({ serrorPending: true, serrorHasEsr: true, serrorEsr });
          assert.deepEqual(vcpu.getVcpuEvents(), { ...NOTHING, serrorPending: true, serrorEsr });
        }
      });
    });

    it('cannot have other bits: EINVAL, and the one before stays', () => {
      withVcpu(open, [], vcpu => {
        vcpu.setVcpuEvents({ serrorPending: true, serrorHasEsr: true, serrorEsr: 0x22n });
        for (const bit of [25n, 26n, 31n, 32n, 63n]) {
          refused('EINVAL', SET, () =>
            vcpu.setVcpuEvents({
              serrorPending: true,
              serrorHasEsr: true,
              serrorEsr: 1n << bit,
              extDabtPending: true,
            }),
          );
        }
        assert.equal(vcpu.getVcpuEvents().serrorEsr, 0x22n);
        assert.equal(vcpu.getOneReg(ESR_EL1), RESET_UNKNOWN, 'the abort of the same call is not injected');
      });
    });

    it('has one of its own without: ISV, bit 24 (kvm_inject_vabt)', () => {
      withVcpu(open, [], vcpu => {
        vcpu.setVcpuEvents({ serrorPending: true, serrorEsr: 0x77n });
        assert.deepEqual(vcpu.getVcpuEvents(), { ...NOTHING, serrorPending: true, serrorEsr: 0x100_0000n });
      });
    });

    it('is pending by any byte that is not 0', () => {
      withVcpu(open, [], vcpu => {
        set(vcpu, { 0: 0x80, 1: 0xff, 8: 3 });
        assert.deepEqual(vcpu.getVcpuEvents(), { ...NOTHING, serrorPending: true, serrorEsr: 3n });
      });
    });
  });

  // inject_abt64: EC 0x25 or, from EL0, 0x24; FSC 0x10, a synchronous external abort. A vCPU that never ran has
  // HPFAR 0 and thus FAR 0.
  describe('an external data abort', () => {
    it('shows in ESR_EL1 and FAR_EL1 at once, and is pending no more', () => {
      withVcpu(open, [], vcpu => {
        vcpu.setVcpuEvents({ extDabtPending: true });
        assert.equal(vcpu.getOneReg(ESR_EL1), 0x9400_0010n);
        assert.equal(vcpu.getOneReg(FAR_EL1), 0n);
        assert.deepEqual(vcpu.getVcpuEvents(), NOTHING);
      });
    });

    it('comes from a lower exception level where the vCPU is at EL0, AArch64 or AArch32', () => {
      for (const mode of [0x3c0n, 0x10n]) {
        withVcpu(open, [], vcpu => {
          vcpu.setOneReg(PSTATE, mode);
          vcpu.setVcpuEvents({ extDabtPending: true });
          assert.equal(vcpu.getOneReg(ESR_EL1), 0x9000_0010n);
        });
      }
    });

    it('takes its vector only when the vCPU runs: PC, PSTATE and the other registers are as they were', () => {
      withVcpu(open, [], vcpu => {
        vcpu.setOneReg(PC, 0x8000n);
        vcpu.setVcpuEvents({ extDabtPending: true });
        assert.equal(vcpu.getOneReg(PC), 0x8000n);
        assert.equal(vcpu.getOneReg(PSTATE), 0x3c5n);
        assert.equal(vcpu.getOneReg(X(0)), 0n);
      });
    });

    it('can come together with an SError', () => {
      withVcpu(open, [], vcpu => {
        vcpu.setVcpuEvents({ serrorPending: true, serrorHasEsr: true, serrorEsr: 9n, extDabtPending: true });
        assert.deepEqual(vcpu.getVcpuEvents(), { ...NOTHING, serrorPending: true, serrorEsr: 9n });
        assert.equal(vcpu.getOneReg(ESR_EL1), 0x9400_0010n);
      });
    });
  });

  // kvm_arch_vcpu_ioctl_set_mpstate (arm.c).
  describe('the MP state', () => {
    it('can be RUNNABLE, 0, STOPPED, 5, or SUSPENDED, 10', () => {
      withVcpu(open, [], vcpu => {
        for (const [name, number] of [
          ['STOPPED', 5],
          ['SUSPENDED', 10],
          ['RUNNABLE', 0],
        ] as const) {
          vcpu.setMpState(name);
          assert.equal(vcpu.getMpState(), name);
          vcpu.setMpState('RUNNABLE');
          vcpu.setMpState(number);
          assert.equal(vcpu.getMpState(), name);
        }
      });
    });

    it('cannot be another: EINVAL, and stays as it was', () => {
      withVcpu(open, [], vcpu => {
        vcpu.setMpState('STOPPED');
        for (const state of [1, 2, 3, 4, 6, 7, 8, 9, 11, 0xffff_ffff]) {
          const { hint } = refused('EINVAL', 'KVM_SET_MP_STATE', () => vcpu.setMpState(state));
          assert.equal(hint, 'arm64 knows RUNNABLE, STOPPED and, since Linux 5.19, SUSPENDED');
        }
        assert.equal(vcpu.getMpState(), 'STOPPED');
      });
    });

    it("is each vCPU's own, and touches no register", () => {
      withVcpu(open, [], vcpu => {
        const other = sibling(vcpu, 1, []);
        vcpu.setOneReg(X(0), 1n);
        vcpu.setMpState('STOPPED');
        vcpu.setMpState('RUNNABLE');
        assert.equal(vcpu.getOneReg(X(0)), 1n);
        other.setMpState('SUSPENDED');
        assert.equal(vcpu.getMpState(), 'RUNNABLE');
      });
    });

    it('is refused before the kernel is asked where it is no state', () => {
      withVcpu(open, [], vcpu => {
        for (const state of ['RUNNING', 'KVM_MP_STATE_RUNNABLE', 'toString', '']) {
          rejects('ERR_INVALID_ARG_VALUE', () => vcpu.setMpState(untyped(state)));
        }
        for (const state of [-1, 0.5, 0x1_0000_0000])
          rejects('ERR_OUT_OF_RANGE', () => vcpu.setMpState(state));
        for (const state of [0n, null, undefined, {}, Symbol('RUNNABLE')]) {
          rejects('ERR_INVALID_ARG_TYPE', () => vcpu.setMpState(untyped(state)));
        }
      });
    });
  });
};
