/** MRS and MSR: the registers that the CPU keeps, who may use them, and the door to those of its surroundings. */
import type { Cpu } from './cpu.ts';
import { EC, Exception, syndrome } from './exceptions.ts';
import { DAIF_ALL, type HotRegisters } from './state.ts';

/** Not there, or trapped to EL1 (ESR_EL1.EC 0x18). */
export type Refusal = 'undefined' | 'trapped';

/**
 * System registers that are not the CPU's own: identification, timers, interrupt controller, debug, PMU. An encoding has
 * op0, op1, CRn, CRm and op2 as the low 16 bits of KVM's register ids have them.
 */
export interface SystemRegisters {
  read(encoding: number, el: 0 | 1, cpu: Cpu): bigint | Refusal;
  write(encoding: number, value: bigint, el: 0 | 1, cpu: Cpu): Refusal | undefined;
}

export const encodingOf = (op0: number, op1: number, crn: number, crm: number, op2: number): number =>
  (op0 << 14) | (op1 << 11) | (crn << 7) | (crm << 3) | op2;

interface OwnRegister {
  readonly read?: (cpu: Cpu) => bigint;
  readonly write?: (cpu: Cpu, value: bigint) => void;
  /** What EL0 may do; without it, EL0 finds the register undefined. */
  readonly user?: (cpu: Cpu, write: boolean) => boolean | Refusal;
  readonly feature?: string;
  /** Where its value is, if that is all that it is. */
  readonly stored?: keyof HotRegisters;
}

const SCTLR = { UMA: 1n << 9n, UCT: 1n << 15n, DZE: 1n << 14n } as const;

const always = () => true;
const readOnly = (_: Cpu, write: boolean): boolean | Refusal => (write ? 'undefined' : true);
const ifSctlr = (bit: bigint) => (cpu: Cpu) => (cpu.state.hot.sctlr & bit) !== 0n || 'trapped';

/** A register that only holds its value. */
const plain = (name: keyof HotRegisters, mask = 0xffff_ffff_ffff_ffffn): OwnRegister => ({
  read: cpu => cpu.state.hot[name],
  write: (cpu, value) => {
    cpu.state.hot[name] = value & mask;
  },
  stored: name,
});

/** One that translation depends on. */
const translating = (name: keyof HotRegisters): OwnRegister => ({
  read: cpu => cpu.state.hot[name],
  write: (cpu, value) => {
    if (cpu.state.hot[name] === value) return;
    cpu.state.hot[name] = value;
    cpu.flushTlb();
  },
  stored: name,
});

const flag = (name: 'pan' | 'uao' | 'ssbs' | 'dit', position: bigint): OwnRegister => ({
  read: cpu => (cpu.state[name] ? 1n << position : 0n),
  write: (cpu, value) => {
    cpu.state[name] = ((value >> position) & 1n) === 1n;
    cpu.contextChanged();
  },
});

/** Blocks of 64 bytes for DC ZVA; EL0 learns from DZP whether it may use it. */
const DCZID_BS = 4n;
const DCZID_DZP = 1n << 4n;
/** Stride and Len, which only AArch32 heeds, are kept as well. */
const FPCR_MASK = 0x07ff_0000n;
const FPCR_FZ16 = 1n << 19n;
const FPSR_MASK = 0xf800_009fn;
/** VBAR_EL1[10:0] is RES0. */
const VBAR_MASK = 0xffff_ffff_ffff_f800n;

/** A random number, with flags that say that there was one (FEAT_RNG). */
const RANDOM: OwnRegister = {
  read: cpu => {
    cpu.state.nzcv = 0;
    return BigInt.asUintN(64, cpu.machine.random());
  },
  user: readOnly,
  feature: 'RNG',
};

const OWN = new Map<number, OwnRegister>([
  [encodingOf(3, 0, 1, 0, 0), translating('sctlr')],
  [encodingOf(3, 0, 1, 0, 2), plain('cpacr')],
  [encodingOf(3, 0, 2, 0, 0), translating('ttbr0')],
  [encodingOf(3, 0, 2, 0, 1), translating('ttbr1')],
  [encodingOf(3, 0, 2, 0, 2), translating('tcr')],
  [encodingOf(3, 3, 2, 4, 0), RANDOM],
  [encodingOf(3, 3, 2, 4, 1), RANDOM],
  [encodingOf(3, 0, 4, 0, 0), plain('spsr')],
  [encodingOf(3, 0, 4, 0, 1), plain('elr')],
  [
    encodingOf(3, 0, 4, 1, 0),
    {
      // SP_EL0 has no name of its own while it is SP.
      read: cpu => (cpu.state.spsel === 0 ? cpu.undefined() : cpu.state.getSp(0)),
      write: (cpu, value) => (cpu.state.spsel === 0 ? cpu.undefined() : cpu.state.setSp(0, value)),
    },
  ],
  [
    encodingOf(3, 0, 4, 2, 0),
    {
      read: cpu => BigInt(cpu.state.spsel),
      write: (cpu, value) => cpu.state.setLevel(1, value & 1n ? 1 : 0),
    },
  ],
  [encodingOf(3, 0, 4, 2, 2), { read: cpu => BigInt(cpu.state.el << 2) }],
  [encodingOf(3, 0, 4, 2, 3), { ...flag('pan', 22n), feature: 'PAN' }],
  [encodingOf(3, 0, 4, 2, 4), { ...flag('uao', 23n), feature: 'UAO' }],
  [encodingOf(3, 3, 4, 2, 6), { ...flag('ssbs', 12n), user: always, feature: 'SSBS2' }],
  [encodingOf(3, 3, 4, 2, 5), { ...flag('dit', 24n), user: always, feature: 'DIT' }],
  [
    encodingOf(3, 3, 4, 2, 0),
    {
      read: cpu => BigInt(cpu.state.nzcv) << 28n,
      write: (cpu, value) => {
        cpu.state.nzcv = Number((value >> 28n) & 0xfn);
      },
      user: always,
    },
  ],
  [
    encodingOf(3, 3, 4, 2, 1),
    {
      read: cpu => BigInt(cpu.state.daif) << 6n,
      write: (cpu, value) => setDaif(cpu, Number((value >> 6n) & 0xfn)),
      user: ifSctlr(SCTLR.UMA),
    },
  ],
  [
    encodingOf(3, 3, 4, 4, 0),
    {
      read: cpu => {
        cpu.checkFp();
        return cpu.state.fpcr;
      },
      write: (cpu, value) => {
        cpu.checkFp();
        cpu.state.fpcr = value & (cpu.has('FP16') ? FPCR_MASK : FPCR_MASK & ~FPCR_FZ16);
      },
      user: always,
    },
  ],
  [
    encodingOf(3, 3, 4, 4, 1),
    {
      read: cpu => {
        cpu.checkFp();
        return cpu.state.fpsr;
      },
      write: (cpu, value) => {
        cpu.checkFp();
        cpu.state.fpsr = value & FPSR_MASK;
      },
      user: always,
    },
  ],
  // IMPLEMENTATION DEFINED: of no use here, as on most CPUs. So is AMAIR_EL1.
  [encodingOf(3, 0, 5, 1, 0), plain('afsr0', 0n)],
  [encodingOf(3, 0, 5, 1, 1), plain('afsr1', 0n)],
  [encodingOf(3, 0, 5, 2, 0), plain('esr')],
  [encodingOf(3, 0, 6, 0, 0), plain('far')],
  [encodingOf(3, 0, 7, 4, 0), plain('par')],
  [encodingOf(3, 0, 10, 2, 0), translating('mair')],
  [encodingOf(3, 0, 10, 3, 0), plain('amair', 0n)],
  [encodingOf(3, 0, 12, 0, 0), plain('vbar', VBAR_MASK)],
  [encodingOf(3, 0, 12, 1, 1), { ...plain('disr'), feature: 'RAS' }],
  [encodingOf(3, 0, 13, 0, 1), plain('contextidr')],
  [encodingOf(3, 0, 13, 0, 4), plain('tpidrEl1')],
  [encodingOf(3, 3, 13, 0, 2), { ...plain('tpidrEl0'), user: always }],
  [encodingOf(3, 3, 13, 0, 3), { ...plain('tpidrroEl0'), user: readOnly }],
  [encodingOf(3, 0, 14, 1, 0), plain('cntkctl')],
  [
    encodingOf(3, 3, 0, 0, 7),
    {
      read: ({ state: { el, hot } }) =>
        DCZID_BS | (el === 0 && (hot.sctlr & SCTLR.DZE) === 0n ? DCZID_DZP : 0n),
      user: readOnly,
    },
  ],
]);

const CTR_EL0 = encodingOf(3, 3, 0, 0, 1);

/** The bit of CNTKCTL_EL1 that lets EL0 use a timer register, by CRm and op2 (D13.8). */
function timerEnable(crm: number, op2: number): bigint {
  // CNTFRQ goes with either counter.
  if (crm === 0) return op2 === 0 ? 0b11n : op2 === 1 || op2 === 5 ? 0b01n : 0b10n;
  return crm === 2 ? 1n << 9n : 1n << 8n;
}

/** Counters and the frequency, the physical and the virtual timer, by CRm: three each, and with FEAT_ECV two more counters. */
function hasTimerRegister(cpu: Cpu, crm: number, op2: number): boolean {
  if (crm === 0 && (op2 === 5 || op2 === 6)) return cpu.has('ECV');
  return (crm === 0 || crm === 2 || crm === 3) && op2 <= 2;
}

/** Whether EL0 may use a register of the CPU's surroundings. */
function userMay(cpu: Cpu, encoding: number, write: boolean): true | Refusal {
  const { hot } = cpu.state;
  if (((encoding >> 11) & 7) !== 3) return 'undefined';
  if (encoding === CTR_EL0) return write ? 'undefined' : ifSctlr(SCTLR.UCT)(cpu);
  if (encoding >> 7 === encodingOf(3, 3, 14, 0, 0) >> 7) {
    const crm = (encoding >> 3) & 0xf;
    const op2 = encoding & 7;
    // The frequency and the counters are not EL0's to set, whatever it is given.
    if (write && crm === 0) return 'undefined';
    if (hasTimerRegister(cpu, crm, op2) && !(hot.cntkctl & timerEnable(crm, op2))) return 'trapped';
  }
  return true;
}

export function setDaif(cpu: Cpu, daif: number): void {
  cpu.state.daif = daif & DAIF_ALL;
  cpu.contextChanged();
}

/** ISS of a trapped MSR, MRS or system instruction (D24.2.40, EC 0x18). */
export function trapped(cpu: Cpu, encoding: number, register: number, read: boolean): Exception {
  const [op0, op1, op2] = [encoding >> 14, (encoding >> 11) & 7, encoding & 7];
  const [crn, crm] = [(encoding >> 7) & 0xf, (encoding >> 3) & 0xf];
  const iss =
    (op0 << 20) | (op2 << 17) | (op1 << 14) | (crn << 10) | (register << 5) | (crm << 1) | Number(read);
  return new Exception(syndrome(EC.systemRegister, iss), cpu.pc());
}

/** The CPU's own register, if the level may use it so. */
function ownRegister(cpu: Cpu, encoding: number, register: number, read: boolean): OwnRegister | undefined {
  const own = OWN.get(encoding);
  if (own === undefined) return undefined;
  if (own.feature !== undefined && !cpu.has(own.feature)) cpu.undefined();
  if (cpu.state.el === 0) {
    const may = own.user?.(cpu, !read) ?? 'undefined';
    if (may === 'trapped') throw trapped(cpu, encoding, register, read);
    if (may !== true) cpu.undefined();
  }
  return own;
}

/** Registers that identify the CPU, whether there or not: op1 is 0, 1 or 3, CRn 0, CRm 0 to 7 (FEAT_IDST). */
const IDENTITY = new Set([0, 1, 3].map(op1 => encodingOf(3, op1, 0, 0, 0) >> 6));

function refuse(cpu: Cpu, why: Refusal, encoding: number, register: number, read: boolean): never {
  const told = read && IDENTITY.has(encoding >> 6) && cpu.has('IDST');
  if (why === 'trapped' || told) throw trapped(cpu, encoding, register, read);
  return cpu.undefined();
}

/** MRS. `register` is Rt, for the syndrome of a trap. */
export function readSystem(cpu: Cpu, encoding: number, register: number): bigint {
  const own = ownRegister(cpu, encoding, register, true);
  if (own !== undefined) return own.read?.(cpu) ?? cpu.undefined();
  const { el } = cpu.state;
  const may = el === 0 ? userMay(cpu, encoding, false) : true;
  const value = may === true ? cpu.system.read(encoding, el, cpu) : may;
  return typeof value === 'bigint' ? value : refuse(cpu, value, encoding, register, true);
}

export function writeSystem(cpu: Cpu, encoding: number, register: number, value: bigint): void {
  const own = ownRegister(cpu, encoding, register, false);
  if (own !== undefined) {
    if (own.write === undefined) cpu.undefined();
    else own.write(cpu, value);
    return;
  }
  const { el } = cpu.state;
  const may = el === 0 ? userMay(cpu, encoding, true) : true;
  const refusal = may === true ? cpu.system.write(encoding, value, el, cpu) : may;
  if (refusal !== undefined) refuse(cpu, refusal, encoding, register, false);
}

/**
 * A register that the CPU keeps, as the host sees it, by its encoding (the low 16 bits of KVM's register id); undefined
 * for those of its surroundings, and for views of PSTATE.
 */
export function getSystemRegister(cpu: Cpu, encoding: number): bigint | undefined {
  const own = OWN.get(encoding);
  return own?.stored ? cpu.state.hot[own.stored] : undefined;
}

/** False for a register that the CPU does not keep. */
export function setSystemRegister(cpu: Cpu, encoding: number, value: bigint): boolean {
  const own = OWN.get(encoding);
  if (own?.stored === undefined) return false;
  own.write?.(cpu, value);
  return true;
}
