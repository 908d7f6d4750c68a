/** Has a guest call its firmware: what `calls.S` does. */
import type { Exit } from '#lib/abi/exits.js';
import type { Kvm } from '#lib/kvm.js';
import { Machine, type MachineOptions, RAM } from './machine.ts';

/** HVC, unless it says SMC, with X0 to X3; those left out are 0. */
export interface Call {
  readonly smc?: boolean;
  readonly x: readonly (number | bigint)[];
}

/** -1 to -6 as PSCI results in X0 (include/uapi/linux/psci.h); the first is that of SMCCC, too. */
export const NOT_SUPPORTED = 2n ** 64n - 1n;
export const INVALID_PARAMS = 2n ** 64n - 2n;
export const ALREADY_ON = 2n ** 64n - 4n;
export const INTERNAL_FAILURE = 2n ** 64n - 6n;

const TABLE = 0x1_0000;
const ROW = 48;

/** A guest that makes these calls. */
export class Caller extends Machine {
  readonly #calls: readonly Call[];

  constructor(kvm: Kvm, calls: readonly Call[], options: MachineOptions = {}) {
    super(kvm, 'calls', options);
    this.#calls = calls;
    const { view, vcpu } = this;
    calls.forEach(({ smc = false, x }, i) => {
      view.setBigUint64(TABLE + ROW * i, smc ? 1n : 0n, true);
      x.forEach((value, n) => {
        view.setBigUint64(TABLE + ROW * i + 8 * (n + 1), BigInt(value), true);
      });
    });
    vcpu.setOneReg('X20', RAM + BigInt(TABLE));
    vcpu.setOneReg('X21', BigInt(calls.length));
  }

  /** X0 to X3 after each call that has returned. */
  get results(): bigint[][] {
    const { view } = this;
    return this.#calls.flatMap((_, i) => {
      const word = (n: number) => view.getBigUint64(TABLE + ROW * i + 8 * n, true);
      return word(5) === 1n ? [[word(1), word(2), word(3), word(4)]] : [];
    });
  }

  /** X0 alone. */
  get answers(): bigint[] {
    return this.results.map(([x0]) => x0!);
  }

  /** Makes it run on after a system event, which has stopped it. */
  resume(): Exit {
    this.vcpu.setMpState('RUNNABLE');
    return this.run();
  }
}

/** X0 to X3 after each of these calls, none of which ends the machine. */
export function results(kvm: Kvm, calls: readonly Call[], options?: MachineOptions): bigint[][] {
  const caller = new Caller(kvm, calls, options);
  caller.runToOff();
  return caller.results;
}
