/** KVM_REG_ARM_PSCI_VERSION (reference section 1.1, the column of 5.18 to 6.12; `kvm_arm_set_fw_reg`, hypercalls.c). */
import assert from 'node:assert/strict';
import type { PsciVersion } from '#lib/abi/psci.js';
import type { Suite } from '#lib/testing.js';
import { PSCI_VERSION } from './registers.ts';
import {
  refused,
  refusesGet,
  refusesSet,
  rejects,
  sibling,
  untyped,
  withKvm,
  withNewVcpu,
  withVcpu,
} from './suite.ts';

const VALUES = [
  ['0.2', 0x0000_0002n],
  ['1.0', 0x0001_0000n],
  ['1.1', 0x0001_0001n],
] as const;

const NOT_INITIALISED = 'The vCPU is not initialised: call vcpu.init() first';

/** What this kernel refuses of a vCPU with the feature; 1.2 and 1.3 came with 6.13. */
const REFUSED: readonly PsciVersion[] = ['0.0', '0.1', '0.3', '1.2', '1.3', '1.7', '2.0', '32767.65535'];

export const psciVersion: Suite = ({ describe, it, open }) => {
  describe('supportedPsciVersions()', () => {
    it('is 0.2, 1.0 and 1.1 on Linux 6.12', () => {
      withKvm(open, kvm => assert.deepEqual(kvm.supportedPsciVersions(), ['0.2', '1.0', '1.1']));
    });

    it('leaves no trace on VMs that are there', () => {
      withVcpu(open, ['PSCI_0_2'], vcpu => {
        vcpu.setPsciVersion('0.2');
        const { kvm } = vcpu.vm;
        for (let i = 0; i < 3; i++) kvm.supportedPsciVersions();
        assert.equal(vcpu.psciVersion, '0.2');
        assert.equal(vcpu.closed, false);
      });
    });
  });

  describe('the PSCI version of a vCPU with PSCI_0_2', () => {
    it('is 1.1, the newest that 6.12 knows, until it is set', () => {
      withVcpu(open, ['PSCI_0_2'], vcpu => {
        assert.equal(vcpu.psciVersion, '1.1');
        assert.equal(vcpu.getOneReg(PSCI_VERSION), 0x1_0001n);
      });
    });

    it('can be any of 0.2, 1.0 and 1.1, in any order and again', () => {
      withVcpu(open, ['PSCI_0_2'], vcpu => {
        for (const [version, value] of [...VALUES, ...[...VALUES].reverse()]) {
          vcpu.setPsciVersion(version);
          assert.equal(vcpu.psciVersion, version);
          assert.equal(vcpu.getOneReg(PSCI_VERSION), value);
          vcpu.setOneReg('KVM_REG_ARM_PSCI_VERSION', value);
          assert.equal(vcpu.psciVersion, version);
        }
      });
    });

    it('is that of the whole VM, seen and set through any vCPU, also one that comes later', () => {
      withVcpu(open, ['PSCI_0_2'], first => {
        const second = sibling(first, 1, ['PSCI_0_2']);
        first.setPsciVersion('1.0');
        assert.equal(second.psciVersion, '1.0');
        second.setPsciVersion('0.2');
        assert.equal(first.psciVersion, '0.2');
        assert.equal(sibling(first, 2, ['PSCI_0_2']).psciVersion, '0.2');
      });
    });

    it('survives a further init', () => {
      withVcpu(open, ['PSCI_0_2'], vcpu => {
        vcpu.setPsciVersion('1.0');
        vcpu.init();
        assert.equal(vcpu.psciVersion, '1.0');
      });
    });

    it('has nothing to do with the MP state and the PMU', () => {
      withVcpu(open, ['PSCI_0_2', 'PMU_V3', 'POWER_OFF'], vcpu => {
        assert.equal(vcpu.psciVersion, '1.1');
        vcpu.setPsciVersion('0.2');
        assert.equal(vcpu.psciVersion, '0.2');
      });
    });

    it('cannot be another: EINVAL, with the versions that it can be in the hint, and unchanged', () => {
      withVcpu(open, ['PSCI_0_2'], vcpu => {
        vcpu.setPsciVersion('1.0');
        for (const version of REFUSED) {
          const error = refused(
            'EINVAL',
            'KVM_SET_ONE_REG',
            () => vcpu.setPsciVersion(version),
            PSCI_VERSION,
          );
          assert.equal(error.register?.name, 'KVM_REG_ARM_PSCI_VERSION');
          assert.equal(error.hint, 'This host accepts 0.2, 1.0, 1.1');
          assert.match(error.message, /This host accepts 0\.2, 1\.0, 1\.1$/);
          assert.equal(vcpu.psciVersion, '1.0');
        }
      });
    });

    it('is compared in all 64 bits: EINVAL for an accepted value with more set above', () => {
      withVcpu(open, ['PSCI_0_2'], vcpu => {
        for (const [, value] of VALUES) {
          for (const bit of [31n, 32n, 63n]) refusesSet('EINVAL', vcpu, PSCI_VERSION, value | (1n << bit));
        }
        refusesSet('EINVAL', vcpu, PSCI_VERSION, 2n ** 64n - 1n);
        assert.equal(vcpu.psciVersion, '1.1');
      });
    });
  });

  describe('the PSCI version of a vCPU without PSCI_0_2', () => {
    it('is 0.1, and can be set to 0.1', () => {
      withVcpu(open, [], vcpu => {
        assert.equal(vcpu.psciVersion, '0.1');
        vcpu.setPsciVersion('0.1');
        assert.equal(vcpu.psciVersion, '0.1');
      });
    });

    it('cannot be another: EINVAL, and the hint names the feature that is missing', () => {
      withVcpu(open, [], vcpu => {
        for (const version of ['0.2', '1.0', '1.1', '1.2', '0.0'] as const) {
          const { hint } = refused(
            'EINVAL',
            'KVM_SET_ONE_REG',
            () => vcpu.setPsciVersion(version),
            PSCI_VERSION,
          );
          assert.match(hint ?? '', /initialised without PSCI_0_2 .* features: \['PSCI_0_2'\]/);
          assert.equal(vcpu.psciVersion, '0.1');
        }
      });
    });
  });

  describe('the PSCI version', () => {
    it('of a vCPU that is not initialised can be neither read nor set: ENOEXEC', () => {
      withNewVcpu(open, vcpu => {
        const reads = refused('ENOEXEC', 'KVM_GET_ONE_REG', () => vcpu.psciVersion, PSCI_VERSION);
        assert.equal(reads.hint, NOT_INITIALISED);
        for (const version of ['1.0', '0.1', '1.7'] as const) {
          const sets = refused(
            'ENOEXEC',
            'KVM_SET_ONE_REG',
            () => vcpu.setPsciVersion(version),
            PSCI_VERSION,
          );
          assert.equal(sets.hint, NOT_INITIALISED);
        }
      });
    });

    it('that is not written as a version is refused before the kernel is asked', () => {
      withVcpu(open, ['PSCI_0_2'], vcpu => {
        for (const version of [
          '',
          '1',
          'v1.0',
          '1.0.0',
          '01.0',
          '1.00',
          ' 1.0',
          '1.0\n',
          '-1.0',
          '1,0',
          '0x1.0',
        ]) {
          rejects('ERR_INVALID_ARG_VALUE', () => vcpu.setPsciVersion(untyped(version)));
        }
        for (const version of [1, 1.1, 1n, undefined, null, ['1.0'], {}]) {
          rejects('ERR_INVALID_ARG_TYPE', () => vcpu.setPsciVersion(untyped(version)));
        }
        for (const version of ['32768.0', '1.65536', '99999999999999999999.1'] as const) {
          rejects('ERR_OUT_OF_RANGE', () => vcpu.setPsciVersion(version));
        }
        assert.equal(vcpu.psciVersion, '1.1');
      });
    });

    it('is no other register: neighbours of the id do not exist', () => {
      withVcpu(open, ['PSCI_0_2'], vcpu => {
        refusesGet('ENOENT', vcpu, 0x6020_0000_0014_0000n);
        refusesSet('ENOENT', vcpu, 0x6020_0000_0014_0000n, 0x1_0000n);
        refusesGet('EINVAL', vcpu, 0x4030_0000_0014_0000n);
        refusesSet('EINVAL', vcpu, 0x4030_0000_0014_0000n, 0x1_0000n);
        assert.equal(vcpu.psciVersion, '1.1');
      });
    });
  });
};
