/** smccc_filter: what a filter may be, and what a guest gets for calls that are denied or forwarded, by HVC and by SMC. */
import assert from 'node:assert/strict';
import type { Kvm } from '#lib/kvm.js';
import type { CaseContext, Suite } from '#lib/testing.js';
import type { Vm } from '#lib/vm.js';
import { kernelOf } from '../contract/kernel.ts';
import { type Code, refuses } from '../contract/suite.ts';
import { Caller, NOT_SUPPORTED } from '../guests/calls.ts';
import { expectExit } from '../guests/machine.ts';

const PSCI_VERSION = 0x8400_0000;
const CPU_ON = 0xc400_0003;
const DENY = 1;

/** The group KVM_ARM_VM_SMCCC_CTRL of a VM's attributes has one attribute, KVM_ARM_VM_SMCCC_FILTER (asm/kvm.h). */
const [GROUP, FILTER] = [0, 0];

/** struct kvm_smccc_filter, with a byte of its padding. */
function filter(base: number, count: number, action = DENY, pad = 0): Uint8Array {
  const bytes = new Uint8Array(24);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, base, true);
  view.setUint32(4, count, true);
  view.setUint8(8, action);
  view.setUint8(9, pad);
  return bytes;
}

/** A VM with a vCPU, whose kernel has filters. */
function newVm(kvm: Kvm, context: CaseContext): Vm {
  const { vm } = new Caller(kvm, []);
  if (!kernelOf(kvm, context).filtersCalls) context.skip('SMCCC filters came with Linux 6.4');
  assert.equal(vm.hasDeviceAttr(GROUP, FILTER), true);
  return vm;
}

const set = (vm: Vm, bytes: Uint8Array) => vm.setDeviceAttr(GROUP, FILTER, bytes);

export const smcccFilter: Suite = ({ describe, it, open }) => {
  /** In VMs of their own, as the first filter stays. */
  function refusesEach(context: CaseContext, code: Code, filters: readonly Uint8Array[]): void {
    const kvm = open();
    for (const bytes of filters) {
      const vm = newVm(kvm, context);
      refuses(() => set(vm, bytes), code);
    }
  }

  describe('a filter', () => {
    it('has padding that is zero', context => {
      refusesEach(context, 'EINVAL', [filter(PSCI_VERSION, 1, DENY, 0xff)]);
    });

    it('is of one function at least; from 0 on the whole range was meant until it was refused', context => {
      refusesEach(context, 'EINVAL', [filter(CPU_ON, 0)]);
      const kvm = open();
      const code = kernelOf(kvm, context).refusesEmptyFilter ? 'EINVAL' : 'EEXIST';
      refusesEach(context, code, [filter(0, 0)]);
    });

    it('does not go beyond 32 bits', context => {
      refusesEach(context, 'EINVAL', [filter(0xffff_ffff, 0xffff_ffff)]);
    });

    it('has an action that there is', context => {
      refusesEach(context, 'EINVAL', [filter(CPU_ON, 1, 0xff)]);
    });

    it("is of none of Arm's own calls, of 32 or of 64 bits", context => {
      refusesEach(context, 'EEXIST', [filter(0x8000_8000, 1), filter(0xc000_0000, 1)]);
    });

    it('is of no call that has one', context => {
      const vm = newVm(open(), context);
      set(vm, filter(CPU_ON, 1));
      refuses(() => set(vm, filter(CPU_ON, 1)), 'EEXIST');
    });

    it('is set before the first run: EBUSY', context => {
      const kvm = open();
      newVm(kvm, context);
      const { vm, vcpu } = new Caller(kvm, []);
      vcpu.kick();
      vcpu.runSync();
      refuses(() => set(vm, filter(CPU_ON, 1)), 'EBUSY');
      refuses(() => set(vm, filter(CPU_ON, 1, 0xff)), 'EINVAL');
    });
  });

  for (const smc of [false, true]) {
    describe(`a call by ${smc ? 'SMC' : 'HVC'}`, () => {
      const filtered = (context: CaseContext, action: 'deny' | 'forward') => {
        const kvm = open();
        newVm(kvm, context);
        return new Caller(kvm, [{ smc, x: [PSCI_VERSION, 11, 22, 33] }], {
          prepare: vm => vm.setSmcccFilter([{ base: PSCI_VERSION, count: 1, action }]),
        });
      };

      it('that is denied is not supported', context => {
        const caller = filtered(context, 'deny');
        caller.runToOff();
        assert.deepEqual(caller.results, [[NOT_SUPPORTED, 0n, 0n, 0n]]);
      });

      it('that is forwarded is an exit, with the registers as they were', context => {
        const caller = filtered(context, 'forward');
        const exit = expectExit(caller.run(), 'HYPERCALL');
        assert.deepEqual([exit.nr, exit.isSmc], [BigInt(PSCI_VERSION), smc]);
        assert.deepEqual(
          [0, 1, 2, 3].map(n => caller.vcpu.getOneReg(`X${n}`)),
          [BigInt(PSCI_VERSION), 11n, 22n, 33n],
        );
      });
    });
  }
};
