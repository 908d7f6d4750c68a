/**
 * Sequences of calls from seeds: most wander, some go through one thing from end to end.
 *
 * @packageDocumentation
 */
import { KVM_CAP } from '../abi/capabilities.ts';
import { psciVersionCandidates } from '../abi/psci.ts';
import { CORE_PSTATE, coreRegId, KVM_REG_ARM_PSCI_VERSION, sysRegId } from '../abi/register-id.ts';
import { featureMask, KVM_ARM_VCPU } from '../abi/vcpu-features.ts';
import type { HostProfile } from '../emulator/profile.ts';
import { type Call, hexBytes } from './calls.ts';
import { firmwareCalls } from './firmware-calls.ts';
import { MOVES, vcpuEvents } from './moves.ts';
import { underCoprocessor } from './registers.ts';
import { featureSets, POWER_OFF, Sequence } from './sequence.ts';

/** Any move at any time; half of the time there is a vCPU to begin with. */
function wander(length: number, s: Sequence): void {
  if (s.random.oneIn(2)) s.readyVcpu();
  while (s.calls.length < length) s.random.weighted(MOVES)(s);
}

/** One register: each digit of it with each value, what that leaves, to whom, and whether a further init undoes it. */
export function everyDigitOf(id: bigint, s: Sequence, vm = s.createVm()): void {
  const vcpu = s.createVcpu(vm, 0);
  s.makeReady(vcpu);
  const sibling = s.createVcpu(vm, 1);
  s.makeReady(sibling);
  for (const values of s.registers.everyDigit(id)) {
    for (const value of values) {
      s.call(vcpu, 'setOneReg', id, value);
      s.call(vcpu, 'getOneReg', id);
    }
    s.call(sibling, 'getOneReg', id);
    s.init(vcpu);
    s.call(vcpu, 'getOneReg', id);
  }
}

/** What some kernels let a VM have of its own: MIDR_EL1, REVIDR_EL1 and AIDR_EL1. */
const IMPLEMENTATION_IDS = [sysRegId(3, 0, 0, 0, 0), sysRegId(3, 0, 0, 0, 6), sysRegId(3, 1, 0, 0, 7)];

/** The same on a VM with KVM_CAP_ARM_WRITABLE_IMP_ID_REGS enabled. */
export function everyDigitUnlocked(id: bigint, s: Sequence): void {
  const vm = s.createVm();
  s.enableCap(vm, KVM_CAP.KVM_CAP_ARM_WRITABLE_IMP_ID_REGS, 0n);
  everyDigitOf(id, s, vm);
}

/** Modes of PSTATE: AArch64's and AArch32's. */
const MODES = [0, 4, 5, 0x10, 0x11, 0x12, 0x13, 0x17, 0x1b, 0x1f];
const PC = coreRegId(256);
/** What decides where an exception goes: SCTLR_EL1, TCR_EL1, VBAR_EL1. */
const DECISIVE = [sysRegId(3, 0, 1, 0, 0), sysRegId(3, 0, 2, 0, 2), sysRegId(3, 0, 12, 0, 0)];

/** Aborts and SErrors in any state, and the state that they leave. */
export function exceptions(s: Sequence): void {
  const { random } = s;
  const { vcpu } = s.readyVcpu();
  for (let i = 0; i < 12; i++) {
    s.call(vcpu, 'setOneReg', CORE_PSTATE, (random.u64() & ~0x1fn) | BigInt(random.pick(MODES)));
    for (const id of [PC, ...DECISIVE]) s.call(vcpu, 'setOneReg', id, random.u64());
    s.call(vcpu, 'setVcpuEvents', hexBytes(vcpuEvents(s)));
    s.call(vcpu, 'getVcpuEvents');
    s.call(vcpu, 'state');
  }
}

const COPROCESSORS = Array.from({ length: 32 }, (_, coprocessor) => coprocessor);

/** Every register under a coprocessor that it does not belong to, and under each if the kernel takes some for any. */
export function foreignCoprocessors(s: Sequence): void {
  const { vcpu } = s.readyVcpu();
  for (const known of s.registers.ids) {
    const id = s.registers.underForeignCoprocessor(known);
    s.call(vcpu, 'setOneReg', id, s.registers.value(known));
    s.call(vcpu, 'getOneReg', id);
  }
  for (const id of s.profile.anyCoprocessor.registers) {
    for (const coprocessor of COPROCESSORS)
      s.call(vcpu, 'getOneReg', underCoprocessor(coprocessor, BigInt(`0x${id}`)));
  }
}

/** All registers at once: what a write of one does to others, to a sibling, and what a further init leaves. */
export function upheaval(s: Sequence): void {
  const { vm, vcpu } = s.readyVcpu();
  const sibling = s.createVcpu(vm, 1 + s.random.below(300));
  s.makeReady(sibling);
  s.call(sibling, 'state');
  for (const id of s.registers.ids) s.call(vcpu, 'setOneReg', id, s.registers.modest(id));
  for (const each of [vcpu, sibling]) s.call(each, 'state');
  s.init(vcpu);
}

/** Linux 7.3 ends at 251. */
const MAX_CAPABILITY = 287;

/** Nothing, a flag, and a page: of these one suits each capability. */
const ENABLE_ARGUMENTS = [0n, 1n, 4096n];

/** A range of capabilities: asked of both descriptors, and enabled on one VM, as some need another before. */
function capabilities(first: number, last: number, s: Sequence): void {
  const vm = s.createVm();
  for (let cap = first; cap <= last; cap++) {
    s.call('kvm', 'checkExtension', cap);
    s.call(vm, 'checkExtension', cap);
    for (const argument of ENABLE_ARGUMENTS) {
      s.enableCap(vm, cap, argument);
    }
  }
}

/** Every capability that a kernel may have one day. */
export function allCapabilities(s: Sequence): void {
  capabilities(0, MAX_CAPABILITY, s);
}

/** Every version of PSCI, with the feature and without. */
export function psciVersions(s: Sequence): void {
  for (const features of [0n, featureMask(['PSCI_0_2'])]) {
    const vcpu = s.createVcpu(s.createVm(), 0);
    s.init(vcpu, features);
    for (const version of psciVersionCandidates()) {
      s.call(vcpu, 'setOneReg', KVM_REG_ARM_PSCI_VERSION, version);
      s.call(vcpu, 'getOneReg', KVM_REG_ARM_PSCI_VERSION);
    }
  }
}

/** Several vCPUs of one VM, initialised again and again with features that need not go together. */
function inits(s: Sequence): void {
  const { random, profile } = s;
  const sets = featureSets(profile).map(BigInt);
  const usual = random.pick(sets);
  const vm = s.createVm();
  const vcpus: string[] = [];
  for (let i = 0; i < 16; i++) {
    if (vcpus.length < 2 || random.oneIn(6)) vcpus.push(s.createVcpu(vm, vcpus.length));
    const vcpu = random.pick(vcpus);
    const features = random.weighted([
      [4, usual],
      [3, random.pick(sets)],
      [2, BigInt(random.below(1 << profile.knownFeatures))],
    ]);
    const powerOff = random.oneIn(4) ? POWER_OFF : 0n;
    const unknown = random.oneIn(6) ? 1n << BigInt(profile.knownFeatures) : 0n;
    s.init(vcpu, features | powerOff | unknown);
    const id = s.registers.id();
    s.call(vcpu, 'setOneReg', id, s.registers.value(id));
    s.call(random.pick(vcpus), random.pick(['getRegList', 'getMpState', 'state']));
  }
}

/** Each feature alone, the first two that the kernel does not know, and each set that it accepts, on VMs of their own. */
export function everyFeature(s: Sequence): void {
  const alone = Array.from({ length: s.profile.knownFeatures + 2 }, (_, bit) => 1n << BigInt(bit));
  for (const features of [...alone, ...featureSets(s.profile).map(BigInt)]) {
    const vcpu = s.createVcpu(s.createVm(), 0);
    s.init(vcpu, features);
    s.call(vcpu, 'armVcpuFinalize', KVM_ARM_VCPU.KVM_ARM_VCPU_SVE);
  }
}

/** SMCCC filters of no functions and of one, from 0 and from where PSCI's are: `struct kvm_smccc_filter`. */
export function smallFilters(s: Sequence): void {
  for (const count of [0, 1]) {
    for (const base of [0, 0x8400_0000]) {
      const filter = Uint32Array.of(base, count, 0, 0, 0, 0);
      s.call(s.createVm(), 'setDeviceAttr', 0, 0, hexBytes(new Uint8Array(filter.buffer)));
    }
  }
}

/** The shapes of sequences, each as often as its weight says. */
const SHAPES: readonly (readonly [weight: number, shape: (s: Sequence) => void])[] = [
  [30, s => wander(5 + s.random.below(12), s)],
  [30, s => wander(40, s)],
  [4, s => wander(250, s)],
  [2, s => everyDigitOf(s.random.pick(s.registers.ruled), s)],
  [1, s => everyDigitUnlocked(s.random.pick(IMPLEMENTATION_IDS), s)],
  [8, firmwareCalls],
  [3, upheaval],
  [4, inits],
  [2, exceptions],
  [1, foreignCoprocessors],
  [1, everyFeature],
  [
    2,
    s => {
      const first = s.random.below(MAX_CAPABILITY);
      capabilities(first, first + 31, s);
    },
  ],
];

/** The sequence of a seed, for a host: its registers and features are what there is to choose from. */
export function generateCalls(profile: HostProfile, seed: number): Call[] {
  const sequence = new Sequence(profile, seed);
  sequence.random.weighted(SHAPES)(sequence);
  return sequence.finish();
}

/** A sequence and the seed that gives it again. */
export interface SeededSequence {
  readonly seed: number;
  readonly calls: readonly Call[];
}

/** The sequences of the seeds from `seed` on, of at least so many calls together. */
export function* sequences(profile: HostProfile, seed: number, calls: number): Generator<SeededSequence> {
  for (let next = seed, made = 0; made < calls; next++) {
    const sequence = { seed: next, calls: generateCalls(profile, next) };
    made += sequence.calls.length;
    yield sequence;
  }
}
