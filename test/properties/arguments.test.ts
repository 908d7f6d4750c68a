/**
 * Any argument to any public method: it returns, or throws an error of the library with a `code`, and the object goes
 * on working. Methods are found by their prototypes, so that none that comes later is forgotten.
 */

import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KVM_CAP } from '#lib/abi/capabilities.js';
import { KVM_IOCTL } from '#lib/abi/ioctls.js';
import { Kvm as EmulatedKvm } from '#lib/emulator.js';
import { Kvm, KvmError, RegisterBatch, type Vcpu, type Vm } from '#lib/index.js';

/** What a trap of the caller's own object throws; it must reach the caller as it is. */
class Trapped extends Error {}

function trap(): never {
  throw new Trapped();
}

/** What must be made within the property: fast-check looks at the values that it hands out. */
class Late {
  readonly make: () => unknown;
  constructor(make: () => unknown) {
    this.make = make;
  }
}

const late = fc.constantFrom(
  new Late(() => Object.defineProperty({}, 'features', { get: trap, enumerable: true })),
  new Late(() => new Proxy({}, { get: trap, ownKeys: trap, has: trap })),
  new Late(() => new Proxy([1, 2], { get: trap })),
  new Late(() => ({ [Symbol.iterator]: trap })),
  new Late(() => detached(new Uint8Array(8))),
  new Late(() => detached(new Uint8Array(64))),
  new Late(() => detached(new BigUint64Array(3))),
);

const made = (value: unknown) => (value instanceof Late ? value.make() : value);

function detached<T extends Uint8Array | BigUint64Array>(array: T): T {
  structuredClone(array.buffer, { transfer: [array.buffer as ArrayBuffer] });
  return array;
}

const U64 = 2n ** 64n;

/** Values at which widths end, and what is like a number without being one. */
const edges = fc.constantFrom<unknown>(
  ...[-1, -0, 0.5, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53, -(2 ** 53), 1e308, Number.NaN],
  ...[Number.POSITIVE_INFINITY, -1n, -U64, U64 - 1n, U64, 1n << 128n, 1n << 5000n],
  ...['', '0', '-1', '1e3', '0x60', 'constructor', '__proto__', 'ı', '\u0000', 'X'.repeat(5000)],
  ...[Symbol('s'), Symbol.iterator, () => 0, class {}, new Date(Number.NaN), /x/, new Map(), new Error('e')],
);

/** What takes a call beyond its first check. */
const PC = 0x6030_0000_0010_0040n;
const plausible = fc.oneof(
  fc.constantFrom<unknown>(...Object.values(KVM_IOCTL), ...Object.values(KVM_CAP)),
  fc.integer({ min: 0, max: 20 }),
  fc.bigInt({ min: 0n, max: U64 - 1n }),
  fc.constantFrom<unknown>(
    'PC',
    'V3',
    'FPSR',
    'KVM_REG_ARM_PSCI_VERSION',
    'ARM_PSCI_0_2',
    'PSCI_0_2',
    '1.0',
    '1.7',
  ),
  fc.constantFrom<unknown>(
    'STOPPED',
    PC,
    [PC],
    ['PC', 'NONE'],
    [['PC', 1n]],
    [[PC, -1n]],
    [[PC]],
    [null],
    [[]],
  ),
  fc.constantFrom<unknown>(
    { ipaBits: 40 },
    { ipaBits: '40' },
    { features: ['PSCI_0_2'] },
    { features: [2, 99] },
  ),
  fc.constantFrom<unknown>(
    { target: 4 },
    { serrorPending: true, serrorEsr: 1n },
    { serrorEsr: 1 },
    { length: 2 },
  ),
  fc.constantFrom(0, 4, 8, 16, 24, 32, 64, 104, 4096).map(size => new Uint8Array(size)),
  fc.constantFrom(0, 8, 32).map(size => new Uint8Array(new SharedArrayBuffer(size))),
  fc.constantFrom(0, 1, 5).map(count => new BigUint64Array(count).fill(PC)),
);

const anyValue: fc.Arbitrary<unknown> = fc.oneof(
  fc.anything({
    ...{ withBigInt: true, withDate: true, withMap: true, withSet: true, withNullPrototype: true },
    ...{ withObjectString: true, withSparseArray: true, withTypedArray: true, withBoxedValues: true },
  }),
  edges,
  { arbitrary: plausible, weight: 3 },
  late,
);

const manyArguments = fc.array(anyValue, { maxLength: 4 });

/** Runs it and judges how it ends. */
function attempt(call: () => unknown): void {
  const judge = (error: unknown) => {
    if (error instanceof Trapped) return;
    const isOurs = error instanceof KvmError || error instanceof TypeError || error instanceof RangeError;
    if (!isOurs || typeof (error as Error & { code?: unknown }).code !== 'string') throw error;
  };
  try {
    const result = call();
    // A promise that is rejected otherwise is unhandled, which fails the run.
    if (result instanceof Promise) result.catch(judge);
  } catch (error) {
    judge(error);
  }
}

/** Members that end an object, are for its subclasses, or run a guest, which may take for ever: see below. */
const NOT_CALLED = new Set<string | symbol>([
  'constructor',
  'close',
  Symbol.dispose,
  'check',
  'handle',
  'run',
  'runSync',
]);

/** The methods and getters of an object's classes. */
function membersOf(object: object): [name: string | symbol, member: (...args: unknown[]) => unknown][] {
  const members = new Map<string | symbol, (...args: unknown[]) => unknown>();
  for (let at = Object.getPrototypeOf(object); at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const name of Reflect.ownKeys(at)) {
      const { value, get } = Object.getOwnPropertyDescriptor(at, name)!;
      if (!NOT_CALLED.has(name) && !members.has(name)) members.set(name, value ?? get);
    }
  }
  return [...members];
}

/** Every member of the object that `current` gives; afterwards it must be usable. */
function holdEachMember(sample: object, current: () => object, isUsable: () => void): void {
  for (const [name, member] of membersOf(sample)) {
    it(`${String(name)}()`, () => {
      fc.assert(
        fc.property(manyArguments, args => {
          attempt(() => Reflect.apply(member, current(), args.map(made)));
          isUsable();
        }),
        { numRuns: 400 },
      );
    });
  }
}

/** A Kvm with a VM and a vCPU. */
function openAll() {
  const kvm = Kvm.open({ backend: 'emulated' });
  const vm = kvm.createVm();
  const vcpu = vm.createVcpu(0);
  vcpu.init();
  return { kvm, vm, vcpu };
}

// Prototypes are wanted while tests are collected.
const samples = openAll();
const sampleBatch = samples.vcpu.getRegs(['PC', 'V0']);
samples.kvm.close();

let kvm: Kvm;
let vm: Vm;
let vcpu: Vcpu;

beforeEach(() => {
  ({ kvm, vm, vcpu } = openAll());
});
afterEach(() => kvm.close());

describe('any argument to a method of Kvm', () => {
  holdEachMember(
    samples.kvm,
    () => kvm,
    () => expect(kvm.apiVersion()).toBe(12),
  );
});

describe('any argument to a method of Vm', () => {
  holdEachMember(
    samples.vm,
    () => vm,
    () => expect(vm.preferredTarget().target).toBe(5),
  );
});

describe('any argument to a method of Vcpu', () => {
  holdEachMember(
    samples.vcpu,
    () => vcpu,
    () => expect(vcpu.getRegList().length).toBe(259),
  );
});

describe('any argument to run()', () => {
  it('is refused, or a kick ends it', async () => {
    await fc.assert(
      fc.asyncProperty(manyArguments, async args => {
        const running = Reflect.apply(vcpu.run, vcpu, args.map(made)) as Promise<unknown>;
        vcpu.kick();
        await running.catch(error => attempt(() => Promise.reject(error)));
        expect(vcpu.getRegList().length).toBe(259);
      }),
    );
  });
});

describe('any argument to a method of RegisterBatch', () => {
  holdEachMember(
    sampleBatch,
    () => sampleBatch,
    () => expect(sampleBatch.get('PC')).toBe(0n),
  );

  it('from()', () => {
    fc.assert(fc.property(anyValue, value => attempt(() => RegisterBatch.from(made(value) as never))));
  });

  it('that somebody has changed', () => {
    const id = fc.bigInt({ min: 0n, max: U64 - 1n });
    fc.assert(
      fc.property(id, fc.boolean(), fc.constantFrom('ids', 'words', 'status'), (other, isDetached, array) => {
        const batch = vcpu.getRegs(['PC', 'FPSR', 'V0']);
        batch.ids[1] = other;
        if (isDetached)
          structuredClone(batch[array].buffer, { transfer: [batch[array].buffer as ArrayBuffer] });
        attempt(() => vcpu.setRegs(batch));
        expect(vcpu.getRegList().length).toBe(259);
      }),
    );
  });
});

describe('any argument to Kvm.open()', () => {
  it('of the emulator', () => {
    fc.assert(
      fc.property(anyValue, options => attempt(() => EmulatedKvm.open(made(options) as never).close())),
    );
    fc.assert(
      fc.property(anyValue, host => attempt(() => EmulatedKvm.open({ host: made(host) } as never).close())),
    );
  });

  it('of the package', () => {
    fc.assert(
      fc.property(anyValue, anyValue, (backend, host) =>
        attempt(() => Kvm.open({ backend: made(backend), host: made(host) } as never).close()),
      ),
    );
  });
});

describe('an object that is closed', () => {
  it('throws ERR_CLOSED, or for a wrong argument what an open one throws', () => {
    kvm.close();
    for (const [object, sample] of [
      [kvm, samples.kvm],
      [vm, samples.vm],
      [vcpu, samples.vcpu],
    ] as const) {
      for (const [, member] of membersOf(sample)) {
        fc.assert(
          fc.property(manyArguments, args => attempt(() => Reflect.apply(member, object, args.map(made)))),
          { numRuns: 50 },
        );
      }
    }
  });
});
