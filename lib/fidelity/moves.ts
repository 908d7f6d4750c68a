/**
 * The moves of a sequence: what a program might do next, each with the arguments that are worth a try.
 *
 * @packageDocumentation
 */
import { KVM_IOCTL } from '../abi/ioctls.ts';
import { KVM_MP_STATE } from '../abi/mp-state.ts';
import { wordOffsets } from '../abi/register-id.ts';
import { encodeCounterOffset, encodeEnableCap, STRUCT_SIZE } from '../abi/structs.ts';
import { hexBytes } from './calls.ts';
import { featureSets, POWER_OFF, type Sequence } from './sequence.ts';

type Move = (sequence: Sequence) => void;

/** Capabilities whose arguments have rules: dirty log and ring, halt polling, MTE, eager splitting and others. */
const CAPS_TO_ENABLE = [155, 168, 177, 182, 192, 205, 216, 219, 223, 225, 228, 239];

const U32_MAX = 0xffff_ffff;

function u32s(...values: number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(values).buffer);
}

/** Mostly zero bytes, as reserved members should be, with now and then one that is not. */
function sparse({ random }: Sequence, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  if (random.oneIn(4)) bytes[random.below(length)] = random.u32();
  return bytes;
}

const createVm: Move = s => {
  const { min, max } = s.profile.ipaBits;
  const bits = s.random.pick([0, 0, 0, 0, 40, min - 1, min, max, max + 1, 0x100]);
  s.createVm(s.random.oneIn(10) ? s.random.pick([1n << 31n, s.random.u64()]) : BigInt(bits));
};

const createVcpu: Move = s => {
  const vm = s.vm();
  const id = s.random.pick([0, 1, 2, 3, 4, 15, 16, 17, 255, 256, 511, 512, 4095, 4096, U32_MAX]);
  const vcpu = s.createVcpu(vm, id);
  // Most calls tell little before it.
  if (!s.random.oneIn(6)) s.makeReady(vcpu);
};

const initAsUsual: Move = s => {
  const vcpu = s.vcpu();
  s.init(vcpu, s.features | (s.random.oneIn(4) ? POWER_OFF : 0n));
};

const initOtherwise: Move = s => {
  const { random, profile } = s;
  const features = random.weighted([
    [4, BigInt(random.pick(featureSets(profile)))],
    [3, BigInt(random.below(1 << (profile.knownFeatures + 2)))],
    [1, 1n << BigInt(random.below(224))],
    [1, random.u64()],
  ]);
  s.init(
    s.vcpu(),
    features,
    random.pick([profile.targets.preferred, profile.targets.preferred, 0, 1, 2, 3, 4, 5, 6, U32_MAX]),
  );
};

const getOneReg: Move = s => s.call(s.vcpu(), 'getOneReg', s.registers.id());

const setOneReg: Move = s => {
  const vcpu = s.vcpu();
  const id = s.registers.id();
  s.call(vcpu, 'setOneReg', id, s.registers.value(id));
  if (!s.random.oneIn(3)) s.call(vcpu, 'getOneReg', id);
};

const batch: Move = s => {
  const ids = BigUint64Array.from({ length: s.random.below(9) }, () => s.registers.id());
  const starts = wordOffsets(ids);
  const words = new BigUint64Array(starts[ids.length]!);
  ids.forEach((id, i) => {
    words[starts[i]!] = BigInt.asUintN(64, s.registers.value(id));
  });
  const vcpu = s.vcpu();
  const idBytes = hexBytes(new Uint8Array(ids.buffer));
  if (s.random.oneIn(2)) s.call(vcpu, 'setRegs', idBytes, hexBytes(new Uint8Array(words.buffer)));
  s.call(vcpu, 'getRegs', idBytes);
};

const registerList: Move = s => s.call(s.vcpu(), 'getRegList');
const state: Move = s => s.call(s.vcpu(), 'state');

const mpState: Move = s => {
  const vcpu = s.vcpu();
  s.call(vcpu, 'setMpState', s.random.pick([...Object.values(KVM_MP_STATE), 1, 6, 9, 11, U32_MAX]));
  s.call(vcpu, 'getMpState');
};

/** `struct kvm_vcpu_events`: three flags, padding, the syndrome, reserved. */
export function vcpuEvents(s: Sequence): Uint8Array {
  const { random } = s;
  const events = sparse(s, STRUCT_SIZE.kvm_vcpu_events);
  events[0] = random.pick([0, 0, 1, 1, 255]);
  events[1] = random.pick([0, 1]);
  events[2] = random.pick([0, 0, 0, 1]);
  if (random.oneIn(2)) events.set(random.bytes(random.pick([1, 2, 3, 4, 8])), 8);
  return events;
}

const events: Move = s => {
  const vcpu = s.vcpu();
  if (!s.random.oneIn(4)) s.call(vcpu, 'setVcpuEvents', hexBytes(vcpuEvents(s)));
  s.call(vcpu, 'getVcpuEvents');
};

const finalize: Move = s => s.call(s.vcpu(), 'armVcpuFinalize', s.random.pick([4, 4, 0, 5, 7, U32_MAX]));

const checkExtension: Move = s => {
  const cap = s.random.weighted([
    [8, s.random.below(300)],
    [1, s.random.u32()],
  ]);
  s.call('kvm', 'checkExtension', cap);
  s.call(s.vm(), 'checkExtension', cap);
};

/** One capability to enable: flags are mostly 0, and of four arguments one counts. */
function capability({ random }: Sequence): { cap: number; flags: number; args: BigUint64Array } {
  const arg = random.pick([
    ...[0n, 1n, 2n, 3n, 4n, 4096n, 8192n, 65536n, 1n << 20n, 1n << 21n, 3n << 20n, 1n << 25n, 1n << 30n],
    ...[1n << 32n, (1n << 32n) | 4096n, random.u64()],
  ]);
  return {
    cap: random.oneIn(6) ? random.below(300) : random.pick(CAPS_TO_ENABLE),
    flags: random.oneIn(6) ? random.u32() : 0,
    args: BigUint64Array.of(arg, random.oneIn(4) ? random.u64() : 0n, 0n, 0n),
  };
}

const enableCap: Move = s => {
  const vm = s.vm();
  const { cap, flags, args } = capability(s);
  s.call(vm, 'enableCap', cap, flags, hexBytes(new Uint8Array(args.buffer)));
  s.call(vm, 'checkExtension', cap);
};

/** `struct kvm_smccc_filter`: first function, how many, action, padding. */
const vmAttribute: Move = s => {
  const { random } = s;
  const vm = s.vm();
  const group = random.pick([0, 0, 0, 1, U32_MAX]);
  const attr = random.pick([0n, 0n, 0n, 1n, random.u64()]);
  const base = random.pick([
    0,
    0x7fff_ffff,
    0x8000_0000,
    0x8000_8000,
    0x8400_0000,
    0xc000_0000,
    random.u32(),
  ]);
  const count = random.pick([0, 1, 2, 0x1_0000, 0x8000_0000, U32_MAX, random.u32()]);
  const filter = Buffer.concat([u32s(base, count), u32s(random.pick([0, 1, 2, 3, 255])), sparse(s, 12)]);
  s.call(vm, 'hasDeviceAttr', group, attr);
  if (random.oneIn(4)) s.call(vm, 'getDeviceAttr', group, attr, 8);
  s.call(vm, 'setDeviceAttr', group, attr, hexBytes(filter));
};

/** Groups PMU, timer, stolen time and one that there is not. */
const vcpuAttribute: Move = s => {
  const { random } = s;
  const vcpu = s.vcpu();
  const group = random.below(4);
  const attr = random.pick([0n, 1n, 2n, 3n, 4n, 5n, random.u64()]);
  const data = random.pick([
    random.bytes(8),
    Buffer.concat([sparse(s, 4), u32s(random.below(3))]),
    // A filter of events from 0 on, as many as there can be, or one more.
    u32s(((random.pick([0x400, 0xffff]) + random.below(2)) << 16) >>> 0, 0),
    u32s(random.pick([random.below(9), ...Object.keys(s.profile.pmus).map(Number)]), 0),
  ]);
  s.call(vcpu, 'hasDeviceAttr', group, attr);
  s.call(vcpu, 'getDeviceAttr', group, attr, random.pick([4, 8, 16]));
  if (!random.oneIn(3)) s.call(vcpu, 'setDeviceAttr', group, attr, hexBytes(data));
};

const counterOffset: Move = s => {
  const offset = Buffer.concat([encodeCounterOffset(s.random.u64()).subarray(0, 8), sparse(s, 8)]);
  s.call(s.vm(), 'armSetCounterOffset', hexBytes(offset));
};

const vmQuestions: Move = s => {
  s.call(s.vm(), 'armPreferredTarget');
  s.call(s.vm(), 'armGetRegWritableMasks', s.random.pick([0, 0, 0, 1, U32_MAX]));
};

const kvmQuestions: Move = s => {
  s.call('kvm', 'getApiVersion');
  s.call('kvm', 'getVcpuMmapSize');
};

/** Requests with an integer argument, of which each descriptor knows its own; some are nobody's. */
const INTEGER_REQUESTS = [
  KVM_IOCTL.KVM_GET_API_VERSION,
  KVM_IOCTL.KVM_CHECK_EXTENSION,
  KVM_IOCTL.KVM_GET_VCPU_MMAP_SIZE,
  KVM_IOCTL.KVM_RESET_DIRTY_RINGS,
  0xae99,
  0xaeff,
];

const hatch: Move = s => {
  const on = s.random.pick(['kvm', s.vm(), s.vcpu()]);
  const argument = s.random.pick([0n, 0n, 1n, 102n, 165n, 228n, (1n << 32n) + 1n, s.random.u64()]);
  s.call(on, 'ioctl', s.random.pick(INTEGER_REQUESTS), argument);
};

/** Requests with a struct; a longer one than the request has is as good. */
const STRUCT_REQUESTS: readonly (readonly [request: number, struct: (s: Sequence) => Uint8Array])[] = [
  [
    KVM_IOCTL.KVM_ENABLE_CAP,
    s => {
      const { cap, flags, args } = capability(s);
      return encodeEnableCap(cap, flags, args);
    },
  ],
  [KVM_IOCTL.KVM_ARM_PREFERRED_TARGET, () => new Uint8Array(STRUCT_SIZE.kvm_vcpu_init)],
  [KVM_IOCTL.KVM_ARM_SET_COUNTER_OFFSET, s => Buffer.concat([s.random.bytes(8), sparse(s, 8)])],
  [KVM_IOCTL.KVM_ARM_VCPU_INIT, s => u32s(s.profile.targets.preferred, Number(s.features), 0, 0, 0, 0, 0, 0)],
  [KVM_IOCTL.KVM_ARM_VCPU_FINALIZE, s => u32s(s.random.below(8))],
  [KVM_IOCTL.KVM_GET_MP_STATE, () => new Uint8Array(4)],
  [KVM_IOCTL.KVM_SET_MP_STATE, s => u32s(s.random.pick([0, 5, 10, 1]))],
  [KVM_IOCTL.KVM_GET_VCPU_EVENTS, () => new Uint8Array(STRUCT_SIZE.kvm_vcpu_events)],
  [KVM_IOCTL.KVM_SET_VCPU_EVENTS, vcpuEvents],
  [0xc008_aeff, s => s.random.bytes(8)],
];

const hatchWithStruct: Move = s => {
  const [request, struct] = s.random.pick(STRUCT_REQUESTS);
  const tail = s.random.oneIn(4) ? s.random.bytes(8) : new Uint8Array();
  const on = s.random.pick(['kvm', s.vm(), s.vcpu(), s.vcpu()]);
  s.call(on, 'ioctlStruct', request, hexBytes(Buffer.concat([struct(s), tail])));
};

const close: Move = s => {
  const { random } = s;
  s.call(
    random.weighted([
      [8, s.vcpu()],
      [4, s.vm()],
      [1, 'kvm'],
    ]),
    'close',
  );
};

/** How often each is made. */
export const MOVES: readonly (readonly [weight: number, Move])[] = [
  [20, createVm],
  [40, createVcpu],
  [60, initAsUsual],
  [25, initOtherwise],
  [120, getOneReg],
  [360, setOneReg],
  [40, batch],
  [10, registerList],
  [10, state],
  [30, mpState],
  [30, events],
  [10, finalize],
  [20, checkExtension],
  [40, enableCap],
  [30, vmAttribute],
  [50, vcpuAttribute],
  [10, counterOffset],
  [10, vmQuestions],
  [5, kvmQuestions],
  [15, hatch],
  [25, hatchWithStruct],
  [8, close],
];
