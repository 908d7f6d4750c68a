/**
 * Calls of a guest to its firmware, as data: every function at every PSCI version by both instructions, and what decides
 * the answer of some of them. {@link file://./play.ts} makes them.
 */
import { KVM_PSCI_FN, PSCI_FN } from '#lib/abi/psci.js';

/** How a vCPU beside the caller was made. */
export type Other = 'on' | 'off' | 'uninitialised' | 'suspended';

/** One call, and the VM that it is made in. */
export interface CallCase {
  /** The PSCI version that is selected, `'0.1'` by a vCPU without the feature; default: what the kernel chooses. */
  readonly version?: string;
  /** Default `'hvc'`. */
  readonly conduit?: 'hvc' | 'smc';
  readonly immediate?: number;
  /** X0 to X3. */
  readonly x: readonly [bigint, bigint, bigint, bigint];
  /** Ids of the other vCPUs, and what they are. */
  readonly others?: Readonly<Record<number, Other>>;
  /** Firmware bit maps by index, as they are set before. */
  readonly bitmaps?: Readonly<Record<number, bigint>>;
  readonly filter?: { readonly base: number; readonly count: number; readonly action: number };
  /** KVM_CAP_ARM_SYSTEM_SUSPEND is enabled. */
  readonly suspendEnabled?: true;
  /** The caller has SCTLR_EL1.EE set. */
  readonly bigEndian?: true;
  /** The caller is an AArch32 one. */
  readonly is32Bit?: true;
  /** ID_AA64PFR1_EL1.SSBS is taken from the VM. */
  readonly withoutSsbs?: true;
  /** The caller has memory for its stolen time. */
  readonly stolenTime?: true;
  /** What the kernel draws by lot: the call is made often, and all bits that were ever set are told. */
  readonly random?: true;
  /** What the kernel takes from its clock: only whether there is an answer is told. */
  readonly time?: true;
}

const VERSIONS = ['0.1', '0.2', '1.0', '1.1', '1.2', '1.3'];
const FROM_1_0 = VERSIONS.slice(2);
const CONDUITS = ['hvc', 'smc'] as const;

const SMCCC_VERSION = 0x8000_0000;
const ARCH_FEATURES = 0x8000_0001;
const WORKAROUNDS = [0x8000_8000, 0x8000_7fff, 0x8000_3fff];
const TRNG = { version: 0x8400_0050, features: 0x8400_0051, uuid: 0x8400_0052, rnd32: 0x8400_0053 };
const TRNG_RND64 = 0xc400_0053;
const PV_TIME_FEATURES = 0xc500_0020;
const PV_TIME_ST = 0xc500_0021;
const UID = 0x8600_ff01;
const VENDOR_FEATURES = 0x8600_0000;
const PTP = 0x8600_0001;

/** No function, each in the neighbourhood of one. */
const NOBODYS = [
  0, 0x8000_0002, 0x8400_001f, 0x8400_0020, 0x8400_0054, 0x8500_0020, 0x8600_0002, 0x8600_0040, 0x95c1_ba5d,
  0x95c1_ba62, 0xc000_0000, 0xc400_0000, 0xc400_0002, 0xc400_0008, 0xc600_0000, 0xffff_ffff,
];
const IDS = [
  ...Object.values(PSCI_FN),
  ...Object.values(KVM_PSCI_FN),
  ...[SMCCC_VERSION, ARCH_FEATURES, ...WORKAROUNDS],
  ...Object.values(TRNG),
  ...[TRNG_RND64, PV_TIME_FEATURES, PV_TIME_ST, UID, VENDOR_FEATURES],
  ...NOBODYS,
];

/** Halves that differ, so that a truncation shows. */
const X2 = 0x2222_2222_0000_2222n;
const X3 = 0x3333_3333_0000_3333n;
const UPPER = 0xdead_beef_0000_0000n;

const call = (id: number, x1 = 0n, x2 = X2, x3 = X3): Pick<CallCase, 'x'> => ({
  x: [BigInt(id), x1, x2, x3],
});

const everyFunction = VERSIONS.flatMap(version =>
  CONDUITS.flatMap(conduit => IDS.map((id): CallCase => ({ version, conduit, ...call(id) }))),
);

const immediates: readonly CallCase[] = CONDUITS.flatMap(conduit =>
  [1, 0xffff].map(immediate => ({ conduit, immediate, ...call(PSCI_FN.PSCI_0_2_FN_PSCI_VERSION) })),
);

const ON32 = PSCI_FN.PSCI_0_2_FN_CPU_ON;
const ON64 = PSCI_FN.PSCI_0_2_FN64_CPU_ON;
const INFO32 = PSCI_FN.PSCI_0_2_FN_AFFINITY_INFO;
const INFO64 = PSCI_FN.PSCI_0_2_FN64_AFFINITY_INFO;
const SUSPEND32 = PSCI_FN.PSCI_1_0_FN_SYSTEM_SUSPEND;
const SUSPEND64 = PSCI_FN.PSCI_1_0_FN64_SYSTEM_SUSPEND;
const RESET2 = [PSCI_FN.PSCI_1_1_FN_SYSTEM_RESET2, PSCI_FN.PSCI_1_1_FN64_SYSTEM_RESET2];
const OFF2 = [PSCI_FN.PSCI_1_3_FN_SYSTEM_OFF2, PSCI_FN.PSCI_1_3_FN64_SYSTEM_OFF2];

const features: readonly CallCase[] = [
  ...FROM_1_0.flatMap(version =>
    IDS.map(id => ({ version, ...call(PSCI_FN.PSCI_1_0_FN_PSCI_FEATURES, BigInt(id)) })),
  ),
  ...VERSIONS.flatMap(version =>
    [SUSPEND32, SUSPEND64].map(id => ({
      version,
      suspendEnabled: true as const,
      ...call(PSCI_FN.PSCI_1_0_FN_PSCI_FEATURES, UPPER + BigInt(id)),
    })),
  ),
  ...[...WORKAROUNDS, PV_TIME_FEATURES, SMCCC_VERSION, ARCH_FEATURES, TRNG.version].flatMap(id =>
    [0n, UPPER].map(upper => call(ARCH_FEATURES, upper + BigInt(id))),
  ),
  { withoutSsbs: true, ...call(ARCH_FEATURES, BigInt(WORKAROUNDS[1]!)) },
  { x: [UPPER + BigInt(SMCCC_VERSION), 0n, X2, X3] },
  { x: [UPPER + BigInt(PSCI_FN.PSCI_0_2_FN_PSCI_VERSION), 0n, X2, X3] },
];

/** The second vCPU, by its number; and one that has a number in the next affinity level. */
const OFF = { 1: 'off' } as const;
const ENTRY = 0x0123_4567_89ab_cdefn;
const CONTEXT = 0xfedc_ba98_7654_3210n;
const turnOn = (id: number, target: bigint) => call(id, target, ENTRY, CONTEXT);
const cpuOn: readonly CallCase[] = [
  ...[ON32, ON64].flatMap((id): CallCase[] => [
    { others: OFF, ...turnOn(id, 1n) },
    { others: OFF, ...turnOn(id, (1n << 32n) + 1n) },
    { others: { 1: 'on' }, ...turnOn(id, 1n) },
    { others: { 1: 'suspended' }, ...turnOn(id, 1n) },
    { others: { 1: 'uninitialised' }, ...turnOn(id, 1n) },
    { others: OFF, ...turnOn(id, 2n) },
    { others: OFF, bigEndian: true, ...turnOn(id, 1n) },
    { others: OFF, ...turnOn(id, 0x0100_0001n) },
    { others: OFF, ...turnOn(id, 0x8000_0001n) },
  ]),
  { others: OFF, ...turnOn(ON64, (1n << 40n) + 1n) },
  { others: OFF, ...turnOn(ON64, (1n << 63n) + 1n) },
  ...(['off', 'on', 'uninitialised'] as const).map(
    (other): CallCase => ({
      version: '0.1',
      others: { 1: other },
      ...turnOn(KVM_PSCI_FN.KVM_PSCI_FN_CPU_ON, 1n),
    }),
  ),
  { version: '0.1', others: OFF, ...turnOn(KVM_PSCI_FN.KVM_PSCI_FN_CPU_ON, 2n) },
  { version: '0.1', others: OFF, ...turnOn(KVM_PSCI_FN.KVM_PSCI_FN_CPU_ON, 0x8000_0001n) },
  { version: '0.1', others: OFF, ...turnOn(ON64, 1n) },
  { conduit: 'smc', others: OFF, ...turnOn(ON64, 1n) },
];

const affinityInfo: readonly CallCase[] = [
  ...[INFO32, INFO64].flatMap(id =>
    [0n, 1n, 2n, 0x100n, 0x0100_0000n, 0x8000_0000n, 1n << 32n, (1n << 32n) + 1n, 1n << 40n].flatMap(target =>
      [0n, 1n, 2n, 3n, 4n, 1n << 32n].map((level): CallCase => ({ others: OFF, ...call(id, target, level) })),
    ),
  ),
  { others: { 1: 'on' }, ...call(INFO64, 1n, 0n) },
  { others: { 1: 'suspended' }, ...call(INFO64, 1n, 0n) },
  { others: { 1: 'uninitialised' }, ...call(INFO64, 1n, 0n) },
];

const EVERYBODY = { 1: 'off', 2: 'on', 3: 'uninitialised', 4: 'suspended' } as const;
const systemEvents: readonly CallCase[] = [
  ...[PSCI_FN.PSCI_0_2_FN_CPU_OFF, PSCI_FN.PSCI_0_2_FN_SYSTEM_OFF, PSCI_FN.PSCI_0_2_FN_SYSTEM_RESET].map(
    (id): CallCase => ({ others: { 1: 'off', 2: 'on', 3: 'uninitialised' }, ...call(id) }),
  ),
  { others: EVERYBODY, ...call(PSCI_FN.PSCI_0_2_FN_SYSTEM_OFF) },
  ...RESET2.flatMap(id =>
    [0n, 1n, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn, 1n << 32n, (1n << 32n) + 1n].map(
      (type): CallCase => ({ version: '1.1', ...call(id, type) }),
    ),
  ),
  { version: '1.1', others: EVERYBODY, ...call(RESET2[0]!) },
  ...OFF2.flatMap(id =>
    [0n, 1n, 2n, 1n << 32n, (1n << 32n) + 1n].flatMap(type =>
      [0n, 1n, 1n << 32n].map((cookie): CallCase => ({ version: '1.3', ...call(id, type, cookie) })),
    ),
  ),
  { version: '1.3', others: EVERYBODY, ...call(OFF2[0]!, 1n, 0n) },
  ...VERSIONS.flatMap(version =>
    [SUSPEND32, SUSPEND64].map(
      (id): CallCase => ({ version, suspendEnabled: true, others: { 1: 'on' }, ...call(id, ENTRY, CONTEXT) }),
    ),
  ),
];

const RANDOM_BITS = [0n, 1n, 31n, 32n, 33n, 64n, 65n, 96n, 97n, 128n, 129n, 192n, 193n, (1n << 32n) + 8n];
const trng: readonly CallCase[] = [
  ...IDS.flatMap(id => [call(TRNG.features, BigInt(id))]),
  call(TRNG.features, UPPER + BigInt(TRNG.version)),
  ...[TRNG.rnd32, TRNG_RND64].flatMap(id =>
    RANDOM_BITS.map((bits): CallCase => ({ random: true, ...call(id, bits) })),
  ),
];

const pvTime: readonly CallCase[] = [PV_TIME_FEATURES, PV_TIME_ST, TRNG.version].flatMap(feature => [
  call(PV_TIME_FEATURES, BigInt(feature)),
  { stolenTime: true as const, ...call(PV_TIME_FEATURES, UPPER + BigInt(feature)) },
]);
const stolenTime: readonly CallCase[] = [{ stolenTime: true, ...call(PV_TIME_ST) }];

/** Indices of the firmware bit maps (asm/kvm.h). */
const STD = 0;
const STD_HYP = 1;
const VENDOR = 2;
const VENDOR_2 = 3;
const vendor: readonly CallCase[] = [
  ...[0n, 1n, 2n, UPPER].map((counter): CallCase => ({ time: true, ...call(PTP, counter) })),
  { conduit: 'smc', time: true, ...call(PTP) },
  { bitmaps: { [STD]: 0n }, ...call(TRNG.version) },
  { bitmaps: { [STD]: 0n }, ...call(TRNG_RND64, 64n) },
  { bitmaps: { [STD]: 0n }, ...call(TRNG.features, BigInt(TRNG.version)) },
  { bitmaps: { [STD_HYP]: 0n }, stolenTime: true, ...call(PV_TIME_FEATURES, BigInt(PV_TIME_ST)) },
  { bitmaps: { [STD_HYP]: 0n }, stolenTime: true, ...call(PV_TIME_ST) },
  { bitmaps: { [STD_HYP]: 0n }, ...call(ARCH_FEATURES, BigInt(PV_TIME_FEATURES)) },
  ...[0n, 1n, 2n].flatMap(value =>
    [UID, VENDOR_FEATURES, PTP].map(
      (id): CallCase => ({ bitmaps: { [VENDOR]: value }, ...(id === PTP && { time: true }), ...call(id) }),
    ),
  ),
  { bitmaps: { [VENDOR_2]: 3n }, ...call(VENDOR_FEATURES) },
  { bitmaps: { [VENDOR_2]: 3n }, ...call(0x8600_0040) },
];

const [HANDLE, DENY, FORWARD] = [0, 1, 2];
const filter: readonly CallCase[] = [
  ...CONDUITS.flatMap(conduit =>
    [HANDLE, DENY, FORWARD].flatMap(action =>
      [PSCI_FN.PSCI_0_2_FN_PSCI_VERSION, UID, 0x1234].map(
        (base): CallCase => ({ conduit, filter: { base, count: 1, action: action! }, ...call(base) }),
      ),
    ),
  ),
  { filter: { base: 0x1000, count: 0x1000, action: FORWARD! }, x: [UPPER + 0x1fffn, 1n, X2, X3] },
  { filter: { base: 0x1000, count: 0x1000, action: FORWARD! }, ...call(0x2000) },
  { conduit: 'smc', immediate: 1, filter: { base: 0x1234, count: 1, action: FORWARD! }, ...call(0x1234) },
  { immediate: 1, filter: { base: 0x1234, count: 1, action: FORWARD! }, ...call(0x1234) },
  { filter: { base: UID, count: 1, action: FORWARD! }, bitmaps: { [VENDOR]: 0n }, ...call(UID) },
  { filter: { base: UID, count: 1, action: HANDLE! }, bitmaps: { [VENDOR]: 0n }, ...call(UID) },
  { filter: { base: 0, count: 0x8000_0000, action: DENY! }, ...call(SMCCC_VERSION) },
];

const is32Bit: readonly CallCase[] = [
  ...[
    PSCI_FN.PSCI_0_2_FN_PSCI_VERSION,
    INFO32,
    INFO64,
    ON64,
    RESET2[1]!,
    OFF2[1]!,
    TRNG_RND64,
    PV_TIME_ST,
    UID,
  ].map((id): CallCase => ({ is32Bit: true, ...call(id, 0n, 0n, 0n) })),
  ...[INFO32, INFO64, ON64, SUSPEND64, RESET2[1]!].map(
    (id): CallCase => ({ is32Bit: true, ...call(PSCI_FN.PSCI_1_0_FN_PSCI_FEATURES, BigInt(id), 0n, 0n) }),
  ),
  { is32Bit: true, conduit: 'smc', ...call(PSCI_FN.PSCI_0_2_FN_PSCI_VERSION, 0n, 0n, 0n) },
  { is32Bit: true, others: OFF, ...call(ON32, 1n, 0x8001n, 7n) },
  { is32Bit: true, others: OFF, ...call(ON32, 1n, 0x8000n, 7n) },
];

/** All of them, by a name that says how they differ. */
export const CASES: ReadonlyMap<string, CallCase> = new Map(
  [
    ...everyFunction,
    ...immediates,
    ...features,
    ...cpuOn,
    ...affinityInfo,
    ...systemEvents,
    ...trng,
    ...pvTime,
    ...stolenTime,
    ...vendor,
    ...filter,
    ...is32Bit,
  ].map(one => [nameOf(one), one]),
);

function nameOf({ version, conduit = 'hvc', immediate, x, ...rest }: CallCase): string {
  const hex = (value: bigint) => value.toString(16);
  const others = Object.entries(rest).map(([key, value]) =>
    value === true
      ? key
      : `${key} ${JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? hex(inner) : inner))}`,
  );
  const words = x[2] === X2 && x[3] === X3 ? (x[1] === 0n ? x.slice(0, 1) : x.slice(0, 2)) : x;
  const instruction = immediate === undefined ? conduit : `${conduit} #${immediate}`;
  return [version, `${instruction} ${words.map(hex).join(' ')}`, ...others]
    .filter(part => part !== undefined)
    .join(', ');
}
