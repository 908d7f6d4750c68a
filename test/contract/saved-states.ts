/** A saved vCPU on a new VM of the same kernel: nothing is lacked, refused or changed. */
import assert from 'node:assert/strict';
import { RegisterBatch } from '#lib/register-batch.js';
import { decodeState, encodeState, planRestore, restoreVcpu, saveVcpu, saveVcpus } from '#lib/state.js';
import type { Suite } from '#lib/testing.js';
import { withKvm } from './suite.ts';

const FEATURES = ['PSCI_0_2', 'PMU_V3'] as const;

/** The cases. */
export const savedStates: Suite = ({ it, open }) => {
  it('a used vCPU is the same on a new VM, by way of a file', () => {
    withKvm(open, kvm => {
      const source = kvm.createVm().createVcpu(0);
      source.init({ features: FEATURES });
      source.setPsciVersion('1.0');
      source.setRegs([
        ['PC', 0x4008_0000n],
        ['X19', 7n],
        ['V31', 2n ** 127n],
        ['PMCNTENCLR_EL0', 0xffff_ffffn],
        ['PMCNTENSET_EL0', 0x8000_0001n],
      ]);
      const [state] = decodeState(encodeState(saveVcpus([source]))).vcpus;
      assert.deepEqual(planRestore(state!, kvm).findings, []);
      const target = kvm.createVm().createVcpu(0);
      assert.equal(restoreVcpu(target, state!).verdict, 'identical');
      assert.equal(target.psciVersion, '1.0');
      assert.equal(target.getOneReg('V31'), 2n ** 127n);
      assert.equal(target.getOneReg('PMCNTENSET_EL0'), 0x8000_0001n);
    });
  });

  it('a value that this host refuses is planned as such', () => {
    withKvm(open, kvm => {
      const source = kvm.createVm().createVcpu(0);
      source.init();
      const saved = saveVcpu(source);
      const registers = RegisterBatch.from([
        ...[...saved.registers].filter(([id]) => id !== 0x6030_0000_0014_0000n),
        ['KVM_REG_ARM_PSCI_VERSION', 0x10009n], // 1.9
      ]);
      const state = { ...saved, registers };
      const { loads, findings } = planRestore(state, kvm);
      assert.equal(loads, false);
      assert.deepEqual(
        findings.map(({ name, effect, code }) => [name, effect, code]),
        [['KVM_REG_ARM_PSCI_VERSION', 'refused', 'EINVAL']],
      );
    });
  });
};
