/** PSCI as a guest finds it, by the version that was selected (reference section 4; psci.c; Arm DEN 0022). */
import assert from 'node:assert/strict';
import type { Kvm } from '#lib/kvm.js';
import type { CaseContext, Suite } from '#lib/testing.js';
import type { Vcpu } from '#lib/vcpu.js';
import { kernelOf } from '../contract/kernel.ts';
import { ALREADY_ON, Caller, INTERNAL_FAILURE, INVALID_PARAMS, NOT_SUPPORTED, results } from './calls.ts';
import { expectExit, expectRegisters, Machine, type MachineOptions } from './machine.ts';

/** What PSCI_VERSION gives: major in 30:16, minor in 15:0. */
const VERSIONS = { '0.2': 0x2n, '1.0': 0x1_0000n, '1.1': 0x1_0001n, '1.2': 0x1_0002n, '1.3': 0x1_0003n };
type Version = keyof typeof VERSIONS;

const PSCI_VERSION = 0x8400_0000;
const CPU_ON = 0xc400_0003;
const AFFINITY_INFO = 0xc400_0004;
const PSCI_FEATURES = 0x8400_000a;
const SYSTEM_OFF = 0x8400_0008;
const SYSTEM_RESET = 0x8400_0009;
const SYSTEM_SUSPEND = 0x8400_000e;
const SYSTEM_RESET2 = 0x8400_0012;
const SYSTEM_OFF2 = 0x8400_0015;
/** Added to a function's id: its SMC64 variant. */
const SMC64 = 0x4000_0000;

/** All ids of PSCI, as SMC32 and SMC64. */
const ALL = Array.from({ length: 0x20 }, (_, n) => 0x8400_0000 + n).flatMap(id => [id, id + SMC64]);

/** What KVM has since 0.2: CPU_SUSPEND, CPU_ON, AFFINITY_INFO are there as SMC64, too. */
const SINCE_0_2 = [0, 1, 2, 3, 4, 6, 8, 9].map(n => 0x8400_0000 + n);
const SINCE_0_2_64 = [1, 3, 4].map(n => 0xc400_0000 + n);

/** A kernel that is too old for a function does not support it at its newest version either. */
function lacks(kvm: Kvm, id: number): void {
  assert.deepEqual(results(kvm, [{ x: [id] }, { x: [id + SMC64] }]), [
    [NOT_SUPPORTED, 0n, 0n, 0n],
    [NOT_SUPPORTED, 0n, 0n, 0n],
  ]);
}

/** KVM's own ids of PSCI 0.1: CPU_SUSPEND, CPU_OFF, CPU_ON, MIGRATE (KVM_PSCI_FN, uapi asm/kvm.h). */
const PSCI_0_1 = [0x95c1_ba5e, 0x95c1_ba5f, 0x95c1_ba60, 0x95c1_ba61] as const;

/** What PSCI_FEATURES says of a function: 0, or flags, or that it is not there. */
function features(id: number, version: Version): bigint {
  if (version === '0.2') return NOT_SUPPORTED; // PSCI_FEATURES itself came with 1.0
  if ([...SINCE_0_2, ...SINCE_0_2_64, PSCI_FEATURES].includes(id)) return 0n;
  if ([SYSTEM_RESET2, SYSTEM_RESET2 + SMC64].includes(id)) return version >= '1.1' ? 0n : NOT_SUPPORTED;
  if ([SYSTEM_OFF2, SYSTEM_OFF2 + SMC64].includes(id)) return version >= '1.3' ? 1n : NOT_SUPPORTED;
  return NOT_SUPPORTED;
}

function versionsOf(kvm: Kvm, context: CaseContext): Version[] {
  return kernelOf(kvm, context).psci as Version[];
}

function select(caller: Caller, version: Version): Caller {
  caller.vcpu.setPsciVersion(version);
  return caller;
}

/** X0 of each call, where that version was selected. */
function answersAt(kvm: Kvm, version: Version, calls: readonly (readonly number[])[]): bigint[] {
  const caller = select(
    new Caller(
      kvm,
      calls.map(x => ({ x })),
    ),
    version,
  );
  caller.runToOff();
  return caller.answers;
}

/** `flags`, as the words that the kernel gives: none before Linux 5.18. */
function event(kvm: Kvm, type: 'SHUTDOWN' | 'RESET', flags: bigint) {
  const hasData = kvm.checkExtension('SYSTEM_EVENT_DATA') > 0;
  return { reason: 'SYSTEM_EVENT', type, flags, data: hasData ? [flags] : [] };
}

const withSuspend: MachineOptions = { prepare: vm => vm.enableCap('ARM_SYSTEM_SUSPEND') };

/** The vCPU is stopped: it does not run, but for a kick. */
function isStopped(vcpu: Vcpu): void {
  assert.equal(vcpu.getMpState(), 'STOPPED');
  vcpu.kick();
  expectExit(vcpu.runSync(), 'INTR');
}

export const psci: Suite = ({ describe, it, open }) => {
  describe('PSCI_VERSION', () => {
    it('is what was selected, at first the newest, and changes with it between runs', context => {
      const kvm = open();
      const machine = new Machine(kvm, 'psci-version');
      const versions = versionsOf(kvm, context);
      assert.equal(machine.nextReport(), VERSIONS[versions.at(-1)!]);
      for (const version of [...versions, ...versions.toReversed()]) {
        machine.vcpu.setPsciVersion(version);
        assert.equal(machine.nextReport(), VERSIONS[version]);
      }
    });

    it('is selected for all vCPUs', async () => {
      const kvm = open();
      const machine = new Machine(kvm, 'psci-version', { cpus: 2 });
      const [first, second] = machine.vcpus as [Vcpu, Vcpu];
      second.setOneReg('PC', first.getOneReg('PC'));
      second.setMpState('RUNNABLE');
      second.setPsciVersion('0.2');
      const asked = async (vcpu: Vcpu) => [...expectExit(await vcpu.run(), 'MMIO').data];
      assert.deepEqual(await Promise.all([asked(first), asked(second)]), [
        [2, 0, 0, 0, 0, 0, 0, 0],
        [2, 0, 0, 0, 0, 0, 0, 0],
      ]);
    });

    it('is not there, as PSCI 0.1 has none, without the feature PSCI_0_2', () => {
      assert.equal(new Machine(open(), 'psci-version', { features: [] }).nextReport(), NOT_SUPPORTED);
    });
  });

  describe('PSCI_FEATURES', () => {
    it('tells of every function id what the selected version has', context => {
      const kvm = open();
      for (const version of versionsOf(kvm, context)) {
        assert.deepEqual(
          answersAt(
            kvm,
            version,
            ALL.map(id => [PSCI_FEATURES, id]),
          ),
          ALL.map(id => features(id, version)),
          version,
        );
      }
    });

    it('has SMCCC_VERSION from 1.0 on, and neither PSCI 0.1 nor TRNG', context => {
      const kvm = open();
      for (const version of versionsOf(kvm, context)) {
        assert.deepEqual(
          answersAt(
            kvm,
            version,
            [0x8000_0000, ...PSCI_0_1, 0x8400_0050].map(id => [PSCI_FEATURES, id]),
          ),
          [version === '0.2' ? NOT_SUPPORTED : 0n, ...Array(5).fill(NOT_SUPPORTED)],
          version,
        );
      }
    });
  });

  describe('calls', () => {
    it('that end nothing answer alike at every version from 0.2 on', context => {
      const kvm = open();
      for (const version of versionsOf(kvm, context)) {
        assert.deepEqual(
          answersAt(kvm, version, [
            [0x8400_0003, 0], // CPU_ON of the only CPU
            [0xc400_0003, 0],
            [0x8400_0004, 0, 0], // AFFINITY_INFO: ON
            [0xc400_0004, 0, 3],
            [0xc400_0004, 0, 4], // no such level
            [0xc400_0004, 1, 0], // no such CPU
            [0x8400_0006], // MIGRATE_INFO_TYPE: a trusted OS that needs no migration
            [0x8400_0005], // MIGRATE
            [0xc400_0005],
            [0x8400_0007], // MIGRATE_INFO_UP_CPU
            ...[0x0b, 0x0c, 0x0d, 0x0f, 0x10, 0x11, 0x13, 0x14].map(n => [0x8400_0000 + n]),
            ...PSCI_0_1.map(id => [id]),
          ]),
          [
            ALREADY_ON,
            ALREADY_ON,
            0n,
            0n,
            INVALID_PARAMS,
            INVALID_PARAMS,
            2n,
            ...Array(15).fill(NOT_SUPPORTED),
          ],
          version,
        );
      }
    });

    it('that came later are not there before', context => {
      const kvm = open();
      const later = (version: Version): number[] => [
        SYSTEM_SUSPEND, // needs a capability besides
        ...(version < '1.1' ? [SYSTEM_RESET2] : []),
        ...(version < '1.3' ? [SYSTEM_OFF2] : []),
      ];
      for (const version of versionsOf(kvm, context)) {
        const calls = later(version).flatMap(id => [[id], [id + SMC64]]);
        assert.deepEqual(
          answersAt(kvm, version, calls),
          calls.map(() => NOT_SUPPORTED),
          version,
        );
      }
    });

    it('of PSCI 0.1 are CPU_ON and CPU_OFF, and nothing else', async () => {
      const [suspend, off, on, migrate] = PSCI_0_1;
      const calls = [[on, 0], [on, 7], [suspend], [migrate], ...ALL.map(id => [id]), [off]];
      const caller = new Caller(
        open(),
        calls.map(x => ({ x })),
        { features: [] },
      );
      // CPU_OFF is no exit: the run goes on until it is kicked.
      do {
        const run = caller.vcpu.run();
        setTimeout(() => caller.vcpu.kick(), 20);
        expectExit(await run, 'INTR');
      } while (caller.vcpu.getMpState() !== 'STOPPED');
      assert.deepEqual(caller.answers, [
        INVALID_PARAMS, // it is on: a value that only later versions have
        INVALID_PARAMS,
        ...Array(2 + ALL.length).fill(NOT_SUPPORTED),
      ]);
      caller.vcpu.setMpState('RUNNABLE');
      assert.equal(caller.nextReport(), 0n);
      assert.equal(caller.answers.at(-1), 0n);
    });

    it('of PSCI 0.1 turn another CPU on', context => {
      const kvm = open();
      const [, , on] = PSCI_0_1;
      const entry = 0x1_4000_1000n;
      const calls = [
        { x: [on, 1n, entry, 7n] },
        { x: [on, 1n, entry, 8n] },
        { x: [on, 2n, entry, 9n] }, // no such CPU
      ];
      const caller = new Caller(kvm, calls, { features: [], cpus: 2 });
      caller.nextReport();
      assert.deepEqual(caller.answers, [0n, INVALID_PARAMS, INVALID_PARAMS]);
      const other = caller.vcpus[1]!;
      assert.equal(other.getMpState(), 'RUNNABLE');
      if (kernelOf(kvm, context).bitmaps > 0) expectRegisters(other, { PC: entry, X0: 7n, PSTATE: 0x3c5n });
    });

    it('clear X1 to X3', () => {
      assert.deepEqual(
        results(open(), [{ x: [PSCI_VERSION + 6, 11, 22, 33] }, { x: [0x8400_001f, 11, 22, 33] }]),
        [
          [2n, 0n, 0n, 0n],
          [NOT_SUPPORTED, 0n, 0n, 0n],
        ],
      );
    });

    it('by SMC are as by HVC from Linux 6.4 on, and before that there is none', context => {
      const kvm = open();
      const { filtersCalls } = kernelOf(kvm, context);
      assert.deepEqual(
        results(kvm, [{ smc: true, x: [0x8400_0006, 11, 22, 33] }]),
        filtersCalls ? [[2n, 0n, 0n, 0n]] : [[NOT_SUPPORTED, 11n, 22n, 33n]],
      );
    });
  });

  describe('the end of the machine', () => {
    it('by SYSTEM_OFF and SYSTEM_RESET stops all vCPUs; who goes on nevertheless finds INTERNAL_FAILURE', context => {
      const kvm = open();
      for (const version of versionsOf(kvm, context)) {
        const calls = [{ x: [SYSTEM_OFF, 11, 22, 33] }, { x: [SYSTEM_RESET, 11, 22, 33] }];
        const caller = select(new Caller(kvm, calls, { cpus: 2 }), version);
        caller.vcpus[1]!.setMpState('RUNNABLE');
        assert.deepEqual(caller.run(), event(kvm, 'SHUTDOWN', 0n));
        for (const vcpu of caller.vcpus) isStopped(vcpu);
        assert.deepEqual(caller.resume(), event(kvm, 'RESET', 0n));
        for (const vcpu of caller.vcpus) isStopped(vcpu);
        assert.deepEqual(caller.resume(), event(kvm, 'SHUTDOWN', 0n));
        assert.deepEqual(caller.results, [
          [INTERNAL_FAILURE, 0n, 0n, 0n],
          [INTERNAL_FAILURE, 0n, 0n, 0n],
        ]);
      }
    });

    it('by SYSTEM_RESET2, of PSCI 1.1, says so, and keeps its arguments', context => {
      const kvm = open();
      const versions = versionsOf(kvm, context).filter(version => version >= '1.1');
      if (versions.length === 0) lacks(kvm, SYSTEM_RESET2);
      for (const version of versions) {
        const calls = [
          { x: [SYSTEM_RESET2, 0, 22, 33] },
          { x: [SYSTEM_RESET2 + SMC64, 0x8000_0000, 22, 33] }, // a vendor's
          { x: [SYSTEM_RESET2 + SMC64, 1, 22, 33] }, // a type that is none
        ];
        const caller = select(new Caller(kvm, calls), version);
        assert.deepEqual(caller.run(), event(kvm, 'RESET', 1n));
        isStopped(caller.vcpu);
        assert.deepEqual(caller.resume(), event(kvm, 'RESET', 1n));
        assert.deepEqual(caller.resume(), event(kvm, 'SHUTDOWN', 0n));
        assert.deepEqual(caller.results, [
          [INTERNAL_FAILURE, 0n, 22n, 33n],
          [INTERNAL_FAILURE, 0x8000_0000n, 22n, 33n],
          [INVALID_PARAMS, 0n, 0n, 0n],
        ]);
      }
    });

    it('by SYSTEM_OFF2, of PSCI 1.3, says so', context => {
      const kvm = open();
      const versions = versionsOf(kvm, context).filter(version => version >= '1.3');
      if (versions.length === 0) lacks(kvm, SYSTEM_OFF2);
      for (const version of versions) {
        const calls = [
          { x: [SYSTEM_OFF2 + SMC64, 1, 1] }, // a cookie that is none
          { x: [SYSTEM_OFF2, 0, 1] },
          { x: [SYSTEM_OFF2, 2, 0] }, // a type that is none
          { x: [SYSTEM_OFF2 + SMC64, 1, 0] },
          { x: [SYSTEM_OFF2, 0, 0] },
        ];
        const caller = select(new Caller(kvm, calls), version);
        assert.deepEqual(caller.run(), event(kvm, 'SHUTDOWN', 1n));
        isStopped(caller.vcpu);
        assert.deepEqual(caller.resume(), event(kvm, 'SHUTDOWN', 1n));
        assert.deepEqual(caller.resume(), event(kvm, 'SHUTDOWN', 0n));
        assert.deepEqual(caller.answers, [
          INVALID_PARAMS,
          INVALID_PARAMS,
          INVALID_PARAMS,
          INTERNAL_FAILURE,
          INTERNAL_FAILURE,
        ]);
      }
    });
  });

  describe('SYSTEM_SUSPEND', () => {
    it('from PSCI 1.0 on leaves the vCPU as it is, for the VMM to suspend', context => {
      const kvm = open();
      if (kvm.checkExtension('ARM_SYSTEM_SUSPEND') === 0) {
        lacks(kvm, SYSTEM_SUSPEND);
        return;
      }
      for (const version of versionsOf(kvm, context).filter(version => version >= '1.0')) {
        const calls = [
          { x: [PSCI_FEATURES, SYSTEM_SUSPEND] },
          { x: [PSCI_FEATURES, SYSTEM_SUSPEND + SMC64] },
          { x: [SYSTEM_SUSPEND + SMC64, 0x4000_1000, 0x1_0000_0022n, 33] },
          { x: [SYSTEM_SUSPEND, 0x4000_1000, 0x1_0000_0022n, 33] },
        ];
        const caller = select(new Caller(kvm, calls, withSuspend), version);
        const suspended = { reason: 'SYSTEM_EVENT', type: 'SUSPEND', flags: 0n, data: [] };
        assert.deepEqual(caller.run(), suspended);
        assert.equal(caller.vcpu.getMpState(), 'RUNNABLE');
        assert.deepEqual(
          ['X0', 'X1', 'X2', 'X3'].map(name => caller.vcpu.getOneReg(name)),
          [0xc400_000en, 0x4000_1000n, 0x1_0000_0022n, 33n],
        );
        caller.vcpu.setOneReg('X0', 0n); // resumed, as the VMM tells the guest
        assert.deepEqual(caller.run(), suspended);
        assert.deepEqual(caller.run(), event(kvm, 'SHUTDOWN', 0n));
        assert.deepEqual(caller.results, [
          [0n, 0n, 0n, 0n],
          [0n, 0n, 0n, 0n],
          [0n, 0x4000_1000n, 0x1_0000_0022n, 33n],
          [0x8400_000en, 0x4000_1000n, 0x22n, 33n], // SMC32: the arguments have 32 bits
        ]);
      }
    });

    it('is not there at PSCI 0.2', () => {
      const kvm = open();
      if (kvm.checkExtension('ARM_SYSTEM_SUSPEND') === 0) {
        lacks(kvm, SYSTEM_SUSPEND);
        return;
      }
      const caller = select(new Caller(kvm, [{ x: [SYSTEM_SUSPEND + SMC64] }], withSuspend), '0.2');
      caller.runToOff();
      assert.deepEqual(caller.answers, [NOT_SUPPORTED]);
    });
  });

  describe('a suspended vCPU', () => {
    it('waits for an interrupt, which is an exit, and goes on when it is made runnable', () => {
      const kvm = open();
      const machine = new Machine(kvm, 'counter');
      const { vcpu, vm } = machine;
      assert.equal(machine.nextReport(), 0x1000n);
      if (kvm.checkExtension('ARM_SYSTEM_SUSPEND') === 0) {
        assert.throws(() => vcpu.setMpState('SUSPENDED'), { code: 'EINVAL' });
        return;
      }
      vcpu.setMpState('SUSPENDED');
      vcpu.kick();
      expectExit(vcpu.runSync(), 'INTR');
      vm.setIrqLine({ type: 'cpu', id: 'irq', vcpu: 0, level: true });
      for (let n = 0; n < 2; n++) {
        assert.deepEqual(vcpu.runSync(), {
          reason: 'SYSTEM_EVENT',
          type: 'WAKEUP',
          flags: 0n,
          data: [],
        });
        assert.equal(vcpu.getMpState(), 'SUSPENDED');
      }
      assert.equal(vcpu.getOneReg('X19'), 0x1000n);
      vcpu.setMpState('RUNNABLE');
      assert.equal(machine.nextReport(), 0x2000n);
    });
  });

  describe('CPU_ON, CPU_OFF and AFFINITY_INFO', () => {
    it('turn three CPUs on, off, and on again', async context => {
      const kvm = open();
      for (const version of versionsOf(kvm, context)) {
        const machine = new Machine(kvm, 'cpus', { cpus: 4 });
        machine.vcpu.setPsciVersion(version);
        await machine.runAllToOff();
        const each = (cpu: bigint) => [
          1n, // OFF
          0n, // turned on
          ALREADY_ON,
          0x100n + cpu, // with this context
          0n, // ON
          1n, // OFF: it has turned itself off
          0n, // turned on again
          0x200n + cpu,
        ];
        assert.deepEqual(machine.reports, [
          ...each(1n),
          ...each(2n),
          ...each(3n),
          0n, // one of the cluster is on
          INVALID_PARAMS,
          INVALID_PARAMS,
          INVALID_PARAMS,
          ALREADY_ON,
        ]);
        for (const vcpu of machine.vcpus) assert.equal(vcpu.getMpState(), 'STOPPED');
        expectRegisters(machine.vcpu, { X0: INTERNAL_FAILURE, X1: 0n, X19: 4n, PSTATE: 0x6000_03c5n });
        for (const [n, vcpu] of machine.vcpus.entries())
          if (n > 0) expectRegisters(vcpu, { X0: 0x200n + BigInt(n), X5: BigInt(n) });
      }
    });
  });

  describe('an affinity with reserved bits', () => {
    it('is that of no vCPU, but before Linux 5.15, which looks at the others', context => {
      const kvm = open();
      const call = (fn: number, affinity: bigint): bigint => {
        const machine = new Machine(kvm, 'hello', { cpus: 2 });
        machine.view.setUint32(0, 0xd400_0002, true); // hvc #0
        machine.view.setUint32(4, 0xf900_0080, true); // str x0, [x4]
        machine.vcpu.setRegs([
          ['X0', BigInt(fn)],
          ['X1', affinity],
          ['X2', 0n],
          ['X4', 0x0900_0008n],
        ]);
        return machine.nextReport();
      };
      const ignored = !kernelOf(kvm, context).refusesReservedAffinity;
      assert.equal(call(CPU_ON, 1n), 0n);
      assert.equal(call(CPU_ON, (1n << 24n) | 1n), ignored ? 0n : INVALID_PARAMS);
      assert.equal(call(AFFINITY_INFO, 1n), 1n); // off
      assert.equal(call(AFFINITY_INFO, (1n << 63n) | 1n), ignored ? 1n : INVALID_PARAMS);
    });
  });
};
