/** System registers of the guest that the CPU does not keep: placeholder until guest-registers lands. */

import { sysRegId } from '../../abi/register-id.ts';
import type { Refusal, SystemRegisters } from '../cpu/system-registers.ts';
import type { VcpuState } from '../state.ts';

const BASE = sysRegId(0, 0, 0, 0, 0);

export class GuestRegisters implements SystemRegisters {
  readonly #vcpu: VcpuState;
  constructor(vcpu: VcpuState) {
    this.#vcpu = vcpu;
  }
  read(encoding: number): bigint | Refusal {
    const value = this.#vcpu.configuration!.registers.get(BASE | BigInt(encoding))?.get(this.#vcpu);
    return typeof value === 'bigint' ? value : 'undefined';
  }
  write(encoding: number, value: bigint): Refusal | undefined {
    const access = this.#vcpu.configuration!.registers.get(BASE | BigInt(encoding));
    return access === undefined || access.set(this.#vcpu, value) < 0 ? 'undefined' : undefined;
  }
}
