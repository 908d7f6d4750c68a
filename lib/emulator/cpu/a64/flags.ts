/** Flags by themselves (FEAT_FlagM, C4.1.95). */
import type { Row } from '../instruction.ts';

/** N, Z and V of a narrow number in a register; C stays. */
const setFlags = (name: string, size: string, width: number): Row => ({
  name,
  bits: `00111010000000000${size}0010nnnnn01101`,
  feature: 'FlagM',
  helper: (cpu, i) => {
    const value = cpu.x(i.n);
    const bit = (position: number) => Number((value >> BigInt(position)) & 1n);
    const zero = BigInt.asUintN(width, value) === 0n;
    const carry = cpu.state.nzcv & 0b0010;
    cpu.setNzcv((bit(width - 1) << 3) | (Number(zero) << 2) | carry | (bit(width) ^ bit(width - 1)));
  },
});

export const FLAGS: readonly Row[] = [
  {
    name: 'rmif',
    bits: '10111010000iiiiii00001nnnnn0ffff',
    feature: 'FlagM',
    read: (f, i) => {
      i.amount = f('i');
      i.kind = f('f');
      return true;
    },
    // Bits of a register, rotated to the place of the flags, for those in the mask.
    helper: (cpu, i) => {
      const value = cpu.x(i.n);
      const rotated = (value >> BigInt(i.amount)) | (value << BigInt(64 - i.amount));
      const flags = Number(rotated & 0xfn);
      cpu.setNzcv((cpu.state.nzcv & ~i.kind) | (flags & i.kind));
    },
  },
  setFlags('setf8', '0', 8),
  setFlags('setf16', '1', 16),
];
