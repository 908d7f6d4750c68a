/**
 * What a write does to a register, bit by bit and digit by digit.
 *
 * @packageDocumentation
 */
import { ERRNO } from '../abi/errno.ts';
import { registerBits } from '../abi/register-id.ts';
import { formatRegister } from '../abi/register-names.ts';
import type { VcpuHandle } from '../backend.ts';
import type { WriteRule } from '../emulator/profile.ts';

type Effect = 'stored' | 'ignored' | 'refused' | 'other';

/**
 * The rule of a register; undefined: every bit is stored. Leaves the register as it was.
 *
 * Most registers store all or refuse all, which fewer calls show; the others are tried bit by bit.
 */
export function recordWrite(vcpu: VcpuHandle, id: bigint, reset: bigint): WriteRule | undefined {
  const bits = registerBits(id);
  if (patterns(bits).every(flips => effectOf(vcpu, id, reset, reset ^ flips) === 'stored')) return undefined;
  const flipped = Array.from({ length: bits }, (_, bit) => reset ^ (1n << BigInt(bit)));
  if (refusesAll(vcpu, id, flipped)) return 'fixed';
  const effects = flipped.map(value => effectOf(vcpu, id, reset, value));
  const only = (...expected: Effect[]) => effects.every(effect => expected.includes(effect));
  if (only('stored')) return undefined;
  if (only('ignored')) return 'ignored';
  if (only('stored', 'ignored')) {
    const mask = effects.reduce(
      (stored, effect, i) => (effect === 'stored' ? stored | (1n << BigInt(i)) : stored),
      0n,
    );
    return { stored: mask.toString(16) };
  }
  return { digits: recordDigits(vcpu, id, reset) };
}

const patternsOfWidth = new Map<number, readonly bigint[]>();

/** Masks that tell each bit from each other bit: all; those whose number has bit 0, and that have it not; bit 1, … */
function patterns(bits: number): readonly bigint[] {
  let masks = patternsOfWidth.get(bits);
  if (masks === undefined) {
    const all = (1n << BigInt(bits)) - 1n;
    // Ones and zeros in turn, as many of each as the number's bit is worth: 0xaa…, 0xcc…, 0xf0…
    const perDigit = Array.from({ length: Math.log2(bits) }, (_, digit) => {
      const run = 1n << BigInt(1 << digit);
      const low = all / (run + 1n);
      return [all ^ low, low];
    });
    masks = [all, ...perDigit.flat()];
    patternsOfWidth.set(bits, masks);
  }
  return masks;
}

/** Whether a register of one word refuses each of these values with EINVAL; then none has changed anything. */
function refusesAll(vcpu: VcpuHandle, id: bigint, values: readonly bigint[]): boolean {
  if (registerBits(id) > 64) return false;
  const status = new Int32Array(values.length);
  vcpu.setRegs(new BigUint64Array(values.length).fill(id), BigUint64Array.from(values), status);
  return status.every(result => result === -ERRNO.EINVAL);
}

function effectOf(vcpu: VcpuHandle, id: bigint, reset: bigint, value: bigint): Effect {
  const result = vcpu.setOneReg(id, value);
  if (result !== 0) {
    if (result !== -ERRNO.EINVAL)
      throw new Error(`${formatRegister(id)} refuses 0x${value.toString(16)} with errno ${-result}`);
    return 'refused';
  }
  const now = vcpu.getOneReg(id);
  vcpu.setOneReg(id, reset);
  return now === value ? 'stored' : now === reset ? 'ignored' : 'other';
}

/** For each hex digit that takes more than the value it has: what is stored for each value, or `.`. */
function recordDigits(vcpu: VcpuHandle, id: bigint, reset: bigint): Record<string, string> {
  const digits: Record<string, string> = {};
  for (let position = 0; position < registerBits(id) / 4; position++) {
    const shift = BigInt(position) * 4n;
    const others = reset & ~(0xfn << shift);
    const values = Array.from({ length: 16 }, (_, digit) => others | (BigInt(digit) << shift));
    const changed = values.filter(value => value !== reset);
    if (refusesAll(vcpu, id, changed)) continue;
    const stored = values
      .map(value => {
        if (vcpu.setOneReg(id, value) !== 0) return '.';
        const now = vcpu.getOneReg(id) as bigint;
        vcpu.setOneReg(id, reset);
        if ((now & ~(0xfn << shift)) !== others)
          throw new Error(`${formatRegister(id)}: its fields are not digits`);
        return ((now >> shift) & 0xfn).toString(16);
      })
      .join('');
    if (stored.replaceAll('.', '').length > 1) digits[position] = stored;
  }
  return digits;
}
