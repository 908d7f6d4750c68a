/**
 * Sequences in which guests call their firmware: any function, at any PSCI version, on several vCPUs, with whatever decides
 * the answers set before.
 *
 * @packageDocumentation
 */
import { KVM_CAP } from '../abi/capabilities.ts';
import { KVM_MP_STATE } from '../abi/mp-state.ts';
import { KVM_PSCI_FN, PSCI_FN, parsePsciVersion } from '../abi/psci.ts';
import { firmwareBitmapRegId, KVM_REG_ARM_PSCI_VERSION, sysRegId } from '../abi/register-id.ts';
import { featureMask } from '../abi/vcpu-features.ts';
import { SMCCC_FN } from '../emulator/calls/function-ids.ts';
import { hexBytes } from './calls.ts';
import { GUEST_RAM } from './guest-call.ts';
import { POWER_OFF, type Sequence } from './sequence.ts';

const KNOWN = [...Object.values(PSCI_FN), ...Object.values(KVM_PSCI_FN), ...Object.values(SMCCC_FN)];
/** What changes something, or depends on others. */
const TELLING = [
  ...[PSCI_FN.PSCI_0_2_FN_CPU_ON, PSCI_FN.PSCI_0_2_FN64_CPU_ON, KVM_PSCI_FN.KVM_PSCI_FN_CPU_ON],
  ...[
    PSCI_FN.PSCI_0_2_FN_AFFINITY_INFO,
    PSCI_FN.PSCI_0_2_FN64_AFFINITY_INFO,
    PSCI_FN.PSCI_0_2_FN_PSCI_VERSION,
  ],
  ...[PSCI_FN.PSCI_1_0_FN_PSCI_FEATURES, SMCCC_FN.ARCH_FEATURES, SMCCC_FN.TRNG_FEATURES, SMCCC_FN.PV_TIME_ST],
];
const VERSIONS = ['0.2', '1.0', '1.1', '1.2', '1.3'];
/** KVM_ARM_VCPU_PVTIME_CTRL and its only attribute. */
const PVTIME = 2;
const PVTIME_IPA = 0n;
const SCTLR_EL1 = sysRegId(3, 0, 1, 0, 0);
/** op0 3, op1 0 or 3, CRn 0: what identifies a vCPU. */
const ID_REGISTERS = new Set([0, 3].map(op1 => sysRegId(3, op1, 0, 0, 0) >> 7n));
const SCTLR_EE = 1n << 25n;

type Step = (s: Sequence, vm: string, vcpus: readonly string[]) => void;

function functionId({ random }: Sequence): number {
  return random.weighted<() => number>([
    [6, () => random.pick(TELLING)],
    [6, () => random.pick(KNOWN)],
    [1, () => (random.pick(KNOWN) ^ (1 << random.below(32))) >>> 0],
    [1, () => (0x8400_0000 | (random.below(2) << 30) | random.below(0x60)) >>> 0],
    [1, () => random.u32()],
  ])();
}

/** X1 to X3: a vCPU, another function, a level, a count of bits, an address, or anything. */
function argument(s: Sequence): bigint {
  const { random } = s;
  const value = random.weighted<() => bigint>([
    [8, () => BigInt(random.below(6))],
    [3, () => BigInt(functionId(s))],
    [
      2,
      () => BigInt(random.pick([31, 32, 64, 96, 97, 128, 192, 193, 0x100, 0x101, 0x8000_0000, 0xffff_ffff])),
    ],
    [2, () => GUEST_RAM + BigInt(4 * random.below(0x4000))],
    [2, () => random.u64()],
  ])();
  return random.oneIn(8) ? value | (BigInt(random.u32()) << 32n) : value;
}

const call: Step = (s, _vm, vcpus) => {
  const id = BigInt(functionId(s)) | (s.random.oneIn(10) ? BigInt(s.random.u32()) << 32n : 0n);
  // The first calls most: others may be off.
  const vcpu = s.random.oneIn(3) ? s.random.pick(vcpus) : vcpus[0]!;
  s.call(vcpu, 'guest', s.random.oneIn(4) ? 'smc' : 'hvc', id, argument(s), argument(s), argument(s));
  if (s.random.oneIn(3)) s.call(s.random.pick(vcpus), 'getMpState');
};

/** `struct kvm_smccc_filter`: a range near some function. */
const filter: Step = (s, vm) => {
  const base = (functionId(s) - s.random.below(4)) >>> 0;
  const bytes = new Uint8Array(24);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, base, true);
  view.setUint32(4, s.random.pick([1, 1, 4, 16, 0x100]), true);
  view.setUint8(8, s.random.below(3));
  s.call(vm, 'setDeviceAttr', 0, 0, hexBytes(bytes));
};

const version: Step = (s, _vm, vcpus) =>
  s.call(
    s.random.pick(vcpus),
    'setOneReg',
    KVM_REG_ARM_PSCI_VERSION,
    parsePsciVersion(s.random.pick(VERSIONS)),
  );

const bitmap: Step = (s, _vm, vcpus) =>
  s.call(
    s.random.pick(vcpus),
    'setOneReg',
    firmwareBitmapRegId(s.random.below(4)),
    BigInt(s.random.oneIn(4) ? s.random.u32() : s.random.below(4)),
  );

const stolenTime: Step = (s, _vm, vcpus) => {
  const address = GUEST_RAM + BigInt(0x1000 + 64 * s.random.below(64)) + (s.random.oneIn(8) ? 4n : 0n);
  const bytes = new Uint8Array(BigUint64Array.of(address).buffer);
  s.call(s.random.pick(vcpus), 'setDeviceAttr', PVTIME, PVTIME_IPA, hexBytes(bytes));
};

const turnOn: Step = (s, _vm, vcpus) =>
  s.call(
    s.random.oneIn(2) ? vcpus[0]! : s.random.pick(vcpus),
    'setMpState',
    s.random.oneIn(6) ? KVM_MP_STATE.KVM_MP_STATE_STOPPED : KVM_MP_STATE.KVM_MP_STATE_RUNNABLE,
  );

/** Which vCPUs CPU_ON resets, it also gives the byte order of the caller. */
const byteOrder: Step = (s, _vm, vcpus) =>
  s.call(s.random.pick(vcpus), 'setOneReg', SCTLR_EL1, 0xc5_0078n | (s.random.oneIn(2) ? SCTLR_EE : 0n));

/** Once a VM has run it is what it is. */
const identity: Step = (s, _vm, vcpus) => {
  const ids = s.registers.ruled.filter(id => ID_REGISTERS.has(id >> 7n));
  if (ids.length === 0) return;
  const id = s.random.pick(ids);
  s.call(s.random.pick(vcpus), 'setOneReg', id, s.registers.modest(id));
};

const SETUP: readonly (readonly [number, Step])[] = [
  [2, version],
  [2, bitmap],
  [1, stolenTime],
  [2, identity],
];
const STEPS: readonly (readonly [number, Step])[] = [
  [30, call],
  [4, turnOn],
  [2, version],
  [1, bitmap],
  [1, stolenTime],
  [1, byteOrder],
  [1, identity],
  [1, filter],
  [1, (s, _vm, vcpus) => s.call(s.random.pick(vcpus), 'state')],
];

/** A VM of one to four vCPUs whose guests call. */
export function firmwareCalls(s: Sequence): void {
  const { random } = s;
  const vm = s.createVm();
  s.call(vm, 'guestMemory');
  if (random.oneIn(3)) s.enableCap(vm, KVM_CAP.KVM_CAP_ARM_SYSTEM_SUSPEND, 0n);
  for (let n = random.below(3); n > 0; n--) filter(s, vm, []);
  const features = random.oneIn(6) ? 0n : featureMask(['PSCI_0_2']);
  const vcpus = Array.from({ length: 1 + random.below(4) }, (_, id) => {
    const vcpu = s.createVcpu(vm, id === 3 ? random.pick([3, 16, 256]) : id);
    s.init(vcpu, id > 0 && random.oneIn(2) ? features | POWER_OFF : features);
    return vcpu;
  });
  for (let n = random.below(4); n > 0; n--) random.weighted(SETUP)(s, vm, vcpus);
  for (let n = 10 + random.below(20); n > 0; n--) random.weighted(STEPS)(s, vm, vcpus);
}
