/**
 * Registers that hold still once a vCPU of the VM has run: what would change them is EBUSY (`set_id_reg` and
 * `set_imp_id_reg`, arch/arm64/kvm/sys_regs.c; `kvm_arm_set_fw_reg_bmap`, hypercalls.c).
 *
 * @packageDocumentation
 */
import { ERRNO } from '../../abi/errno.ts';
import { firmwareBitmapRegId, sysRegId } from '../../abi/register-id.ts';
import type { ProfileBehaviours } from '../profile.ts';
import type { RegisterAccess, VcpuState } from '../state.ts';
import { cellsOf, hasRun } from './register-access.ts';

/** Whether a value that is refused for itself is so before the kernel looks whether the VM has run. */
type RefusedFirst = (vcpu: VcpuState, value: bigint) => boolean;

/** By position, the digits that a register's own function refuses (Linux 6.12 and later). */
const byDigits =
  (digits: Readonly<Record<number, string>>): RefusedFirst =>
  (_, value) =>
    Object.entries(digits).some(([position, refused]) =>
      refused.includes(((value >> (4n * BigInt(position))) & 0xfn).toString(16)),
    );

const identity: RefusedFirst = ({ vm }) => !vm.identityUnlocked;

const OWN_CHECKS: ReadonlyMap<bigint, RefusedFirst> = new Map([
  [sysRegId(3, 0, 0, 1, 2), byDigits({ 0: '012345', 6: '12' })], // ID_DFR0_EL1: CopDbg, PerfMon
  [sysRegId(3, 0, 0, 4, 0), byDigits({ 0: '0', 1: '0' })], // ID_AA64PFR0_EL1: EL0, EL1
  [sysRegId(3, 0, 0, 5, 0), byDigits({ 0: '012345' })], // ID_AA64DFR0_EL1: DebugVer
  [sysRegId(3, 3, 0, 0, 1), byDigits({ 3: '01234567' })], // CTR_EL0: L1Ip
  [sysRegId(3, 0, 9, 14, 6), (_, value) => value > 0xffn], // PMMIR_EL1: all but SLOTS
  [sysRegId(3, 0, 0, 0, 0), identity], // MIDR_EL1
  [sysRegId(3, 0, 0, 0, 6), identity], // REVIDR_EL1
  [sysRegId(3, 1, 0, 0, 7), identity], // AIDR_EL1
]);

/** ID registers: S3_0_C0_C1_0 to S3_0_C0_C7_7. */
const isIdRegister = (id: bigint) => id >= sysRegId(3, 0, 0, 1, 0) && id <= sysRegId(3, 0, 0, 7, 7);
const isBitmap = (id: bigint) => id >> 16n === firmwareBitmapRegId(0) >> 16n;

function checksOf(id: bigint, { identitySettledByRun }: ProfileBehaviours): RefusedFirst | undefined {
  if (isBitmap(id)) return () => true;
  if (!identitySettledByRun) return undefined;
  return OWN_CHECKS.get(id) ?? (isIdRegister(id) ? () => false : undefined);
}

/** A register as it is while it can be changed, and as it then is. */
export function heldByRun(id: bigint, behaviours: ProfileBehaviours, access: RegisterAccess): RegisterAccess {
  const isRefusedFirst = checksOf(id, behaviours);
  if (isRefusedFirst === undefined) return access;
  return {
    ...access,
    set(vcpu, value) {
      if (!hasRun(vcpu.vm)) return access.set(vcpu, value);
      if (value === access.get(vcpu)) return 0;
      // What the write would do says whether it would change anything.
      const cells = cellsOf(vcpu, access.scope);
      const before = cells[access.cell]!;
      const result = access.set(vcpu, value);
      const changes = cells[access.cell] !== before;
      cells[access.cell] = before;
      if (result === 0) return changes ? -ERRNO.EBUSY : 0;
      return isRefusedFirst(vcpu, value) ? result : -ERRNO.EBUSY;
    },
  };
}
