/** hypercalls: the bitmap registers before and after the first run, and what a guest then gets. kvm-uuid: who KVM is. */
import assert from 'node:assert/strict';
import { firmwareBitmapRegId } from '#lib/abi/register-id.js';
import type { Kvm } from '#lib/kvm.js';
import type { CaseContext, Suite } from '#lib/testing.js';
import { kernelOf } from '../contract/kernel.ts';
import { refusesSet, stores, withVcpu } from '../contract/suite.ts';
import { type Call, Caller, NOT_SUPPORTED } from '../guests/calls.ts';

/** By index: the bits that there are, and those that are set at first (KVM_ARM_SMCCC_*_FEATURES, arm_hypercalls.h). */
const BITMAPS = [
  { name: 'STD', valid: 1n, reset: 1n },
  { name: 'STD_HYP', valid: 1n, reset: 1n },
  { name: 'VENDOR_HYP', valid: 3n, reset: 3n },
  { name: 'VENDOR_HYP_2', valid: 3n, reset: 0n },
].map((bitmap, index) => ({ ...bitmap, id: firmwareBitmapRegId(index) }));

/** Arm DEN 0098 (TRNG), DEN 0057 (PV time), Documentation/virt/kvm/arm/hypercalls.rst. */
const ARCH_FEATURES = 0x8000_0001;
const TRNG_VERSION = 0x8400_0050;
const TRNG_FEATURES = 0x8400_0051;
const TRNG_GET_UUID = 0x8400_0052;
const TRNG_RND32 = 0x8400_0053;
const TRNG_RND64 = 0xc400_0053;
const PV_TIME_FEATURES = 0xc500_0020;
const PV_TIME_ST = 0xc500_0021;
const KVM_FEATURES = 0x8600_0000;
const PTP = 0x8600_0001;
const UID = 0x8600_ff01;

/** What the bits turn on and off. */
const SERVICES: readonly Call[] = [
  { x: [TRNG_VERSION] },
  { x: [TRNG_FEATURES, TRNG_RND64] },
  { x: [TRNG_GET_UUID] },
  { x: [TRNG_RND32] },
  { x: [TRNG_RND64] },
  { x: [ARCH_FEATURES, PV_TIME_FEATURES] },
  { x: [PV_TIME_FEATURES, PV_TIME_ST] },
  { x: [PV_TIME_ST] },
  { x: [KVM_FEATURES, PTP] },
  { x: [UID] },
  { x: [PTP] },
];

/** Questions to one family of calls about another's. */
const FOREIGN: readonly Call[] = [
  { x: [TRNG_FEATURES, PTP] },
  { x: [ARCH_FEATURES, TRNG_RND64] },
  { x: [PV_TIME_FEATURES, TRNG_RND64] },
];

const none = (calls: readonly Call[]) => calls.map(() => NOT_SUPPORTED);

function bitmapsOf(kvm: Kvm, context: CaseContext) {
  const { bitmaps } = kernelOf(kvm, context);
  return bitmaps === 0
    ? context.skip('the bitmap registers came with Linux 5.19')
    : BITMAPS.slice(0, bitmaps);
}

/** A caller without PSCI_0_2, whose stolen time has memory. */
function withStolenTime(kvm: Kvm, calls: readonly Call[]): Caller {
  const caller = new Caller(kvm, calls, { features: [] });
  caller.vm.addMemory({ guestPhysAddr: 0x8000_0000, size: 0x1_0000 });
  caller.vcpu.setPvTime(0x8000_0000);
  return caller;
}

/** Runs it to its report after the last call; its end is PSCI 0.2's, which this vCPU has not. */
function answersOf(caller: Caller): bigint[] {
  caller.nextReport();
  return caller.answers;
}

export const hypercalls: Suite = ({ describe, it, open }) => {
  describe('a bitmap register', () => {
    it('before the first run takes all of its bits and none, and no other', context => {
      const bitmaps = bitmapsOf(open(), context);
      withVcpu(open, [], vcpu => {
        for (const { id, valid, reset, name } of bitmaps) {
          assert.equal(vcpu.getOneReg(id), reset, name);
          for (const value of reset === 0n ? [valid, 0n] : [0n]) stores(vcpu, id, value);
          refusesSet('EINVAL', vcpu, id, valid + 1n);
          assert.equal(vcpu.getOneReg(id), 0n, name);
        }
      });
    });

    it('after it keeps what it has: EBUSY', context => {
      const kvm = open();
      const bitmaps = bitmapsOf(kvm, context);
      const caller = new Caller(kvm, [], { features: [] });
      for (const { id } of bitmaps) caller.vcpu.setOneReg(id, 0n);
      caller.nextReport();
      for (const { id, valid, name } of bitmaps) {
        assert.equal(caller.vcpu.getOneReg(id), 0n, name);
        refusesSet('EBUSY', caller.vcpu, id, valid);
        // What no kernel has is looked at first; what is there already is no change.
        refusesSet('EINVAL', caller.vcpu, id, valid + 1n);
        stores(caller.vcpu, id, 0n);
      }
    });

    it('after a run that entered no guest, too', context => {
      const kvm = open();
      const bitmaps = bitmapsOf(kvm, context);
      const { vcpu } = new Caller(kvm, []);
      vcpu.kick();
      assert.deepEqual(vcpu.runSync(), { reason: 'INTR' });
      for (const { id, valid, reset } of bitmaps) refusesSet('EBUSY', vcpu, id, reset === 0n ? valid : 0n);
    });
  });

  describe('the calls behind the bits', () => {
    it('are not there while the bits are 0', context => {
      const kvm = open();
      const bitmaps = bitmapsOf(kvm, context);
      const caller = withStolenTime(kvm, SERVICES);
      for (const { id } of bitmaps) caller.vcpu.setOneReg(id, 0n);
      assert.deepEqual(answersOf(caller), none(SERVICES));
    });

    it('are there by default', context => {
      const kvm = open();
      bitmapsOf(kvm, context);
      const answers = answersOf(withStolenTime(kvm, SERVICES));
      assert.equal(answers.length, SERVICES.length);
      assert.deepEqual(
        SERVICES.filter((_, n) => answers[n] === NOT_SUPPORTED),
        [],
      );
    });

    it('are not known to those of another family', context => {
      const kvm = open();
      bitmapsOf(kvm, context);
      assert.deepEqual(answersOf(withStolenTime(kvm, FOREIGN)), none(FOREIGN));
    });
  });

  describe('the UID', () => {
    it('is that of KVM, 28b46fb6-2ec5-11e9-a9ca-4b564d003a74', context => {
      const kvm = open();
      if (kernelOf(kvm, context).bitmaps === 0) context.skip('KVM had no UID before Linux 5.13');
      const caller = new Caller(kvm, [{ x: [UID] }], { features: [] });
      caller.nextReport();
      assert.deepEqual(caller.results, [[0xb66f_b428n, 0xe911_c52en, 0x564b_caa9n, 0x743a_004dn]]);
    });
  });
};
