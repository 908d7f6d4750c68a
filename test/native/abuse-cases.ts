/**
 * Every native function with every kind of wrong argument, as a table: for each parameter of each call, each of
 * {@link VALUES} in its place, and what must come of it. The cases run in vitest, and again under the sanitizers
 * (`abuse-child.ts`), so they assert with node:assert.
 */
import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect, types } from 'node:util';
import type { Addon, Fd } from '#lib/native/addon.js';
import { VALUES, wasmMemory } from './abuse-values.ts';

/** What may stand for a parameter: undefined where a value is right, else the error that it must raise. */
type Judge = (value: unknown) => undefined | typeof TypeError | typeof RangeError;

const within =
  (low: bigint, high: bigint): Judge =>
  value => {
    if (typeof value !== 'bigint') return TypeError;
    return value >= low && value <= high ? undefined : RangeError;
  };
const view =
  (type: new (length: number) => ArrayLike<unknown>, least: number, most = Number.POSITIVE_INFINITY): Judge =>
  value => {
    // A proxy of a view is an instance, too, but no view.
    if (!ArrayBuffer.isView(value) || !(value instanceof type)) return TypeError;
    return value.length >= least && value.length <= most ? undefined : RangeError;
  };

const U64 = within(0n, 2n ** 64n - 1n);
/** An integer: a bigint, or a number of 32 bits. */
const integer: Judge = value => {
  if (typeof value !== 'number') return U64(value);
  return Number.isInteger(value) && value >= 0 && value < 2 ** 32 ? undefined : RangeError;
};
const U32 = within(0n, 2n ** 32n - 1n);
const U2048 = within(0n, 2n ** 2048n - 1n);
const bytes = (least: number) => view(Uint8Array, least, 262144);
/** Any number but the right one is out of range. */
const request: Judge = value => (typeof value === 'number' ? RangeError : TypeError);
const path: Judge = value => (typeof value === 'string' && !value.includes('\0') ? undefined : TypeError);
const offset: Judge = value => {
  if (typeof value !== 'number') return TypeError;
  return Number.isInteger(value) && value >= 0 && value <= 16 ? undefined : RangeError;
};
const u32: Judge = value => (typeof value === 'number' ? integer(value) : TypeError);
/** Guest memory, or none. */
const sharedBytes: Judge = value => {
  const judged = view(Uint8Array, 0)(value);
  if (judged !== undefined) return judged;
  const { buffer, length } = value as Uint8Array;
  return length === 0 || buffer instanceof SharedArrayBuffer ? undefined : TypeError;
};
const runBytes: Judge = view(Uint8Array, 288);
/** Bytes to map: none, or some pages. */
const mapped: Judge = value => {
  if (value === undefined || value === 0) return undefined;
  return u32(value) ?? (Number(value) >= 4096 && Number(value) <= 2 ** 20 ? undefined : RangeError);
};
const nothing: Judge = value => (value === undefined ? undefined : TypeError);
/** Nobody makes descriptors but the addon. */
const descriptor: Judge = () => TypeError;
const optionalBytes: Judge = value => (value === undefined ? undefined : bytes(0)(value));

const EBADF = -9;
/** What x86 has; arm64 has two pages. */
const MMAP_SIZE = 3 * 4096;
const KVM_CREATE_VM = 0xae01;
const KVM_CHECK_EXTENSION = 0xae03;
const KVM_CREATE_VCPU = 0xae41;
const KVM_GET_DEVICE_ATTR = 0x4018aee2;
const KVM_GET_MP_STATE = 0x8004ae98;
const U64_ID = 0x6030_0000_0014_0000n;
const U32_ID = 0x6020_0000_0014_0000n;
const U2048_ID = 0x6080_0000_0014_0000n;

interface Call {
  readonly title: string;
  readonly method: Exclude<keyof Addon, 'abi' | 'pageSize'>;
  /** Right arguments, but the descriptor, which is the first; and who judges what stands in for each. */
  readonly parameters: readonly (readonly [right: () => unknown, judge: Judge])[];
}

const right =
  <T>(value: T) =>
  () =>
    value;

/** Right calls. A method has several where its parameters depend on each other. */
const CALLS: readonly Call[] = [
  { title: 'open', method: 'open', parameters: [[right('/dev/null'), path]] },
  {
    title: 'ioctl of an integer',
    method: 'ioctl',
    parameters: [
      [right(KVM_CHECK_EXTENSION), request],
      [right(0n), integer],
      [right(undefined), nothing],
    ],
  },
  {
    title: 'ioctl of a struct',
    method: 'ioctl',
    parameters: [
      [right(KVM_GET_MP_STATE), request],
      [() => new Uint8Array(4), bytes(4)],
      // With a pointee, the offset is missing.
      [right(undefined), value => optionalBytes(value) ?? nothing(value)],
    ],
  },
  {
    title: 'ioctl of a struct that points to more',
    method: 'ioctl',
    parameters: [
      [right(KVM_GET_DEVICE_ATTR), request],
      [() => new Uint8Array(24), bytes(24)],
      [() => new Uint8Array(8), optionalBytes],
      [right(16), offset],
    ],
  },
  {
    title: 'create',
    method: 'create',
    parameters: [
      [right(KVM_CREATE_VCPU), request],
      [right(0n), U64],
      [right(undefined), mapped],
    ],
  },
  { title: 'run', method: 'run', parameters: [[() => new Uint8Array(312), runBytes]] },
  {
    title: 'start',
    method: 'start',
    parameters: [
      [() => new Uint8Array(312), runBytes],
      [right(() => {}), value => (typeof value === 'function' ? undefined : TypeError)],
    ],
  },
  { title: 'kick', method: 'kick', parameters: [] },
  {
    title: 'setUserMemoryRegion',
    method: 'setUserMemoryRegion',
    parameters: [
      [right(0), u32],
      [right(0), u32],
      [right(0n), U64],
      [() => new Uint8Array(wasmMemory()), sharedBytes],
    ],
  },
  {
    title: 'createDevice',
    method: 'createDevice',
    parameters: [
      [right(5), u32],
      [right(0), u32],
    ],
  },
  { title: 'createEventFd', method: 'createEventFd', parameters: [] },
  { title: 'signalEventFd', method: 'signalEventFd', parameters: [] },
  { title: 'takeEventFd', method: 'takeEventFd', parameters: [] },
  {
    title: 'watchEventFd',
    method: 'watchEventFd',
    parameters: [
      [
        right(() => {}),
        value => (value === undefined || typeof value === 'function' ? undefined : TypeError),
      ],
    ],
  },
  { title: 'fdNumber', method: 'fdNumber', parameters: [] },
  { title: 'getOneReg', method: 'getOneReg', parameters: [[right(U64_ID), U64]] },
  ...(
    [
      ['32 bits', U32_ID, U32],
      ['64 bits', U64_ID, U64],
      ['2048 bits', U2048_ID, U2048],
    ] as const
  ).map(([width, id, judge]) => ({
    title: `setOneReg of ${width}`,
    method: 'setOneReg' as const,
    parameters: [
      [right(id), U64],
      [right(0n), judge],
    ] as const,
  })),
  { title: 'getRegList', method: 'getRegList', parameters: [] },
  ...(['getRegs', 'setRegs'] as const).map(method => ({
    title: method,
    method,
    parameters: [
      // The views in VALUES hold zeros: ids of one byte, so of one word each.
      [() => new BigUint64Array([U64_ID, U32_ID]), view(BigUint64Array, 0, 2)],
      [() => new BigUint64Array(2), view(BigUint64Array, 2)],
      [() => new Int32Array(2), view(Int32Array, 2)],
    ] as const,
  })),
  { title: 'close', method: 'close', parameters: [] },
];

const CODES: Record<string, readonly string[]> = {
  TypeError: ['ERR_INVALID_ARG_TYPE', 'ERR_INVALID_ARG_VALUE'],
  RangeError: ['ERR_OUT_OF_RANGE'],
};

/** What a call answers that was not refused. */
function assertAnswer(
  addon: Addon,
  method: Call['method'],
  isOpen: boolean,
  result: unknown,
  what: string,
): void {
  if (method === 'close') assert.equal(result, undefined, what);
  else if (method === 'getRegs' || method === 'setRegs') assert.ok((result as number) >= 0, what);
  else if (!isOpen && method === 'fdNumber') assert.equal(result, -1, what);
  else if (!isOpen && method !== 'open') assert.equal(result, EBADF, what);
  else if (types.isExternal(result)) addon.close(result as Fd);
  else if (result instanceof BigUint64Array) assert.equal(method, 'getRegList', what);
  else if (typeof result === 'bigint') assert.ok(method === 'getOneReg' || method === 'takeEventFd', what);
  else assert.ok(Number.isInteger(result), what);
}

/** One property of the addon; `run` throws where it does not hold. */
export interface Case {
  readonly title: string;
  readonly run: () => void;
}

const OF_EVENT_FDS = new Set<Call['method']>(['signalEventFd', 'takeEventFd', 'watchEventFd', 'fdNumber']);

/** An eventfd for its methods, a VM (for `create`) or a vCPU where there is KVM, else anything that can be opened. */
function openFor(addon: Addon, method: Call['method']): Fd {
  if (OF_EVENT_FDS.has(method)) {
    const any = addon.open('/dev/null') as Fd;
    const event = addon.createEventFd(any) as Fd;
    addon.close(any);
    return event;
  }
  const opened = [addon.open('/dev/kvm')];
  const isOfVm = method === 'create' || method === 'createDevice' || method === 'setUserMemoryRegion';
  for (const request of isOfVm ? [KVM_CREATE_VM] : [KVM_CREATE_VM, KVM_CREATE_VCPU]) {
    const parent = opened.at(-1)!;
    const size = request === KVM_CREATE_VCPU ? MMAP_SIZE : undefined;
    opened.push(typeof parent === 'number' ? parent : addon.create(parent, request, 0n, size));
  }
  const last = opened.pop()!;
  for (const fd of opened) if (typeof fd !== 'number') addon.close(fd);
  return typeof last === 'number' ? (addon.open('/dev/null') as Fd) : last;
}

/** The cases of one call, on an open or a closed descriptor. */
function callCases(
  addon: Addon,
  values: typeof VALUES,
  { title, method, parameters }: Call,
  isOpen: boolean,
): Case[] {
  const call = addon[method] as (...args: unknown[]) => unknown;
  const judges = parameters.map(([, judge]) => judge);
  const state = isOpen ? 'an open' : 'a closed';

  /** Runs `body` with a function that makes one call and checks what comes of it. */
  const withCall =
    (
      body: (
        check: (args: unknown[], wanted: ReturnType<Judge>, what: string) => void,
        right: () => unknown[],
      ) => void,
    ) =>
    () => {
      const fd = openFor(addon, method);
      if (!isOpen) addon.close(fd);
      const first = method === 'open' ? [] : [fd];
      const check = (args: unknown[], wanted: ReturnType<Judge>, what: string) => {
        let result: unknown;
        try {
          result = call(...args);
        } catch (error) {
          assert.ok(wanted !== undefined && error instanceof wanted, `${what}: ${error} for ${wanted?.name}`);
          const code = String((error as NodeJS.ErrnoException).code);
          assert.ok(CODES[wanted.name]!.includes(code), `${what}: the code is ${code}`);
          return;
        }
        assert.equal(wanted, undefined, `${what}: answered ${inspect(result)} for a ${wanted?.name}`);
        assertAnswer(addon, method, isOpen, result, `${what}: answered ${inspect(result)}`);
      };
      body(check, () => [...first, ...parameters.map(([value]) => value())]);
      addon.close(fd);
    };

  const all: readonly Judge[] = method === 'open' ? judges : [descriptor, ...judges];
  const replaced = all.map((judge, index) => ({
    title: `${title} on ${state} descriptor: anything for argument ${index}`,
    run: withCall((check, right) => {
      for (const [name, make] of Object.entries(values)) {
        const value = make();
        const wanted = judge(value); // before the call, which may change it
        check(right().with(index, value), wanted, name);
      }
    }),
  }));
  const counted = {
    title: `${title} on ${state} descriptor: as it should be, with too many arguments, and too few`,
    run: withCall((check, right) => {
      check(right(), undefined, 'as it should be');
      check([...right(), {}, 1n, Symbol('s'), null, undefined], undefined, 'too many');
      // The first one that is missing decides.
      all.forEach((judge, count) => {
        check(right().slice(0, count), judge(undefined), `${count} arguments`);
      });
    }),
  };
  return [...replaced, counted];
}

/** Shows that the table above forgets nothing that the addon has. */
function completenessCase(addon: Addon): Case {
  return {
    title: 'every function of the addon is in the table',
    run() {
      const inTable = new Set<string>(CALLS.map(call => call.method));
      assert.deepEqual([...inTable, 'abi', 'pageSize'].sort(), Object.getOwnPropertyNames(addon).sort());
    },
  };
}

/** All cases for the addon in this file. */
export function abuseCases(path: string): Case[] {
  const require = createRequire(import.meta.url);
  const addon = require(path) as Addon;
  // A second copy, as two versions of the package in one program have: its descriptors are none of the first's.
  const folder = mkdtempSync(join(tmpdir(), 'kvm-arm64-abuse-'));
  copyFileSync(path, join(folder, 'copy.node'));
  const copy = require(join(folder, 'copy.node')) as Addon;
  rmSync(folder, { recursive: true });
  const values = { ...VALUES, 'a descriptor of another copy': () => copy.open('/dev/null') };
  const calls = [true, false].flatMap(isOpen =>
    CALLS.flatMap(call => callCases(addon, values, call, isOpen)),
  );
  return [completenessCase(addon), ...calls];
}
