/**
 * The order in which a kernel takes registers: vector lengths before SVE is finalized, firmware before anything runs,
 * identification before what depends on it, counters last, as they move from the moment when they are written.
 *
 * @packageDocumentation
 */
import { decodeRegisterId, type RegisterId } from '../abi/register-id.ts';
import { parseRegister } from '../abi/register-names.ts';

/**
 * The phases of a restore, in order. `'init'` and `'finalize'` write no register; `'devices'` makes the interrupt controller,
 * which wants all vCPUs, and what vCPUs have of it; `'GIC'` are its registers, which want each CPU's affinity; `'run state'`
 * is MP state and events.
 */
export const PHASES = [
  'init',
  'vector lengths',
  'finalize',
  'devices',
  'firmware',
  'identification',
  'state',
  'GIC',
  'counters',
  'run state',
] as const;

/** One of {@link PHASES}. */
export type Phase = (typeof PHASES)[number];

/** The phases that write registers of a vCPU, in order; the first before it is finalized. */
export const REGISTER_PHASES = [
  'vector lengths',
  'firmware',
  'identification',
  'state',
  'counters',
] as const satisfies readonly Phase[];

/** What a guest's clocks show: they move by themselves. */
const COUNTERS: ReadonlySet<bigint> = new Set(
  ['', 'arm:'].flatMap(arch =>
    ['TIMER', 'PTIMER'].map(timer => parseRegister(`${arch}KVM_REG_ARM_${timer}_CNT`)),
  ),
);

/** The phase in which a register is written. */
export function phaseOf(id: bigint): Phase {
  if (COUNTERS.has(id)) return 'counters';
  const fields = decodeRegisterId(id);
  if (fields.kind === 'sve' && fields.register === 'vls') return 'vector lengths';
  if (fields.kind === 'firmware' || fields.kind === 'firmware-bitmap') return 'firmware';
  return isIdentification(fields) ? 'identification' : 'state';
}

/** What the CPU is: CRn 0 of the system registers, but for CSSELR (op1 2), which is a selector; and the cache sizes. */
function isIdentification(fields: RegisterId): boolean {
  switch (fields.kind) {
    case 'sysreg':
      return fields.op0 === 3 && fields.crn === 0 && fields.op1 !== 2;
    case 'coprocessor':
      return fields.coproc === 15 && fields.crn === 0 && fields.bytes === 4 && fields.opc1 !== 2;
    case 'demux':
      return true;
    default:
      return false;
  }
}
