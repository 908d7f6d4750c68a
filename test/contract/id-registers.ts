/** Identification registers: invariant, writable within limits, or zero (`set_id_reg` and its kin, sys_regs.c). */
import assert from 'node:assert/strict';
import { formatRegister } from '#lib/abi/register-names.js';
import type { Suite } from '#lib/testing.js';
import type { Vcpu } from '#lib/vcpu.js';
import {
  AIDR_EL1,
  CCSIDR,
  CLIDR_EL1,
  CTR_EL0,
  ID_AA64DFR0_EL1,
  ID_AA64ISAR0_EL1,
  ID_AA64MMFR0_EL1,
  ID_AA64PFR0_EL1,
  ID_AA64PFR1_EL1,
  ID_DFR0_EL1,
  MIDR_EL1,
  MPIDR_EL1,
  REVIDR_EL1,
  SCTLR_EL1,
  sys,
} from './registers.ts';
import { refused, refusesGet, refusesSet, sibling, stores, withNewVcpu, withVcpu, withVm } from './suite.ts';

const idRegister = (crm: number, op2: number) => sys(3, 0, 0, crm, op2);
const EIGHT = [0, 1, 2, 3, 4, 5, 6, 7];

/** The ID registers of a VM: S3_0_C0_C1_0 to S3_0_C0_C7_7. */
const VM_ID_REGISTERS = [1, 2, 3, 4, 5, 6, 7].flatMap(crm => EIGHT.map(op2 => idRegister(crm, op2)));

/**
 * The writable bits in 6.12: `.val` of each row of `sys_reg_descs` (sys_regs.c), with the fields that
 * arch/arm64/tools/sysreg gives.
 */
const MASKS = new Map<bigint, bigint>([
  // AA32_ID_WRITABLE: all but the hidden and the unallocated.
  ...[0, 1, 2, 4, 5, 6, 7].map(op2 => [idRegister(1, op2), 0xffff_ffffn] as const),
  ...EIGHT.map(op2 => [idRegister(2, op2), 0xffff_ffffn] as const),
  ...[0, 1, 2, 4, 6].map(op2 => [idRegister(3, op2), 0xffff_ffffn] as const),
  [idRegister(4, 0), 0xffff_00f0_0f00_ffffn], // PFR0: not AMU, MPAM, SVE, RAS, AdvSIMD, FP
  [idRegister(4, 1), 0x0000_000f_0000_00ffn], // PFR1: CSV2_frac, SSBS, BT
  [idRegister(4, 2), 0x0000_000f_0000_0000n], // PFR2: FPMR
  [idRegister(4, 4), 0x0ff0_ff0f_0fff_00ffn], // ZFR0: not RES0
  [idRegister(4, 7), 0x0000_0000_f000_0003n], // FPFR0: not RES0
  [idRegister(5, 0), 0x0000_00f0_00f0_0f0fn], // DFR0: DoubleLock, WRPs, PMUVer, DebugVer
  [idRegister(6, 0), 0xffff_ffff_ffff_fff0n], // ISAR0: not RES0
  [idRegister(6, 1), 0xffff_ffff_00ff_f00fn], // ISAR1: not GPI, GPA, API, APA
  [idRegister(6, 2), 0xffff_0fff_ffff_00ffn], // ISAR2: not APA3, GPA3, RES0
  [idRegister(7, 0), 0xff00_f000_ffff_ff0fn], // MMFR0: not the granules of stage 2, ASIDBits, RES0
  [idRegister(7, 1), 0xffff_f0f0_0fff_f00fn], // MMFR1: not HCX, TWED, XNX, VH, VMIDBits
  [idRegister(7, 2), 0xf0ff_000f_f00f_ffffn], // MMFR2: not EVT, FWB, IDS, NV, CCIDX, RES0
  [idRegister(7, 3), 0x0000_0000_000f_0f0fn], // MMFR3: S1POE, S1PIE, TCRX
]);

/** One field of an ID register: what this CPU has (its limit), what may be set in its stead, and what may not. */
interface Field {
  readonly name: string;
  readonly id: bigint;
  readonly shift: bigint;
  readonly limit: bigint;
  readonly accepted: readonly bigint[];
  readonly refused: readonly bigint[];
}

const ID_AA64ISAR1_EL1 = idRegister(6, 1);
const ID_AA64MMFR1_EL1 = idRegister(7, 1);
const ID_AA64MMFR2_EL1 = idRegister(7, 2);
const ID_PFR0_EL1 = idRegister(1, 0);
const ID_ISAR0_EL1 = idRegister(2, 0);
const ID_ISAR5_EL1 = idRegister(2, 5);
const MVFR0_EL1 = idRegister(3, 0);

/**
 * Limits are those of Neoverse N1 (Technical Reference Manual, "AArch64 register summary"), cut down by KVM. The rule
 * of a field is its type in `ftr_id_*` (arch/arm64/kernel/cpufeature.c): lower is safe, for a signed field 8 to 15 are
 * below 0; higher is safe; or only the limit itself.
 */
const FIELDS: readonly Field[] = [
  { name: 'PFR0.EL0', id: ID_AA64PFR0_EL1, shift: 0n, limit: 2n, accepted: [1n], refused: [3n, 15n] },
  { name: 'PFR0.GIC', id: ID_AA64PFR0_EL1, shift: 24n, limit: 1n, accepted: [0n], refused: [2n, 3n] },
  { name: 'PFR0.CSV2', id: ID_AA64PFR0_EL1, shift: 56n, limit: 1n, accepted: [0n], refused: [2n, 3n] },
  { name: 'PFR0.CSV3', id: ID_AA64PFR0_EL1, shift: 60n, limit: 1n, accepted: [0n], refused: [2n] },
  { name: 'PFR1.SSBS', id: ID_AA64PFR1_EL1, shift: 4n, limit: 2n, accepted: [1n, 0n], refused: [3n] },
  { name: 'ISAR0.AES', id: ID_AA64ISAR0_EL1, shift: 4n, limit: 2n, accepted: [1n, 0n], refused: [3n, 15n] },
  { name: 'ISAR0.Atomic', id: ID_AA64ISAR0_EL1, shift: 20n, limit: 2n, accepted: [0n], refused: [3n] },
  { name: 'ISAR0.DP', id: ID_AA64ISAR0_EL1, shift: 44n, limit: 1n, accepted: [0n], refused: [2n] },
  { name: 'ISAR0.RNDR', id: ID_AA64ISAR0_EL1, shift: 60n, limit: 0n, accepted: [], refused: [1n] },
  { name: 'ISAR1.LRCPC', id: ID_AA64ISAR1_EL1, shift: 20n, limit: 1n, accepted: [0n], refused: [2n] },
  { name: 'ISAR1.DPB', id: ID_AA64ISAR1_EL1, shift: 0n, limit: 1n, accepted: [0n], refused: [2n] },
  { name: 'MMFR0.PARange', id: ID_AA64MMFR0_EL1, shift: 0n, limit: 5n, accepted: [4n, 0n], refused: [6n] },
  { name: 'MMFR0.TGran16', id: ID_AA64MMFR0_EL1, shift: 20n, limit: 1n, accepted: [0n], refused: [2n] },
  { name: 'MMFR0.TGran64', id: ID_AA64MMFR0_EL1, shift: 24n, limit: 0n, accepted: [15n, 8n], refused: [1n] },
  { name: 'MMFR0.TGran4', id: ID_AA64MMFR0_EL1, shift: 28n, limit: 0n, accepted: [15n], refused: [1n, 7n] },
  { name: 'MMFR1.HAFDBS', id: ID_AA64MMFR1_EL1, shift: 0n, limit: 2n, accepted: [1n, 0n], refused: [3n] },
  { name: 'MMFR1.SpecSEI', id: ID_AA64MMFR1_EL1, shift: 24n, limit: 0n, accepted: [1n, 15n], refused: [] },
  { name: 'MMFR2.CnP', id: ID_AA64MMFR2_EL1, shift: 0n, limit: 1n, accepted: [0n], refused: [2n] },
  { name: 'DFR0.WRPs', id: ID_AA64DFR0_EL1, shift: 20n, limit: 3n, accepted: [2n, 0n], refused: [4n] },
  { name: 'DFR0.BRPs', id: ID_AA64DFR0_EL1, shift: 12n, limit: 5n, accepted: [], refused: [4n, 6n] },
  // set_id_aa64dfr0_el1: DebugVer below 6 is no architecture.
  {
    name: 'DFR0.DebugVer',
    id: ID_AA64DFR0_EL1,
    shift: 0n,
    limit: 8n,
    accepted: [7n, 6n],
    refused: [5n, 0n, 9n],
  },
  // set_id_dfr0_el1.
  {
    name: 'ID_DFR0.CopDbg',
    id: ID_DFR0_EL1,
    shift: 0n,
    limit: 8n,
    accepted: [7n, 6n],
    refused: [5n, 0n, 9n],
  },
  { name: 'ID_PFR0.State1', id: ID_PFR0_EL1, shift: 4n, limit: 3n, accepted: [2n, 0n], refused: [4n] },
  { name: 'ID_ISAR0.Divide', id: ID_ISAR0_EL1, shift: 24n, limit: 2n, accepted: [1n, 0n], refused: [3n] },
  { name: 'ID_ISAR5.SEVL', id: ID_ISAR5_EL1, shift: 0n, limit: 1n, accepted: [0n], refused: [2n] },
  { name: 'MVFR0.FPDP', id: MVFR0_EL1, shift: 8n, limit: 2n, accepted: [1n, 0n], refused: [3n] },
];

const read = (vcpu: Vcpu, { id, shift }: Field) => (vcpu.getOneReg(id) >> shift) & 0xfn;

function replaced(vcpu: Vcpu, { id, shift }: Field, value: bigint): bigint {
  return (vcpu.getOneReg(id) & ~(0xfn << shift)) | (value << shift);
}

/** ID registers that are hidden from guests or not allocated (ID_HIDDEN and ID_UNALLOCATED). */
const ZERO = [
  ...[
    [1, 3],
    [3, 3],
    [3, 5],
    [3, 7],
    [4, 3],
    [4, 5],
    [4, 6],
    [5, 2],
    [5, 3],
    [5, 4],
    [5, 5],
    [5, 6],
    [5, 7],
  ],
  ...[
    [6, 3],
    [6, 4],
    [6, 5],
    [6, 6],
    [6, 7],
    [7, 5],
    [7, 6],
    [7, 7],
  ],
].map(([crm, op2]) => idRegister(crm!, op2!));

/** By op0 to op2: what an alias of an invariant register differs in is its coprocessor. */
const COPROCESSOR = 0x0fff_0000n;

export const idRegisters: Suite = ({ describe, it, open }) => {
  describe('MIDR_EL1, REVIDR_EL1 and AIDR_EL1', () => {
    const INVARIANT = [
      [MIDR_EL1, 0x414f_d0c1n], // Arm, Neoverse N1 r4p1, which QEMU models
      [REVIDR_EL1, 0n],
      [AIDR_EL1, 0n],
    ] as const;

    it("are the CPU's and invariant: equal values are taken, others EINVAL", () => {
      withVcpu(open, [], vcpu => {
        for (const [id, value] of INVARIANT) {
          stores(vcpu, id, value);
          for (const bit of [0n, 20n, 31n, 32n, 63n]) refusesSet('EINVAL', vcpu, id, value ^ (1n << bit));
          assert.equal(vcpu.getOneReg(id), value);
        }
      });
    });

    it('answer under any coprocessor that has no other meaning: get_reg_by_id looks at 15:0 alone', () => {
      withVcpu(open, [], vcpu => {
        for (const [id, value] of INVARIANT) {
          for (const coprocessor of [0n, 0x12_0000n, 0x17_0000n, 0xfff_0000n]) {
            const alias = (id & ~COPROCESSOR) | coprocessor;
            stores(vcpu, alias, value);
            refusesSet('EINVAL', vcpu, alias, value ^ 1n);
          }
          for (const coprocessor of [0x11_0000n, 0x14_0000n, 0x16_0000n]) {
            refusesGet('ENOENT', vcpu, (id & ~COPROCESSOR) | coprocessor);
          }
        }
        refusesGet('ENOENT', vcpu, (SCTLR_EL1 & ~COPROCESSOR) | 0x12_0000n);
      });
    });
  });

  describe('KVM_ARM_GET_REG_WRITABLE_MASKS', () => {
    /** KVM_ARM_FEATURE_ID_RANGE_IDX (asm/kvm.h): op1 0, 1 and 3, then CRm, then op2. */
    const expected = new BigUint64Array(192);
    for (const [id, mask] of MASKS) expected[Number(id & 0x3fn)] = mask;
    expected[64 + 1] = 0x7fff_ffff_ffffn; // CLIDR_EL1: not RES0
    expected[128 + 1] = 0x300f_000fn; // CTR_EL0: DIC, IDC, DminLine, IminLine

    it('says which bits are writable, before there is a vCPU and after', () => {
      withVm(open, vm => {
        assert.deepEqual(vm.getRegWritableMasks(), expected);
        vm.createVcpu(0).init({ features: ['PMU_V3'] });
        assert.deepEqual(vm.getRegWritableMasks(), expected);
      });
    });

    it('is held to: any other bit of any ID register that is changed is EINVAL', () => {
      withVcpu(open, [], vcpu => {
        const before = vcpu.getRegs(VM_ID_REGISTERS);
        const changes = [...before].flatMap(([id, value]) => {
          const mask = MASKS.get(id) ?? 0n;
          const others = Array.from({ length: 64 }, (_, bit) => 1n << BigInt(bit)).filter(
            bit => (mask & bit) === 0n,
          );
          return others.map(bit => [id, value ^ bit] as const);
        });
        const taken = [...vcpu.setRegs(changes)].map(
          ([id, value]) => `${formatRegister(id)} 0x${value.toString(16)}`,
        );
        assert.deepEqual(taken, []);
        assert.deepEqual(vcpu.getRegs(VM_ID_REGISTERS).words, before.words);
      });
    });
  });

  describe('a field of a writable ID register', () => {
    for (const field of FIELDS) {
      const { name, id, limit, accepted, refused: wrong } = field;
      it(`${name}: ${limit} on this CPU; takes [${accepted}], refuses [${wrong}] with EINVAL`, () => {
        withVcpu(open, ['PMU_V3'], vcpu => {
          const other = sibling(vcpu, 1, ['PMU_V3']);
          assert.equal(read(vcpu, field), limit);
          for (const value of [...accepted, limit]) {
            stores(vcpu, id, replaced(vcpu, field, value));
            assert.equal(read(other, field), value, 'it is the register of the whole VM');
          }
          const before = vcpu.getOneReg(id);
          for (const value of wrong) refusesSet('EINVAL', vcpu, id, replaced(vcpu, field, value));
          assert.equal(vcpu.getOneReg(id), before);
        });
      });
    }

    it('can be raised again: its limit is what the CPU has, not what was set', () => {
      withVcpu(open, [], vcpu => {
        const isar0 = vcpu.getOneReg(ID_AA64ISAR0_EL1);
        stores(vcpu, ID_AA64ISAR0_EL1, isar0 & ~0xf0n);
        stores(vcpu, ID_AA64ISAR0_EL1, isar0);
      });
    });

    it('is refused together with all others of the same write', () => {
      withVcpu(open, [], vcpu => {
        const isar0 = vcpu.getOneReg(ID_AA64ISAR0_EL1);
        // AES lowered, RNDR raised.
        refusesSet('EINVAL', vcpu, ID_AA64ISAR0_EL1, (isar0 & ~0xf0n) | (1n << 60n));
        assert.equal(vcpu.getOneReg(ID_AA64ISAR0_EL1), isar0);
      });
    });
  });

  describe("the PMU's version", () => {
    const pmuVer: Field = {
      ...{ name: 'DFR0.PMUVer', id: ID_AA64DFR0_EL1, shift: 8n, limit: 4n },
      ...{ accepted: [3n, 1n, 0n, 2n, 4n], refused: [5n, 6n, 14n] },
    };
    const perfMon: Field = {
      ...{ name: 'ID_DFR0.PerfMon', id: ID_DFR0_EL1, shift: 24n, limit: 4n },
      ...{ accepted: [3n, 0n, 4n], refused: [1n, 2n, 5n] },
    };

    for (const field of [pmuVer, perfMon]) {
      const { name, id, limit, accepted, refused: wrong } = field;
      it(`${name} is ${limit} with PMU_V3; takes [${accepted}], refuses [${wrong}]`, () => {
        withVcpu(open, ['PMU_V3'], vcpu => {
          assert.equal(read(vcpu, field), limit);
          for (const value of accepted) stores(vcpu, id, replaced(vcpu, field, value));
          for (const value of wrong) refusesSet('EINVAL', vcpu, id, replaced(vcpu, field, value));
          assert.equal(read(vcpu, field), 4n);
        });
      });

      it(`${name} is 0 without PMU_V3, and can be nothing else`, () => {
        withVcpu(open, [], vcpu => {
          assert.equal(read(vcpu, field), 0n);
          for (let value = 1n; value < 15n; value++) {
            refusesSet('EINVAL', vcpu, id, replaced(vcpu, field, value));
          }
        });
      });

      // The comment in set_id_aa64dfr0_el1: KVM once gave that value out.
      it(`${name} 15, IMPLEMENTATION DEFINED, is taken and stored as 0, with PMU_V3 and without`, () => {
        for (const features of [['PMU_V3'], []] as const) {
          withVcpu(open, features, vcpu => {
            vcpu.setOneReg(id, replaced(vcpu, field, 15n));
            assert.equal(read(vcpu, field), 0n);
          });
        }
      });
    }
  });

  describe('CTR_EL0', () => {
    // Neoverse N1 under QEMU: 64-byte lines, IDC, no DIC, CWG and ERG of 16 words.
    const VALUE = 0x9444_c004n;

    it('takes smaller lines and no IDC, for the whole VM', () => {
      withVcpu(open, [], vcpu => {
        const other = sibling(vcpu, 1, []);
        assert.equal(vcpu.getOneReg(CTR_EL0), VALUE);
        for (const value of [0x9444_c003n, 0x9443_c004n, 0x8444_c004n, 0x8440_c000n, VALUE]) {
          stores(vcpu, CTR_EL0, value);
          assert.equal(other.getOneReg(CTR_EL0), value);
        }
      });
    });

    it('refuses larger lines, DIC, and changes elsewhere: EINVAL', () => {
      withVcpu(open, [], vcpu => {
        for (const value of [0x9444_c005n, 0x9445_c004n, 0xb444_c004n])
          refusesSet('EINVAL', vcpu, CTR_EL0, value);
        // L1Ip, ERG, CWG, RES1, TminLine.
        for (const bit of [14n, 15n, 20n, 24n, 31n, 32n])
          refusesSet('EINVAL', vcpu, CTR_EL0, VALUE ^ (1n << bit));
        assert.equal(vcpu.getOneReg(CTR_EL0), VALUE);
      });
    });
  });

  describe('CLIDR_EL1', () => {
    it('is made up by KVM: separate caches at level 1, a unified one at level 2 (reset_clidr, with IDC)', () => {
      withVcpu(open, [], vcpu => assert.equal(vcpu.getOneReg(CLIDR_EL1), 0x0200_0021n));
    });

    it("takes any of bits 46:0 on a CPU with IDC, and is each vCPU's own", () => {
      withVcpu(open, [], vcpu => {
        const other = sibling(vcpu, 1, []);
        for (const value of [0n, 0x7fff_ffff_ffffn, 0x0a20_0023n]) stores(vcpu, CLIDR_EL1, value);
        assert.equal(other.getOneReg(CLIDR_EL1), 0x0200_0021n);
      });
    });

    it('refuses bits 63:47, which are RES0: EINVAL', () => {
      withVcpu(open, [], vcpu => {
        for (const bit of [47n, 48n, 63n]) refusesSet('EINVAL', vcpu, CLIDR_EL1, 0x0200_0021n | (1n << bit));
        assert.equal(vcpu.getOneReg(CLIDR_EL1), 0x0200_0021n);
      });
    });
  });

  // get_ccsidr and set_ccsidr (sys_regs.c).
  describe('the cache sizes, KVM_REG_ARM_DEMUX_ID_CCSIDR', () => {
    it('are made up: one set, one way, lines of 64 bytes', () => {
      withVcpu(open, [], vcpu => {
        for (let csselr = 0; csselr < 14; csselr++) assert.equal(vcpu.getOneReg(CCSIDR(csselr)), 2n);
      });
    });

    it("take anything with lines of 64 bytes or more, each vCPU's and each cache's own", () => {
      withVcpu(open, [], vcpu => {
        const other = sibling(vcpu, 1, []);
        for (const value of [3n, 7n, 0x700f_e01an, 0xffff_ffffn]) stores(vcpu, CCSIDR(4), value);
        assert.equal(vcpu.getOneReg(CCSIDR(5)), 2n);
        assert.equal(other.getOneReg(CCSIDR(4)), 2n);
      });
    });

    it('refuse shorter lines: EINVAL', () => {
      withVcpu(open, [], vcpu => {
        for (const value of [0n, 1n, 0x700f_e018n, 0xffff_fff9n])
          refusesSet('EINVAL', vcpu, CCSIDR(0), value);
        assert.equal(vcpu.getOneReg(CCSIDR(0)), 2n);
      });
    });
  });

  describe('OSLSR_EL1', () => {
    const OSLSR_EL1 = sys(2, 0, 1, 1, 4);

    it('takes OSLK, bit 1, on or off; any other change is EINVAL', () => {
      withVcpu(open, [], vcpu => {
        for (const value of [10n, 8n]) stores(vcpu, OSLSR_EL1, value);
        for (const value of [0n, 2n, 9n, 12n, 0x18n, 8n | (1n << 63n)])
          refusesSet('EINVAL', vcpu, OSLSR_EL1, value);
        assert.equal(vcpu.getOneReg(OSLSR_EL1), 8n);
      });
    });
  });

  describe('MPIDR_EL1', () => {
    it("takes any value, and is each vCPU's own", () => {
      withVcpu(open, [], vcpu => {
        const other = sibling(vcpu, 1, []);
        for (const value of [0n, 0x80ff_ffffn, 2n ** 64n - 1n, 0x8000_0000n]) stores(vcpu, MPIDR_EL1, value);
        assert.equal(other.getOneReg(MPIDR_EL1), 0x8000_0001n);
      });
    });
  });

  describe('hidden and unallocated ID registers', () => {
    it('are zero and must stay so: EINVAL', () => {
      withVcpu(open, ['PMU_V3'], vcpu => {
        for (const id of ZERO) {
          stores(vcpu, id, 0n);
          for (const value of [1n, 0x10n, 1n << 63n]) refusesSet('EINVAL', vcpu, id, value);
        }
      });
    });

    it('are like ID_AA64ZFR0_EL1 of a vCPU without SVE', () => {
      withVcpu(open, [], vcpu => {
        stores(vcpu, idRegister(4, 4), 0n);
        refusesSet('EINVAL', vcpu, idRegister(4, 4), 1n);
      });
    });
  });

  describe('ID registers before init', () => {
    it('cannot be asked for: ENOEXEC', () => {
      withNewVcpu(open, vcpu => {
        refused('ENOEXEC', 'KVM_GET_ONE_REG', () => vcpu.getOneReg('ID_AA64PFR0_EL1'), ID_AA64PFR0_EL1);
      });
    });
  });
};
