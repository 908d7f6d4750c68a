/** get-reg-list: registers that no kernel may lose again, by what a vCPU has; each can be read and be written back. */
import assert from 'node:assert/strict';
import type { Capability } from '#lib/abi/capabilities.js';
import { firmwareBitmapRegId, firmwareRegId } from '#lib/abi/register-id.js';
import { formatRegister, parseRegister } from '#lib/abi/register-names.js';
import type { Kvm } from '#lib/kvm.js';
import type { CaseContext, Suite } from '#lib/testing.js';
import type { Vcpu, VcpuInitOptions } from '#lib/vcpu.js';
import { kernelOf } from '../contract/kernel.ts';
import {
  ELR_EL1,
  FPCR,
  FPSR,
  PC,
  PSCI_VERSION,
  PSTATE,
  SP,
  SP_EL1,
  SPSR,
  sys,
  TIMER,
  V,
  X,
} from '../contract/registers.ts';
import { refusesSet } from '../contract/suite.ts';

const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);
const named = (names: string) => names.split(' ').map(parseRegister);

/** Every kernel's, from Linux 5.2 on: struct kvm_regs without the V registers, and `sys_reg_descs` (sys_regs.c). */
const BASE = [
  ...numbers(31).map(X),
  ...[SP, PC, PSTATE, SP_EL1, ELR_EL1, FPSR, FPCR],
  ...numbers(5).map(SPSR),
  ...numbers(3).map(firmwareRegId),
  ...Object.values(TIMER),
  ...named('MIDR_EL1 REVIDR_EL1 CLIDR_EL1 AIDR_EL1 CTR_EL0 MPIDR_EL1'),
  ...numbers(16).flatMap(n => [4, 5, 6, 7].map(op2 => sys(2, 0, 0, n, op2))), // breakpoints and watchpoints
  ...named('MDCCINT_EL1 MDSCR_EL1 DBGVCR32_EL2'),
  ...numbers(7).flatMap(crm => numbers(8).map(op2 => sys(3, 0, 0, crm + 1, op2))), // ID registers
  ...named('SCTLR_EL1 ACTLR_EL1 CPACR_EL1 TTBR0_EL1 TTBR1_EL1 TCR_EL1'),
  ...named('AFSR0_EL1 AFSR1_EL1 ESR_EL1 FAR_EL1 PAR_EL1 MAIR_EL1 AMAIR_EL1 VBAR_EL1 DISR_EL1'),
  ...named('CONTEXTIDR_EL1 TPIDR_EL1 CNTKCTL_EL1 CSSELR_EL1 TPIDR_EL0 TPIDRRO_EL0'),
  ...named('DACR32_EL2 IFSR32_EL2 FPEXC32_EL2'),
];

/** PMEVCNTRn_EL0, PMEVTYPERn_EL0, and PMCCFILTR_EL0 in the place of the last one. */
const PMU_COUNTERS = [...numbers(31), ...numbers(32).map(n => n + 32)].map(n =>
  sys(3, 3, 14, 8 + (n >> 3), n & 7),
);
const PMU = [
  ...named('PMINTENSET_EL1 PMINTENCLR_EL1 PMCR_EL0 PMCNTENSET_EL0 PMCNTENCLR_EL0 PMOVSCLR_EL0'),
  ...named('PMSWINC_EL0 PMSELR_EL0 PMCCNTR_EL0 PMUSERENR_EL0 PMOVSSET_EL0'),
  ...PMU_COUNTERS,
];

const VECTORS = numbers(32).map(V);

const SVE_VLS = 0x6060_0000_0015_ffffn;
const SVE = [
  SVE_VLS,
  ...numbers(32).map(n => 0x6080_0000_0015_0000n + BigInt(n << 5)),
  ...numbers(16).map(n => 0x6050_0000_0015_0400n + BigInt(n << 5)),
  0x6050_0000_0015_0600n, // FFR
  sys(3, 0, 1, 2, 0), // ZCR_EL1
];

const POINTER_AUTHENTICATION = [
  ...numbers(4).map(op2 => sys(3, 0, 2, 1, op2)),
  ...numbers(4).map(op2 => sys(3, 0, 2, 2, op2)),
  ...numbers(2).map(op2 => sys(3, 0, 2, 3, op2)),
];

/** Those that ID_AA64MMFR3_EL1 promises, by the lowest bit of its field (7.3: `sctlr2_visibility()` and its like). */
const PROMISED = [
  [0n, 'TCR2_EL1'],
  [4n, 'SCTLR2_EL1'],
  [8n, 'PIRE0_EL1'],
  [8n, 'PIR_EL1'],
  [16n, 'POR_EL1'],
  [16n, 'POR_EL0'],
] as const;

/** What came later. */
function laterOf(kvm: Kvm, context: CaseContext, vcpu: Vcpu): bigint[] {
  const { bitmaps, sharesFeatures } = kernelOf(kvm, context);
  // Until Linux 5.10 every vCPU lists the PMU's.
  if (bitmaps === 0) return PMU;
  const later = [firmwareRegId(3), ...numbers(bitmaps).map(firmwareBitmapRegId), ...named('OSLSR_EL1')];
  if (!sharesFeatures) return later;
  const features = vcpu.getOneReg('ID_AA64MMFR3_EL1');
  const promised = PROMISED.filter(([shift]) => ((features >> shift) & 0xfn) > 0n).map(([, name]) => name);
  return [...later, ...['CNTPCT_EL0', 'CNTP_CTL_EL0', 'CNTP_CVAL_EL0', ...promised].map(parseRegister)];
}

interface Configuration {
  readonly features: NonNullable<VcpuInitOptions['features']>;
  readonly capabilities: readonly Capability[];
  readonly registers: readonly bigint[];
}

const PLAIN: Configuration = { features: [], capabilities: [], registers: VECTORS };
const WITH_SVE: Configuration = { features: ['SVE'], capabilities: ['ARM_SVE'], registers: SVE };
const WITH_PAUTH: Configuration = {
  features: ['PTRAUTH_ADDRESS', 'PTRAUTH_GENERIC'],
  capabilities: ['ARM_PTRAUTH_ADDRESS', 'ARM_PTRAUTH_GENERIC'],
  registers: [...VECTORS, ...POINTER_AUTHENTICATION],
};
const CONFIGURATIONS = [PLAIN, WITH_SVE, WITH_PAUTH].flatMap(one => [
  one,
  {
    features: [...one.features, 'PMU_V3'],
    capabilities: [...one.capabilities, 'ARM_PMU_V3'],
    registers: [...one.registers, ...PMU],
  } satisfies Configuration,
]);

/** Ids as 16 hex digits: architecture, width, coprocessor, and what is in it (reference section 3). */
const FORMS = [
  /^60[234]0000000100[0-9a-f]{3}$/, // struct kvm_regs
  /^6020000000110000|60200000001100[0-9a-f]{2}$/, // cache sizes
  /^603000000013[0-9a-f]{4}$/, // system registers
  /^60300000001[46]000[0-3]$/, // firmware
  /^606000000015ffff$/, // vector lengths
  /^6080000000150[0-3][02468ace]0$/, // Z
  /^6050000000150[45][02468ace]0$/, // P
  /^6050000000150600$/, // FFR
];

/** A vCPU that is ready to run, if the host has what it asks for. */
function configured(kvm: Kvm, context: CaseContext, { features, capabilities }: Configuration): Vcpu {
  for (const cap of capabilities) if (kvm.checkExtension(cap) === 0) context.skip(`the host has no ${cap}`);
  const vcpu = kvm.createVm().createVcpu(0);
  vcpu.init({ features });
  if (features.includes('SVE')) vcpu.finalize('SVE');
  return vcpu;
}

const names = (ids: Iterable<bigint>) => Array.from(ids, formatRegister);

export const registerList: Suite = ({ describe, it, open }) => {
  for (const configuration of CONFIGURATIONS) {
    const { features, registers } = configuration;
    describe(`the registers of a vCPU with features [${features.join(', ')}]`, () => {
      it('are those that they have ever been, and perhaps more', context => {
        const kvm = open();
        const vcpu = configured(kvm, context, configuration);
        const listed = new Set(vcpu.getRegList());
        const hasPmmir = features.includes('PMU_V3') && kernelOf(kvm, context).features >= 10; // 7.3
        const pmmir = hasPmmir ? named('PMMIR_EL1') : [];
        const expected = [...BASE, ...registers, ...pmmir, ...laterOf(kvm, context, vcpu)];
        assert.deepEqual(names(expected.filter(id => !listed.has(id))), []);
        if (features.includes('SVE')) assert.deepEqual(names(VECTORS.filter(id => listed.has(id))), []);
      });

      it('have ids without a stray bit', context => {
        const ids = [...configured(open(), context, configuration).getRegList()];
        const isOdd = (id: bigint) => !FORMS.some(form => form.test(id.toString(16)));
        assert.deepEqual(names(ids.filter(isOdd)), []);
        assert.equal(new Set(ids).size, ids.length);
      });

      it('can be read, and be written back, but for the vector lengths: EPERM', context => {
        const vcpu = configured(open(), context, configuration);
        const all = vcpu.getRegs();
        assert.deepEqual([...all.status], Array(all.ids.length).fill(0));
        const back = vcpu.setRegs(all);
        const failed = [...back.status].map((status, n) => [back.ids[n], status] as const);
        assert.deepEqual(
          failed.filter(([, status]) => status !== 0),
          features.includes('SVE') ? [[SVE_VLS, -1]] : [],
        );
        if (features.includes('SVE')) refusesSet('EPERM', vcpu, SVE_VLS, vcpu.getOneReg(SVE_VLS));
      });

      it('have the PSCI version 0.1 among them', context => {
        const vcpu = configured(open(), context, configuration);
        assert.equal(vcpu.getOneReg(PSCI_VERSION), 1n);
        vcpu.setOneReg(PSCI_VERSION, 1n);
      });
    });
  }
};
