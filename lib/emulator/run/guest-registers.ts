/**
 * MRS and MSR of a guest, for all that the CPU does not keep: what KVM traps and answers (`sys_reg_descs`,
 * arch/arm64/kvm/sys_regs.c), over the same values that KVM_GET_ONE_REG shows.
 *
 * @packageDocumentation
 */
import { encodeRegisterId, sysRegId } from '../../abi/register-id.ts';
import type { Cpu } from '../cpu/cpu.ts';
import { encodingOf, type Refusal, type SystemRegisters } from '../cpu/system-registers.ts';
import type { VcpuState } from '../state.ts';
import { GuestTimer } from './guest-timers.ts';

const SYSTEM_REGISTER = sysRegId(0, 0, 0, 0, 0);
const CSSELR_EL1 = sysRegId(3, 2, 0, 0, 0);
const ccsidrId = (value: number) =>
  encodeRegisterId({ kind: 'demux', arch: 'arm64', bytes: 4, id: 0, value });

/** Registers of identification: op0 3, op1 0, CRn 0; those from CRm 1 to 7 that nothing is known of read as zero. */
const isIdentification = (encoding: number): boolean => encoding >> 7 === encodingOf(3, 0, 0, 0, 0) >> 7;
const FIRST_FEATURE = encodingOf(3, 0, 0, 1, 0);

/** Limited ordering regions, of which KVM gives none (`trap_loregion`). */
const isOrderingRegion = (encoding: number): boolean => encoding >> 3 === encodingOf(3, 0, 10, 4, 0) >> 3;
const LORID_EL1 = encodingOf(3, 0, 10, 4, 7);

interface Access {
  read?(registers: GuestRegisters): bigint;
  write?(registers: GuestRegisters, value: bigint): void;
}

const razWi: Access = { read: () => 0n, write: () => {} };
const readOnly = (id: bigint): Access => ({ read: registers => registers.value(id) ?? 0n });

/** OSLSR_EL1: the lock is implemented (bit 3), and whether it is locked (bit 1). */
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
  ...timer('virtual', 3),
  ...timer('physical', 2),
  [encodingOf(3, 1, 0, 0, 0), { read: registers => registers.cacheSize }],
  [encodingOf(3, 1, 0, 0, 1), readOnly(sysRegId(3, 1, 0, 0, 1))],
  [encodingOf(3, 1, 0, 0, 7), readOnly(sysRegId(3, 1, 0, 0, 7))],
  [encodingOf(3, 3, 0, 0, 1), readOnly(sysRegId(3, 3, 0, 0, 1))],
  // RAS error records: none (`trap_raz_wi`).
  ...[
    [3, 0],
    [3, 1],
    [4, 0],
    [4, 1],
    [4, 2],
    [4, 3],
    [5, 0],
    [5, 1],
  ].map(([crm, op2]): [number, Access] => [encodingOf(3, 0, 5, crm!, op2!), razWi]),
  // The OS lock and its neighbours; MDRAR_EL1, OSDLR_EL1, DBGPRCR_EL1 and the claim tags do nothing.
  [
    encodingOf(2, 0, 1, 0, 4),
    {
      write: (registers, value) => {
        registers.isLocked = (value & 1n) === 1n;
      },
    },
  ],
  [encodingOf(2, 0, 1, 1, 4), { read: ({ isLocked }) => OSLM | (isLocked ? OSLK : 0n) }],
  [encodingOf(2, 0, 1, 0, 0), { read: () => 0n }],
  [encodingOf(2, 0, 1, 3, 4), razWi],
  [encodingOf(2, 0, 1, 4, 4), razWi],
  [encodingOf(2, 0, 7, 8, 6), razWi],
  [encodingOf(2, 0, 7, 9, 6), razWi],
  [encodingOf(2, 0, 7, 14, 6), { read: () => 0n }],
]);

/** CRn 14 of op1 3: what changes there changes when a timer fires. */
const isTimer = (encoding: number): boolean => encoding >> 7 === encodingOf(3, 3, 14, 0, 0) >> 7;

export class GuestRegisters implements SystemRegisters {
  readonly virtual: GuestTimer;
  readonly physical: GuestTimer;
  /** OSLAR_EL1.OSLK. */
  isLocked = false;
  readonly #vcpu: VcpuState;

  constructor(vcpu: VcpuState) {
    this.#vcpu = vcpu;
    this.virtual = new GuestTimer(vcpu, 'virtual');
    this.physical = new GuestTimer(vcpu, 'physical');
  }

  /** As KVM_GET_ONE_REG shows it; undefined where the vCPU has no such register now. */
  value(id: bigint): bigint | undefined {
    const access = this.#vcpu.configuration!.registers.get(id);
    if (access === undefined || access.isPresent?.(this.#vcpu) === false) return undefined;
    const value = access.get(this.#vcpu);
    return typeof value === 'bigint' ? value : undefined;
  }

  get counterHz(): bigint {
    return BigInt(this.#vcpu.vm.host.profile.counterHz);
  }

  /** CCSIDR_EL1, of the cache that CSSELR_EL1 selects; one that there is not reads as UNKNOWN. */
  get cacheSize(): bigint {
    return this.value(ccsidrId(Number((this.value(CSSELR_EL1) ?? 0n) & 0xfn))) ?? 0n;
  }

  read(encoding: number): bigint | Refusal {
    const access = ACCESSES.get(encoding);
    if (access !== undefined) return access.read?.(this) ?? 'undefined';
    if (isOrderingRegion(encoding)) return 0n;
    const value = this.value(SYSTEM_REGISTER | BigInt(encoding));
    if (value !== undefined) return value;
    return isIdentification(encoding) && encoding >= FIRST_FEATURE ? 0n : 'undefined';
  }

  write(encoding: number, value: bigint, _level: 0 | 1, cpu: Cpu): Refusal | undefined {
    const access = ACCESSES.get(encoding);
    if (access !== undefined) {
      if (access.write === undefined) return 'undefined';
      access.write(this, value);
      if (isTimer(encoding)) cpu.stop();
      return undefined;
    }
    if (isIdentification(encoding) || encoding === LORID_EL1) return 'undefined';
    if (isOrderingRegion(encoding)) return undefined;
    const register = this.#vcpu.configuration!.registers.get(SYSTEM_REGISTER | BigInt(encoding));
    if (register === undefined || register.isPresent?.(this.#vcpu) === false) return 'undefined';
    // What userspace may not write, a guest may write in vain (ACTLR_EL1).
    register.set(this.#vcpu, value);
    return undefined;
  }
}
