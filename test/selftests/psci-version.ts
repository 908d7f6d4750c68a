/**
 * KVM_REG_ARM_PSCI_VERSION and its neighbours, which no selftest has: what each kernel takes, when, and what is no
 * register (reference section 1.1; `kvm_arm_set_fw_reg()`, psci.c of 5.10 and hypercalls.c).
 */
import assert from 'node:assert/strict';
import { type PsciVersion, parsePsciVersion } from '#lib/abi/psci.js';
import { firmwareBitmapRegId, firmwareRegId } from '#lib/abi/register-id.js';
import type { Suite } from '#lib/testing.js';
import type { Vcpu } from '#lib/vcpu.js';
import { kernelOf } from '../contract/kernel.ts';
import { PSCI_VERSION } from '../contract/registers.ts';
import { refused, refusesGet, refusesSet, stores } from '../contract/suite.ts';
import { NOT_SUPPORTED } from '../guests/calls.ts';
import { Machine } from '../guests/machine.ts';

const VERSIONS: readonly PsciVersion[] = ['0.2', '1.0', '1.1', '1.2', '1.3'];
/** Versions that no kernel has, and a version with a bit too many. */
const NOWHERE = [
  0n,
  3n,
  0x1_0004n,
  0x2_0000n,
  0x8000_0002n,
  0x1_0000_0002n,
  (1n << 63n) | 0x1_0000n,
  2n ** 64n - 1n,
];

/** It takes these versions of all that there are, whatever was before, and keeps its own where it takes none. */
function takesOnly(vcpu: Vcpu, taken: readonly PsciVersion[]): void {
  for (const version of [...VERSIONS, '0.1'] as const) {
    const value = parsePsciVersion(version);
    if (taken.includes(version)) stores(vcpu, PSCI_VERSION, value);
    else refusesSet('EINVAL', vcpu, PSCI_VERSION, value);
  }
  const last = vcpu.getOneReg(PSCI_VERSION);
  for (const value of NOWHERE) refusesSet('EINVAL', vcpu, PSCI_VERSION, value);
  assert.equal(vcpu.getOneReg(PSCI_VERSION), last);
}

/** Ids beside the register's, and what asking for them gives. */
const NO_REGISTERS = [
  ['EINVAL', 0x4030_0000_0014_0000n], // 32-bit arm's PSCI version
  ['EINVAL', 0x4030_0000_0014_0001n],
  ['EINVAL', 0x2030_0000_0014_0000n], // x86
  ['EINVAL', 0x6030_0001_0014_0000n],
  ['EINVAL', 0x4020_0000_0014_0000n], // the architecture comes before the width
  ['ENOENT', 0x6020_0000_0014_0000n],
  ['ENOENT', 0x6040_0000_0014_0000n],
  ['ENOENT', 0x6020_0000_0014_0001n],
  ['ENOENT', firmwareRegId(4)],
  ['ENOENT', firmwareRegId(0xffff)],
  ['ENOENT', 0x6020_0000_0016_0000n],
  ['ENOENT', firmwareBitmapRegId(4)],
  ['ENOENT', firmwareBitmapRegId(0xffff)],
] as const;

export const psciVersion: Suite = ({ describe, it, open }) => {
  describe('the PSCI version', () => {
    it('of a vCPU with PSCI_0_2 is at first the newest, and is any that the kernel has', context => {
      const kvm = open();
      const { psci } = kernelOf(kvm, context);
      assert.deepEqual(kvm.supportedPsciVersions(), psci);
      const vcpu = kvm.createVm().createVcpu(0);
      vcpu.init();
      assert.equal(vcpu.psciVersion, psci.at(-1));
      takesOnly(vcpu, psci);
    });

    it('of a vCPU without PSCI_0_2 is 0.1, and can be nothing else', () => {
      const vcpu = open().createVm().createVcpu(0);
      vcpu.init({ features: [] });
      assert.equal(vcpu.psciVersion, '0.1');
      takesOnly(vcpu, ['0.1']);
    });

    it('is taken and refused after a run as before it', context => {
      const kvm = open();
      const { psci } = kernelOf(kvm, context);
      const machine = new Machine(kvm, 'psci-version');
      machine.nextReport();
      takesOnly(machine.vcpu, psci);
      machine.vcpu.setPsciVersion('0.2');
      assert.equal(machine.nextReport(), 2n);
      const without = new Machine(kvm, 'psci-version', { features: [] });
      assert.equal(without.nextReport(), NOT_SUPPORTED);
      takesOnly(without.vcpu, ['0.1']);
      assert.equal(without.nextReport(), NOT_SUPPORTED);
    });

    it('belongs to the VM, and survives every init', () => {
      const vm = open().createVm();
      const [first, second] = [vm.createVcpu(0), vm.createVcpu(1)];
      first.init();
      first.setPsciVersion('0.2');
      first.init();
      assert.equal(first.psciVersion, '0.2');
      second.init();
      assert.equal(second.psciVersion, '0.2');
      second.setPsciVersion('1.0');
      assert.equal(first.psciVersion, '1.0');
    });

    it('is 0.1 for all where a vCPU without PSCI_0_2 sets it, while vCPUs of a VM may differ', context => {
      const kvm = open();
      const machine = new Machine(kvm, 'psci-version');
      const other = machine.vm.createVcpu(1);
      if (kernelOf(kvm, context).sharesFeatures) {
        refused('EINVAL', 'KVM_ARM_VCPU_INIT', () => other.init({ features: [] }));
        return;
      }
      other.init({ features: [] });
      other.setPsciVersion('0.1');
      assert.equal(machine.vcpu.psciVersion, '0.1');
      assert.equal(machine.nextReport(), NOT_SUPPORTED);
    });
  });

  describe('what is no firmware register', () => {
    it('is EINVAL for another architecture, else ENOENT, read or written', context => {
      const kvm = open();
      const vcpu = kvm.createVm().createVcpu(0);
      vcpu.init();
      const { bitmaps } = kernelOf(kvm, context);
      const later = [0, 1, 2, 3].slice(bitmaps).map(n => ['ENOENT', firmwareBitmapRegId(n)] as const);
      for (const [code, id] of [...NO_REGISTERS, ...later]) {
        refusesGet(code, vcpu, id);
        refusesSet(code, vcpu, id, 2n);
      }
    });
  });
};
