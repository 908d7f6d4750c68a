/**
 * Mutations of a profile that no call can notice, each with the reason.
 *
 * @packageDocumentation
 */
import type { HostProfile, ProfileRegister } from '../emulator/profile.ts';
import { isSpecial } from '../emulator/special-registers.ts';

/** The firmware registers, whose values are the VM's or the host's, and the counters, which are the host's. */
const WITHOUT_STORAGE = /^60300000001400|^603000000013df(?:1a|01)$/;

const MPIDR_EL1 = '603000000013c005';

/** PMINTEN, PMCNTEN and PMOVS, set and clear; PMEVTYPER<n>. */
const CUT_AT_RESET = /^603000000013(?:c4f[12]|dce[123]|dcf3|df[67].)$/;

/** Values that belong to no register. */
const OF_HOST: readonly (readonly [what: RegExp, reason: string])[] = [
  [/^counterHz:/, 'time is not compared'],
  [/^ipaBits\.default:/, 'how large guest memory may be shows when there is some'],
];

/** Members of a register: which, of which registers. */
const OF_REGISTER: readonly (readonly [
  what: RegExp,
  which: (register: ProfileRegister, profile: HostProfile) => boolean,
  reason: string,
])[] = [
  [
    /^varies/,
    ({ id }, profile) => isSpecial(BigInt(`0x${id}`), profile),
    'only the recorder looks at it: the registers that vary have rules of their own',
  ],
  [
    /^with write/,
    ({ id }, profile) => isSpecial(BigInt(`0x${id}`), profile),
    'a register with rules of its own has no use for a recorded one',
  ],
  [
    /^reset:/,
    ({ sameAs }) => sameAs !== undefined,
    'its storage, and with it the reset value, is that of another register',
  ],
  [
    /^(?:with )?(?:scope|survivesInit)/,
    ({ write }) => write === 'fixed' || write === 'ignored',
    'a value that nobody can change is alike for all vCPUs, and before and after a further init',
  ],
  [/^reset:/, ({ id }) => id === MPIDR_EL1, "a reset works it out from the vCPU's number"],
  [
    /^(?:reset:|(?:with )?(?:scope|survivesInit))/,
    ({ id }) => WITHOUT_STORAGE.test(id),
    'it has no storage of its own',
  ],
  [
    /^reset:/,
    ({ id }) => CUT_AT_RESET.test(id),
    'a reset leaves only the bits for the counters and events that there are',
  ],
];

/** Why a mutation cannot be noticed; undefined where there is no known reason. */
export function whyUnnoticeable(profile: HostProfile, mutation: string): string | undefined {
  const [, id, what = ''] = /^registers\.([0-9a-f]+)(?:\.|: )(.*)$/.exec(mutation) ?? [];
  const register = profile.registers.find(each => each.id === id);
  return register === undefined
    ? OF_HOST.find(([pattern]) => pattern.test(mutation))?.[1]
    : OF_REGISTER.find(([pattern, which]) => pattern.test(what) && which(register, profile))?.[2];
}
