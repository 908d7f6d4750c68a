/**
 * Names for register ids, and ids for names. {@link formatRegister} and {@link parseRegister} are inverse of each
 * other for every 64-bit id.
 *
 * | text | register |
 * |---|---|
 * | `X0`…`X30`, `SP`, `PC`, `PSTATE`, `SP_EL1`, `ELR_EL1`, `SPSR_EL1`, `SPSR_ABT`, `SPSR_UND`, `SPSR_IRQ`, `SPSR_FIQ`, `V0`…`V31`, `FPSR`, `FPCR` | members of `struct kvm_regs` |
 * | `Z0`…`Z31`, `P0`…`P15`, `FFR`, `KVM_REG_ARM64_SVE_VLS` | SVE, slice 0 |
 * | `KVM_REG_ARM_PSCI_VERSION`, `KVM_REG_ARM_STD_BMAP`, … | firmware; one without a name is `KVM_REG_ARM_FW_REG(5)` or `KVM_REG_ARM_FW_FEAT_BMAP_REG(5)` |
 * | `KVM_REG_ARM_TIMER_CNT`, `KVM_REG_ARM_PTIMER_CVAL`, … | timers |
 * | `KVM_REG_ARM_DEMUX_ID_CCSIDR(2)` | the cache size that CSSELR_EL1 = 2 selects |
 * | `SCTLR_EL1`, `DBGBVR3_EL1`, … | AArch64 system registers; one without a name is `S3_0_C0_C3_3` (op0, op1, CRn, CRm, op2) |
 * | `arm:R0`, `arm:KVM_REG_ARM_PSCI_VERSION`, `arm:CP15_0_C1_C0_0`, … | the ids of 32-bit arm |
 * | `0x6030000000100001` | any other id |
 *
 * A width that is not the register's own follows as a suffix: `PC:u32`.
 *
 * Some names are both a member of `struct kvm_regs` and a system register (SP_EL1, ELR_EL1, SPSR_EL1 and its 32-bit
 * kin). The plain name is the member, which every vCPU has; the system register is `SYS_SP_EL1`, as the
 * kernel spells encodings, and exists for nested virtualization at most.
 *
 * @packageDocumentation
 */
import { invalidType, invalidValue, outOfRange } from './argument.ts';
import { nearest } from './nearest.ts';
import {
  coreRegId,
  decodeRegisterId,
  encodeRegisterId,
  firmwareBitmapRegId,
  firmwareRegId,
  type RegisterId,
  registerBits,
  sysRegId,
} from './register-id.ts';
import { numbered, systemRegisters } from './system-registers.ts';

/** A name or family of names (see `numbered`), the first id with the width that is its own, the step to the next. */
type Row = readonly [name: string, id: bigint, step?: bigint];

/** The registers of arm64 that are no system registers, or that KVM does not treat as such. */
function arm64Names(): Row[] {
  return [
    ['X<0-30>', coreRegId(0), 2n],
    ['SP', coreRegId(248)],
    ['PC', coreRegId(256)],
    ['PSTATE', coreRegId(264)],
    ['SP_EL1', coreRegId(272)],
    ['ELR_EL1', coreRegId(280)],
    ['SPSR_EL1', coreRegId(288)],
    ['SPSR_ABT', coreRegId(296)],
    ['SPSR_UND', coreRegId(304)],
    ['SPSR_IRQ', coreRegId(312)],
    ['SPSR_FIQ', coreRegId(320)],
    ['V<0-31>', coreRegId(336, 16), 4n],
    ['FPSR', coreRegId(848, 4)],
    ['FPCR', coreRegId(852, 4)],
    ['Z<0-31>', 0x6080_0000_0015_0000n, 32n],
    ['P<0-15>', 0x6050_0000_0015_0400n, 32n],
    ['FFR', 0x6050_0000_0015_0600n],
    ['KVM_REG_ARM64_SVE_VLS', 0x6060_0000_0015_ffffn],
    ['KVM_REG_ARM_PSCI_VERSION', firmwareRegId(0)],
    ['KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_<1-3>', firmwareRegId(1), 1n],
    ['KVM_REG_ARM_STD_BMAP', firmwareBitmapRegId(0)],
    ['KVM_REG_ARM_STD_HYP_BMAP', firmwareBitmapRegId(1)],
    ['KVM_REG_ARM_VENDOR_HYP_BMAP', firmwareBitmapRegId(2)],
    ['KVM_REG_ARM_VENDOR_HYP_BMAP_2', firmwareBitmapRegId(3)],
    // The ids of the timers look like encodings of system registers, but the kernel swapped two of them by accident,
    // and they are ABI (asm/kvm.h): TIMER_CNT has the encoding of CNTV_CVAL_EL0, and TIMER_CVAL that of CNTVCT_EL0.
    ['KVM_REG_ARM_TIMER_CTL', sysRegId(3, 3, 14, 3, 1)],
    ['KVM_REG_ARM_TIMER_CNT', sysRegId(3, 3, 14, 3, 2)],
    ['KVM_REG_ARM_TIMER_CVAL', sysRegId(3, 3, 14, 0, 2)],
    ['KVM_REG_ARM_PTIMER_CTL', sysRegId(3, 3, 14, 2, 1)],
    ['KVM_REG_ARM_PTIMER_CNT', sysRegId(3, 3, 14, 0, 1)],
    ['KVM_REG_ARM_PTIMER_CVAL', sysRegId(3, 3, 14, 2, 2)],
  ];
}

/**
 * Names that are understood but never printed, because KVM has another for the same thing. A timer's
 * architectural name is the register that it means, so that CNTVCT_EL0 is the counter in spite of the swap.
 */
const ALIASES: readonly (readonly [alias: string, name: string])[] = [
  ['SP_EL0', 'SP'],
  ['CNTV_CTL_EL0', 'KVM_REG_ARM_TIMER_CTL'],
  ['CNTVCT_EL0', 'KVM_REG_ARM_TIMER_CNT'],
  ['CNTV_CVAL_EL0', 'KVM_REG_ARM_TIMER_CVAL'],
  ['CNTP_CTL_EL0', 'KVM_REG_ARM_PTIMER_CTL'],
  ['CNTPCT_EL0', 'KVM_REG_ARM_PTIMER_CNT'],
  ['CNTP_CVAL_EL0', 'KVM_REG_ARM_PTIMER_CVAL'],
];

/** `arch/arm/include/uapi/asm/kvm.h` of the kernels up to 5.6: all core registers are words, timers are not swapped. */
function armNames(): Row[] {
  const core = (index: number) =>
    encodeRegisterId({ kind: 'core', arch: 'arm', bytes: 4, offset: index * 4 });
  const vfp = (index: number, bytes: number) => encodeRegisterId({ kind: 'vfp', arch: 'arm', bytes, index });
  const cp15 = (opc1: number, crn: number, crm: number, opc2: number, bytes: number) =>
    encodeRegisterId({ kind: 'coprocessor', arch: 'arm', bytes, coproc: 15, opc1, crn, crm, opc2 });
  const firmware = (index: number) => encodeRegisterId({ kind: 'firmware', arch: 'arm', bytes: 8, index });
  return [
    ['arm:R<0-14>', core(0), 1n],
    ['arm:PC', core(15)],
    ['arm:CPSR', core(16)],
    ...['SVC', 'ABT', 'UND', 'IRQ'].flatMap((mode, i): Row[] => [
      [`arm:SP_${mode}`, core(18 + 3 * i)],
      [`arm:LR_${mode}`, core(19 + 3 * i)],
      [`arm:SPSR_${mode}`, core(20 + 3 * i)],
    ]),
    ['arm:R<8-14>_FIQ', core(30), 1n],
    ['arm:SPSR_FIQ', core(37)],
    ['arm:D<0-31>', vfp(0, 8), 1n],
    ['arm:FPSID', vfp(0x1000, 4)],
    ['arm:FPSCR', vfp(0x1001, 4)],
    ['arm:MVFR1', vfp(0x1006, 4)],
    ['arm:MVFR0', vfp(0x1007, 4)],
    ['arm:FPEXC', vfp(0x1008, 4)],
    ['arm:FPINST', vfp(0x1009, 4)],
    ['arm:FPINST2', vfp(0x100a, 4)],
    ['arm:KVM_REG_ARM_PSCI_VERSION', firmware(0)],
    ['arm:KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_<1-2>', firmware(1), 1n],
    ['arm:KVM_REG_ARM_TIMER_CTL', cp15(0, 14, 3, 1, 4)],
    ['arm:KVM_REG_ARM_TIMER_CNT', cp15(1, 0, 14, 0, 8)],
    ['arm:KVM_REG_ARM_TIMER_CVAL', cp15(3, 0, 14, 0, 8)],
    ['arm:KVM_REG_ARM_PTIMER_CTL', cp15(0, 14, 2, 1, 4)],
    ['arm:KVM_REG_ARM_PTIMER_CNT', cp15(0, 0, 14, 0, 8)],
    ['arm:KVM_REG_ARM_PTIMER_CVAL', cp15(2, 0, 14, 0, 8)],
  ];
}

/** A way to write a register that has no name, by its fields. */
interface Form {
  readonly kind: RegisterId['kind'];
  /** The architecture, where only one has this kind. */
  readonly arch?: 'arm64' | 'arm';
  /** The width that goes without saying. */
  readonly bytes: number;
  /** With a field's name in braces where its number stands. */
  readonly template: string;
  /** A field that the template leaves out, and its value. */
  readonly fixed?: Readonly<Record<string, number>>;
}

const FORMS: readonly Form[] = [
  { kind: 'sysreg', arch: 'arm64', bytes: 8, template: 'S{op0}_{op1}_C{crn}_C{crm}_{op2}' },
  { kind: 'coprocessor', arch: 'arm', bytes: 4, template: 'CP{coproc}_{opc1}_C{crn}_C{crm}_{opc2}' },
  { kind: 'firmware', bytes: 8, template: 'KVM_REG_ARM_FW_REG({index})' },
  { kind: 'firmware-bitmap', bytes: 8, template: 'KVM_REG_ARM_FW_FEAT_BMAP_REG({index})' },
  { kind: 'demux', bytes: 4, template: 'KVM_REG_ARM_DEMUX_ID_CCSIDR({value})', fixed: { id: 0 } },
];

const PREFIX = 'KVM_REG_ARM_';
const ARM = 'ARM:';
const SIZE_MASK = 0x00f0_0000_0000_0000n;
const SIZE_SHIFT = 52n;

interface Names {
  /** By id without its width. */
  readonly byId: Map<bigint, { readonly name: string; readonly id: bigint }>;
  /** By name in capitals. */
  readonly byName: Map<string, bigint>;
}

/** Built on first use: most programs name few registers, and all import this. */
let names: Names | undefined;

function knownNames(): Names {
  if (names !== undefined) return names;
  const byId: Names['byId'] = new Map();
  const byName: Names['byName'] = new Map();
  const add = (name: string, id: bigint) => {
    byId.set(id & ~SIZE_MASK, { name, id });
    byName.set(name.toUpperCase(), id);
  };
  for (const [template, id, step = 0n] of [...arm64Names(), ...armNames()]) {
    numbered(template).forEach((name, i) => {
      add(name, id + BigInt(i) * step);
    });
  }
  const base = sysRegId(0, 0, 0, 0, 0);
  for (const { name, encoding } of systemRegisters()) {
    add(byName.has(name.toUpperCase()) ? `SYS_${name}` : name, base + BigInt(encoding));
  }
  for (const [alias, name] of ALIASES) byName.set(alias, byName.get(name)!);
  names = { byId, byName };
  return names;
}

/**
 * The name of a register: see the table at the top of this file. No two ids have the same name.
 *
 * @param id - any 64-bit register id
 */
export function formatRegister(id: bigint): string {
  const fields = decodeRegisterId(id);
  if (fields.kind !== 'other') {
    const named = knownNames().byId.get(id & ~SIZE_MASK);
    if (named !== undefined) return named.id === id ? named.name : `${named.name}:u${registerBits(id)}`;
    for (const form of FORMS) {
      const text = formatForm(form, fields);
      if (text !== undefined) return form.bytes === fields.bytes ? text : `${text}:u${registerBits(id)}`;
    }
  }
  return `0x${id.toString(16).padStart(16, '0')}`;
}

function formatForm(form: Form, id: RegisterId): string | undefined {
  if (id.kind === 'other' || id.kind !== form.kind) return undefined;
  const fields = id as unknown as Readonly<Record<string, number>>;
  if (Object.entries(form.fixed ?? {}).some(([field, value]) => fields[field] !== value)) return undefined;
  const text = form.template.replaceAll(/\{(\w+)\}/g, (_, field: string) => String(fields[field]));
  return id.arch === 'arm' ? `arm:${text}` : text;
}

/**
 * The id of a register: what {@link formatRegister} prints, in capitals or not, with or without `KVM_REG_ARM_`; a
 * system register by its fields, `S3_0_C1_C0_0`, whether or not it has a name; or an id in hex.
 *
 * The architectural names of the timers, and SP_EL0, mean the registers that KVM keeps them in. But fields are taken
 * literally: `S3_3_C14_C3_2` is the encoding of CNTV_CVAL_EL0 and therefore `KVM_REG_ARM_TIMER_CNT`.
 *
 * @throws TypeError `ERR_INVALID_ARG_VALUE` for an unknown name, with the nearest known one; RangeError
 *   `ERR_OUT_OF_RANGE` for a field or width that does not fit
 */
export function parseRegister(name: string): bigint {
  if (typeof name !== 'string') throw invalidType('register', 'a name', name);
  if (/^0x[0-9a-f]{1,16}$/i.test(name)) return BigInt(name);
  const [, plain, bits] = /^(.*?)(?::u(\d{1,6}))?$/is.exec(name)!;
  const id = parsePlain(plain!);
  if (id === undefined) {
    throw invalidValue('register', `the name of a register, or an id in hex${suggestion(plain!)}`, name);
  }
  return bits === undefined ? id : withWidth(id, Number(bits));
}

/** What was probably meant by a name that is none: on 32-bit arm perhaps one without its `arm:`. */
function suggestion(name: string): string {
  const near = nearest(name, [...knownNames().byName.keys()].flatMap(spellings));
  const onArm = namesakeOnArm(name);
  const meant = [near, onArm && `${onArm} of 32-bit arm`].filter(text => text !== undefined);
  return meant.length === 0 ? '' : ` (did you mean ${meant.join(', or ')}?)`;
}

/** The register of 32-bit arm that has this name after its `arm:`; undefined where there is none. */
export function namesakeOnArm(name: string): string | undefined {
  const id = parsePlain(`${ARM}${name}`);
  return id === undefined ? undefined : formatRegister(id);
}

/** A name as it may be written: with the prefix that all of KVM's own names have, and without. */
function spellings(name: string): string[] {
  return name.startsWith(PREFIX) ? [name, name.slice(PREFIX.length)] : [name];
}

function parsePlain(name: string): bigint | undefined {
  // Only ASCII letters: 'ı' in capitals is 'I', too.
  const upper = name.replaceAll(/[a-z]+/g, letters => letters.toUpperCase());
  const arm = upper.startsWith(ARM);
  const full = arm ? `${ARM}${PREFIX}${upper.slice(ARM.length)}` : PREFIX + upper;
  const { byName } = knownNames();
  return byName.get(upper) ?? byName.get(full) ?? parseForms(upper, arm) ?? parseForms(full, arm);
}

function parseForms(upper: string, arm: boolean): bigint | undefined {
  const arch = arm ? 'arm' : 'arm64';
  const text = arm ? upper.slice(ARM.length) : upper;
  for (const { kind, arch: only = arch, bytes, template, fixed } of FORMS) {
    const fields: Record<string, number> = { ...fixed };
    if (only === arch && matchTemplate(template, text, fields)) {
      return encodeRegisterId({ kind, arch, bytes, ...fields } as RegisterId);
    }
  }
  return undefined;
}

/** Whether a text is the template with numbers in it; if so, puts them into `fields`. */
function matchTemplate(template: string, text: string, fields: Record<string, number>): boolean {
  const pattern = template.replaceAll(/[()]/g, '\\$&').replaceAll(/\{(\w+)\}/g, '(?<$1>0|[1-9]\\d{0,4})');
  const groups = new RegExp(`^${pattern}$`).exec(text)?.groups;
  for (const [field, digits] of Object.entries(groups ?? {})) fields[field] = Number(digits);
  return groups !== undefined;
}

function withWidth(id: bigint, bits: number): bigint {
  const size = Math.log2(bits / 8);
  if (!Number.isInteger(size) || size < 0 || size > 15) {
    throw outOfRange('register width', 'a power of two from 8 to 262144 bits', bits);
  }
  return (id & ~SIZE_MASK) | (BigInt(size) << SIZE_SHIFT);
}
