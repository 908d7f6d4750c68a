/** getRegs() and setRegs(): many registers in one call, with a status for each. */
import assert from 'node:assert/strict';
import { formatRegister } from '#lib/abi/register-names.js';
import { RegisterBatch } from '#lib/register-batch.js';
import type { Suite } from '#lib/testing.js';
import { FPCR, PC, PSCI_VERSION, SCTLR_EL1, V, X } from './registers.ts';
import { refused, rejects, untyped, withNewVcpu, withVcpu } from './suite.ts';

const UNKNOWN = 0x6030_0000_0013_c001n; // S3_0_C0_C0_1
const FOREIGN = 0x4030_0000_0014_0000n; // a register of 32-bit arm
const ENOENT = -2;
const EINVAL = -22;
const WIDE = 0xfedc_ba98_7654_3210_0123_4567_89ab_cdefn;

export const batches: Suite = ({ describe, it, open }) => {
  describe('getRegs()', () => {
    it('gives what getOneReg() gives, register by register, in the order of the kernel', () => {
      withVcpu(open, ['PSCI_0_2', 'PMU_V3'], vcpu => {
        vcpu.setOneReg(V(31), WIDE);
        const batch = vcpu.getRegs();
        assert.deepEqual(batch.ids, vcpu.getRegList());
        assert.equal(batch.failed, 0);
        for (const [id, value] of batch) {
          const name = formatRegister(id);
          if (!name.endsWith('_CNT')) assert.equal(value, vcpu.getOneReg(id), name);
        }
      });
    });

    it('mixes widths and names, and goes on after what cannot be read', () => {
      withVcpu(open, ['PSCI_0_2'], vcpu => {
        vcpu.setOneReg(V(2), WIDE);
        vcpu.setOneReg(FPCR, 0x8000_0001n);
        const batch = vcpu.getRegs([UNKNOWN, V(2), 'FPCR', FOREIGN, 'PC', 'KVM_REG_ARM_PSCI_VERSION']);
        assert.deepEqual([...batch.status], [ENOENT, 0, 0, EINVAL, 0, 0]);
        assert.equal(batch.failed, 2);
        assert.equal(batch.length, 6);
        assert.deepEqual(
          [...batch],
          [
            [V(2), WIDE],
            [FPCR, 0x8000_0001n],
            [PC, 0n],
            [PSCI_VERSION, 0x1_0001n],
          ],
        );
        assert.equal(batch.get('V2'), WIDE);
        assert.equal(batch.valueAt(0), 0n);
        refused('ENOENT', 'KVM_GET_ONE_REG', () => batch.get(UNKNOWN), UNKNOWN);
        const error = refused('EINVAL', 'KVM_GET_ONE_REG', () => batch.get(FOREIGN), FOREIGN);
        assert.equal(error.register?.name, 'arm:KVM_REG_ARM_PSCI_VERSION');
      });
    });

    it('takes none, and the same register twice', () => {
      withVcpu(open, [], vcpu => {
        assert.deepEqual([...vcpu.getRegs([])], []);
        assert.deepEqual(
          [...vcpu.getRegs([PC, PC])],
          [
            [PC, 0n],
            [PC, 0n],
          ],
        );
      });
    });

    it('takes any iterable of ids and keeps none of it', () => {
      withVcpu(open, [], vcpu => {
        const ids = BigUint64Array.of(PC, SCTLR_EL1);
        const batch = vcpu.getRegs(ids);
        ids.fill(0n);
        assert.equal(batch.get(SCTLR_EL1), 0xc5_0078n);
        assert.equal(vcpu.getRegs(new Set(['PC', SCTLR_EL1])).length, 2);
        assert.equal(
          vcpu.getRegs(
            (function* () {
              yield 'PC';
            })(),
          ).length,
          1,
        );
      });
    });

    it('refuses what is no register, and what is no list, before the kernel is asked', () => {
      withVcpu(open, [], vcpu => {
        rejects('ERR_INVALID_ARG_VALUE', () => vcpu.getRegs(['PC', 'NO_SUCH_REGISTER']));
        rejects('ERR_OUT_OF_RANGE', () => vcpu.getRegs([1n << 64n]));
        for (const given of [[1], [null], 'PC', 5, null, {}, { length: 1, 0: PC }]) {
          rejects('ERR_INVALID_ARG_TYPE', () => vcpu.getRegs(untyped(given)));
        }
      });
    });
  });

  describe('setRegs()', () => {
    it('writes in order, mixes widths, and goes on after what is refused', () => {
      withVcpu(open, ['PSCI_0_2'], vcpu => {
        const batch = vcpu.setRegs([
          ['X1', 1n],
          [UNKNOWN, 2n],
          [PSCI_VERSION, 0x7_0000n],
          [V(0), WIDE],
          ['FPCR', 0xffff_ffffn],
          [FOREIGN, 3n],
          [X(1), 4n],
        ]);
        assert.deepEqual([...batch.status], [0, ENOENT, EINVAL, 0, 0, EINVAL, 0]);
        assert.equal(vcpu.getOneReg(X(1)), 4n);
        assert.equal(vcpu.getOneReg(V(0)), WIDE);
        assert.equal(vcpu.getOneReg(FPCR), 0xffff_ffffn);
        assert.equal(vcpu.psciVersion, '1.1');
        assert.deepEqual(
          [...batch].map(([id]) => id),
          [X(1), V(0), FPCR, X(1)],
        );
        refused('EINVAL', 'KVM_SET_ONE_REG', () => batch.get(PSCI_VERSION), PSCI_VERSION);
      });
    });

    it('gives the statuses that setOneReg() gives as errors', () => {
      withVcpu(open, ['PSCI_0_2'], vcpu => {
        const entries = Array.from({ length: 32 }, (_, i) => [PSCI_VERSION, BigInt(i)] as const);
        const statuses = entries.map(([id, value]) => {
          try {
            vcpu.setOneReg(id, value);
            return 0;
          } catch (error) {
            return (error as { errno: number }).errno;
          }
        });
        assert.deepEqual([...vcpu.setRegs(entries).status], statuses);
        assert.deepEqual(
          statuses,
          Array.from({ length: 32 }, (_, i) => (i === 2 ? 0 : EINVAL)),
        );
      });
    });

    it("restores one vCPU's registers into another", () => {
      withVcpu(open, ['PSCI_0_2'], vcpu => {
        for (let n = 0; n < 31; n++) vcpu.setOneReg(X(n), BigInt(n) << 33n);
        vcpu.setOneReg(V(9), WIDE);
        const saved = vcpu.getRegs();
        const target = vcpu.vm.kvm.createVm().createVcpu(0);
        target.init();
        assert.equal(target.setRegs(saved).failed, 0);
        for (const [id, value] of target.getRegs()) {
          const name = formatRegister(id);
          if (!name.endsWith('_CNT')) assert.equal(value, saved.get(id), name);
        }
      });
    });

    it('does not write what the batch could not read', () => {
      withVcpu(open, ['PSCI_0_2'], vcpu => {
        vcpu.setOneReg(X(3), 3n);
        const batch = vcpu.getRegs([UNKNOWN, X(3)]);
        vcpu.setOneReg(X(3), 0n);
        vcpu.setRegs(batch);
        assert.equal(vcpu.getOneReg(X(3)), 3n);
      });
    });

    it('takes none', () => {
      withVcpu(open, [], vcpu => assert.equal(vcpu.setRegs([]).length, 0));
    });

    it('writes nothing where one of the entries is no register or value', () => {
      withVcpu(open, [], vcpu => {
        rejects('ERR_OUT_OF_RANGE', () =>
          vcpu.setRegs([
            [PC, 1n],
            [FPCR, 1n << 32n],
          ]),
        );
        rejects('ERR_INVALID_ARG_VALUE', () =>
          vcpu.setRegs([
            [PC, 1n],
            ['NO_SUCH_REGISTER', 0n],
          ]),
        );
        for (const given of [[[PC, 1]], [[PC]], [PC], [null], 'PC', 5, null, {}]) {
          rejects('ERR_INVALID_ARG_TYPE', () => vcpu.setRegs(untyped(given)));
        }
        assert.equal(vcpu.getOneReg(PC), 0n);
      });
    });
  });

  describe('a RegisterBatch', () => {
    it('can be made beforehand, without a vCPU', () => {
      const batch = RegisterBatch.from([
        ['X0', 5n],
        [V(1), WIDE],
      ]);
      assert.deepEqual(
        [...batch],
        [
          [X(0), 5n],
          [V(1), WIDE],
        ],
      );
      withVcpu(open, [], vcpu => {
        assert.equal(vcpu.setRegs(batch).failed, 0);
        assert.equal(vcpu.getOneReg(V(1)), WIDE);
      });
    });

    it('knows its registers alone', () => {
      withVcpu(open, [], vcpu => {
        const batch = vcpu.getRegs([PC]);
        rejects('ERR_INVALID_ARG_VALUE', () => batch.get('SP'));
        for (const index of [-1, 1, 0.5, Number.NaN]) {
          rejects('ERR_OUT_OF_RANGE', () => batch.valueAt(index));
          rejects('ERR_OUT_OF_RANGE', () => batch.errorAt(index));
        }
        for (const index of ['0', 'length', Symbol.iterator, null]) {
          rejects('ERR_INVALID_ARG_TYPE', () => batch.valueAt(untyped(index)));
          rejects('ERR_INVALID_ARG_TYPE', () => batch.errorAt(untyped(index)));
        }
        assert.equal(batch.errorAt(0), undefined);
      });
    });

    it('of a vCPU that is not initialised has ENOEXEC for each', () => {
      withNewVcpu(open, vcpu => {
        const batch = vcpu.getRegs([PC, UNKNOWN]);
        assert.equal(batch.failed, 2);
        refused('ENOEXEC', 'KVM_GET_ONE_REG', () => batch.get(PC), PC);
      });
    });
  });
};
