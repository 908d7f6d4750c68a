/**
 * MRS and MSR of a guest, for all that the CPU does not keep: what KVM traps and answers (`sys_reg_descs`,
 * arch/arm64/kvm/sys_regs.c), over the same values that KVM_GET_ONE_REG shows.
 *
 * @packageDocumentation
 */
import { encodeRegisterId, sysRegId } from '../../abi/register-id.ts';
import type { Cpu } from '../cpu/cpu.ts';
import type { Debug } from '../cpu/debug.ts';
import { encodingOf, type Refusal, type SystemRegisters } from '../cpu/system-registers.ts';
import { PMCR_EL0 } from '../registers/pmu-registers.ts';
import type { VcpuState } from '../state.ts';
import { BareInterface } from './bare-interface.ts';
import { debugOf } from './debug-registers.ts';
import { readIcc, writeIcc } from './guest-gic.ts';
import { GuestPmu } from './guest-pmu.ts';
import { findPmuAccess, type PmuAccess, readPmu, writePmu } from './guest-pmu-registers.ts';
import { GuestTimer } from './guest-timers.ts';

const SYSTEM_REGISTER = sysRegId(0, 0, 0, 0, 0);
const PMMIR_EL1 = sysRegId(3, 0, 9, 14, 6);
const CTR_EL0 = sysRegId(3, 3, 0, 0, 1);
const CTR_IDC = 1n << 28n;
const CSSELR_EL1 = sysRegId(3, 2, 0, 0, 0);
/** Twice the levels of caches that CLIDR_EL1 can tell of. */
const CSSELR_MAX = 14;
const ccsidrId = (value: number) =>
  encodeRegisterId({ kind: 'demux', arch: 'arm64', bytes: 4, id: 0, value });

/** Registers of identification: op0 3, op1 0, CRn 0; those from CRm 1 to 7 that nothing is known of read as zero. */
const isIdentification = (encoding: number): boolean => encoding >> 7 === encodingOf(3, 0, 0, 0, 0) >> 7;
const FIRST_FEATURE = encodingOf(3, 0, 0, 1, 0);
const LAST_FEATURE = encodingOf(3, 0, 0, 7, 7);

/** Breakpoint and watchpoint registers: DBGBVRn, DBGBCRn, DBGWVRn and DBGWCRn. */
const isBreakpoint = (encoding: number): boolean =>
  encoding >> 7 === encodingOf(2, 0, 0, 0, 0) >> 7 && (encoding & 7) >= 4;
/**
 * What a debug register keeps of a value: DBGWVRn_EL1[1:0] is RES0; of DBGBCRn_EL1.BAS, bits 1 and 3 are copies of bits 0
 * and 2, as breakpoints are at whole or half words (D24.3.2).
 */
function keptByDebug(encoding: number, value: bigint): bigint {
  if (!isBreakpoint(encoding)) return value;
  if ((encoding & 7) === 6) return value & ~3n;
  if ((encoding & 7) !== 5) return value;
  const kept = value & ~((1n << 6n) | (1n << 8n));
  return kept | ((value << 1n) & ((1n << 6n) | (1n << 8n)));
}
const ID_AA64DFR0_EL1 = sysRegId(3, 0, 0, 5, 0);
/** Digits of it that tell how many there are, less one. */
const BRPS = 12n;
const WRPS = 20n;

/** op1 4 and 5: EL2's, and what EL2 sees of EL1 and of AArch32. */
const isOfHypervisor = (encoding: number): boolean =>
  ((encoding >> 11) & 7) === 4 || ((encoding >> 11) & 7) === 5;

const ID_AA64PFR0_EL1 = sysRegId(3, 0, 0, 4, 0);
const ID_AA64MMFR0_EL1 = sysRegId(3, 0, 0, 7, 0);
const ID_AA64MMFR1_EL1 = sysRegId(3, 0, 0, 7, 1);
const ID_AA64MMFR3_EL1 = sysRegId(3, 0, 0, 7, 3);

/** Registers of extensions, and the digit that says whether the vCPU has them; KVM_GET_ONE_REG shows some nevertheless. */
const NEEDS: ReadonlyMap<number, readonly [id: bigint, shift: bigint]> = new Map([
  [encodingOf(3, 0, 2, 0, 3), [ID_AA64MMFR3_EL1, 0n]], // TCR2_EL1: TCRX
  [encodingOf(3, 0, 10, 2, 2), [ID_AA64MMFR3_EL1, 8n]], // PIRE0_EL1: S1PIE
  [encodingOf(3, 0, 10, 2, 3), [ID_AA64MMFR3_EL1, 8n]], // PIR_EL1
  [encodingOf(3, 3, 14, 0, 5), [ID_AA64MMFR0_EL1, 60n]], // CNTPCTSS_EL0: ECV
  [encodingOf(3, 3, 14, 0, 6), [ID_AA64MMFR0_EL1, 60n]], // CNTVCTSS_EL0
  // Limited ordering regions, of which KVM gives none (`trap_loregion`): LOR.
  ...[0, 1, 2, 3, 7].map(
    op2 => [encodingOf(3, 0, 10, 4, op2), [ID_AA64MMFR1_EL1, 16n]] as [number, [bigint, bigint]],
  ),
  [encodingOf(3, 0, 5, 3, 0), [ID_AA64PFR0_EL1, 28n]], // ERRIDR_EL1: RAS
]);

const ACTLR_EL1 = encodingOf(3, 0, 1, 0, 1);

interface Access {
  read?(registers: GuestRegisters, cpu: Cpu): bigint | undefined;
  write?(registers: GuestRegisters, value: bigint): void;
}

const razWi: Access = { read: () => 0n, write: () => {} };
const readOnly = (id: bigint): Access => ({ read: registers => registers.value(id) ?? 0n });

/** The lock is implemented (bit 3), and whether it is locked (bit 1). Before Linux 5.18 KVM has none (`trap_raz_wi`). */
const OSLSR_EL1 = sysRegId(2, 0, 1, 1, 4);
const OSLM = 8n;
const OSLK = 2n;

const timer = (name: 'virtual' | 'physical', crm: number): [number, Access][] => [
  [
    encodingOf(3, 3, 14, crm, 0),
    {
      read: registers => registers[name].value,
      write: (registers, value) => {
        registers[name].value = value;
      },
    },
  ],
  [
    encodingOf(3, 3, 14, crm, 1),
    {
      read: registers => registers[name].control,
      write: (registers, value) => {
        registers[name].control = value;
      },
    },
  ],
  [
    encodingOf(3, 3, 14, crm, 2),
    {
      read: registers => registers[name].compare,
      write: (registers, value) => {
        registers[name].compare = value;
      },
    },
  ],
];

const ACCESSES: ReadonlyMap<number, Access> = new Map<number, Access>([
  [encodingOf(3, 3, 14, 0, 0), { read: registers => registers.counterHz }],
  [encodingOf(3, 3, 14, 0, 1), { read: registers => registers.physical.counter }],
  [encodingOf(3, 3, 14, 0, 2), { read: registers => registers.virtual.counter }],
  [encodingOf(3, 3, 14, 0, 5), { read: registers => registers.physical.counter }],
  [encodingOf(3, 3, 14, 0, 6), { read: registers => registers.virtual.counter }],
  ...timer('virtual', 3),
  ...timer('physical', 2),
  [encodingOf(3, 1, 0, 0, 0), { read: (registers, cpu) => registers.cacheSize(cpu) }],
  [
    encodingOf(3, 2, 0, 0, 0),
    {
      read: registers => registers.selectedCache,
      write: (registers, value) => {
        registers.selectedCache = value;
      },
    },
  ],
  [encodingOf(3, 1, 0, 0, 1), readOnly(sysRegId(3, 1, 0, 0, 1))],
  [encodingOf(3, 1, 0, 0, 7), readOnly(sysRegId(3, 1, 0, 0, 7))],
  [encodingOf(3, 3, 0, 0, 1), { read: registers => registers.cacheType }],
  // ERRIDR_EL1: there are no error records. The regions likewise; LORID_EL1 is read-only.
  [encodingOf(3, 0, 5, 3, 0), { read: () => 0n }],
  ...[0, 1, 2, 3].map((op2): [number, Access] => [encodingOf(3, 0, 10, 4, op2), razWi]),
  [encodingOf(3, 0, 10, 4, 7), { read: () => 0n }],
  // ACTLR_EL1 (`access_actlr`).
  [ACTLR_EL1, { read: registers => registers.value(sysRegId(3, 0, 1, 0, 1)) ?? 0n, write: () => {} }],
  [encodingOf(3, 0, 9, 14, 6), { read: registers => registers.pmmir }],
  [encodingOf(3, 0, 12, 1, 0), { read: registers => registers.pendingInterrupts }],
  // MDCCSR_EL0: no debugger talks to the guest.
  [encodingOf(2, 3, 0, 1, 0), { read: () => 0n }],
  // The OS lock and its neighbours; MDRAR_EL1, OSDLR_EL1, DBGPRCR_EL1 and the claim tags do nothing.
  [encodingOf(2, 0, 1, 0, 4), { write: (registers, value) => registers.lock((value & 1n) === 1n) }],
  [encodingOf(2, 0, 1, 1, 4), { read: registers => registers.value(OSLSR_EL1) ?? OSLM }],
  [encodingOf(2, 0, 1, 0, 0), { read: () => 0n }],
  [encodingOf(2, 0, 1, 3, 4), razWi],
  [encodingOf(2, 0, 1, 4, 4), razWi],
  [encodingOf(2, 0, 7, 8, 6), razWi],
  [encodingOf(2, 0, 7, 9, 6), razWi],
  [encodingOf(2, 0, 7, 14, 6), { read: () => 0n }],
]);

/** ISR_EL1: A, I and F. */
const ISR = { A: 1n << 8n, I: 1n << 7n, F: 1n << 6n } as const;

/** op0 2. */
const isDebug = (encoding: number): boolean => encoding >> 14 === 2;

/** What leaves the guest (MDCR_EL2.TDA and TDOSA, HCR_EL2.TID3 and TACR); the rest KVM lets the CPU answer. */
const isTrapped = (encoding: number): boolean =>
  isDebug(encoding) || (isIdentification(encoding) && encoding >= FIRST_FEATURE) || encoding === ACTLR_EL1;

/** CRn 14 of op1 3: what changes there changes when a timer fires. */
const isTimer = (encoding: number): boolean => encoding >> 7 === encodingOf(3, 3, 14, 0, 0) >> 7;

export class GuestRegisters implements SystemRegisters {
  readonly virtual: GuestTimer;
  readonly physical: GuestTimer;
  readonly pmu: GuestPmu;
  readonly #bare: BareInterface;
  readonly #vcpu: VcpuState;

  constructor(vcpu: VcpuState) {
    this.#vcpu = vcpu;
    this.virtual = new GuestTimer(vcpu, 'virtual');
    this.physical = new GuestTimer(vcpu, 'physical');
    this.pmu = new GuestPmu(vcpu);
    this.#bare = new BareInterface(vcpu);
  }

  /** As KVM_GET_ONE_REG shows it; undefined where the vCPU has no such register now. */
  value(id: bigint): bigint | undefined {
    const access = this.#vcpu.configuration!.registers.get(id);
    if (access === undefined || access.isPresent?.(this.#vcpu) === false) return undefined;
    const value = access.get(this.#vcpu);
    return typeof value === 'bigint' ? value : undefined;
  }

  /** OSLAR_EL1.OSLK. */
  lock(locked: boolean): void {
    const cell = this.#vcpu.configuration!.registers.get(OSLSR_EL1)?.cell;
    if (cell !== undefined) this.#vcpu.cells[cell] = OSLM | (locked ? OSLK : 0n);
  }

  /** What the CPU has to look for by the debug registers. */
  get debug(): Debug | undefined {
    return debugOf(this.#vcpu, id => this.value(id) ?? 0n);
  }

  get counterHz(): bigint {
    return BigInt(this.#vcpu.vm.host.profile.counterHz);
  }

  /** CSSELR_EL1: 4 bits where the hardware has it while the guest runs, which was until KVM made CLIDR_EL1 up. */
  get selectedCache(): bigint {
    return this.value(CSSELR_EL1)!;
  }

  set selectedCache(value: bigint) {
    const isOfHardware = this.#vcpu.vm.host.profile.behaviours.clidr === 'fixed';
    this.#vcpu.configuration!.registers.get(CSSELR_EL1)!.set(this.#vcpu, isOfHardware ? value & 0xfn : value);
  }

  /** What the hardware makes of registers that the program has set. */
  enter(cpu: Cpu): void {
    this.pmu.restart(cpu);
    if (this.value(CSSELR_EL1) !== undefined) this.selectedCache = this.selectedCache;
  }

  /**
   * CCSIDR_EL1, of the cache that CSSELR_EL1 selects; one that there is not is UNKNOWN. Since KVM makes CLIDR_EL1 up itself
   * it leaves the target alone where no level is that high (`access_ccsidr`, sys_regs.c), which it is after a reset.
   */
  cacheSize(cpu: Cpu): bigint {
    const selected = Number((this.value(CSSELR_EL1) ?? 0n) & 0xfn);
    const isAnswered = selected < CSSELR_MAX || this.#vcpu.vm.host.profile.behaviours.clidr === 'fixed';
    return isAnswered ? (this.value(ccsidrId(selected)) ?? 0n) : cpu.x(cpu.current.d);
  }

  /** CTR_EL0 */
  get cacheType(): bigint {
    const value = this.value(CTR_EL0) ?? 0n;
    return this.#vcpu.vm.host.profile.behaviours.guestCtrLacksIdc ? value & ~CTR_IDC : value;
  }

  /** PMMIR_EL1 */
  get pmmir(): bigint | undefined {
    const isZero = this.#vcpu.vm.host.profile.behaviours.pmmirReadsZero;
    return this.value(PMMIR_EL1) ?? (isZero ? 0n : undefined);
  }

  get pendingInterrupts(): bigint {
    const { irq, fiq, serror } = this.#vcpu;
    return (serror === undefined ? 0n : ISR.A) | (irq ? ISR.I : 0n) | (fiq ? ISR.F : 0n);
  }

  /** Whether the vCPU has an encoding's extension, and so many breakpoints. */
  #has(encoding: number): boolean {
    if (isOfHypervisor(encoding)) return false;
    const digit = (id: bigint, shift: bigint) => ((this.value(id) ?? 0n) >> shift) & 0xfn;
    if (isBreakpoint(encoding)) {
      const isWatchpoint = (encoding & 7) >= 6;
      return BigInt((encoding >> 3) & 0xf) <= digit(ID_AA64DFR0_EL1, isWatchpoint ? WRPS : BRPS);
    }
    const needs = NEEDS.get(encoding);
    return needs === undefined || digit(...needs) !== 0n;
  }

  /** A register of the PMU, which Linux 5.10 has for a vCPU without one as well. */
  #pmuAccess(encoding: number): PmuAccess | undefined {
    return this.#vcpu.configuration!.registers.has(PMCR_EL0) ? findPmuAccess(encoding) : undefined;
  }

  read(encoding: number, level: 0 | 1, cpu: Cpu): bigint | Refusal {
    const { gic } = this.#vcpu;
    const icc = gic?.findIcc(encoding);
    if (icc !== undefined) return readIcc(gic!, icc);
    if (gic === undefined && this.#bare.has(encoding)) return this.#bare.read(encoding);
    if (!this.#has(encoding)) return 'undefined';
    if (isTrapped(encoding)) cpu.emulated = true;
    const access = ACCESSES.get(encoding);
    if (access !== undefined) return access.read?.(this, cpu) ?? 'undefined';
    const ofPmu = this.#pmuAccess(encoding);
    if (ofPmu !== undefined) return readPmu(ofPmu, this.pmu, level, cpu);
    const value = this.value(SYSTEM_REGISTER | BigInt(encoding));
    if (value !== undefined) return value;
    return encoding >= FIRST_FEATURE && encoding <= LAST_FEATURE ? 0n : 'undefined';
  }

  write(encoding: number, value: bigint, level: 0 | 1, cpu: Cpu): Refusal | undefined {
    const { gic } = this.#vcpu;
    const icc = gic?.findIcc(encoding);
    if (icc !== undefined) return writeIcc(gic!, icc, value);
    if (gic === undefined && this.#bare.has(encoding)) return this.#bare.write(encoding, value);
    if (!this.#has(encoding)) return 'undefined';
    if (isTrapped(encoding)) cpu.emulated = true;
    const access = ACCESSES.get(encoding);
    if (access !== undefined) {
      if (access.write === undefined) return 'undefined';
      access.write(this, value);
      if (isTimer(encoding)) cpu.stop();
      else if (isDebug(encoding)) cpu.setDebug(this.debug);
      return undefined;
    }
    const ofPmu = this.#pmuAccess(encoding);
    if (ofPmu !== undefined) return writePmu(ofPmu, this.pmu, value, level, cpu);
    if (isIdentification(encoding)) return 'undefined';
    const register = this.#vcpu.configuration!.registers.get(SYSTEM_REGISTER | BigInt(encoding));
    if (register === undefined || register.isPresent?.(this.#vcpu) === false) return 'undefined';
    // What userspace may not write, a guest writes in vain.
    register.set(this.#vcpu, keptByDebug(encoding, value));
    if (isDebug(encoding)) cpu.setDebug(this.debug);
    return undefined;
  }
}
