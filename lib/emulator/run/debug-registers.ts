/**
 * What a vCPU's debug registers are while its guest runs: its own, or a debugger's (arch/arm64/kvm/debug.c).
 *
 * @packageDocumentation
 */
import { KVM_CAP } from '../../abi/capabilities.ts';
import { sysRegId } from '../../abi/register-id.ts';
import { Debug, type DebugPair } from '../cpu/debug.ts';
import type { VcpuState } from '../state.ts';

const MDSCR_EL1 = sysRegId(2, 0, 0, 2, 2);
const MDSCR = { SS: 1n, KDE: 1n << 13n, MDE: 1n << 15n } as const;
const OSLSR_EL1 = sysRegId(2, 0, 1, 1, 4);
const OSLK = 2n;

const ID_AA64DFR0_EL1 = sysRegId(3, 0, 0, 5, 0);
/** Digits of it: how many there are, less one. */
const BRPS = 12n;
const WRPS = 20n;
const CTX_CMPS = 28n;

/** `op2` of the value registers; the control registers follow. */
const BREAKPOINT = 4;
const WATCHPOINT = 6;

type Read = (id: bigint) => bigint;

const countOf = (read: Read, shift: bigint): number => Number((read(ID_AA64DFR0_EL1) >> shift) & 0xfn) + 1;

const pairs = (read: Read, count: number, op2: number): DebugPair[] =>
  Array.from({ length: count }, (_, n) => ({
    value: read(sysRegId(2, 0, 0, n, op2)),
    control: read(sysRegId(2, 0, 0, n, op2 + 1)),
  }));

/** @param read - a register's value as KVM_GET_ONE_REG shows it, 0 for one that is not there */
export function debugOf(vcpu: VcpuState, read: Read): Debug | undefined {
  const { guestDebug, vm } = vcpu;
  const own = read(MDSCR_EL1);
  // The OS lock, which is KVM's to emulate, masks what the guest has set up.
  const isLocked = (read(OSLSR_EL1) & OSLK) !== 0n;
  const contextAware = countOf(read, CTX_CMPS);
  if (guestDebug === undefined) {
    if (isLocked || (own & (MDSCR.SS | MDSCR.MDE)) === 0n) return undefined;
    return new Debug({ mdscr: own, ...ownPairs(read), contextAware, toHost: false });
  }
  const { singleStep, hardware } = guestDebug;
  const { capabilities, behaviours } = vm.host.profile;
  // With its registers left to it, those of the guest meet the debugger, too.
  const monitors = behaviours.debuggerMeetsGuest && !isLocked ? own & MDSCR.MDE : 0n;
  return new Debug({
    mdscr: (singleStep ? MDSCR.SS : 0n) | (hardware === undefined ? monitors : MDSCR.MDE),
    ...(hardware === undefined
      ? ownPairs(read)
      : {
          breakpoints: hardware.breakpoints.slice(0, capabilities[KVM_CAP.KVM_CAP_GUEST_DEBUG_HW_BPS] ?? 0),
          watchpoints: hardware.watchpoints.slice(0, capabilities[KVM_CAP.KVM_CAP_GUEST_DEBUG_HW_WPS] ?? 0),
        }),
    contextAware,
    toHost: true,
    restarts: !behaviours.stepKept,
  });
}

const ownPairs = (read: Read) => ({
  breakpoints: pairs(read, countOf(read, BRPS), BREAKPOINT),
  watchpoints: pairs(read, countOf(read, WRPS), WATCHPOINT),
});
