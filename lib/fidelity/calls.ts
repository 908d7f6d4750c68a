/**
 * Calls of the seam as data: a line of text each, which every backend can be asked and a person can read.
 *
 * ```text
 * vm0 = kvm createVm 0
 * vcpu0 = vm0 createVcpu 0
 * vcpu0 getOneReg 6030000000140000
 * ```
 *
 * @packageDocumentation
 */

/** One call. */
export interface Call {
  /** Which object: `kvm`, `vm0`, `vcpu3`. */
  readonly on: string;
  /** The seam's method, or one of those that `run-calls.ts` adds. */
  readonly method: string;
  /** Numbers in hex; bytes in hex in the order of memory. */
  readonly args: readonly string[];
  /** What the object that it makes is called. */
  readonly makes?: string | undefined;
}

/** The call as a line. */
export function formatCall({ on, method, args, makes }: Call): string {
  return [...(makes === undefined ? [] : [makes, '=']), on, method, ...args].join(' ');
}

/** Reads what {@link formatCall} writes. */
export function parseCall(line: string): Call {
  const words = line.split(' ');
  const makes = words[1] === '=' ? words[0] : undefined;
  const [on = '', method = '', ...args] = makes === undefined ? words : words.slice(2);
  return { on, method, args, makes };
}

/** The kind of an object, by its name: `vcpu` of `vcpu3`. */
export function kindOf(name: string): string {
  return name.replace(/\d+$/, '');
}

/** A number in hex. */
export function hex(value: number | bigint): string {
  return value.toString(16);
}

/** Bytes in hex. */
export function hexBytes(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}
