/**
 * The registers whose rules are the kernel's code rather than a property of the value: by id, the access that serves it.
 *
 * @packageDocumentation
 */

import type { RegisterAccess } from '../state.ts';
import { arm32Registers } from './arm32-registers.ts';
import { coreRegisters } from './core-registers.ts';
import { firmwareRegisters } from './firmware-registers.ts';
import { identityRegisters } from './identity-registers.ts';
import { pmuRegisters } from './pmu-registers.ts';
import type { SpecialContext, SpecialRegister } from './register-access.ts';
import { sveRegisters } from './sve-registers.ts';
import { timerRegisters } from './timer-registers.ts';

const SPECIAL: ReadonlyMap<bigint, SpecialRegister> = new Map([
  ...coreRegisters,
  ...firmwareRegisters,
  ...timerRegisters,
  ...pmuRegisters,
  ...identityRegisters,
  ...sveRegisters,
  ...arm32Registers,
]);

/** The access of a register that has rules of its own; undefined for all others. */
export function specialRegister(id: bigint, context: SpecialContext): RegisterAccess | undefined {
  return SPECIAL.get(id)?.(context);
}

/** Whether a register has rules of its own, which no recording of its writes would show in full. */
export function isSpecial(id: bigint, profile: SpecialContext['profile']): boolean {
  return specialRegister(id, { cell: 0, scope: 'vcpu', profile }) !== undefined;
}
