/**
 * The SMCCC filter of a VM (Linux 6.4+): who answers a call of the guest, by its function id (`struct kvm_smccc_filter`,
 * `asm/kvm.h` of arm64).
 *
 * @packageDocumentation
 */
import { checkUnsigned, invalidValue } from './argument.ts';

/** What becomes of a call; the names of `KVM_SMCCC_FILTER_*` in small, and FWD_TO_USER in full. */
export const SMCCC_FILTER_ACTION = { handle: 0, deny: 1, forward: 2 } as const;

/** What becomes of a call: KVM answers it, the guest is told NOT_SUPPORTED, or the program gets it as an exit. */
export type SmcccAction = keyof typeof SMCCC_FILTER_ACTION;

/** Function ids, and what becomes of their calls. */
export interface SmcccRange {
  /** The first function id, u32. */
  readonly base: number;
  /** How many, u32. */
  readonly count: number;
  readonly action: SmcccAction;
}

/** Bytes of `struct kvm_smccc_filter`. */
export const SMCCC_FILTER_SIZE = 24;

/** `struct kvm_smccc_filter`. */
export function encodeSmcccFilter({ base, count, action }: SmcccRange): Uint8Array<ArrayBuffer> {
  checkUnsigned('base', base, 0xffff_ffff);
  checkUnsigned('count', count, 0xffff_ffff);
  if (!Object.hasOwn(SMCCC_FILTER_ACTION, action)) {
    throw invalidValue('action', Object.keys(SMCCC_FILTER_ACTION).join(', '), action);
  }
  const view = new DataView(new ArrayBuffer(SMCCC_FILTER_SIZE));
  view.setUint32(0, base, true);
  view.setUint32(4, count, true);
  view.setUint8(8, SMCCC_FILTER_ACTION[action]);
  return new Uint8Array(view.buffer);
}

/** What a `struct kvm_smccc_filter` says; undefined for bytes that are none. */
export function decodeSmcccFilter(bytes: Uint8Array): SmcccRange | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const action = SMCCC_ACTIONS[view.getUint8(8)];
  if (action === undefined) return undefined;
  const range = { base: view.getUint32(0, true), count: view.getUint32(4, true), action };
  return Buffer.compare(encodeSmcccFilter(range), bytes) === 0 ? range : undefined;
}

const SMCCC_ACTIONS = Object.keys(SMCCC_FILTER_ACTION) as SmcccAction[];
