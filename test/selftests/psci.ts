/** psci_test: a vCPU that another turns on, SYSTEM_SUSPEND, and SYSTEM_OFF2. */
import assert from 'node:assert/strict';
import { parsePsciVersion } from '#lib/abi/psci.js';
import type { Kvm } from '#lib/kvm.js';
import type { CaseContext, Suite } from '#lib/testing.js';
import { kernelOf } from '../contract/kernel.ts';
import { PSCI_VERSION } from '../contract/registers.ts';
import { type Call, Caller, INTERNAL_FAILURE, INVALID_PARAMS } from '../guests/calls.ts';
import { expectExit } from '../guests/machine.ts';

const PSCI_FEATURES = 0x8400_000a;
const CPU_ON = 0xc400_0003;
const AFFINITY_INFO = 0xc400_0004;
const SYSTEM_SUSPEND = { smc32: 0x8400_000e, smc64: 0xc400_000e };
const SYSTEM_OFF2 = { smc32: 0x8400_0015, smc64: 0xc400_0015 };
/** PSCI 1.3, 5.13: bit 0 of what PSCI_FEATURES gives, and the type of the call. */
const HIBERNATE_OFF = 1;

/** No address of the guest's memory: the vCPU must never run. */
const ENTRY = 0xfeed_f00dn;
const CONTEXT = 0xdead_c0den;

/** Two vCPUs that can run; the second is then stopped, before it ever ran. */
function twoVcpus(kvm: Kvm, context: CaseContext, calls: readonly Call[]): Caller {
  if (kvm.checkExtension('ARM_SYSTEM_SUSPEND') === 0)
    context.skip('KVM_CAP_ARM_SYSTEM_SUSPEND came with Linux 5.19');
  const caller = new Caller(kvm, calls, { cpus: 2 });
  const [, target] = caller.vcpus;
  for (const state of ['RUNNABLE', 'STOPPED'] as const) target!.setMpState(state);
  return caller;
}

export const psci: Suite = ({ describe, it, open }) => {
  describe('a vCPU that never ran', () => {
    it('can be stopped, and shows where CPU_ON of another has it begin', context => {
      const caller = twoVcpus(open(), context, [
        { x: [AFFINITY_INFO, 1, 0] },
        { x: [CPU_ON, 1, ENTRY, CONTEXT] },
        { x: [AFFINITY_INFO, 1, 0] },
      ]);
      const [, target] = caller.vcpus;
      assert.equal(target!.getMpState(), 'STOPPED');
      caller.runToOff();
      assert.deepEqual(caller.answers, [1n, 0n, 0n]); // off; turned on; on
      assert.equal(target!.getOneReg('PC'), ENTRY);
      assert.equal(target!.getOneReg('X0'), CONTEXT);
    });
  });

  describe('SYSTEM_SUSPEND', () => {
    it('is there once it is enabled, after the vCPUs were made, and is an exit', context => {
      const caller = twoVcpus(open(), context, [
        { x: [PSCI_FEATURES, SYSTEM_SUSPEND.smc32] },
        { x: [PSCI_FEATURES, SYSTEM_SUSPEND.smc64] },
        { x: [SYSTEM_SUSPEND.smc64, ENTRY, CONTEXT] },
      ]);
      caller.vm.enableCap('ARM_SYSTEM_SUSPEND');
      assert.equal(expectExit(caller.run(), 'SYSTEM_EVENT').type, 'SUSPEND');
      assert.deepEqual(caller.answers, [0n, 0n]);
    });
  });

  describe('SYSTEM_OFF2', () => {
    it('is an exit for HIBERNATE_OFF and 0 without a cookie, which a guest survives', context => {
      const kvm = open();
      if (!kernelOf(kvm, context).psci.includes('1.3')) context.skip('PSCI 1.3 came with Linux 6.13');
      const caller = twoVcpus(kvm, context, [
        { x: [PSCI_FEATURES, SYSTEM_OFF2.smc32] },
        { x: [PSCI_FEATURES, SYSTEM_OFF2.smc64] },
        { x: [SYSTEM_OFF2.smc64, HIBERNATE_OFF, 1] },
        { x: [SYSTEM_OFF2.smc64, HIBERNATE_OFF, 0] },
        { x: [SYSTEM_OFF2.smc64, 0, 1] },
        { x: [SYSTEM_OFF2.smc64, 0, 0] },
      ]);
      assert.ok(caller.vcpus[1]!.getOneReg(PSCI_VERSION) >= parsePsciVersion('1.3'));
      const shutdown = { reason: 'SYSTEM_EVENT', type: 'SHUTDOWN', flags: 1n, data: [1n] };
      assert.deepEqual(caller.run(), shutdown);
      assert.deepEqual(caller.resume(), shutdown);
      assert.deepEqual(caller.resume(), { ...shutdown, flags: 0n, data: [0n] }); // the program's own end
      assert.deepEqual(caller.answers, [
        1n,
        1n,
        INVALID_PARAMS,
        INTERNAL_FAILURE,
        INVALID_PARAMS,
        INTERNAL_FAILURE,
      ]);
    });
  });
};
