/**
 * How registers hang together: which share their storage, which are the VM's, which an init leaves alone, and which are
 * there only while an ID register says so.
 *
 * @packageDocumentation
 */
import { registerBits } from '../abi/register-id.ts';
import type { VcpuHandle } from '../backend.ts';
import type { ProfileRegister, WriteRule } from '../emulator/profile.ts';
import { listRegisters, readEach, type Subjects } from './read-registers.ts';
import { recordWrite } from './record-write.ts';

/** How a register hangs together with others. */
export type Relations = Pick<ProfileRegister, 'scope' | 'survivesInit' | 'sameAs' | 'needs' | 'unlocked'>;

/** Changes each register in turn, to see where else the change shows and whether an init undoes it. */
export function recordRelations(
  { vcpu, other, init }: Subjects,
  writes: ReadonlyMap<bigint, WriteRule | undefined>,
): Map<bigint, Relations> {
  const ids = [...writes.keys()];
  const relations = new Map<bigint, Relations>();
  const add = (id: bigint, relation: Relations) => relations.set(id, { ...relations.get(id), ...relation });
  const resets = readEach(vcpu, ids);
  const resetsOfOther = readEach(other, ids);
  ids.forEach((id, index) => {
    const rule = writes.get(id);
    if (rule === 'fixed' || rule === 'ignored') return;
    const value = change(vcpu, id, resets[index]!);
    if (value === undefined) return;
    if (resetsOfOther[index] !== value && other.getOneReg(id) === value) add(id, { scope: 'vm' });
    const alike = ids.filter((_, i) => i !== index && resets[i] === resets[index]);
    const now = readEach(vcpu, alike);
    for (const alias of alike.filter((_, i) => now[i] === value)) {
      const [first, second] = ids.indexOf(alias) < index ? [alias, id] : [id, alias];
      add(second, { sameAs: first.toString(16) });
    }
    init();
    if (vcpu.getOneReg(id) === value && relations.get(id)?.scope !== 'vm') add(id, { survivesInit: true });
    vcpu.setOneReg(id, resets[index]!);
  });
  return relations;
}

/** Gives a register another value, if it takes one; those that move by themselves are left alone. */
function change(vcpu: VcpuHandle, id: bigint, reset: bigint): bigint | undefined {
  if (vcpu.getOneReg(id) !== reset) return undefined;
  for (let bit = 0n; bit < BigInt(registerBits(id)); bit++) {
    const value = reset ^ (1n << bit);
    if (vcpu.setOneReg(id, value) !== 0) continue;
    if (vcpu.getOneReg(id) === value) return value;
    vcpu.setOneReg(id, reset);
  }
  return undefined;
}

/**
 * What else can be written on a VM with KVM_CAP_ARM_WRITABLE_IMP_ID_REGS enabled. Only those whose value nobody can
 * change otherwise are looked at.
 *
 * @param writes - the rules without the capability
 */
export function recordUnlocked(
  { vcpu, other }: Subjects,
  writes: ReadonlyMap<bigint, WriteRule | undefined>,
): Map<bigint, Relations> {
  const unlocked = new Map<bigint, Relations>();
  for (const [id, rule] of writes) {
    if (rule !== 'fixed') continue;
    const reset = vcpu.getOneReg(id) as bigint;
    const now = recordWrite(vcpu, id, reset);
    if (now === 'fixed') continue;
    const value = change(vcpu, id, reset);
    const scope = value !== undefined && other.getOneReg(id) === value && { scope: 'vm' as const };
    unlocked.set(id, { unlocked: now ?? null, ...scope });
    vcpu.setOneReg(id, reset);
  }
  return unlocked;
}

/**
 * Lowers each digit of each ID register in turn, to see which registers go: `vcpu_has_feat` and the visibility functions
 * of arch/arm64/kvm/sys_regs.c look at the values that userspace has set.
 */
export function recordNeeds(
  { vcpu }: Subjects,
  writes: ReadonlyMap<bigint, WriteRule | undefined>,
): Map<bigint, NonNullable<ProfileRegister['needs']>> {
  const needs = new Map<bigint, NonNullable<ProfileRegister['needs']>>();
  const all = listRegisters(vcpu);
  for (const [id, rule] of writes) {
    if (typeof rule !== 'object' || !('digits' in rule)) continue;
    const reset = vcpu.getOneReg(id) as bigint;
    for (const [position, stored] of Object.entries(rule.digits)) {
      const shift = BigInt(position) * 4n;
      for (let digit = Number((reset >> shift) & 0xfn) - 1; digit >= 0; digit--) {
        if (stored[digit] === '.') continue;
        if (vcpu.setOneReg(id, (reset & ~(0xfn << shift)) | (BigInt(digit) << shift)) !== 0) continue;
        const left = new Set(listRegisters(vcpu));
        for (const gone of all.filter(one => !left.has(one) && !needs.has(one))) {
          needs.set(gone, { id: id.toString(16), digit: Number(position), least: digit + 1 });
        }
      }
      vcpu.setOneReg(id, reset);
    }
  }
  return needs;
}
