/** The performance monitor, feature PMU_V3 (arch/arm64/kvm/pmu-emul.c; the registers in sys_regs.c). */
import assert from 'node:assert/strict';
import type { Suite } from '#lib/testing.js';
import type { Vcpu } from '#lib/vcpu.js';
import { ID_AA64DFR0_EL1, ID_AA64PFR0_EL1, PMCR_EL0, RESET_UNKNOWN, sys } from './registers.ts';
import { type Code, refused, refusesGet, sibling, stores, withNewVcpu, withVcpu, withVm } from './suite.ts';

const pm = (crm: number, op2: number) => sys(3, 3, 9, crm, op2);
const PMCNTENSET_EL0 = pm(12, 1);
const PMCNTENCLR_EL0 = pm(12, 2);
const PMOVSCLR_EL0 = pm(12, 3);
const PMSWINC_EL0 = pm(12, 4);
const PMSELR_EL0 = pm(12, 5);
const PMCCNTR_EL0 = pm(13, 0);
const PMUSERENR_EL0 = pm(14, 0);
const PMOVSSET_EL0 = pm(14, 3);
const PMINTENSET_EL1 = sys(3, 0, 9, 14, 1);
const PMINTENCLR_EL1 = sys(3, 0, 9, 14, 2);
const PMEVCNTR = (n: number) => sys(3, 3, 14, 8 + (n >> 3), n & 7);
const PMEVTYPER = (n: number) => sys(3, 3, 14, 12 + (n >> 3), n & 7);
const PMCCFILTR_EL0 = sys(3, 3, 14, 15, 7);

/** The registers that set bits and clear them share their storage. */
const PAIRS = [
  ['PMCNTEN', PMCNTENSET_EL0, PMCNTENCLR_EL0],
  ['PMOVS', PMOVSSET_EL0, PMOVSCLR_EL0],
  ['PMINTEN', PMINTENSET_EL1, PMINTENCLR_EL1],
] as const;

/** Neoverse N1 has 6 event counters: PMCR_EL0.N, 15:11. */
const N = 6n << 11n;
const ALL_ONES = 2n ** 64n - 1n;

/** Attributes of group KVM_ARM_VCPU_PMU_V3_CTRL. */
const GROUP = 0;
const IRQ = 0;
const INIT = 1;
const FILTER = 2;
const SET_PMU = 3;

const readsN = (vcpu: Vcpu) => (vcpu.getOneReg(PMCR_EL0) >> 11n) & 0x1fn;

/** struct kvm_pmu_event_filter. */
function filter(base: number, count: number, action: number): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, base, true);
  view.setUint16(2, count, true);
  view.setUint8(4, action);
  return bytes;
}

function refusesAttr(code: Code, vcpu: Vcpu, attr: number, data?: Uint8Array): void {
  refused(code, 'KVM_SET_DEVICE_ATTR', () => vcpu.setDeviceAttr(GROUP, attr, data));
}

export const pmu: Suite = ({ describe, it, open }) => {
  describe('the registers of the PMU', () => {
    it('are there with the feature alone: ENOENT without', () => {
      const ids = [
        PMCR_EL0,
        PMCNTENSET_EL0,
        PMINTENCLR_EL1,
        PMSWINC_EL0,
        PMEVCNTR(0),
        PMEVTYPER(30),
        PMCCFILTR_EL0,
      ];
      withVcpu(open, ['PSCI_0_2'], vcpu => {
        for (const id of ids) refusesGet('ENOENT', vcpu, id);
      });
      withVcpu(open, ['PMU_V3'], vcpu => {
        for (const id of ids) vcpu.getOneReg(id);
      });
    });

    // reset_pmcr, reset_pmu_reg, reset_pmevcntr, reset_pmevtyper, reset_pmselr (sys_regs.c).
    it('have their reset values', () => {
      withVcpu(open, ['PMU_V3'], vcpu => {
        for (const [id, value] of [
          [PMCR_EL0, N],
          ...PAIRS.flatMap(([, set, clear]) => [set, clear].map(id => [id, 0x8000_001en] as const)),
          [PMSELR_EL0, 0x1en],
          [PMSWINC_EL0, 0n],
          [PMCCNTR_EL0, RESET_UNKNOWN],
          [PMUSERENR_EL0, 0n],
          [PMEVCNTR(0), 0xdbad_c0den],
          [PMEVCNTR(30), 0xdbad_c0den],
          [PMEVTYPER(0), 0xc800_c0den],
          [PMCCFILTR_EL0, 0n],
        ] as const) {
          assert.equal(vcpu.getOneReg(id), value, id.toString(16));
        }
      });
    });

    it('count 31 event counters of 32 bits, whatever N says, and a cycle counter of 64', () => {
      withVcpu(open, ['PMU_V3'], vcpu => {
        for (const n of [0, 5, 6, 30]) {
          vcpu.setOneReg(PMEVCNTR(n), 0xffff_ffff_1234_5670n + BigInt(n));
          assert.equal(vcpu.getOneReg(PMEVCNTR(n)), 0x1234_5670n + BigInt(n));
        }
        stores(vcpu, PMCCNTR_EL0, ALL_ONES);
      });
    });

    it('keep what is written to the event types and the filter of the cycle counter', () => {
      withVcpu(open, ['PMU_V3'], vcpu => {
        for (const id of [PMEVTYPER(0), PMEVTYPER(30), PMCCFILTR_EL0, PMSELR_EL0, PMUSERENR_EL0]) {
          stores(vcpu, id, ALL_ONES);
          stores(vcpu, id, 0n);
        }
      });
    });

    // kvm_pmu_evtyper_mask: PMUVer of ID_AA64DFR0_EL1 decides how many events there are, EL2 of ID_AA64PFR0_EL1 bit 27.
    it('cut the event types at a reset to what the ID registers of the VM say then', () => {
      for (const [id, clear, set, value] of [
        [ID_AA64DFR0_EL1, 0xf00n, 0x100n, 0xc800_00den],
        [ID_AA64DFR0_EL1, 0xf00n, 0x000n, 0xc800_0000n],
        [ID_AA64PFR0_EL1, 0xf00n, 0x000n, 0xc000_c0den],
      ] as const) {
        withVcpu(open, ['PMU_V3'], vcpu => {
          vcpu.setOneReg(id, (vcpu.getOneReg(id) & ~clear) | set);
          assert.equal(vcpu.getOneReg(PMEVTYPER(0)), 0xc800_c0den);
          vcpu.init({ features: ['PMU_V3'] });
          for (const n of [0, 30]) assert.equal(vcpu.getOneReg(PMEVTYPER(n)), value);
          // Any value can be written nevertheless.
          stores(vcpu, PMEVTYPER(0), 0xc800_c0den);
        });
      }
    });

    it('have PMSWINC_EL0, which takes all and keeps nothing', () => {
      withVcpu(open, ['PMU_V3'], vcpu => {
        vcpu.setOneReg(PMSWINC_EL0, ALL_ONES);
        assert.equal(vcpu.getOneReg(PMSWINC_EL0), 0n);
      });
    });
  });

  describe('PMCR_EL0', () => {
    it('keeps bits 7:0 and N; all others are ignored', () => {
      withVcpu(open, ['PMU_V3'], vcpu => {
        vcpu.setOneReg(PMCR_EL0, N | 0xffn);
        assert.equal(vcpu.getOneReg(PMCR_EL0), N | 0xffn);
        vcpu.setOneReg(PMCR_EL0, N | (ALL_ONES & ~0xffffn) | 0x700n);
        assert.equal(vcpu.getOneReg(PMCR_EL0), N);
      });
    });

    it('takes any N up to what the CPU has, for the whole VM; a higher one is ignored without an error', () => {
      withVcpu(open, ['PMU_V3'], vcpu => {
        const other = sibling(vcpu, 1, ['PMU_V3']);
        for (const n of [0n, 3n, 6n, 5n]) {
          vcpu.setOneReg(PMCR_EL0, n << 11n);
          assert.equal(readsN(vcpu), n);
          assert.equal(readsN(other), n);
        }
        for (const n of [7n, 31n]) {
          vcpu.setOneReg(PMCR_EL0, (n << 11n) | 1n);
          assert.equal(vcpu.getOneReg(PMCR_EL0), (5n << 11n) | 1n);
        }
      });
    });

    it('keeps N over a further init, and clears the rest', () => {
      withVcpu(open, ['PMU_V3'], vcpu => {
        vcpu.setOneReg(PMCR_EL0, (2n << 11n) | 0x41n);
        vcpu.init({ features: ['PMU_V3'] });
        assert.equal(vcpu.getOneReg(PMCR_EL0), 2n << 11n);
      });
    });
  });

  for (const [name, set, clear] of PAIRS) {
    describe(`${name}: the registers that set and clear`, () => {
      it('share their bits', () => {
        withVcpu(open, ['PMU_V3'], vcpu => {
          vcpu.setOneReg(clear, ALL_ONES);
          for (const [id, value, left] of [
            [set, 0x5n, 0x5n],
            [set, 0x2n, 0x7n],
            [clear, 0x1n, 0x6n],
            [set, 0n, 0x6n],
            [clear, 0n, 0x6n],
            [set, 0x8000_0000n, 0x8000_0006n],
            [clear, 0x6n, 0x8000_0000n],
          ] as const) {
            vcpu.setOneReg(id, value);
            assert.equal(vcpu.getOneReg(set), left);
            assert.equal(vcpu.getOneReg(clear), left);
          }
        });
      });

      it('have the bits of the N event counters and bit 31, the cycle counter', () => {
        withVcpu(open, ['PMU_V3'], vcpu => {
          vcpu.setOneReg(set, ALL_ONES);
          assert.equal(vcpu.getOneReg(set), 0x8000_003fn);
          vcpu.setOneReg(PMCR_EL0, 2n << 11n);
          assert.equal(vcpu.getOneReg(set), 0x8000_0003n);
          vcpu.setOneReg(clear, ALL_ONES); // reaches what can be seen
          vcpu.setOneReg(PMCR_EL0, N);
          assert.equal(vcpu.getOneReg(set), 0x3cn);
          vcpu.setOneReg(PMCR_EL0, 0n);
          vcpu.setOneReg(set, ALL_ONES);
          assert.equal(vcpu.getOneReg(set), 0x8000_0000n);
        });
      });

      // reset_pmu_reg cuts the value with the N of that moment.
      it('are reset to the bits that N leaves at that moment', () => {
        withVcpu(open, ['PMU_V3'], vcpu => {
          vcpu.setOneReg(PMCR_EL0, 2n << 11n);
          const other = sibling(vcpu, 1, ['PMU_V3']);
          vcpu.init({ features: ['PMU_V3'] });
          vcpu.setOneReg(PMCR_EL0, N);
          for (const reset of [vcpu, other]) assert.equal(reset.getOneReg(set), 0x8000_0002n);
        });
      });
    });
  }

  describe('the attributes of the PMU', () => {
    it('are there with the feature alone', () => {
      withVcpu(open, ['PMU_V3'], vcpu => {
        for (const attr of [IRQ, INIT, FILTER, SET_PMU]) assert.equal(vcpu.hasDeviceAttr(GROUP, attr), true);
        // 4, SET_NR_COUNTERS, is younger than 6.12.
        for (const attr of [4, 99, 1n << 32n]) assert.equal(vcpu.hasDeviceAttr(GROUP, attr), false);
      });
      withVcpu(open, ['PSCI_0_2'], vcpu => {
        for (const attr of [IRQ, INIT, FILTER, SET_PMU, 4])
          assert.equal(vcpu.hasDeviceAttr(GROUP, attr), false);
      });
    });

    it("go by the VM's features: a vCPU that is not initialised yet has them with the first that is", () => {
      withVm(open, vm => {
        const [first, second] = [vm.createVcpu(0), vm.createVcpu(1)];
        assert.equal(second.hasDeviceAttr(GROUP, INIT), false);
        first.init({ features: ['PMU_V3'] });
        assert.equal(second.hasDeviceAttr(GROUP, INIT), true);
        second.setDeviceAttr(GROUP, INIT);
        second.init({ features: ['PMU_V3'] });
        refusesAttr('EBUSY', second, INIT);
        first.setDeviceAttr(GROUP, INIT);
      });
    });

    it('cannot be set without the feature: ENODEV, before the attribute is looked at', () => {
      withVcpu(open, ['PSCI_0_2'], vcpu => {
        for (const attr of [IRQ, INIT, FILTER, SET_PMU, 4, 99])
          refusesAttr('ENODEV', vcpu, attr, new Uint8Array(8));
      });
      withNewVcpu(open, vcpu => refusesAttr('ENODEV', vcpu, INIT));
    });

    it('cannot be set after INIT: EBUSY, before the attribute is looked at; a further init does not help', () => {
      withVcpu(open, ['PMU_V3'], vcpu => {
        vcpu.setDeviceAttr(GROUP, INIT);
        for (let round = 0; round < 2; round++) {
          for (const attr of [IRQ, INIT, FILTER, SET_PMU, 99])
            refusesAttr('EBUSY', vcpu, attr, new Uint8Array(8));
          vcpu.init({ features: ['PMU_V3'] });
        }
      });
    });

    it('are ENXIO where there are none', () => {
      withVcpu(open, ['PMU_V3'], vcpu => {
        for (const attr of [4, 99, 1n << 32n]) {
          refused('ENXIO', 'KVM_SET_DEVICE_ATTR', () => vcpu.setDeviceAttr(GROUP, attr, new Uint8Array(8)));
        }
      });
    });

    it('have an interrupt only where the kernel has the interrupt controller: EINVAL', () => {
      withVcpu(open, ['PMU_V3'], vcpu => {
        for (const irq of [0, 16, 23, 32]) refusesAttr('EINVAL', vcpu, IRQ, Uint8Array.of(irq, 0, 0, 0));
        refused('EINVAL', 'KVM_GET_DEVICE_ATTR', () => vcpu.getDeviceAttr(GROUP, IRQ, 4));
      });
      // kvm_arm_pmu_v3_get_attr asks for the controller before it asks for the feature.
      withVcpu(open, [], vcpu => {
        refused('EINVAL', 'KVM_GET_DEVICE_ATTR', () => vcpu.getDeviceAttr(GROUP, IRQ, 4));
      });
    });

    it('cannot be read but for the interrupt: ENXIO', () => {
      withVcpu(open, ['PMU_V3'], vcpu => {
        for (const attr of [INIT, FILTER, SET_PMU, 4]) {
          refused('ENXIO', 'KVM_GET_DEVICE_ATTR', () => vcpu.getDeviceAttr(GROUP, attr, 8));
        }
      });
    });

    it('know no PMU of this number: ENXIO', () => {
      withVcpu(open, ['PMU_V3'], vcpu => refusesAttr('ENXIO', vcpu, SET_PMU, new Uint8Array(4).fill(0xff)));
    });
  });

  // Neoverse N1 has PMUv3 for Armv8.1: event numbers of 16 bits (__kvm_pmu_event_mask).
  describe('the event filter', () => {
    it('takes ranges up to event 0xffff, allowing and denying, also empty ones', () => {
      withVcpu(open, ['PMU_V3'], vcpu => {
        for (const [base, count, action] of [
          [0x11, 1, 0],
          [0, 0xffff, 1],
          [0xffff, 1, 0],
          [0x8000, 0x8000, 1],
          [5, 0, 0],
        ] as const) {
          vcpu.setDeviceAttr(GROUP, FILTER, filter(base, count, action));
        }
      });
    });

    it('refuses ranges beyond, and actions that are none: EINVAL', () => {
      withVcpu(open, ['PMU_V3'], vcpu => {
        for (const [base, count, action] of [
          [0xffff, 2, 0],
          [0x8000, 0x8001, 1],
          [0xffff, 0xffff, 0],
          [0, 1, 2],
          [0, 1, 255],
        ] as const) {
          refusesAttr('EINVAL', vcpu, FILTER, filter(base, count, action));
        }
      });
    });
  });
};
