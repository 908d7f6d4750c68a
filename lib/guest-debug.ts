/**
 * What a debugger asks of a vCPU, as the struct of `KVM_SET_GUEST_DEBUG`.
 *
 * @packageDocumentation
 */
import { checkOptions, checkUnsigned, invalidType, invalidValue, outOfRange } from './abi/argument.ts';
import {
  breakpointRegisters,
  encodeGuestDebug,
  KVM_GUESTDBG,
  WATCH_ACCESS,
  type WatchAccess,
  watchpointRegisters,
} from './abi/guest-debug.ts';
import { toU64 } from './resource.ts';

/** An address whose accesses are watched. */
export interface Watchpoint {
  /** Virtual. */
  readonly address: number | bigint;
  /** Bytes: 1 to 8 within a doubleword, or a power of two up to 2 GiB, aligned to itself. Default: 8. */
  readonly size?: number | undefined;
  /** Default: `'any'`. */
  readonly access?: WatchAccess | undefined;
}

/** Options of {@link Vcpu.setGuestDebug}. */
export interface GuestDebugOptions {
  /** An exit after each instruction. Default: false. */
  readonly singleStep?: boolean | undefined;
  /** The guest's BRK instructions are exits instead of exceptions. Default: false. */
  readonly softwareBreakpoints?: boolean | undefined;
  /** Virtual addresses of instructions: as many as `KVM_CAP_GUEST_DEBUG_HW_BPS` says. */
  readonly breakpoints?: readonly (number | bigint)[] | undefined;
  /** As many as `KVM_CAP_GUEST_DEBUG_HW_WPS` says. */
  readonly watchpoints?: readonly Watchpoint[] | undefined;
}

/** The largest MASK of DBGWCR<n>_EL1: 31 address bits. */
const MAX_WATCHED = 2 ** 31;

/**
 * `struct kvm_guest_debug`.
 *
 * @param most - how many points of a kind the host has. The struct has room for more, and kernels pass over those in silence
 */
export function guestDebug(
  options: GuestDebugOptions | undefined,
  most: (cap: 'GUEST_DEBUG_HW_BPS' | 'GUEST_DEBUG_HW_WPS') => number,
): Uint8Array<ArrayBuffer> {
  if (options === undefined) return encodeGuestDebug(0);
  checkOptions('options', options, ['singleStep', 'softwareBreakpoints', 'breakpoints', 'watchpoints']);
  const { singleStep = false, softwareBreakpoints = false, breakpoints = [], watchpoints = [] } = options;
  if (typeof singleStep !== 'boolean') throw invalidType('singleStep', 'a boolean', singleStep);
  if (typeof softwareBreakpoints !== 'boolean')
    throw invalidType('softwareBreakpoints', 'a boolean', softwareBreakpoints);
  checkList('breakpoints', breakpoints, () => most('GUEST_DEBUG_HW_BPS'));
  checkList('watchpoints', watchpoints, () => most('GUEST_DEBUG_HW_WPS'));
  const control =
    KVM_GUESTDBG.KVM_GUESTDBG_ENABLE |
    (singleStep ? KVM_GUESTDBG.KVM_GUESTDBG_SINGLESTEP : 0) |
    (softwareBreakpoints ? KVM_GUESTDBG.KVM_GUESTDBG_USE_SW_BP : 0) |
    (breakpoints.length + watchpoints.length > 0 ? KVM_GUESTDBG.KVM_GUESTDBG_USE_HW : 0);
  return encodeGuestDebug(
    control,
    Array.from(breakpoints, (given, i) => {
      const address = toU64(`breakpoints[${i}]`, given);
      if (address % 4n !== 0n) throw outOfRange(`breakpoints[${i}]`, 'a multiple of 4', given);
      return breakpointRegisters(address);
    }),
    Array.from(watchpoints, (watchpoint, i) => watchRegisters(`watchpoints[${i}]`, watchpoint)),
  );
}

function checkList(name: string, list: readonly unknown[], most: () => number): void {
  if (!Array.isArray(list)) throw invalidType(name, 'an array', list);
  if (list.length === 0) return;
  const limit = most();
  if (list.length > limit) throw outOfRange(`${name}.length`, `at most ${limit} on this host`, list.length);
}

function watchRegisters(name: string, watchpoint: Watchpoint) {
  checkOptions(name, watchpoint, ['address', 'size', 'access']);
  const { size = 8, access = 'any' } = watchpoint;
  const address = toU64(`${name}.address`, watchpoint.address);
  checkUnsigned(`${name}.size`, size, MAX_WATCHED);
  if (!Object.hasOwn(WATCH_ACCESS, access))
    throw invalidValue(`${name}.access`, "'read', 'write' or 'any'", access);
  const fits =
    size > 8
      ? Number.isInteger(Math.log2(size)) && address % BigInt(size) === 0n
      : size > 0 && (address & 7n) + BigInt(size) <= 8n;
  if (!fits)
    throw outOfRange(
      `${name}.size`,
      '1 to 8 bytes within a doubleword, or a power of two to which the address is aligned',
      size,
    );
  return watchpointRegisters(address, size, access);
}
