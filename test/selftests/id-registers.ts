/** set_id_regs: what of a CPU's identity a program may change before the first run, and that the guest then sees it. */
import assert from 'node:assert/strict';
import { fieldValue, type RegisterField, registerFields } from '#lib/abi/register-fields.js';
import { parseRegister } from '#lib/abi/register-names.js';
import type { Kvm } from '#lib/kvm.js';
import type { CaseContext, Suite } from '#lib/testing.js';
import type { Vcpu } from '#lib/vcpu.js';
import { type Kernel, kernelOf } from '../contract/kernel.ts';
import { refused, refusesSet, stores } from '../contract/suite.ts';
import { Machine } from '../guests/machine.ts';

/**
 * How KVM judges a field (`arm64_check_features()`, arch/arm64/kvm/sys_regs.c; the `ftr_*` tables, kernel/cpufeature.c):
 * a number: anything from that up to the CPU's own; `'signed'`: the same from 0, where 15 is below it; `'exactly'`: the
 * CPU's own or that number; `'higher'`: the CPU's own or more.
 */
type Rule = number | 'signed' | 'higher' | { readonly exactly: number };

const RULES: Readonly<Record<string, Readonly<Record<string, Rule>>>> = {
  ID_AA64DFR0_EL1: { DoubleLock: 'signed', WRPs: 0, PMUVer: 'signed', DebugVer: 6 },
  ID_DFR0_EL1: { PerfMon: 3, CopDbg: 6 },
  ID_AA64ISAR0_EL1: everything(0, 'RNDR TLB TS FHM DP SM4 SM3 SHA3 RDM ATOMIC CRC32 SHA2 SHA1 AES'),
  ID_AA64ISAR1_EL1: everything(0, 'LS64 XS I8MM DGH BF16 SPECRES SB FRINTTS LRCPC FCMA JSCVT DPB'),
  ID_AA64ISAR2_EL1: everything(0, 'BC RPRES WFxT'),
  ID_AA64ISAR3_EL1: everything(0, 'FPRCVT LSUI LSFE FAMINMAX'),
  ID_AA64PFR0_EL1: {
    ...everything(0, 'CSV3 CSV2 DIT SEL2'),
    GIC: { exactly: 0 },
    ...everything(1, 'EL3 EL2 EL1 EL0'),
  },
  ID_AA64PFR1_EL1: everything(0, 'DF2 CSV2_frac SSBS BT'),
  ID_AA64MMFR0_EL1: {
    ...everything(0, 'ECV EXS TGRAN16 BIGENDEL0 SNSMEM BIGEND PARANGE'),
    ...{ TGRAN4_2: { exactly: 1 }, TGRAN64_2: { exactly: 1 }, TGRAN16_2: { exactly: 1 } },
    ...{ TGRAN4: 'signed', TGRAN64: 'signed' },
  },
  ID_AA64MMFR1_EL1: {
    ...everything(0, 'TIDCP1 AFP HCX ETS TWED PAN LO HPDS HAFDBS'),
    SpecSEI: 'higher',
  },
  ID_AA64MMFR2_EL1: everything(0, 'E0PD BBM TTL AT ST VARange IESB LSM UAO CnP'),
  ID_AA64MMFR3_EL1: everything(0, 'S1POE S1PIE SCTLRX TCRX'),
  ID_AA64ZFR0_EL1: everything(0, 'F64MM F32MM I8MM SM4 SHA3 BF16 BitPerm AES SVEver'),
};

/** Beside them: the vCPU's place and caches, and who made the CPU. In the order of guests/id-registers.S. */
const OTHERS = ['MPIDR_EL1', 'CLIDR_EL1', 'CTR_EL0', 'MIDR_EL1', 'REVIDR_EL1', 'AIDR_EL1'];
const ALL = [...Object.keys(RULES), ...OTHERS];

function everything(rule: Rule, names: string): Record<string, Rule> {
  return Object.fromEntries(names.split(' ').map(name => [name, rule]));
}

const MAX = 15n;

/** A value that a field may have in place of its own, and one that it may not, if there is one. */
function choices(rule: Rule, own: bigint): { readonly safe: bigint; readonly wrong: bigint | undefined } {
  if (rule === 'higher') return { safe: own < MAX ? own + 1n : own, wrong: own > 0n ? own - 1n : undefined };
  if (typeof rule === 'object') {
    const exactly = BigInt(rule.exactly);
    return { safe: exactly, wrong: (own > exactly ? own : exactly) + 1n };
  }
  if (rule === 'signed' && own === MAX) return { safe: own, wrong: 0n };
  const least = rule === 'signed' ? 0n : BigInt(rule);
  return { safe: own > least ? own - 1n : own, wrong: own < MAX ? own + 1n : undefined };
}

const mask = ({ shift, width }: RegisterField) => ((1n << BigInt(width)) - 1n) << BigInt(shift);
const withField = (value: bigint, field: RegisterField, digit: bigint) =>
  (value & ~mask(field)) | (digit << BigInt(field.shift));

function fieldOf(register: string, name: string): RegisterField {
  return registerFields(parseRegister(register)).find(field => field.name === name)!;
}

/** A machine whose identity may be written, as far as the kernel lets programs do that. */
function unlocked(kvm: Kvm, context: CaseContext): Machine {
  if (kvm.checkExtension('ARM_WRITABLE_IMP_ID_REGS') === 0)
    context.skip('KVM_CAP_ARM_WRITABLE_IMP_ID_REGS came with Linux 6.15');
  return new Machine(kvm, 'id-registers', { prepare: vm => vm.enableCap('ARM_WRITABLE_IMP_ID_REGS') });
}

/** `KVM_ARM_FEATURE_ID_RANGE_IDX`: the mask of a register of op1 0. */
const masked = (masks: BigUint64Array, register: string) => masks[Number(parseRegister(register) & 0x3fn)]!;

/** Writes what is not the CPU's own wherever that is taken. */
function changeAll(vcpu: Vcpu, { fixedFields }: Kernel): void {
  for (const [register, rules] of Object.entries(RULES)) {
    const own = vcpu.getOneReg(register);
    const value = Object.entries(rules).reduce((changed, [name, rule]) => {
      if (fixedFields.includes(name)) return changed;
      const field = fieldOf(register, name);
      return withField(changed, field, choices(rule, fieldValue(field, own)).safe);
    }, own);
    stores(vcpu, parseRegister(register), value);
  }
  stores(vcpu, parseRegister('CLIDR_EL1'), withLevel(vcpu.getOneReg('CLIDR_EL1')));
  stores(vcpu, parseRegister('CTR_EL0'), smallerLines(vcpu.getOneReg('CTR_EL0')));
  for (const register of ['MPIDR_EL1', 'MIDR_EL1', 'REVIDR_EL1', 'AIDR_EL1'])
    stores(vcpu, parseRegister(register), vcpu.getOneReg(register) + 1n);
}

/** CLIDR_EL1 with a unified cache, 4, in the first level that has none. */
function withLevel(clidr: bigint): bigint {
  let shift = 0n;
  while (((clidr >> shift) & 7n) !== 0n) shift += 3n;
  return clidr | (4n << shift);
}

/** CTR_EL0 without DIC, and with smaller lines of instructions. */
function smallerLines(ctr: bigint): bigint {
  const withoutDic = ctr & ~(1n << 29n);
  return (withoutDic & 0xfn) === 0n ? withoutDic : withoutDic - 1n;
}

export const idRegisters: Suite = ({ describe, it, open }) => {
  for (const [register, rules] of Object.entries(RULES)) {
    describe(register, () => {
      it(`takes less than the CPU has, and no more: ${Object.keys(rules).join(', ')}`, context => {
        const kvm = open();
        const { vm, vcpu } = unlocked(kvm, context);
        const { fixedFields } = kernelOf(kvm, context);
        const hasAArch32 =
          fieldValue(fieldOf('ID_AA64PFR0_EL1', 'EL0'), vcpu.getOneReg('ID_AA64PFR0_EL1')) === 2n;
        if (register === 'ID_DFR0_EL1' && !hasAArch32) context.skip('the CPU has no AArch32');
        const id = parseRegister(register);
        const writable = masked(vm.getRegWritableMasks(), register);
        for (const [name, rule] of Object.entries(rules)) {
          if (fixedFields.includes(name)) continue;
          const field = fieldOf(register, name);
          assert.equal(writable & mask(field), mask(field), name);
          const before = vcpu.getOneReg(id);
          const { safe, wrong } = choices(rule, fieldValue(field, before));
          if (wrong !== undefined) refusesSet('EINVAL', vcpu, id, withField(before, field, wrong));
          assert.equal(vcpu.getOneReg(id), before, name);
          stores(vcpu, id, withField(before, field, safe));
        }
      });
    });
  }

  for (const [register, name] of [
    ['ID_AA64PFR0_EL1', 'MPAM'],
    ['ID_AA64PFR1_EL1', 'MPAM_frac'],
  ] as const) {
    describe(`${register}.${name}`, () => {
      it('can be 0, and is never 2', context => {
        const { vm, vcpu } = unlocked(open(), context);
        const field = fieldOf(register, name);
        if ((masked(vm.getRegWritableMasks(), register) & mask(field)) === mask(field))
          context.skip('it is writable like any other field');
        const own = vcpu.getOneReg(register);
        vcpu.setOneReg(register, withField(own, field, 0n));
        refused(
          'EINVAL',
          'KVM_SET_ONE_REG',
          () => vcpu.setOneReg(register, withField(own, field, 2n)),
          parseRegister(register),
        );
      });
    });
  }

  describe('the identity that was written', () => {
    it('is what the guest finds', context => {
      const kvm = open();
      const machine = unlocked(kvm, context);
      changeAll(machine.vcpu, kernelOf(kvm, context));
      const written = ALL.map(register => machine.vcpu.getOneReg(register));
      machine.runToOff();
      const found = (values: readonly bigint[]) =>
        Object.fromEntries(ALL.map((register, n) => [register, values[n]]));
      assert.deepEqual(found(machine.reports), found(written));
    });

    it('survives a further init', context => {
      const kvm = open();
      const { vcpu } = unlocked(kvm, context);
      changeAll(vcpu, kernelOf(kvm, context));
      const written = ALL.map(register => vcpu.getOneReg(register));
      vcpu.init();
      assert.deepEqual(
        ALL.map(register => vcpu.getOneReg(register)),
        written,
      );
    });
  });
};
