/** The generic timers (arch/arm64/kvm/arch_timer.c) and KVM_ARM_SET_COUNTER_OFFSET. No exact time is expected. */
import assert from 'node:assert/strict';
import { KVM_IOCTL } from '#lib/abi/ioctls.js';
import type { Suite } from '#lib/testing.js';
import type { Vcpu } from '#lib/vcpu.js';
import { PTIMER, TIMER } from './registers.ts';
import { refused, rejects, sibling, stores, untyped, withVcpu, withVm } from './suite.ts';

/** More ticks than a case takes: an hour at 1 GHz, the fastest counter that the architecture has. */
const SOON = 3_600_000_000_000n;
const ALL_ONES = 2n ** 64n - 1n;

const wrap = (value: bigint) => BigInt.asUintN(64, value);

/** A counter that has been set must stand there, or a little later. */
function assertJustAfter(counter: bigint, start: bigint): void {
  const passed = wrap(counter - start);
  assert.ok(passed < SOON, `${counter} is ${passed} ticks after ${start}`);
}

const BOTH = [
  ['virtual', TIMER],
  ['physical', PTIMER],
] as const;

export const timers: Suite = ({ describe, it, open }) => {
  for (const [kind, timer] of BOTH) {
    describe(`the ${kind} timer`, () => {
      it('counts forward', () => {
        withVcpu(open, [], vcpu => {
          const samples = Array.from({ length: 20 }, () => vcpu.getOneReg(timer.CNT));
          for (const [i, sample] of samples.entries()) assertJustAfter(sample, samples[Math.max(0, i - 1)]!);
          assert.ok(samples.at(-1)! > samples[0]!);
        });
      });

      it('can be set forward and back, and counts on from there', () => {
        withVcpu(open, [], vcpu => {
          for (const value of [0n, 1n << 40n, 1000n, (1n << 63n) + 5n, ALL_ONES]) {
            vcpu.setOneReg(timer.CNT, value);
            assertJustAfter(vcpu.getOneReg(timer.CNT), value);
          }
        });
      });

      it('is set for the whole VM', () => {
        withVcpu(open, [], vcpu => {
          const other = sibling(vcpu, 1, []);
          vcpu.setOneReg(timer.CNT, 1n << 60n);
          assertJustAfter(other.getOneReg(timer.CNT), 1n << 60n);
        });
      });

      it("keeps its comparator, all 64 bits, each vCPU's own", () => {
        withVcpu(open, [], vcpu => {
          const other = sibling(vcpu, 1, []);
          assert.equal(vcpu.getOneReg(timer.CVAL), 0n);
          for (const value of [ALL_ONES, 1n << 63n, 0x1234n]) stores(vcpu, timer.CVAL, value);
          assert.equal(other.getOneReg(timer.CVAL), 0n);
        });
      });

      // read_timer_ctl: ISTATUS is computed, enabled or not, and a write of it is dropped.
      it('shows ISTATUS, bit 2, by its comparator, and ignores it in writes', () => {
        withVcpu(open, [], vcpu => {
          vcpu.setOneReg(timer.CNT, 1000n);
          vcpu.setOneReg(timer.CVAL, ALL_ONES);
          for (const [written, read] of [
            [0n, 0n],
            [1n, 1n],
            [2n, 2n],
            [4n, 0n],
            [7n, 3n],
          ] as const) {
            vcpu.setOneReg(timer.CTL, written);
            assert.equal(vcpu.getOneReg(timer.CTL), read);
          }
          vcpu.setOneReg(timer.CVAL, 0n);
          assert.equal(vcpu.getOneReg(timer.CTL), 7n);
          vcpu.setOneReg(timer.CTL, 0n);
          assert.equal(vcpu.getOneReg(timer.CTL), 4n);
        });
      });
    });
  }

  describe('the ids of the virtual timer', () => {
    it('are swapped in the ABI: the id of CNTV_CVAL_EL0 is the counter, that of CNTVCT_EL0 the comparator', () => {
      withVcpu(open, [], vcpu => {
        vcpu.setOneReg(TIMER.CVAL, 0x77n);
        assert.equal(vcpu.getOneReg('S3_3_C14_C0_2'), 0x77n); // the encoding of CNTVCT_EL0
        assert.equal(vcpu.getOneReg('CNTV_CVAL_EL0'), 0x77n); // the name means what it says
        vcpu.setOneReg('S3_3_C14_C3_2', 1n << 50n); // the encoding of CNTV_CVAL_EL0
        assertJustAfter(vcpu.getOneReg('CNTVCT_EL0'), 1n << 50n);
        assertJustAfter(vcpu.getOneReg(TIMER.CNT), 1n << 50n);
      });
    });
  });

  describe('the counters of a new VM', () => {
    // kvm_timer_vcpu_init: with each vCPU that is created, until the offset is set.
    it('begin at 0 for the virtual one, again with each vCPU that is created', () => {
      withVcpu(open, [], vcpu => {
        assertJustAfter(vcpu.getOneReg(TIMER.CNT), 0n);
        vcpu.setOneReg(TIMER.CNT, 1n << 60n);
        vcpu.setOneReg(PTIMER.CNT, 1n << 61n);
        vcpu.vm.createVcpu(1);
        assertJustAfter(vcpu.getOneReg(TIMER.CNT), 0n);
        assert.ok(vcpu.getOneReg(PTIMER.CNT) < 1n << 61n);
      });
    });
  });

  describe('KVM_ARM_SET_COUNTER_OFFSET', () => {
    /** How far the physical counter is ahead of the virtual one, which is read first. */
    const differ = (vcpu: Vcpu) => {
      const virtual = vcpu.getOneReg(TIMER.CNT);
      return wrap(vcpu.getOneReg(PTIMER.CNT) - virtual);
    };

    it('takes it off both counters', () => {
      withVcpu(open, [], vcpu => {
        const host = vcpu.getOneReg(PTIMER.CNT); // its offset is 0 at first
        vcpu.vm.setCounterOffset(wrap(host - (1n << 55n)));
        assertJustAfter(vcpu.getOneReg(TIMER.CNT), 1n << 55n);
        assertJustAfter(vcpu.getOneReg(PTIMER.CNT), 1n << 55n);
        vcpu.vm.setCounterOffset(0n);
        assertJustAfter(vcpu.getOneReg(TIMER.CNT), host);
        assert.ok(differ(vcpu) < SOON);
      });
    });

    it('makes later writes of the counters succeed without effect', () => {
      withVcpu(open, [], vcpu => {
        const host = vcpu.getOneReg(PTIMER.CNT);
        vcpu.vm.setCounterOffset(0n);
        vcpu.setOneReg(TIMER.CNT, 1n << 60n);
        vcpu.setOneReg(PTIMER.CNT, 1n << 61n);
        assertJustAfter(vcpu.getOneReg(TIMER.CNT), host);
        assertJustAfter(vcpu.getOneReg(PTIMER.CNT), host);
        vcpu.setOneReg(TIMER.CVAL, ALL_ONES);
        vcpu.setOneReg(TIMER.CTL, 3n);
        assert.equal(vcpu.getOneReg(TIMER.CTL), 3n);
      });
    });

    it('holds before there is a vCPU, and for those that come', () => {
      withVm(open, vm => {
        vm.setCounterOffset(ALL_ONES);
        const vcpu = vm.createVcpu(0);
        vcpu.init();
        assert.ok(differ(vcpu) < SOON);
        const host = wrap(vcpu.getOneReg(PTIMER.CNT) - 1n);
        vm.setCounterOffset(0n);
        assertJustAfter(vcpu.getOneReg(PTIMER.CNT), host);
      });
    });

    it('refuses a reserved member that is not 0: EINVAL, and changes nothing', () => {
      withVcpu(open, [], vcpu => {
        for (const byte of [8, 15]) {
          const offset = new Uint8Array(16);
          offset[7] = 1;
          offset[byte] = 1;
          refused('EINVAL', 'KVM_ARM_SET_COUNTER_OFFSET', () =>
            vcpu.vm.ioctl(KVM_IOCTL.KVM_ARM_SET_COUNTER_OFFSET, offset),
          );
        }
        vcpu.setOneReg(TIMER.CNT, 1n << 60n); // would have no effect had the offset been set
        assertJustAfter(vcpu.getOneReg(TIMER.CNT), 1n << 60n);
      });
    });

    it('refuses what is no 64-bit number before the kernel is asked', () => {
      withVm(open, vm => {
        for (const offset of [-1n, 1n << 64n]) rejects('ERR_OUT_OF_RANGE', () => vm.setCounterOffset(offset));
        for (const offset of ['0', null, undefined]) {
          rejects('ERR_INVALID_ARG_TYPE', () => vm.setCounterOffset(untyped(offset)));
        }
      });
    });
  });
};
