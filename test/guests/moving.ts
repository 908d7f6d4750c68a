/** A guest that is saved and restored, at rest and while it runs: it notices nothing. */
import assert from 'node:assert/strict';
import type { Kvm } from '#lib/kvm.js';
import { decodeState, encodeState, preCopy, restoreVm, saveVm } from '#lib/state.js';
import type { Suite } from '#lib/testing.js';
import type { Vm } from '#lib/vm.js';
import { Machine } from './machine.ts';

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
