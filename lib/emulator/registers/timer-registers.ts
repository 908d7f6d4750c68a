/**
 * The generic timer (`kvm_arm_timer_{get,set}_reg`, arch/arm64/kvm/arch_timer.c). The guest's counters are the host's
 * minus an offset of the VM; the host's are the VM's clock.
 *
 * @packageDocumentation
 */
import { encodeRegisterId, sysRegId } from '../../abi/register-id.ts';
import type { RegisterAccess, VcpuState } from '../state.ts';
import type { SpecialRegister } from './register-access.ts';
import { plainRegister } from './write-rules.ts';

/** Which of the VM's offsets a timer has. */
type Offset = 'voffset' | 'poffset';

/** CNTx_CTL.ISTATUS: the timer's condition is met; read-only, and where it shows, whether or not the timer is enabled. */
const ISTATUS = 4n;

function guestCounter(vcpu: VcpuState, offset: Offset): bigint {
  return BigInt.asUintN(64, vcpu.vm.clock.now() - vcpu.vm[offset]);
}

const counter =
  (offset: Offset): SpecialRegister =>
  ({ cell, scope }) => ({
    cell,
    scope,
    get: vcpu => guestCounter(vcpu, offset),
    set(vcpu, value) {
      if (!vcpu.vm.counterOffsetSet) {
        vcpu.vm[offset] = BigInt.asUintN(64, vcpu.vm.clock.now() - value);
      }
      return 0;
    },
  });

const control =
  (offset: Offset, compareId: bigint): SpecialRegister =>
  ({ cell, scope, profile }) => {
    const { timerControl } = profile.behaviours;
    if (timerControl === 'stored') return undefined;
    return {
      cell,
      scope,
      get(vcpu) {
        if (timerControl === 'masked') return vcpu.cells[cell]!;
        const compare = vcpu.cells[(vcpu.configuration!.registers.get(compareId) as RegisterAccess).cell]!;
        return guestCounter(vcpu, offset) < compare ? vcpu.cells[cell]! : vcpu.cells[cell]! | ISTATUS;
      },
      set(vcpu, value) {
        vcpu.cells[cell] = BigInt.asUintN(timerControl === 'masked' ? 64 : 32, value & ~ISTATUS);
        return 0;
      },
    };
  };

/** The ids of the virtual timer's CNT and CVAL are swapped in the ABI (asm/kvm.h says how that came about). */
export const TIMER = {
  ctl: sysRegId(3, 3, 14, 3, 1),
  cnt: sysRegId(3, 3, 14, 3, 2),
  cval: sysRegId(3, 3, 14, 0, 2),
};
export const PTIMER = {
  ctl: sysRegId(3, 3, 14, 2, 1),
  cnt: sysRegId(3, 3, 14, 0, 1),
  cval: sysRegId(3, 3, 14, 2, 2),
};

/** Those of 32-bit arm, which are not swapped (asm/kvm.h of arm). */
const cp15 = (opc1: number, crn: number, crm: number, opc2: number, bytes: number) =>
  encodeRegisterId({ kind: 'coprocessor', arch: 'arm', bytes, coproc: 15, opc1, crn, crm, opc2 });
const ARM_TIMER = {
  ctl: cp15(0, 14, 3, 1, 4),
  cnt: cp15(1, 0, 14, 0, 8),
  cval: cp15(3, 0, 14, 0, 8),
};

/** The timer registers, by id. */
export const timerRegisters: readonly (readonly [bigint, SpecialRegister])[] = [
  [TIMER.ctl, control('voffset', TIMER.cval)],
  [TIMER.cnt, counter('voffset')],
  [TIMER.cval, plainRegister],
  [PTIMER.ctl, control('poffset', PTIMER.cval)],
  [PTIMER.cnt, counter('poffset')],
  [PTIMER.cval, plainRegister],
  [ARM_TIMER.ctl, control('voffset', ARM_TIMER.cval)],
  [ARM_TIMER.cnt, counter('voffset')],
  [ARM_TIMER.cval, plainRegister],
];
