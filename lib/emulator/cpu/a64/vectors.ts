/** The vector registers as bit strings and as lanes. */
import { ones } from '../bits.ts';
import type { Cpu } from '../cpu.ts';
import { Environment } from '../fp/format.ts';

/** The low bits of a vector register; those above count as zero. */
export function readVector(cpu: Cpu, register: number, bits = 128): bigint {
  const { v } = cpu.state;
  if (bits <= 64) return BigInt.asUintN(bits, v[2 * register]!);
  return (v[2 * register + 1]! << 64n) | v[2 * register]!;
}

/** Writes the whole register: what the value does not have becomes zero. */
export function writeVector(cpu: Cpu, register: number, value: bigint): void {
  const { v } = cpu.state;
  v[2 * register] = value;
  v[2 * register + 1] = value >> 64n;
}

/** A value as lanes of equal width, lowest first. */
export function lanesOf(value: bigint, width: number, bits: number): bigint[] {
  const mask = ones(width);
  return Array.from({ length: bits / width }, (_, n) => (value >> BigInt(n * width)) & mask);
}

export function fromLanes(lanes: readonly bigint[], width: number): bigint {
  const mask = ones(width);
  return lanes.reduce((value, lane, n) => value | ((lane & mask) << BigInt(n * width)), 0n);
}

/** Runs floating-point operations by FPCR, and adds their exceptions to FPSR. */
export function withEnvironment<T>(cpu: Cpu, operation: (environment: Environment) => T): T {
  const environment = new Environment(cpu.state.fpcr);
  const result = operation(environment);
  cpu.state.fpsr |= BigInt(environment.flags);
  return result;
}
