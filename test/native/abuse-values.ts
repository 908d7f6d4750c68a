/** One of every kind that JavaScript has, for `abuse-cases.ts`. */

const detached = <T extends ArrayBufferView>(value: T): T => {
  structuredClone(value.buffer, { transfer: [value.buffer as ArrayBuffer] });
  return value;
};

/** A view whose memory was shrunk away from under it. */
function outOfBounds(): Uint8Array {
  // Resizable buffers are newer than TypeScript's es2023.
  const Resizable = ArrayBuffer as unknown as new (length: number, options: object) => ArrayBuffer;
  const buffer = new Resizable(64, { maxByteLength: 64 });
  const value = new Uint8Array(buffer, 32, 32);
  (buffer as unknown as { resize(length: number): void }).resize(8);
  return value;
}

/** The kind of memory that guests have. */
export function wasmMemory(): ArrayBuffer {
  // The types of WebAssembly come with TypeScript's library for browsers.
  const { WebAssembly } = globalThis as unknown as {
    WebAssembly: { Memory: new (options: object) => { buffer: ArrayBuffer } };
  };
  return new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }).buffer;
}

function throwing(): never {
  throw new Error('a conversion was tried');
}

/** One of every kind that JavaScript has, made anew for each call. */
export const VALUES: Readonly<Record<string, () => unknown>> = {
  undefined: () => undefined,
  null: () => null,
  true: () => true,
  '0': () => 0,
  '-0': () => -0,
  '1': () => 1,
  '16': () => 16,
  '17': () => 17,
  '-1': () => -1,
  '1.5': () => 1.5,
  NaN: () => Number.NaN,
  Infinity: () => Number.POSITIVE_INFINITY,
  '-Infinity': () => Number.NEGATIVE_INFINITY,
  '2**32-1': () => 2 ** 32 - 1,
  '2**32': () => 2 ** 32,
  '2**64': () => 2 ** 64,
  '5e-324': () => Number.MIN_VALUE,
  '1.8e308': () => Number.MAX_VALUE,
  'an empty string': () => '',
  'a string': () => '44547',
  'a string with a null byte': () => '/dev/null\0',
  'a lone surrogate': () => '\ud800',
  'a long string': () => 'x'.repeat(100_000),
  'a symbol': () => Symbol('s'),
  '0n': () => 0n,
  '1n': () => 1n,
  '-1n': () => -1n,
  '2n**32n': () => 2n ** 32n,
  '2n**64n-1n': () => 2n ** 64n - 1n,
  '2n**64n': () => 2n ** 64n,
  '-(2n**64n)': () => -(2n ** 64n),
  '2n**2048n-1n': () => 2n ** 2048n - 1n,
  '2n**2048n': () => 2n ** 2048n,
  '2n**1000000n': () => 2n ** 1_000_000n,
  'an object': () => ({}),
  'an object that converts': () => ({
    valueOf: throwing,
    toString: throwing,
    [Symbol.toPrimitive]: throwing,
  }),
  'an object with length': () => ({ length: 24, 0: 1 }),
  'a boxed number': () => Object(1),
  'a boxed bigint': () => Object(1n),
  'an array': () => [0, 0, 0],
  'a function': () => throwing,
  'a date': () => new Date(0),
  'a proxy of bytes': () => new Proxy(new Uint8Array(24), {}),
  'a revoked proxy': () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  },
  'an ArrayBuffer': () => new ArrayBuffer(24),
  'a SharedArrayBuffer': () => new SharedArrayBuffer(24),
  'a DataView': () => new DataView(new ArrayBuffer(24)),
  'no bytes': () => new Uint8Array(0),
  '3 bytes': () => new Uint8Array(3),
  '24 bytes': () => new Uint8Array(24),
  'a Buffer': () => Buffer.alloc(24),
  '256 KiB': () => new Uint8Array(262144),
  '256 KiB and 1': () => new Uint8Array(262145),
  'bytes at an odd address': () => new Uint8Array(new ArrayBuffer(32), 3, 24),
  'shared bytes': () => new Uint8Array(new SharedArrayBuffer(24)),
  'bytes of a wasm memory': () => new Uint8Array(wasmMemory(), 8, 24),
  'detached bytes': () => detached(new Uint8Array(24)),
  'bytes out of bounds': outOfBounds,
  'clamped bytes': () => new Uint8ClampedArray(24),
  'signed bytes': () => new Int8Array(24),
  doubles: () => new Float64Array(24),
  'signed words': () => new BigInt64Array(24),
  'no words': () => new BigUint64Array(0),
  '1 word': () => new BigUint64Array(1),
  '3 words': () => new BigUint64Array(3),
  'shared words': () => new BigUint64Array(new SharedArrayBuffer(16)),
  'detached words': () => detached(new BigUint64Array(3)),
  'no numbers': () => new Int32Array(0),
  '1 number': () => new Int32Array(1),
  '3 numbers': () => new Int32Array(3),
  'shared numbers': () => new Int32Array(new SharedArrayBuffer(8)),
  'detached numbers': () => detached(new Int32Array(3)),
};
