/** A guest that is saved and restored, at rest and while it runs: it notices nothing. */
import assert from 'node:assert/strict';
import { findGicRegister } from '#lib/abi/gic-registers.js';
import type { Kvm } from '#lib/kvm.js';
import {
  decodeState,
  encodeState,
  type GicState,
  type GicValue,
  preCopy,
  restoreVm,
  saveVm,
} from '#lib/state.js';
import type { Suite } from '#lib/testing.js';
import type { Vm } from '#lib/vm.js';
import { Machine, RAM } from './machine.ts';

const PINNED = 0x1_0000n; // 1.0

/** What the guest says of one of its rounds. */
function expectRound(machine: Machine, count: bigint): void {
  const round = [machine.nextReport(), machine.nextReport(), machine.nextReport()];
  assert.deepEqual(round, [count, PINNED, 1n]);
  assert.equal(machine.view.getBigUint64(0x1_0000 + Number(count % 32n) * 4096, true), count);
}

function begin(kvm: Kvm): Machine {
  const machine = new Machine(kvm, 'moving');
  machine.vcpu.setPsciVersion('1.0');
  for (let count = 1n; count <= 3n; count++) expectRound(machine, count);
  return machine;
}

function beginTicking(kvm: Kvm): Machine {
  const machine = new Machine(kvm, 'ticking', { gic: true });
  machine.vcpu.setPsciVersion('1.0');
  expectTicks(machine, 4n);
  expectTicks(machine, 8n);
  return machine;
}

/** A report of the ticking guest: so many ticks, in order, by the interrupt of the timer alone. */
function expectTicks(machine: Machine, ticks: bigint): void {
  const report = Array.from({ length: 4 }, () => machine.nextReport());
  assert.deepEqual(report, [ticks, machine.vcpu.getOneReg('KVM_REG_ARM_PSCI_VERSION'), 1n, 1n << 27n]);
}

/** The GIC without what its timer does meanwhile. */
function withoutTime(gic: GicState | undefined) {
  assert.ok(gic !== undefined);
  const isOfTime = ({ group, attr }: GicValue) =>
    /^(LEVEL_INFO|GIC[DR]_ISPENDR|GIC[DR]_ISACTIVER|ICC_AP|GICC_APR)/.test(
      findGicRegister(gic.placement.version, group, attr)!.name,
    );
  return { ...gic, registers: gic.registers.filter(entry => !isOfTime(entry)) };
}

export const moving: Suite = ({ describe, it, open }) => {
  describe('a guest that is saved and restored', () => {
    it('goes on where it was, by way of a file', () => {
      const kvm = open();
      const machine = begin(kvm);
      const { vm: before } = machine;
      const state = decodeState(encodeState(saveVm(before)));
      const { vm, plan } = restoreVm(kvm, state);
      assert.equal(plan.verdict, 'identical');
      before.close();
      machine.moveTo(vm);
      assert.equal(machine.vcpu.psciVersion, '1.0');
      for (let count = 4n; count <= 40n; count++) expectRound(machine, count);
    });

    it('goes on with the answer of the device that it waits for', () => {
      const kvm = open();
      const machine = new Machine(kvm, 'mmio');
      let exit = machine.run();
      while (exit.reason !== 'MMIO' || exit.isWrite) exit = machine.run();
      exit.data.fill(0x5a);
      const pc = machine.vcpu.getOneReg('PC');
      machine.moveTo(restoreVm(kvm, saveVm(machine.vm)).vm);
      assert.equal(machine.vcpu.getOneReg('PC'), pc + 4n);
    });

    it('runs while its memory moves', async () => {
      const kvm = open();
      const machine = begin(kvm);
      let target: Kvm | Vm = kvm;
      let rounds = 0;
      let counted = 3n;
      for await (const round of preCopy(machine.vm, { smallEnough: 0, maxRounds: 4 })) {
        rounds++;
        target = restoreVm(target, round).vm;
        for (let n = 0; n < 5; n++) expectRound(machine, ++counted);
      }
      assert.equal(rounds, 4);
      const rest = saveVm(machine.vm, { memory: 'dirty' });
      const dirty = rest.memory!.flatMap(({ pages }) => pages).reduce((sum, { length }) => sum + length, 0);
      assert.ok(dirty >= 5 * 4096 && dirty < 0x1_0000, `${dirty} bytes were left`);
      const { vm } = restoreVm(target, rest);
      assert.equal(vm, target);
      assert.deepEqual(Buffer.compare(vm.memory[0]!.bytes, machine.ram.bytes), 0);
      machine.vm.close();
      machine.moveTo(vm);
      for (let n = 0; n < 40; n++) expectRound(machine, ++counted);
    });

    it('is interrupted by its timer as before', () => {
      const kvm = open();
      const machine = beginTicking(kvm);
      let before = machine.vm;
      const state = decodeState(encodeState(saveVm(before)));
      const { vm, plan } = restoreVm(kvm, state);
      assert.deepEqual(plan.findings, []);
      before.close();
      machine.moveTo(vm);
      assert.equal(machine.vcpu.psciVersion, '1.0');
      assert.deepEqual(withoutTime(saveVm(vm).gic), withoutTime(state.gic));
      for (let ticks = 12n; ticks <= 40n; ticks += 4n) expectTicks(machine, ticks);
      // And once more, from what was restored.
      before = vm;
      machine.moveTo(restoreVm(kvm, saveVm(vm)).vm);
      before.close();
      expectTicks(machine, 44n);
    });

    it('keeps the interrupts that its program raised', () => {
      const kvm = open();
      const machine = new Machine(kvm, 'interrupts', { gic: true });
      machine.run(); // it waits for the line
      machine.vm.setIrqLine({ type: 'spi', id: 40, level: true });
      const { vm } = machine;
      machine.moveTo(restoreVm(kvm, saveVm(vm)).vm);
      vm.close();
      machine.run(); // to lower it
      machine.vm.setIrqLine({ type: 'spi', id: 40, level: false });
      machine.runToOff();
      assert.deepEqual(machine.reports, [27n, 1n, 40n]);
    });

    it('with several vCPUs and all that they have of devices', () => {
      const kvm = open();
      const hasPmu = kvm.checkExtension('ARM_PMU_V3') > 0;
      const machine = new Machine(kvm, 'ticking', {
        cpus: 2,
        features: hasPmu ? ['PSCI_0_2', 'PMU_V3'] : ['PSCI_0_2'],
      });
      const { vm, vcpus } = machine;
      const gic = vm.createGic({ irqs: 96 });
      vcpus[0]!.setTimerIrqs({ physical: 21 });
      gic.init();
      const pmu = { irq: 23, filter: [{ base: 0x11, count: 1, action: 'deny' }] } as const;
      if (hasPmu) for (const vcpu of vcpus) vcpu.initPmu(vcpu.id === 0 ? pmu : { irq: 23 });
      const hasStolenTime = kvm.checkExtension('STEAL_TIME') > 0;
      if (hasStolenTime) vcpus[1]!.setPvTime(RAM + 0x3_0000n);
      vcpus[0]!.setOneReg('X0', BigInt(gic.version));
      expectTicks(machine, 4n);
      const { vm: restored, plan } = restoreVm(kvm, decodeState(encodeState(saveVm(vm))));
      assert.equal(plan.verdict, 'identical');
      vm.close();
      machine.moveTo(restored);
      assert.deepEqual(machine.vcpu.getTimerIrqs(), { virtual: 27, physical: 21 });
      if (hasPmu) assert.deepEqual(machine.vcpu.pmu, pmu);
      if (hasStolenTime) assert.equal(machine.vcpus[1]!.getPvTime(), RAM + 0x3_0000n);
      assert.equal(saveVm(restored, { memory: 'none' }).gic?.irqs, 96);
      expectTicks(machine, 8n);
    });

    it('with several vCPUs, one of them off', () => {
      const kvm = open();
      const machine = new Machine(kvm, 'moving', { cpus: 3 });
      machine.vcpus[1]!.setOneReg('X5', 77n);
      const { vm } = restoreVm(kvm, saveVm(machine.vm));
      assert.deepEqual(
        vm.vcpus.map(vcpu => vcpu.getMpState()),
        ['RUNNABLE', 'STOPPED', 'STOPPED'],
      );
      assert.equal(vm.vcpus[1]!.getOneReg('X5'), 77n);
    });
  });
};
