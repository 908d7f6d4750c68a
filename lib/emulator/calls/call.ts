/**
 * A call of the guest to its firmware or hypervisor, and what becomes of the vCPU that makes it.
 *
 * @packageDocumentation
 */
import type { VcpuState } from '../state.ts';

/** The general registers of the calling vCPU while it is in its guest. */
export interface CallRegisters {
  get(n: number): bigint;
  set(n: number, value: bigint): void;
}

/** What the vCPU does next. The PC is past the instruction. */
export type CallOutcome =
  | { readonly kind: 'resume' }
  /** As after WFI. */
  | { readonly kind: 'wait' }
  /** KVM_RUN returns. */
  | { readonly kind: 'exit'; readonly reason: number; readonly fill: (run: DataView) => void };

export const RESUME: CallOutcome = { kind: 'resume' };

export interface Call {
  readonly vcpu: VcpuState;
  readonly isSmc: boolean;
  /** The function id: W0. */
  readonly id: number;
  readonly registers: CallRegisters;
}

/** Gives the guest its results in X0 to X3; negative ones are sign-extended (`smccc_set_retval`). */
export function answer({ registers }: Call, ...results: readonly (number | bigint)[]): CallOutcome {
  for (let n = 0; n < 4; n++) registers.set(n, BigInt.asUintN(64, BigInt(results[n] ?? 0)));
  return RESUME;
}

/** The low half of an argument, X1 being the first. */
export const argument32 = ({ registers }: Call, n: number): number =>
  Number(BigInt.asUintN(32, registers.get(n)));
