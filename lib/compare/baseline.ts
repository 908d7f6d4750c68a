/**
 * What all hosts of a fleet accept: a vCPU that is made so on any of them loads on every other.
 *
 * @packageDocumentation
 */
import { invalidType, outOfRange } from '../abi/argument.ts';
import { parsePsciVersion } from '../abi/psci.ts';
import { formatRegister } from '../abi/register-names.ts';
import { featureMask } from '../abi/vcpu-features.ts';
import { Gic } from '../gic.ts';
import type { Kvm } from '../kvm.ts';
import { RegisterBatch } from '../register-batch.ts';
import { checkKvm } from '../snapshot/arguments.ts';
import { bitsOf, featureNames, onScratch } from '../snapshot/features.ts';
import { isBlocking } from '../snapshot/finding.ts';
import { phaseOf } from '../snapshot/phases.ts';
import { planRestore } from '../snapshot/plan-restore.ts';
import { isPsci, lesser, type Trial, trialOn } from '../snapshot/remedies.ts';
import { describeFinding } from '../snapshot/text.ts';
import { isUnused } from '../snapshot/unused.ts';
import { saveVcpu, type VcpuState } from '../snapshot/vcpu-state.ts';
import { byPhase, prepareVcpu, writePhases } from '../snapshot/write-state.ts';
import { Vcpu } from '../vcpu.ts';
import { checkFeatures, type FeatureOptions, featuresOn, newVcpu } from './compare-hosts.ts';
import { applyToGic, type GicBaseline, gicBaseline } from './gic-baseline.ts';

/** A host that stands in the way. */
export interface Spoiler {
  readonly host: string;
  /** The register; or what else. */
  readonly name: string;
  readonly reason: string;
}

/** What {@link baseline} finds. */
export interface Baseline {
  /** The hosts that it was made for. */
  readonly hosts: readonly string[];
  /** By name; {@link applyBaseline} takes the bits. */
  readonly features: readonly string[];
  readonly featureBits: bigint;
  /** Features that are wanted and not among those, with the hosts that have them not. */
  readonly lacking: readonly { readonly feature: string; readonly hosts: readonly string[] }[];
  /** What to write on every host that has the register, before the first run: PSCI version, bit maps, ID registers. */
  readonly registers: RegisterBatch;
  /** Registers that not all hosts have: to be left out of a restore (`omit`). */
  readonly omit: readonly bigint[];
  /** The interrupt controller that all can give a guest; absent where there is none. */
  readonly gic?: GicBaseline | undefined;
  /** What spoils it; without any, the baseline holds. */
  readonly spoilers: readonly Spoiler[];
}

interface Member {
  readonly kvm: Kvm;
  readonly takes: Trial;
  readonly values: ReadonlyMap<bigint, bigint>;
}

/**
 * Finds what all hosts accept: the features, the newest PSCI version, bit maps and ID registers. Every value was written on
 * a scratch VM of each host that has the register, and states with them were restored from the first host to every other
 * and back. It holds for VMs with an interrupt controller: without one, a first run on Linux 6.12 and later takes the GIC
 * out of ID_AA64PFR0_EL1 and ID_PFR1_EL1, which older kernels refuse.
 *
 * @throws RangeError for fewer than two hosts
 * @example
 * ```ts
 * const hosts = ['linux-6.12-max', 'linux-6.18-max'].map(host => Kvm.open({ host }));
 * const common = baseline(hosts);
 * common.spoilers; // []
 * common.registers.get('KVM_REG_ARM_PSCI_VERSION'); // 0x10001n
 * ```
 */
export function baseline(hosts: readonly Kvm[], options: FeatureOptions = {}): Baseline {
  if (!Array.isArray(hosts)) throw invalidType('hosts', 'an array of Kvm', hosts);
  for (const [i, kvm] of (hosts as readonly Kvm[]).entries()) checkKvm(`hosts[${i}]`, kvm);
  checkFeatures(options);
  const { features } = options;
  const [first] = hosts as readonly Kvm[];
  if (first === undefined || hosts.length < 2) throw outOfRange('hosts', 'at least two', hosts.length);
  const names = hosts.map(({ host }) => host);
  const foreign = hosts.filter(({ architecture }) => architecture !== first.architecture);
  if (foreign.length > 0) {
    const spoilers = foreign.map(({ host, architecture }) => ({
      host,
      name: 'architecture',
      reason: `it is ${architecture}, and ${first.host} is ${first.architecture}`,
    }));
    return {
      hosts: names,
      features: [],
      featureBits: 0n,
      lacking: [],
      registers: RegisterBatch.from([]),
      omit: [],
      spoilers,
    };
  }
  const had = hosts.map(kvm => featuresOn(kvm, features));
  const featureBits = had.reduce((a, b) => a & b);
  const wanted = features ? featureMask(features, first.architecture) : had.reduce((a, b) => a | b);
  const members = hosts.map(kvm => ({
    kvm,
    takes: trialOn(kvm, featureBits),
    values: new Map(newVcpu(kvm, featureBits).registers),
  }));
  const { pins, spoilers } = choosePins(members);
  const found = {
    hosts: names,
    features: featureNames(first, featureBits),
    featureBits,
    lacking: bitsOf(wanted & ~featureBits).map(bit => ({
      feature: featureNames(first, 1n << BigInt(bit))[0]!,
      hosts: names.filter((_, i) => (had[i]! & (1n << BigInt(bit))) === 0n),
    })),
    registers: RegisterBatch.from(pins),
  };
  const states = hosts.map(kvm => pinnedState(kvm, found));
  const missing = notInAll(states);
  const omit = missing.map(({ id }) => id);
  const gic = gicBaseline(hosts);
  return {
    ...found,
    omit,
    ...(gic && { gic }),
    spoilers: [
      ...spoilers,
      ...missing.flatMap(({ id, holders }) => spoiledByHolding(id, holders, hosts, states)),
      ...spoiledByTrial(hosts, states, omit, new Set(spoilers.map(({ name }) => name))),
    ],
  };
}

/**
 * Makes a vCPU as a baseline says: initialises it, and writes the registers that its host has. Or a GIC, behind its
 * `init()`.
 *
 * @throws KvmError as {@link Vcpu.init}, and with `register` for a value that this host does not take after all
 * @example
 * ```ts
 * const vcpu = vm.createVcpu(0);
 * applyBaseline(vcpu, common); // instead of init()
 * const gic = vm.createGic({ version: common.gic.version });
 * gic.init();
 * applyBaseline(gic, common);
 * ```
 */
export function applyBaseline(
  target: Vcpu | Gic,
  found: Pick<Baseline, 'featureBits' | 'registers' | 'gic'>,
): void {
  if (!(target instanceof Gic) && !(target instanceof Vcpu))
    throw invalidType('target', 'a Vcpu or a Gic', target);
  if (!(found?.registers instanceof RegisterBatch))
    throw invalidType('found', 'a baseline, as baseline() gives it', found);
  const { featureBits, registers, gic } = found;
  if (!(target instanceof Gic)) applyToVcpu(target, featureBits, registers);
  else if (gic !== undefined) applyToGic(target, gic);
}

function applyToVcpu(vcpu: Vcpu, featureBits: bigint, registers: RegisterBatch): void {
  const early = prepareVcpu(vcpu, featureBits, byPhase(registers));
  const listed = new Set(vcpu.getRegList());
  const phases = byPhase([...registers].filter(([id]) => listed.has(id)));
  const [refusal] = [...early, ...writePhases(vcpu, phases, true)];
  if (refusal !== undefined) throw refusal.error;
}

/** What describes a machine, rather than being the guest's own. */
const isDescription = (id: bigint) => !['state', 'counters'].includes(phaseOf(id));

function choosePins(members: readonly Member[]) {
  const pins: [id: bigint, value: bigint][] = [];
  const spoilers: Spoiler[] = [];
  for (const id of new Set(members.flatMap(({ values }) => [...values.keys()]))) {
    const holders = members.filter(({ values }) => values.has(id));
    if (!isDescription(id) || !needsPin(id, members, holders)) continue;
    const tried = candidates(id, members, holders).map(value => ({
      value,
      against: holders.filter(({ takes }) => !takes(id, value)),
    }));
    const best = tried.reduce<(typeof tried)[number] | undefined>(
      (a, b) => (a === undefined || b.against.length < a.against.length ? b : a),
      undefined,
    );
    if (best?.against.length === 0) pins.push([id, best.value]);
    else if (holders.length === members.length) spoilers.push(...spoiledByValue(id, best, holders));
  }
  return { pins, spoilers };
}

function needsPin(id: bigint, members: readonly Member[], holders: readonly Member[]): boolean {
  const values = new Set(holders.map(member => member.values.get(id)));
  if (holders.length === members.length) return values.size > 1;
  return holders.some(({ values: all }) => !isUnused(id, all.get(id)!, all));
}

/** Best first. */
function candidates(id: bigint, members: readonly Member[], holders: readonly Member[]): bigint[] {
  if (holders.length < members.length) return [0n];
  if (isPsci(id)) {
    const versions = holders.map(({ kvm }) => kvm.supportedPsciVersions().map(parsePsciVersion));
    return versions[0]!.filter(version => versions.every(all => all.includes(version))).reverse();
  }
  const values = holders.map(member => member.values.get(id)!);
  return [...new Set([lesser(id, values), ...values])];
}

function spoiledByValue(
  id: bigint,
  best: { readonly value: bigint; readonly against: readonly Member[] } | undefined,
  holders: readonly Member[],
): Spoiler[] {
  return (best?.against ?? holders).map(({ kvm, values }) => ({
    host: kvm.host,
    name: formatRegister(id),
    reason:
      best === undefined
        ? 'no value that the others have'
        : `has 0x${values.get(id)!.toString(16)} and does not take 0x${best.value.toString(16)}`,
  }));
}

function pinnedState(kvm: Kvm, found: Pick<Baseline, 'featureBits' | 'registers'>): VcpuState {
  return onScratch(kvm, vcpu => {
    applyBaseline(vcpu, found);
    return saveVcpu(vcpu);
  });
}

/** The registers that only some have, with the indices of those. */
function notInAll(states: readonly VcpuState[]): { id: bigint; holders: number[] }[] {
  const holders = new Map<bigint, number[]>();
  states.forEach(({ registers }, i) => {
    for (const [id] of registers) holders.set(id, [...(holders.get(id) ?? []), i]);
  });
  return [...holders]
    .filter(([, list]) => list.length < states.length)
    .map(([id, list]) => ({ id, holders: list }));
}

/** A register that cannot be left out, as the guest would miss it. */
function spoiledByHolding(
  id: bigint,
  holders: readonly number[],
  hosts: readonly Kvm[],
  states: readonly VcpuState[],
): Spoiler[] {
  // What a guest keeps in its own registers is not known yet: the plan of its restore will tell.
  if (!isDescription(id)) return [];
  return holders.flatMap(i => {
    const values = new Map(states[i]!.registers);
    const value = values.get(id)!;
    if (isUnused(id, value, values)) return [];
    const reason = `has 0x${value.toString(16)}, cannot hide it, and others do not have it`;
    return [{ host: hosts[i]!.host, name: formatRegister(id), reason }];
  });
}

/** What a restore from the first host to each other, and back, finds that the values did not tell. */
function spoiledByTrial(
  hosts: readonly Kvm[],
  states: readonly VcpuState[],
  omit: readonly bigint[],
  known: ReadonlySet<string>,
): Spoiler[] {
  const trial = (state: VcpuState, from: Kvm, to: Kvm): Spoiler[] =>
    planRestore(state, to, { omit })
      .findings.filter(finding => isBlocking(finding) && !known.has(finding.name))
      .map(finding => ({
        host: to.host,
        name: finding.name,
        reason: `from ${from.host}: ${describeFinding(finding)}`,
      }));
  return hosts
    .slice(1)
    .flatMap((kvm, i) => [...trial(states[0]!, hosts[0]!, kvm), ...trial(states[i + 1]!, kvm, hosts[0]!)]);
}
