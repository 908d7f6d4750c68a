/** SYS and SYSL: cache and TLB maintenance, address translation (C5.3 to C5.5). */
import type { Cpu } from './cpu.ts';
import { abort, FAULT, ISS_CACHE_MAINTENANCE, ISS_WRITE } from './exceptions.ts';
import { translateData } from './memory-access.ts';
import { type Access, translate } from './mmu.ts';
import { encodingOf, trapped } from './system-registers.ts';

interface SystemInstruction {
  readonly run: (cpu: Cpu, operand: bigint) => void;
  /** The bit of SCTLR_EL1 that gives it to EL0; without, EL0 finds it undefined. */
  readonly userBit?: bigint;
  readonly feature?: string;
}

const SCTLR_UCI = 1n << 26n;
const SCTLR_DZE = 1n << 14n;
const SCTLR_ENRCTX = 1n << 10n;
const MAINTENANCE = ISS_CACHE_MAINTENANCE | ISS_WRITE;
/** Of a block of DC ZVA, as DCZID_EL0 says. */
const ZERO_BLOCK = 64;

const nothing = () => {};

/** Maintenance of a line by its address: nothing but the faults of the address. */
const byAddress =
  (kind: 'read' | 'write') =>
  (cpu: Cpu, address: bigint): void => {
    translateData(cpu, address, kind, 1, MAINTENANCE);
  };

function zeroBlock(cpu: Cpu, address: bigint): void {
  const { device } = translateData(cpu, address, 'write', 1);
  if (device) throw abort(cpu, false, FAULT.alignment | ISS_WRITE, address);
  cpu.at(address & ~BigInt(ZERO_BLOCK - 1));
  for (let at = 0; at < ZERO_BLOCK; at += 8) {
    cpu.store64(0n);
    cpu.next(8);
  }
}

/** Bit 11 is RES1; NS, which Non-secure state leaves UNKNOWN, is set. */
const PAR_VALID = (1n << 11n) | (1n << 9n);

/** PAR_EL1 after AT (D24.2.114). */
const translation =
  (kind: Access['kind'], user: boolean, pan = false) =>
  (cpu: Cpu, address: bigint): void => {
    const { hot, pan: panSet } = cpu.state;
    const result = translate(cpu.regime, address, { kind, user, pan: pan && panSet });
    if ('fault' in result) {
      hot.par = (1n << 11n) | (BigInt(result.fault) << 1n) | 1n;
      return;
    }
    const page = BigInt(result.physical) & ~0xfffn;
    hot.par = (BigInt(result.attributes) << 56n) | page | PAR_VALID | (BigInt(result.shareability) << 7n);
  };

const everywhere =
  (flush: (cpu: Cpu, operand: bigint) => void) =>
  (cpu: Cpu, operand: bigint): void => {
    for (const each of cpu.machine.cpus) flush(each, operand);
  };

const flushAll = (cpu: Cpu): void => cpu.flushTlb();

/** By address, of whatever ASID: VA[55:12] in [43:0]; VA[55] stands for the bits above. */
const flushAddress = (cpu: Cpu, operand: bigint): void =>
  cpu.flushPage(BigInt.asUintN(64, BigInt.asIntN(44, operand) << 12n));

const TABLE = new Map<number, SystemInstruction>();

const add = (op1: number, crn: number, crm: number, op2: number, instruction: SystemInstruction): void =>
  void TABLE.set(encodingOf(1, op1, crn, crm, op2), instruction);

// Instruction caches: stores keep decoded records true, so only faults are left.
add(0, 7, 1, 0, { run: nothing });
add(0, 7, 5, 0, { run: nothing });
add(3, 7, 5, 1, { run: byAddress('read'), userBit: SCTLR_UCI });
// Data caches: by address, and by set and way.
add(0, 7, 6, 1, { run: byAddress('write') });
for (const crm of [6, 10, 14]) add(0, 7, crm, 2, { run: nothing });
for (const crm of [10, 11, 14]) add(3, 7, crm, 1, { run: byAddress('read'), userBit: SCTLR_UCI });
add(3, 7, 12, 1, { run: byAddress('read'), userBit: SCTLR_UCI, feature: 'DPB' });
add(3, 7, 13, 1, { run: byAddress('read'), userBit: SCTLR_UCI, feature: 'DPB2' });
add(3, 7, 4, 1, { run: zeroBlock, userBit: SCTLR_DZE });
// Restriction of speculation.
for (const op2 of [4, 5, 7]) add(3, 7, 3, op2, { run: nothing, userBit: SCTLR_ENRCTX, feature: 'SPECRES' });
// Address translation.
add(0, 7, 8, 0, { run: translation('read', false) });
add(0, 7, 8, 1, { run: translation('write', false) });
add(0, 7, 8, 2, { run: translation('read', true) });
add(0, 7, 8, 3, { run: translation('write', true) });
add(0, 7, 9, 0, { run: translation('read', false, true), feature: 'PAN2' });
add(0, 7, 9, 1, { run: translation('write', false, true), feature: 'PAN2' });
// TLBs: of this CPU, of the Inner Shareable domain, of the Outer; by range, by which we forget everything.
for (const [crm, spread, feature] of [
  [7, (flush: SystemInstruction['run']) => flush, undefined],
  [3, everywhere, undefined],
  [1, everywhere, 'TLBIOS'],
] as const) {
  const given = feature === undefined ? {} : { feature };
  for (const op2 of [0, 2]) add(0, 8, crm, op2, { run: spread(flushAll), ...given });
  for (const op2 of [1, 3, 5, 7]) add(0, 8, crm, op2, { run: spread(flushAddress), ...given });
}
for (const crm of [2, 5, 6])
  for (const op2 of [1, 3, 5, 7]) add(0, 8, crm, op2, { run: everywhere(flushAll), feature: 'TLBIRANGE' });

/** SYS; `register` is Rt, for the syndrome of a trap. */
export function systemInstruction(cpu: Cpu, encoding: number, register: number, operand: bigint): void {
  const instruction = TABLE.get(encoding);
  const { feature, userBit, run } = instruction ?? cpu.undefined();
  if (feature !== undefined && !cpu.has(feature)) cpu.undefined();
  if (cpu.state.el === 0) {
    if (userBit === undefined) cpu.undefined();
    else if (!(cpu.state.hot.sctlr & userBit)) throw trapped(cpu, encoding, register, false);
  }
  run(cpu, operand);
}
