/** Hints, barriers, PSTATE, system registers and system instructions (C4.1.93). */
import type { Cpu } from '../cpu.ts';
import { EC, Exception, syndrome } from '../exceptions.ts';
import type { Instruction, Row } from '../instruction.ts';
import type { Fields } from '../pattern.ts';
import { systemInstruction } from '../system-instructions.ts';
import { encodingOf, readSystem, setDaif, trapped, writeSystem } from '../system-registers.ts';

const SCTLR = { UMA: 1n << 9n, nTWI: 1n << 16n, nTWE: 1n << 18n } as const;

/** WFI and WFE of EL0 may be EL1's to answer (SCTLR_EL1.nTWI, nTWE). */
function checkWait(cpu: Cpu, isWfe: boolean): void {
  const bit = isWfe ? SCTLR.nTWE : SCTLR.nTWI;
  if (cpu.state.el === 1 || cpu.state.hot.sctlr & bit) return;
  throw new Exception(syndrome(EC.wfx, 0x1e0_0000 | Number(isWfe)), cpu.pc());
}

/** Error synchronisation: a masked SError becomes a value of DISR_EL1 (FEAT_RAS). */
function synchronizeErrors(cpu: Cpu): void {
  const { serror } = cpu;
  if (!cpu.has('RAS') || serror === undefined || !(cpu.state.daif & 4)) return;
  cpu.state.hot.disr = (1n << 31n) | serror;
  cpu.setSerror(undefined);
}

/** Hints by CRm:op2; the others are NOP. */
const HINTS: Readonly<Record<number, (cpu: Cpu) => void>> = {
  1: cpu => cpu.leave({ reason: 'yield' }),
  2: cpu => {
    if (cpu.eventRegister) cpu.eventRegister = false;
    else if (!cpu.interrupted) {
      checkWait(cpu, true);
      cpu.leave({ reason: 'wfe' });
    }
  },
  3: cpu => {
    if (cpu.interrupted) return;
    checkWait(cpu, false);
    cpu.leave({ reason: 'wfi' });
  },
  4: cpu => {
    for (const each of cpu.machine.cpus) each.eventRegister = true;
  },
  5: cpu => {
    cpu.eventRegister = true;
  },
  16: synchronizeErrors,
};

const nothing = () => {};

const readRegister = (f: Fields, i: Instruction): undefined => {
  i.kind = encodingOf(2 + f('o'), f('f'), f('c'), f('b'), f('q'));
};

/** MSR (immediate): PSTATE fields by op1 and op2. */
type PstateField = { readonly feature?: string; readonly user?: true; set(cpu: Cpu, value: number): void };

const setFlag =
  (name: 'pan' | 'uao' | 'ssbs' | 'dit') =>
  (cpu: Cpu, value: number): void => {
    cpu.state[name] = (value & 1) === 1;
    cpu.contextChanged();
  };

const PSTATE_FIELDS: Readonly<Record<string, PstateField>> = {
  // CFINV: the carry, inverted.
  '0 0': {
    set: ({ state }) => {
      state.nzcv ^= 0b0010;
    },
    feature: 'FlagM',
    user: true,
  },
  '0 3': { set: setFlag('uao'), feature: 'UAO' },
  '0 4': { set: setFlag('pan'), feature: 'PAN' },
  '0 5': { set: (cpu, value) => cpu.state.setLevel(1, value & 1 ? 1 : 0) },
  '3 1': { set: setFlag('ssbs'), feature: 'SSBS2', user: true },
  '3 2': { set: setFlag('dit'), feature: 'DIT', user: true },
  '3 6': { set: (cpu, value) => setDaif(cpu, cpu.state.daif | value) },
  '3 7': { set: (cpu, value) => setDaif(cpu, cpu.state.daif & ~value) },
};

function setPstateField(cpu: Cpu, { word }: Instruction): void {
  const [op1, crm, op2] = [(word >>> 16) & 7, (word >>> 8) & 0xf, (word >>> 5) & 7];
  const field = PSTATE_FIELDS[`${op1} ${op2}`] ?? cpu.undefined();
  if (field.feature !== undefined && !cpu.has(field.feature)) cpu.undefined();
  if (cpu.state.el === 0 && !field.user) {
    if (op1 !== 3) cpu.undefined();
    // DAIFSet and DAIFClr of EL0 need SCTLR_EL1.UMA.
    if (!(cpu.state.hot.sctlr & SCTLR.UMA)) throw trapped(cpu, encodingOf(0, op1, 4, crm, op2), 31, false);
  }
  field.set(cpu, crm);
}

export const SYSTEM: readonly Row[] = [
  {
    name: 'hint',
    bits: '11010101000000110010iiiiiii11111',
    read: (f, i) => {
      i.kind = f('i');
      return true;
    },
    helper: (cpu, i) => HINTS[i.kind]?.(cpu),
  },
  {
    name: 'clrex',
    bits: '11010101000000110011iiii01011111',
    helper: cpu => cpu.monitor.clear(),
  },
  // One CPU runs at a time and in order: there is nothing to wait for.
  { name: 'dsb', bits: '11010101000000110011iiii10011111', semantics: nothing },
  { name: 'dmb', bits: '11010101000000110011iiii10111111', semantics: nothing },
  { name: 'isb', bits: '11010101000000110011iiii11011111', semantics: nothing },
  { name: 'sb', bits: '11010101000000110011000011111111', semantics: nothing, feature: 'SB' },
  {
    name: 'msr',
    bits: '1101010100000fff0100bbbbqqq11111',
    helper: setPstateField,
  },
  {
    name: 'sys',
    bits: '1101010100001fffccccbbbbqqqttttt',
    read: (f, i) => {
      i.kind = encodingOf(1, f('f'), f('c'), f('b'), f('q'));
      i.amount = f('t');
      return true;
    },
    helper: (cpu, i) => systemInstruction(cpu, i.kind, i.amount, cpu.x(i.d)),
  },
  // No instruction of the implemented features gives a value.
  { name: 'sysl', bits: '1101010100101fffccccbbbbqqqddddd', helper: cpu => cpu.undefined() },
  {
    name: 'msr',
    bits: '110101010001offfccccbbbbqqqttttt',
    read: readRegister,
    helper: (cpu, i) => writeSystem(cpu, i.kind, i.word & 31, cpu.x(i.d)),
  },
  {
    name: 'mrs',
    bits: '110101010011offfccccbbbbqqqddddd',
    read: readRegister,
    helper: (cpu, i) => cpu.setX(i.d, readSystem(cpu, i.kind, i.word & 31)),
  },
];
