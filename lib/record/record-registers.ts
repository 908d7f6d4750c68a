/**
 * Which registers a host's vCPUs have, with which values, and what a write does to each.
 *
 * @packageDocumentation
 */
import { encodeRegisterId, registerBits, wordOffsets } from '../abi/register-id.ts';
import { formatRegister } from '../abi/register-names.ts';
import { encodeVcpuInit } from '../abi/structs.ts';
import type { KvmHandle, VcpuHandle } from '../backend.ts';
import type { HostProfile, ProfileConfiguration, ProfileRegister, WriteRule } from '../emulator/profile.ts';
import { isSpecial } from '../emulator/special-registers.ts';
import { recordWrite } from './record-write.ts';
import { withVcpus } from './scratch.ts';

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

/** Records the registers under each of the feature sets that the host accepts. */
export function recordRegisters(
  kvm: KvmHandle,
  target: number,
  featureSets: readonly number[],
): Pick<HostProfile, 'anyCoprocessor' | 'configurations' | 'registers'> {
  const lists = featureSets.map(features => ({
    features,
    listed: withInitialised(kvm, target, features, vcpu => [...(vcpu.getRegList() as BigUint64Array)]),
  }));
  const longest = lists.reduce((most, one) => (one.listed.length > most.listed.length ? one : most));
  const isListed = new Set(longest.listed);
  const unlisted = withInitialised(kvm, target, longest.features, vcpu =>
    [...readAll(vcpu, ALL_SYSTEM_REGISTERS).keys()].filter(id => !isListed.has(id)),
  );
  const recorded: Recorded[] = [];
  for (const { features, listed } of lists) {
    const ask = (vcpu: VcpuHandle) => recordFeatureSet(vcpu, { features, listed, unlisted }, recorded);
    recorded.push(withInitialised(kvm, target, features, ask));
  }
  const fullest = recorded.find(({ features }) => features === longest.features)!;
  const order = [...fullest.listed, ...unlisted];
  const relations = withInitialised(kvm, target, fullest.features, (vcpu, other, init) =>
    recordRelations(vcpu, other, init, order),
  );
  const registers = order.map((id): ProfileRegister => {
    const write = fullest.writes.get(id);
    return {
      id: hex(id),
      reset: hex(fullest.resets.get(id)!),
      ...(fullest.varying.has(id) && { varies: true as const }),
      ...(write !== undefined && { write }),
      ...(unlisted.includes(id) && { unlisted: true as const }),
      ...relations.get(id),
    };
  });
  return {
    anyCoprocessor: withInitialised(kvm, target, fullest.features, vcpu =>
      readableUnder(vcpu, NO_COPROCESSOR, fullest.listed).map(hex),
    ),
    configurations: recorded.map(one => differences(one, fullest)),
    registers,
  };
}

/** A coprocessor (bits 27:16 of an id) that has no registers. */
const NO_COPROCESSOR = 0x12n;

/** Those system registers that can be read under another coprocessor. */
function readableUnder(vcpu: VcpuHandle, coprocessor: bigint, ids: readonly bigint[]): bigint[] {
  return ids.filter(id => {
    const isSystemRegister = ((id >> 16n) & 0xfffn) === 0x13n;
    return (
      isSystemRegister && typeof vcpu.getOneReg((id & ~(0xfffn << 16n)) | (coprocessor << 16n)) === 'bigint'
    );
  });
}

function hex(value: bigint): string {
  return value.toString(16);
}

function withInitialised<Answer>(
  kvm: KvmHandle,
  target: number,
  features: number,
  ask: (vcpu: VcpuHandle, other: VcpuHandle, init: Uint8Array) => Answer,
): Answer {
  const init = encodeVcpuInit(target, BigInt(features));
  return withVcpus(kvm, 2, ({ vcpus }) => {
    const [vcpu, other] = vcpus as [VcpuHandle, VcpuHandle];
    vcpu.armVcpuInit(init.slice());
    other.armVcpuInit(init.slice());
    return ask(vcpu, other, init);
  });
}

/** @param others - recorded before: the writes of one that shows the same need not be tried again */
function recordFeatureSet(
  vcpu: VcpuHandle,
  {
    features,
    listed,
    unlisted,
  }: Pick<Recorded, 'features' | 'listed'> & { readonly unlisted: readonly bigint[] },
  others: readonly Recorded[],
): Recorded {
  const first = readAll(vcpu, [...listed, ...unlisted]);
  const second = readAll(vcpu, [...first.keys()]);
  const varying = new Set([...first.keys()].filter(id => first.get(id) !== second.get(id)));
  const resets = new Map([...first].map(([id, value]) => [id, varying.has(id) ? 0n : value]));
  const unreadable = listed.find(id => !resets.has(id));
  if (unreadable !== undefined) throw new Error(`${formatRegister(unreadable)} is listed but cannot be read`);
  const writes =
    others.find(other => showsTheSame(other.resets, resets))?.writes ??
    new Map([...resets].map(([id, reset]) => [id, isSpecial(id) ? undefined : recordWrite(vcpu, id, reset)]));
  return { features, listed, resets, varying, writes };
}

function showsTheSame(a: ReadonlyMap<bigint, bigint>, b: ReadonlyMap<bigint, bigint>): boolean {
  return a.size === b.size && [...a].every(([id, value]) => isSpecial(id) || b.get(id) === value);
}

/** The values of those registers that can be read. */
function readAll(vcpu: VcpuHandle, ids: readonly bigint[]): Map<bigint, bigint> {
  const values = readEach(vcpu, ids);
  return new Map(
    ids.flatMap((id, i) => {
      const value = values[i];
      return value === undefined ? [] : [[id, value] as const];
    }),
  );
}

/** The value of each register, undefined where it cannot be read. */
function readEach(vcpu: VcpuHandle, ids: readonly bigint[]): (bigint | undefined)[] {
  const asked = BigUint64Array.from(ids);
  const starts = wordOffsets(asked);
  const words = new BigUint64Array(starts[ids.length]!);
  const status = new Int32Array(ids.length);
  vcpu.getRegs(asked, words, status);
  return ids.map((_, i) => {
    if (status[i] !== 0) return undefined;
    let value = 0n;
    for (let word = starts[i + 1]! - 1; word >= starts[i]!; word--) value = (value << 64n) | words[word]!;
    return value;
  });
}

type Relations = Pick<ProfileRegister, 'scope' | 'survivesInit' | 'sameAs'>;

/** Changes each register in turn, to see where else the change shows and whether an init undoes it. */
function recordRelations(
  vcpu: VcpuHandle,
  other: VcpuHandle,
  init: Uint8Array,
  ids: readonly bigint[],
): Map<bigint, Relations> {
  const relations = new Map<bigint, Relations>();
  const add = (id: bigint, relation: Relations) => relations.set(id, { ...relations.get(id), ...relation });
  const resets = readEach(vcpu, ids);
  const resetsOfOther = readEach(other, ids);
  ids.forEach((id, index) => {
    const value = change(vcpu, id, resets[index]!);
    if (value !== undefined) {
      if (resetsOfOther[index] !== value && other.getOneReg(id) === value) add(id, { scope: 'vm' });
      readEach(vcpu, ids).forEach((now, i) => {
        const isAlias = i !== index && now === value && resets[i] === resets[index];
        if (isAlias) add(ids[Math.max(i, index)]!, { sameAs: hex(ids[Math.min(i, index)]!) });
      });
    }
    vcpu.armVcpuInit(init.slice());
    if (value === undefined) return;
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

function differences(one: Recorded, fullest: Recorded): ProfileConfiguration {
  const present = new Set(one.resets.keys());
  const absent = [...fullest.resets.keys()].filter(id => !present.has(id));
  const expected = fullest.listed.filter(id => present.has(id));
  if (one.listed.length !== expected.length || one.listed.some((id, i) => id !== expected[i])) {
    throw new Error(`with features ${one.features} the registers are listed in another order`);
  }
  const resets = [...one.resets].filter(([id, value]) => value !== fullest.resets.get(id) && !isSpecial(id));
  const sameRule = (id: bigint) =>
    JSON.stringify(one.writes.get(id)) === JSON.stringify(fullest.writes.get(id));
  const writes = [...present].filter(id => !sameRule(id));
  return {
    features: one.features,
    ...(absent.length > 0 && { absent: absent.map(hex) }),
    ...(resets.length > 0 && {
      resets: Object.fromEntries(resets.map(([id, value]) => [hex(id), hex(value)])),
    }),
    ...(writes.length > 0 && {
      writes: Object.fromEntries(writes.map(id => [hex(id), one.writes.get(id) ?? null])),
    }),
  };
}
