/**
 * What is deliberately not compared between a kernel and its profile. Everything else is.
 *
 * - The values below, which the time decides.
 * - Random numbers and the time that a guest is given.
 * - Requests of the escape hatch that the seam leaves to later releases (memory slots, interrupt controllers, running,
 *   guest debugging): the emulated host does not have them yet, so no sequence asks for them.
 * - Structs that are shorter than their request: both backends refuse them above the seam, and the kernel would read
 *   what lies behind them.
 *
 * @packageDocumentation
 */
import { sysRegId } from '../abi/register-id.ts';

const NOTHING = 0n;
const ALL_BUT_ISTATUS = 0xffff_ffff_ffff_fffbn;

/** By register, the bits that are compared. */
const COMPARED_BITS: ReadonlyMap<bigint, bigint> = new Map([
  // A counter runs while it is read.
  [sysRegId(3, 3, 14, 3, 2), NOTHING], // KVM_REG_ARM_TIMER_CNT
  [sysRegId(3, 3, 14, 0, 1), NOTHING], // KVM_REG_ARM_PTIMER_CNT
  // CNTx_CTL.ISTATUS says whether the counter has passed the compare value yet.
  [sysRegId(3, 3, 14, 3, 1), ALL_BUT_ISTATUS], // KVM_REG_ARM_TIMER_CTL
  [sysRegId(3, 3, 14, 2, 1), ALL_BUT_ISTATUS], // KVM_REG_ARM_PTIMER_CTL
]);

/** What of a register's value is compared. */
export function comparedPart(id: bigint, value: bigint): bigint {
  const mask = COMPARED_BITS.get(id);
  return mask === undefined ? value : value & mask;
}

const [TRNG_RND32, TRNG_RND64, PTP] = [0x8400_0053n, 0xc400_0053n, 0x8600_0001n];

/** What of the results X0 to X3 of a guest's call is compared; the very array where all are. */
export function comparedResults(id: bigint, results: readonly bigint[]): readonly bigint[] {
  const [x0 = 0n] = results;
  const isRefusal = x0 >> 63n === 1n;
  switch (BigInt.asUintN(32, id)) {
    case TRNG_RND32:
    case TRNG_RND64:
      return isRefusal ? results : [x0];
    case PTP:
      return isRefusal ? results : [];
    default:
      return results;
  }
}
