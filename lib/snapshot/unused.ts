/**
 * Whether a guest can have anything in a register: what it never wrote, and what describes nothing, nobody misses.
 *
 * @packageDocumentation
 */
import { decodeRegisterId, sysRegId } from '../abi/register-id.ts';
import { parseRegister } from '../abi/register-names.ts';

/** Gives the value of another register of the same vCPU. */
export type Values = { get(id: bigint): bigint | undefined };

/** What a register without a defined reset value holds until somebody writes it (`reset_unknown`, sys_regs.h). */
const UNKNOWN = 0x1de7_ec7e_dbad_c0den;

const CLIDR_EL1 = sysRegId(3, 1, 0, 0, 1);

/** CNTx_CTL.ISTATUS follows from the counter, and cannot be written. */
const ISTATUS = 4n;
const TIMER_CONTROLS: ReadonlySet<bigint> = new Set(
  ['KVM_REG_ARM_TIMER_CTL', 'KVM_REG_ARM_PTIMER_CTL', 'arm:KVM_REG_ARM_TIMER_CTL'].map(parseRegister),
);

/** A value without the bits that follow from others. */
export function settledValue(id: bigint, value: bigint): bigint {
  return TIMER_CONTROLS.has(id) ? value & ~ISTATUS : value;
}

/** Whether a register is as it is where there is none, or never written, or of a cache that the vCPU does not have. */
export function isUnused(id: bigint, value: bigint, values: Values): boolean {
  return settledValue(id, value) === 0n || value === UNKNOWN || isOfNoCache(id, values);
}

/** What CLIDR_EL1.Ctype makes of a level, with and without InD: no cache, one for instructions, for data, both, unified. */
const HAS_DATA = [false, false, true, true, true];
const HAS_INSTRUCTIONS = [false, true, false, true, false];

/** CCSIDR behind CSSELR, which has InD in bit 0 and the level from bit 1 on. */
function isOfNoCache(id: bigint, values: Values): boolean {
  const fields = decodeRegisterId(id);
  const clidr = values.get(CLIDR_EL1);
  if (fields.kind !== 'demux' || fields.id !== 0 || clidr === undefined) return false;
  const type = Number((clidr >> BigInt((fields.value >> 1) * 3)) & 7n);
  return (fields.value % 2 === 0 ? HAS_DATA : HAS_INSTRUCTIONS)[type] === false;
}
