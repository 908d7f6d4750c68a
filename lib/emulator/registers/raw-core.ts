/**
 * `struct kvm_regs` as Linux before 4.19 has it for userspace: bytes. An id is an offset and a width, whether or not a
 * register is there (`get_core_reg`, `set_core_reg`, arch/arm64/kvm/guest.c).
 *
 * @packageDocumentation
 */
import { ERRNO } from '../../abi/errno.ts';
import { CORE_PSTATE, coreRegId, decodeRegisterId, registerBytes } from '../../abi/register-id.ts';
import type { Result } from '../../backend.ts';
import type { Configuration, RegisterAccess, VcpuState } from '../state.ts';

/** `sizeof(struct kvm_regs)` in units of 4 bytes, of which offsets are multiples. */
const WORDS = 216;
/** What a value is copied through: no wider one can be set. */
const WIDEST = 16;

/** The modes that PSTATE may be set to, whatever the vCPU is: SYS is not among them. */
const MODE_MASK = 0x1fn;
const MODES = new Set([0n, 4n, 5n, 16n, 17n, 18n, 19n, 23n, 27n]);
const PSTATE_OFFSET = offsetOf(CORE_PSTATE);

/** Whether an id is of the core registers' coprocessor. */
export function isCore(id: bigint): boolean {
  const fields = decodeRegisterId(id);
  return fields.kind === 'core' && fields.arch === 'arm64';
}

function offsetOf(id: bigint): number {
  const fields = decodeRegisterId(id);
  return fields.kind === 'core' ? fields.offset : -1;
}

/** The ids that KVM_GET_REG_LIST has, which counts words and calls each 64 bits wide; the last two cannot be read. */
export const RAW_CORE_LIST: readonly bigint[] = Array.from({ length: WORDS }, (_, word) =>
  coreRegId(4 * word),
);

/** The access for an id; undefined beyond the struct. */
export function rawCore(id: bigint): RegisterAccess | undefined {
  const offset = offsetOf(id);
  const bytes = registerBytes(id);
  if (offset / 4 + Math.floor(bytes / 4) >= WORDS) return undefined;
  return {
    cell: -1,
    scope: 'vcpu',
    get(vcpu) {
      return parts(vcpu, offset, bytes).reduce(
        (value, { cell, mask, inMember, inValue }) =>
          value | (((vcpu.cells[cell]! >> inMember) & mask) << inValue),
        0n,
      );
    },
    set(vcpu, value): Result {
      if (bytes > WIDEST || (offset === PSTATE_OFFSET && !MODES.has(value & MODE_MASK))) return -ERRNO.EINVAL;
      for (const { cell, mask, inMember, inValue } of parts(vcpu, offset, bytes)) {
        const written = ((value >> inValue) & mask) << inMember;
        vcpu.cells[cell] = (vcpu.cells[cell]! & ~(mask << inMember)) | written;
      }
      return 0;
    },
  };
}

/** Some bits of a member: where they lie in it and in the value. */
interface Part {
  readonly cell: number;
  readonly mask: bigint;
  readonly inMember: bigint;
  readonly inValue: bigint;
}

/** The profile's core registers: the members of the struct, padding included. */
const membersOf = new WeakMap<
  Configuration,
  { readonly start: number; readonly end: number; cell: number }[]
>();

function members(configuration: Configuration) {
  let found = membersOf.get(configuration);
  if (found === undefined) {
    found = [...configuration.registers]
      .filter(([id]) => isCore(id))
      .map(([id, { cell }]) => ({ start: offsetOf(id), end: offsetOf(id) + registerBytes(id), cell }));
    membersOf.set(configuration, found);
  }
  return found;
}

/** What of each member lies within a range of bytes. */
function parts(vcpu: VcpuState, offset: number, bytes: number): Part[] {
  return members(vcpu.configuration!).flatMap(({ start, end, cell }) => {
    const first = Math.max(start, offset);
    const last = Math.min(end, offset + bytes);
    if (first >= last) return [];
    const mask = (1n << BigInt(8 * (last - first))) - 1n;
    return { cell, mask, inMember: BigInt(8 * (first - start)), inValue: BigInt(8 * (first - offset)) };
  });
}
