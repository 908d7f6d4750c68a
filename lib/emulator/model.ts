/**
 * A profile made ready to answer: per set of features a table from register id to where its value lies and what a
 * write does to it. Made once per profile and features; a vCPU then only copies the reset values.
 *
 * @packageDocumentation
 */
import { physicalCounters } from './pmu-registers.ts';
import type { HostProfile, ProfileConfiguration } from './profile.ts';
import type { RegisterAccess } from './register-access.ts';
import { specialRegister } from './special-registers.ts';
import { plainRegister } from './write-rules.ts';

/** What a vCPU with certain features is made of. */
export interface Configuration {
  readonly features: number;
  /** KVM_GET_REG_LIST. */
  readonly list: BigUint64Array;
  readonly registers: ReadonlyMap<bigint, RegisterAccess>;
  /** Ids of registers that answer under any coprocessor, too. */
  readonly anyCoprocessor: ReadonlySet<bigint>;
  /** Reset values by cell; cells of the VM's own registers lie in {@link vmResets}. */
  readonly resets: readonly bigint[];
  readonly vmResets: readonly bigint[];
  /** Registers whose reset value depends on the vCPU. */
  readonly computed: readonly RegisterAccess[];
  /** PMCR_EL0.N of the physical counters; 0 without a PMU. */
  readonly pmcrN: bigint;
  /** Cells of the vCPU that a further init leaves alone. */
  readonly surviving: readonly number[];
}

/** A host that answers. */
export interface HostModel {
  readonly profile: HostProfile;
  /** The configuration for a set of feature bits (without POWER_OFF), if the host accepts it. */
  configuration(features: bigint): Configuration | undefined;
}

const models = new WeakMap<HostProfile, HostModel>();

/** The model of a profile; the same one each time. */
export function modelOf(profile: HostProfile): HostModel {
  let model = models.get(profile);
  if (model === undefined) {
    model = makeModel(profile);
    models.set(profile, model);
  }
  return model;
}

function makeModel(profile: HostProfile): HostModel {
  const configurations = new Map<bigint, Configuration>();
  return {
    profile,
    configuration(features) {
      let configuration = configurations.get(features);
      if (configuration === undefined) {
        const recorded = profile.configurations.find(({ features: bits }) => BigInt(bits) === features);
        if (recorded === undefined) return undefined;
        configuration = configure(profile, recorded);
        configurations.set(features, configuration);
      }
      return configuration;
    },
  };
}

function configure(
  profile: HostProfile,
  { features, absent = [], resets = {}, writes = {} }: ProfileConfiguration,
): Configuration {
  const missing = new Set(absent);
  const present = profile.registers.filter(({ id }) => !missing.has(id));
  const registers = new Map<bigint, RegisterAccess>();
  const cells = { vcpu: [] as bigint[], vm: [] as bigint[] };
  const surviving: number[] = [];
  /** Cell of each register that has storage of its own. */
  const cellOf = new Map<string, number>();

  for (const { id, reset, write: usual, scope = 'vcpu', survivesInit, sameAs } of present) {
    const write = id in writes ? writes[id] : usual;
    const shared = sameAs === undefined ? undefined : cellOf.get(sameAs);
    const cell = shared ?? cells[scope].push(BigInt(`0x${resets[id] ?? reset}`)) - 1;
    cellOf.set(id, cell);
    if (survivesInit) surviving.push(cell);
    const number = BigInt(`0x${id}`);
    registers.set(
      number,
      specialRegister(number, { cell, scope, profile }) ??
        plainRegister({ cell, scope, ...(write && { write }) }),
    );
  }
  return {
    features,
    list: BigUint64Array.from(
      present.filter(({ unlisted }) => !unlisted),
      ({ id }) => BigInt(`0x${id}`),
    ),
    registers,
    anyCoprocessor: new Set(profile.anyCoprocessor.map(id => BigInt(`0x${id}`))),
    resets: cells.vcpu,
    vmResets: cells.vm,
    computed: [...registers.values()].filter(({ reset }) => reset !== undefined),
    pmcrN: physicalCounters(registers, cells.vcpu),
    surviving,
  };
}
