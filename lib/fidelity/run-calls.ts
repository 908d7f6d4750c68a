/**
 * Runs calls on a backend and writes down the answers.
 *
 * @packageDocumentation
 */
import { createHash } from 'node:crypto';
import { errnoName } from '../abi/errno.ts';
import { wordOffsets } from '../abi/register-id.ts';
import { FEATURE_ID_RANGE_SIZE, STRUCT_SIZE } from '../abi/structs.ts';
import type { AttrHandle, FdHandle, KvmHandle, Result, VcpuHandle, VmHandle } from '../backend.ts';
import { type Call, hexBytes, kindOf } from './calls.ts';
import { type Conduit, guestCall, guestMemory, noteVcpu } from './guest-call.ts';
import { comparedPart } from './not-compared.ts';

/** What a call answered, as text: an errno's name, a number, a register's value, `ok`. */
export type Answer = string;

/** Of an object that was never made, because the call that should have made it failed. */
export const NO_OBJECT = '-';

/** Output buffers are filled with this before a call, so that it shows what the call leaves alone. */
const UNTOUCHED = 0x5a;

/** Runs calls in order on a fresh KVM, and closes all that they made. */
export function runCalls(open: () => KvmHandle, calls: readonly Call[]): Answer[] {
  const objects = new Map<string, FdHandle>([['kvm', open()]]);
  try {
    return calls.map(call => answer(objects, call));
  } finally {
    for (const object of objects.values()) object.close();
  }
}

/** An answer short enough to keep: a long one, such as a vCPU's whole state, is its digest. */
export function abridge(answer: Answer): string {
  if (answer.length <= 64) return answer;
  return `#${createHash('sha256').update(answer).digest('hex').slice(0, 16)}`;
}

function answer(objects: Map<string, FdHandle>, { on, method, args, makes }: Call): Answer {
  const object = objects.get(on);
  if (object === undefined) return NO_OBJECT;
  try {
    const result = METHODS[kindOf(on)]![method]!(object as never, ...args);
    if (typeof result !== 'object') return show(result);
    if (makes !== undefined) objects.set(makes, result);
    return 'ok';
  } catch (error) {
    return `throws ${error}`;
  }
}

function show(result: Result | bigint | string | undefined): Answer {
  if (result === undefined) return 'ok';
  if (typeof result === 'bigint') return `0x${result.toString(16)}`;
  return typeof result === 'number' && result < 0 ? errnoName(-result) : String(result);
}

type Method<Handle> = (
  handle: Handle,
  ...args: string[]
) => Result | bigint | string | undefined | VmHandle | VcpuHandle;
type Methods<Handle> = Readonly<Record<string, Method<Handle>>>;

const number = (text = '') => Number.parseInt(text, 16);
const big = (text: string | undefined) => BigInt(`0x${text}`);
const bytes = (text = '') => Uint8Array.from(Buffer.from(text, 'hex'));
const words = (text = '') => new BigUint64Array(bytes(text).buffer);

/** A call that fills a buffer: the answer has the bytes, too. */
function filling(length: number, call: (buffer: Uint8Array) => Result): Answer {
  const buffer = new Uint8Array(length).fill(UNTOUCHED);
  return `${show(call(buffer))} ${hexBytes(buffer)}`;
}

function close(fd: FdHandle): undefined {
  fd.close();
}

const fdMethods: Methods<FdHandle> = {
  ioctl: (fd, request, argument) => fd.ioctl(number(request), big(argument)),
  ioctlStruct(fd, request, argument) {
    const struct = bytes(argument);
    return `${show(fd.ioctl(number(request), struct))} ${hexBytes(struct)}`;
  },
  close,
};

const attrMethods: Methods<AttrHandle> = {
  ...fdMethods,
  hasDeviceAttr: (fd, group, attr) => fd.hasDeviceAttr(number(group), big(attr)),
  getDeviceAttr: (fd, group, attr, length) =>
    filling(number(length), data => fd.getDeviceAttr(number(group), big(attr), data)),
  setDeviceAttr: (fd, group, attr, data) => fd.setDeviceAttr(number(group), big(attr), bytes(data)),
};

const kvmMethods: Methods<KvmHandle> = {
  ...fdMethods,
  getApiVersion: kvm => kvm.getApiVersion(),
  checkExtension: (kvm, cap) => kvm.checkExtension(number(cap)),
  createVm: (kvm, type) => kvm.createVm(big(type)),
  getVcpuMmapSize: kvm => kvm.getVcpuMmapSize(),
};

const vmMethods: Methods<VmHandle> = {
  ...attrMethods,
  checkExtension: (vm, cap) => vm.checkExtension(number(cap)),
  enableCap: (vm, cap, flags, args) => vm.enableCap(number(cap), number(flags), words(args)),
  /** Memory for {@link guestCall}. */
  guestMemory: vm => void guestMemory(vm),
  createVcpu(vm, id) {
    const vcpu = vm.createVcpu(number(id));
    noteVcpu(vm, vcpu);
    return vcpu;
  },
  armPreferredTarget: vm => filling(STRUCT_SIZE.kvm_vcpu_init, init => vm.armPreferredTarget(init)),
  armGetRegWritableMasks: (vm, range) =>
    filling(8 * FEATURE_ID_RANGE_SIZE, masks =>
      vm.armGetRegWritableMasks(number(range), new BigUint64Array(masks.buffer)),
    ),
  armSetCounterOffset: (vm, offset) => vm.armSetCounterOffset(bytes(offset)),
};

const vcpuMethods: Methods<VcpuHandle> = {
  ...attrMethods,
  armVcpuInit: (vcpu, init) => vcpu.armVcpuInit(bytes(init)),
  armVcpuFinalize: (vcpu, feature) => vcpu.armVcpuFinalize(number(feature) | 0),
  getRegList(vcpu) {
    const list = vcpu.getRegList();
    return typeof list === 'number' ? list : Array.from(list, id => id.toString(16)).join(' ');
  },
  getOneReg(vcpu, id) {
    const value = vcpu.getOneReg(big(id));
    return typeof value === 'number' ? value : comparedPart(big(id), value);
  },
  setOneReg: (vcpu, id, value) => vcpu.setOneReg(big(id), big(value)),
  getRegs: (vcpu, ids) => readAll(vcpu, words(ids)),
  setRegs(vcpu, ids, values) {
    const status = new Int32Array(words(ids).length);
    const failed = vcpu.setRegs(words(ids), words(values), status);
    return [show(failed), ...Array.from(status, show)].join(' ');
  },
  getMpState: vcpu => vcpu.getMpState(),
  setMpState: (vcpu, state) => vcpu.setMpState(number(state)),
  getVcpuEvents: vcpu => filling(STRUCT_SIZE.kvm_vcpu_events, events => vcpu.getVcpuEvents(events)),
  setVcpuEvents: (vcpu, events) => vcpu.setVcpuEvents(bytes(events)),
  /** A call of its guest. */
  guest: (vcpu, conduit, ...x) => guestCall(vcpu, conduit as Conduit, x.map(big)),
  /** All registers that the vCPU lists: what a sequence comes to. */
  state(vcpu) {
    const list = vcpu.getRegList();
    return typeof list === 'number' ? list : readAll(vcpu, list);
  },
};

const METHODS: Readonly<Record<string, Methods<never>>> = {
  kvm: kvmMethods,
  vm: vmMethods,
  vcpu: vcpuMethods,
};

/** Registers in one batch: `failures id=value id=errno …`. */
function readAll(vcpu: VcpuHandle, ids: BigUint64Array): Answer {
  const starts = wordOffsets(ids);
  const values = new BigUint64Array(starts[ids.length]!);
  const status = new Int32Array(ids.length);
  const failed = vcpu.getRegs(ids, values, status);
  if (failed < 0) return show(failed);
  const registers = Array.from(ids, (id, i) => {
    let value = 0n;
    for (let word = starts[i + 1]! - 1; word >= starts[i]!; word--) value = (value << 64n) | values[word]!;
    const known = status[i]! < 0 ? show(status[i]) : '';
    return `${id.toString(16)}=${known}${comparedPart(id, value).toString(16)}`;
  });
  return [failed, ...registers].join(' ');
}
