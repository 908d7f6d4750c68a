/**
 * The Power State Coordination Interface, as far as numbers go: versions, function ids, return codes
 * (`linux/psci.h`; `asm/kvm.h` of arm64 for version 0.1; Arm DEN 0022).
 *
 * @packageDocumentation
 */
import { checkU64, invalidType, invalidValue, outOfRange } from './argument.ts';

/** A PSCI version as people write it. Any `major.minor` will do; the names are those that KVM has known so far. */
export type PsciVersion = '0.1' | '0.2' | '1.0' | '1.1' | '1.2' | '1.3' | `${number}.${number}`;

const MAJOR_MAX = 0x7fff;
const MINOR_MAX = 0xffff;

/**
 * The value of `KVM_REG_ARM_PSCI_VERSION` for a version: major in bits 30:16, minor in bits 15:0.
 *
 * @throws TypeError `ERR_INVALID_ARG_VALUE` where it is not written as two plain decimal numbers;
 *   RangeError `ERR_OUT_OF_RANGE` for a major above 32767 or a minor above 65535
 */
export function parsePsciVersion(version: string): bigint {
  if (typeof version !== 'string') throw invalidType('version', 'a string', version);
  const match = /^(0|[1-9]\d*)\.(0|[1-9]\d*)$/.exec(version);
  if (match === null)
    throw invalidValue('version', "two decimal numbers, 'major.minor', such as '1.0'", version);
  const [major, minor] = [Number(match[1]), Number(match[2])];
  if (major > MAJOR_MAX || minor > MINOR_MAX) {
    throw outOfRange('version', `'major.minor' of at most ${MAJOR_MAX}.${MINOR_MAX}`, version);
  }
  return BigInt(major * 0x1_0000 + minor);
}

/**
 * The version that a value of `KVM_REG_ARM_PSCI_VERSION` stands for.
 *
 * No two values share a text: bits above 30, which the architecture keeps zero, count as part of the major, so that
 * {@link parsePsciVersion} refuses what they make.
 *
 * @param value - u64
 */
export function formatPsciVersion(value: bigint): PsciVersion {
  checkU64('value', value);
  return `${Number(value >> 16n)}.${Number(value & 0xffffn)}`;
}

/** Set in the id of a function whose arguments are 64 bits wide. */
export const PSCI_0_2_64BIT = 0x4000_0000;

/** Function ids of PSCI 0.2 and later, which are those of the SMC calling convention. */
export const PSCI_FN = {
  PSCI_0_2_FN_PSCI_VERSION: 0x8400_0000,
  PSCI_0_2_FN_CPU_SUSPEND: 0x8400_0001,
  PSCI_0_2_FN_CPU_OFF: 0x8400_0002,
  PSCI_0_2_FN_CPU_ON: 0x8400_0003,
  PSCI_0_2_FN_AFFINITY_INFO: 0x8400_0004,
  PSCI_0_2_FN_MIGRATE: 0x8400_0005,
  PSCI_0_2_FN_MIGRATE_INFO_TYPE: 0x8400_0006,
  PSCI_0_2_FN_MIGRATE_INFO_UP_CPU: 0x8400_0007,
  PSCI_0_2_FN_SYSTEM_OFF: 0x8400_0008,
  PSCI_0_2_FN_SYSTEM_RESET: 0x8400_0009,
  PSCI_1_0_FN_PSCI_FEATURES: 0x8400_000a,
  PSCI_1_0_FN_CPU_FREEZE: 0x8400_000b,
  PSCI_1_0_FN_CPU_DEFAULT_SUSPEND: 0x8400_000c,
  PSCI_1_0_FN_NODE_HW_STATE: 0x8400_000d,
  PSCI_1_0_FN_SYSTEM_SUSPEND: 0x8400_000e,
  PSCI_1_0_FN_SET_SUSPEND_MODE: 0x8400_000f,
  PSCI_1_0_FN_STAT_RESIDENCY: 0x8400_0010,
  PSCI_1_0_FN_STAT_COUNT: 0x8400_0011,
  PSCI_1_1_FN_SYSTEM_RESET2: 0x8400_0012,
  PSCI_1_1_FN_MEM_PROTECT: 0x8400_0013,
  PSCI_1_1_FN_MEM_PROTECT_CHECK_RANGE: 0x8400_0014,
  PSCI_1_3_FN_SYSTEM_OFF2: 0x8400_0015,
  PSCI_0_2_FN64_CPU_SUSPEND: 0xc400_0001,
  PSCI_0_2_FN64_CPU_ON: 0xc400_0003,
  PSCI_0_2_FN64_AFFINITY_INFO: 0xc400_0004,
  PSCI_0_2_FN64_MIGRATE: 0xc400_0005,
  PSCI_0_2_FN64_MIGRATE_INFO_UP_CPU: 0xc400_0007,
  PSCI_1_0_FN64_CPU_DEFAULT_SUSPEND: 0xc400_000c,
  PSCI_1_0_FN64_NODE_HW_STATE: 0xc400_000d,
  PSCI_1_0_FN64_SYSTEM_SUSPEND: 0xc400_000e,
  PSCI_1_0_FN64_STAT_RESIDENCY: 0xc400_0010,
  PSCI_1_0_FN64_STAT_COUNT: 0xc400_0011,
  PSCI_1_1_FN64_SYSTEM_RESET2: 0xc400_0012,
  PSCI_1_1_FN64_MEM_PROTECT_CHECK_RANGE: 0xc400_0014,
  PSCI_1_3_FN64_SYSTEM_OFF2: 0xc400_0015,
} as const;

/** Function ids of PSCI 0.1, which every firmware chose for itself: these are KVM's (`asm/kvm.h`). */
export const KVM_PSCI_FN = {
  KVM_PSCI_FN_CPU_SUSPEND: 0x95c1_ba5e,
  KVM_PSCI_FN_CPU_OFF: 0x95c1_ba5f,
  KVM_PSCI_FN_CPU_ON: 0x95c1_ba60,
  KVM_PSCI_FN_MIGRATE: 0x95c1_ba61,
} as const;

/** What a PSCI function returns to the guest. */
export const PSCI_RET = {
  PSCI_RET_SUCCESS: 0,
  PSCI_RET_NOT_SUPPORTED: -1,
  PSCI_RET_INVALID_PARAMS: -2,
  PSCI_RET_DENIED: -3,
  PSCI_RET_ALREADY_ON: -4,
  PSCI_RET_ON_PENDING: -5,
  PSCI_RET_INTERNAL_FAILURE: -6,
  PSCI_RET_NOT_PRESENT: -7,
  PSCI_RET_DISABLED: -8,
  PSCI_RET_INVALID_ADDRESS: -9,
} as const;

/** What the guest of `AFFINITY_INFO` and `MIGRATE_INFO_TYPE` learns, and the types of reset and off. */
export const PSCI_VALUE = {
  PSCI_0_2_AFFINITY_LEVEL_ON: 0,
  PSCI_0_2_AFFINITY_LEVEL_OFF: 1,
  PSCI_0_2_AFFINITY_LEVEL_ON_PENDING: 2,
  PSCI_0_2_TOS_UP_MIGRATE: 0,
  PSCI_0_2_TOS_UP_NO_MIGRATE: 1,
  PSCI_0_2_TOS_MP: 2,
  PSCI_1_1_RESET_TYPE_SYSTEM_WARM_RESET: 0,
  PSCI_1_1_RESET_TYPE_VENDOR_START: 0x8000_0000,
  PSCI_1_3_OFF_TYPE_HIBERNATE_OFF: 1,
} as const;

/**
 * Versions to ask a host for, as register values: 0.0 to 3.15. PSCI has had 0.1, 0.2 and 1.0 to 1.3 since 2013.
 */
export function psciVersionCandidates(): bigint[] {
  return [0, 1, 2, 3].flatMap(major =>
    Array.from({ length: 16 }, (_, minor) => BigInt(major * 0x1_0000 + minor)),
  );
}
