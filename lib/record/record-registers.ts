/**
 * Which registers a host's vCPUs have, with which values, and what a write does to each.
 *
 * @packageDocumentation
 */
import { KVM_CAP } from '../abi/capabilities.ts';
import { encodeRegisterId, KVM_REG_ARM_PSCI_VERSION } from '../abi/register-id.ts';
import { formatRegister } from '../abi/register-names.ts';
import type { KvmHandle, VcpuHandle } from '../backend.ts';
import type { HostProfile, ProfileConfiguration, ProfileRegister, WriteRule } from '../emulator/profile.ts';
import { isCutToCounters } from '../emulator/registers/pmu-registers.ts';
import { listRegisters, readAll, withFeatures } from './read-registers.ts';
import { type Relations, recordNeeds, recordRelations, recordUnlocked } from './record-relations.ts';
import { recordWrite } from './record-write.ts';

/** What one set of features shows. */
interface Recorded {
  readonly features: number;
  readonly listed: readonly bigint[];
  readonly resets: ReadonlyMap<bigint, bigint>;
  readonly varying: ReadonlySet<bigint>;
  readonly writes: ReadonlyMap<bigint, WriteRule | undefined>;
}

/** Every id that a system register can have: 2 + 3 + 4 + 4 + 3 bits. */
const ALL_SYSTEM_REGISTERS = Array.from({ length: 0x1_0000 }, (_, encoding) =>
  encodeRegisterId({
    kind: 'sysreg',
    arch: 'arm64',
    bytes: 8,
    op0: encoding >> 14,
    op1: (encoding >> 11) & 7,
    crn: (encoding >> 7) & 15,
    crm: (encoding >> 3) & 15,
    op2: encoding & 7,
  }),
);

/**
 * Records the registers under each of the feature sets that the host accepts.
 *
 * @param isSpecial - whether the emulator has code for a register, so that what writes do to it need not be tried
 */
export function recordRegisters(
  kvm: KvmHandle,
  target: number,
  featureSets: readonly number[],
  isSpecial: (id: bigint) => boolean,
): Pick<HostProfile, 'anyCoprocessor' | 'configurations' | 'registers'> {
  const lists = featureSets
    .map(features => ({
      features,
      listed: withFeatures(kvm, target, features, ({ vcpu }) => listRegisters(vcpu)),
    }))
    .sort((a, b) => b.listed.length - a.listed.length);
  const fullest = lists[0]!;
  const listed = mergeOrders(lists.map(list => list.listed));
  const unlisted = withFeatures(kvm, target, fullest.features, ({ vcpu }) =>
    [...readAll(vcpu, ALL_SYSTEM_REGISTERS).keys()].filter(id => !listed.includes(id)),
  );
  const recorded: Recorded[] = [];
  for (const list of lists) {
    recorded.push(
      withFeatures(kvm, target, list.features, ({ vcpu }) =>
        recordFeatureSet(vcpu, { ...list, unlisted }, recorded, isSpecial),
      ),
    );
  }
  const order = [...listed, ...unlisted];
  /** For each register the fullest feature set that has it. */
  const basis = new Map(order.map(id => [id, recorded.find(({ resets }) => resets.has(id))!] as const));
  const relations = new Map<bigint, Relations>();
  for (const one of recorded.filter(({ features }) =>
    [...basis.values()].some(base => base.features === features),
  )) {
    withFeatures(kvm, target, one.features, subjects => {
      for (const [id, relation] of recordRelations(subjects, one.writes)) {
        if (basis.get(id) === one) relations.set(id, relation);
      }
    });
    withFeatures(kvm, target, one.features, subjects => {
      for (const [id, needs] of recordNeeds(subjects, one.writes)) {
        if (basis.get(id) === one) relations.set(id, { ...relations.get(id), needs });
      }
    });
  }
  const enabled = BigUint64Array.of(0n, 0n, 0n, 0n);
  const unlocked = withFeatures(
    kvm,
    target,
    fullest.features,
    subjects => recordUnlocked(subjects, recorded[0]!.writes),
    vm => vm.enableCap(KVM_CAP.KVM_CAP_ARM_WRITABLE_IMP_ID_REGS, 0, enabled),
  );
  for (const [id, relation] of unlocked) relations.set(id, { ...relations.get(id), ...relation });
  const rowOf = (id: bigint): ProfileRegister => {
    const base = basis.get(id)!;
    const write = base.writes.get(id);
    return {
      id: hex(id),
      reset: hex(base.resets.get(id)!),
      ...(base.varying.has(id) && { varies: true as const }),
      ...(write !== undefined && { write }),
      ...(unlisted.includes(id) && { unlisted: true as const }),
      ...relations.get(id),
    };
  };
  return {
    anyCoprocessor: withFeatures(kvm, target, fullest.features, ({ vcpu }) =>
      recordAnyCoprocessor(vcpu, fullest.listed),
    ),
    configurations: group(
      recorded
        .toSorted((a, b) => a.features - b.features)
        .map(one => [one.features, differences(one, order, listed, basis)]),
    ),
    registers: order.map(rowOf),
  };
}

/** One order that has all of several in it: what an order lacks goes behind what precedes it in the other. */
function mergeOrders(orders: readonly (readonly bigint[])[]): bigint[] {
  const merged: bigint[] = [];
  for (const order of orders) {
    order.forEach((id, i) => {
      if (!merged.includes(id)) merged.splice(i === 0 ? 0 : merged.indexOf(order[i - 1]!) + 1, 0, id);
    });
  }
  return merged;
}

/** Coprocessors (bits 27:16 of an id): one that has no registers, those that may have, and the system registers'. */
const NO_COPROCESSOR = 0x12;
const COPROCESSORS = Array.from({ length: 0x20 }, (_, coprocessor) => coprocessor);
const SYSREG = 0x13;

/** The same id with another coprocessor. */
function under(coprocessor: number, id: bigint): bigint {
  return (id & ~(0xfffn << 16n)) | (BigInt(coprocessor) << 16n);
}

/** Which system registers can be read under a coprocessor that has none, and where not as it has some of its own. */
function recordAnyCoprocessor(vcpu: VcpuHandle, ids: readonly bigint[]): HostProfile['anyCoprocessor'] {
  const canBeRead = (id: bigint) => typeof vcpu.getOneReg(id) === 'bigint';
  const registers = ids.filter(id => id === under(SYSREG, id) && canBeRead(under(NO_COPROCESSOR, id)));
  const [first] = registers;
  const except = COPROCESSORS.filter(
    coprocessor => coprocessor !== SYSREG && first !== undefined && !canBeRead(under(coprocessor, first)),
  );
  return { registers: registers.map(hex), except };
}

function hex(value: bigint): string {
  return value.toString(16);
}

/** @param others - recorded before: a register that begins with the same value need not be tried again */
function recordFeatureSet(
  vcpu: VcpuHandle,
  {
    features,
    listed,
    unlisted,
  }: Pick<Recorded, 'features' | 'listed'> & { readonly unlisted: readonly bigint[] },
  others: readonly Recorded[],
  isSpecial: (id: bigint) => boolean,
): Recorded {
  const first = readAll(vcpu, [...listed, ...unlisted]);
  const second = readAll(vcpu, [...first.keys()]);
  const varying = new Set([...first.keys()].filter(id => first.get(id) !== second.get(id)));
  const resets = new Map([...first].map(([id, value]) => [id, varying.has(id) ? 0n : value]));
  const unreadable = listed.find(id => !resets.has(id));
  if (unreadable !== undefined) throw new Error(`${formatRegister(unreadable)} is listed but cannot be read`);
  // What an ID register takes goes by the value that it begins with (`arm64_check_features`, arch/arm64/kvm/sys_regs.c).
  const ruleOf = (id: bigint, reset: bigint) => {
    if (isSpecial(id)) return undefined;
    const known = others.find(other => other.resets.get(id) === reset);
    return known === undefined ? recordWrite(vcpu, id, reset) : known.writes.get(id);
  };
  const writes = new Map([...resets].map(([id, reset]) => [id, ruleOf(id, reset)]));
  return { features, listed, resets, varying, writes };
}

/** What a feature set has otherwise than the rows of the profile say. */
function differences(
  one: Recorded,
  order: readonly bigint[],
  listed: readonly bigint[],
  basis: ReadonlyMap<bigint, Recorded>,
): Omit<ProfileConfiguration, 'features'> {
  const absent = order.filter(id => !one.resets.has(id));
  const expected = listed.filter(id => one.resets.has(id));
  if (one.listed.length !== expected.length || one.listed.some((id, i) => id !== expected[i])) {
    throw new Error(`with features ${one.features} the registers are listed in another order`);
  }
  const present = [...one.resets.keys()];
  // The PSCI version stands in the profile's `psci`; with PMU_V3_STRICT the bits of all counters are missing at first.
  const isComputed = (id: bigint) => id === KVM_REG_ARM_PSCI_VERSION || isCutToCounters(id);
  const resets = present.filter(
    id => !isComputed(id) && one.resets.get(id) !== basis.get(id)!.resets.get(id),
  );
  const sameRule = (a: WriteRule | undefined, b: WriteRule | undefined) =>
    a === b || JSON.stringify(a) === JSON.stringify(b);
  const writes = present.filter(id => !sameRule(one.writes.get(id), basis.get(id)!.writes.get(id)));
  return {
    ...(absent.length > 0 && { absent: absent.map(hex) }),
    ...(resets.length > 0 && {
      resets: Object.fromEntries(resets.map(id => [hex(id), hex(one.resets.get(id)!)])),
    }),
    ...(writes.length > 0 && {
      writes: Object.fromEntries(writes.map(id => [hex(id), one.writes.get(id) ?? null])),
    }),
  };
}

/** Feature sets that show the same stand in one row. */
function group(
  all: readonly (readonly [number, Omit<ProfileConfiguration, 'features'>])[],
): ProfileConfiguration[] {
  const rows = new Map<string, { features: number[]; rest: Omit<ProfileConfiguration, 'features'> }>();
  for (const [features, rest] of all) {
    const key = JSON.stringify(rest);
    const row = rows.get(key) ?? { features: [], rest };
    row.features.push(features);
    rows.set(key, row);
  }
  return [...rows.values()].map(({ features, rest }) => ({ features, ...rest }));
}
