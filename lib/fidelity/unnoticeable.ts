/**
 * Mutations of a profile that no call can notice, each with the reason.
 *
 * @packageDocumentation
 */
import { KVM_ARM_VCPU } from '../abi/vcpu-features.ts';
import type { HostProfile, ProfileRegister } from '../emulator/profile.ts';
import { isSpecial } from '../emulator/registers/special-registers.ts';

/** The firmware registers, whose values are the VM's or the host's, and the counters, which are the host's. */
const WITHOUT_STORAGE = /^60300000001400|^603000000013df(?:1a|01)$/;

const MPIDR_EL1 = '603000000013c005';

/** PMINTEN, PMCNTEN and PMOVS, set and clear; PMEVTYPER<n>. */
const CUT_AT_RESET = /^603000000013(?:c4f[12]|dce[123]|dcf3|df[67].)$/;

const ID_AA64PFR1_EL1 = '603000000013c021';
const EL1_32BIT = 1 << KVM_ARM_VCPU.KVM_ARM_VCPU_EL1_32BIT;

const has32Bit = ({ configurations }: HostProfile) =>
  configurations.some(({ features }) => features.some(set => (set & EL1_32BIT) !== 0));

/** Values that belong to no register: which, of which hosts. */
const OF_HOST: readonly (readonly [
  what: RegExp,
  which: (profile: HostProfile) => boolean,
  reason: string,
])[] = [
  [/^counterHz:/, () => true, 'time is not compared'],
  [/^gics\./, () => true, 'these calls make no interrupt controller; those of test/guests/gic-sequences do'],
  [/^ipaBits\.default:/, () => true, 'how large guest memory may be shows when there is some'],
  [
    /^behaviours\.timerControl: masked → stored/,
    () => true,
    "whether a timer's condition is met is not compared, and ISTATUS is all that they differ in",
  ],
  [
    /^behaviours\.emptyFilterRefused/,
    ({ behaviours }) => !behaviours.vmAttributes,
    'a VM of this kernel has no SMCCC filter',
  ],
  [/^behaviours\.identitySettledByRun/, () => true, 'no vCPU of a trace runs'],
  [/^gics\./, () => true, 'no VM of a trace has a device'],
  [
    /^(?:pmceid|behaviours\.(?:signedReadsCut|guestCtrLacksIdc|timersEndWaits|reservedAffinityIgnored|stepKept|debuggerMeetsGuest|debugTellsHigh|iccWithoutGic|pmmirReadsZero|pmuChainsPairs|pmuKeepsResets|pmuInterruptNeedsEnable))/,
    () => true,
    'it shows when a guest runs, and none does here',
  ],
  [
    /^pmus\.\d+: /,
    ({ behaviours }) => behaviours.pmu === 'stored',
    'how many counters a PMU has does not matter to registers that are storage',
  ],
  [
    /^behaviours\.workaround2WithoutSsbs/,
    ({ registers }) => registers.find(({ id }) => id === ID_AA64PFR1_EL1)?.write === 'fixed',
    'nobody can take SSBS from a vCPU',
  ],
  [
    /^behaviours\.widthOfAllVcpus/,
    profile => !profile.behaviours.featuresPerVcpu || !has32Bit(profile),
    "the features are the VM's, or all vCPUs have 64 bits",
  ],
  [
    /^behaviours\.(?:bankedNarrowing|abort32TakenAtOnce)/,
    profile => !has32Bit(profile),
    'no vCPU has a 32-bit EL1',
  ],
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
    ? OF_HOST.find(([pattern, which]) => pattern.test(mutation) && which(profile))?.[2]
    : OF_REGISTER.find(([pattern, which]) => pattern.test(what) && which(register, profile))?.[2];
}
