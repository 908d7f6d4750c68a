/**
 * Where the interpreter keeps values within an instruction. All CPUs share them, as they take turns: V8 then knows where
 * they are, and an access is one machine instruction.
 */

/** For reading a value's halves as numbers. */
export const VALUE = 0;
/** Where the load or store under way goes. */
export const ADDRESS = 1;
/** A second operand that is more than a register. */
export const OPERAND = 2;
/** What the base of a load or store with write-back will be. */
export const MOVED_BASE = 3;

const buffer = new ArrayBuffer(4 * 8);

export const scratch = new BigUint64Array(buffer);
/** The same as halves: low, high, low … */
export const scratchHalves = new Int32Array(buffer);
