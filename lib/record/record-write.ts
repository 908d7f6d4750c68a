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

/** The rule of a register; undefined: every bit is stored. Leaves the register as it was. */
export function recordWrite(vcpu: VcpuHandle, id: bigint, reset: bigint): WriteRule | undefined {
  const effects = Array.from({ length: registerBits(id) }, (_, bit) =>
    effectOf(vcpu, id, reset, reset ^ (1n << BigInt(bit))),
  );
  const only = (...expected: Effect[]) => effects.every(effect => expected.includes(effect));
  if (only('stored')) return undefined;
  if (only('refused')) return 'fixed';
  if (only('ignored')) return 'ignored';
  if (only('stored', 'ignored')) {
    const mask = effects.reduce(
      (bits, effect, i) => (effect === 'stored' ? bits | (1n << BigInt(i)) : bits),
      0n,
    );
    return { stored: mask.toString(16) };
  }
  return { digits: recordDigits(vcpu, id, reset) };
}

function effectOf(vcpu: VcpuHandle, id: bigint, reset: bigint, value: bigint): Effect {
  const result = vcpu.setOneReg(id, value);
  const now = vcpu.getOneReg(id);
  if (result !== 0) {
    if (result !== -ERRNO.EINVAL)
      throw new Error(`${formatRegister(id)} refuses 0x${value.toString(16)} with errno ${-result}`);
    return 'refused';
  }
  vcpu.setOneReg(id, reset);
  return now === value ? 'stored' : now === reset ? 'ignored' : 'other';
}

/** For each hex digit that takes more than the value it has: what is stored for each value, or `.`. */
function recordDigits(vcpu: VcpuHandle, id: bigint, reset: bigint): Record<string, string> {
  const digits: Record<string, string> = {};
  for (let position = 0; position < registerBits(id) / 4; position++) {
    const shift = BigInt(position) * 4n;
    const others = reset & ~(0xfn << shift);
    const stored = Array.from({ length: 16 }, (_, digit) => {
      if (vcpu.setOneReg(id, others | (BigInt(digit) << shift)) !== 0) return '.';
      const now = vcpu.getOneReg(id) as bigint;
      vcpu.setOneReg(id, reset);
      if ((now & ~(0xfn << shift)) !== others)
        throw new Error(`${formatRegister(id)}: its fields are not digits`);
      return ((now >> shift) & 0xfn).toString(16);
    }).join('');
    if (stored.replaceAll('.', '').length > 1) digits[position] = stored;
  }
  return digits;
}
