/**
 * A profile made ready to answer: per set of features a table from register id to where its value lies and what a
 * write does to it. Made once per profile and features; a vCPU then only copies the reset values.
 *
 * @packageDocumentation
 */
import { checkProfile } from './check-profile.ts';
import { withUnlocking } from './identity-registers.ts';
import { chosenCounters, withCounterWidth } from './pmu-registers.ts';
import type { HostProfile, ProfileConfiguration, ProfileRegister } from './profile.ts';
import { idDigit } from './register-access.ts';
import { specialRegister } from './special-registers.ts';
import type { Configuration, HostModel, RegisterAccess, VcpuState } from './state.ts';
import { greatestVq, SVE_VLS } from './sve-registers.ts';
import { plainRegister } from './write-rules.ts';

const models = new WeakMap<HostProfile, HostModel>();

/**
 * The model of a profile; the same one each time, so that the profile is checked once.
 *
 * @throws KvmError `ERR_BAD_PROFILE` for what is no profile
 */
export function modelOf(profile: HostProfile): HostModel {
  let model = models.get(profile);
  if (model === undefined) {
    model = makeModel(checkProfile(profile));
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
        const recorded = profile.configurations.find(({ features: sets }) => sets.includes(Number(features)));
        if (recorded === undefined) return undefined;
        configuration = configure(profile, Number(features), recorded);
        configurations.set(features, configuration);
      }
      return configuration;
    },
  };
}

function configure(
  profile: HostProfile,
  features: number,
  { absent = [], resets = {}, writes = {} }: ProfileConfiguration,
): Configuration {
  const missing = new Set(absent);
  const present = profile.registers.filter(({ id }) => !missing.has(id));
  const registers = new Map<bigint, RegisterAccess>();
  const cells = { vcpu: [] as bigint[], vm: [] as bigint[] };
  const surviving: number[] = [];
  /** Cell of each register that has storage of its own. */
  const cellOf = new Map<string, number>();

  for (const { id, reset, write: usual, unlocked, scope = 'vcpu', survivesInit, sameAs, needs } of present) {
    const write = id in writes ? writes[id] : usual;
    const shared = sameAs === undefined ? undefined : cellOf.get(sameAs);
    const cell = shared ?? cells[scope].push(fromHex(resets[id] ?? reset)) - 1;
    cellOf.set(id, cell);
    if (survivesInit) surviving.push(cell);
    const number = fromHex(id);
    const access =
      specialRegister(number, { cell, scope, profile }) ??
      withUnlocking(
        { cell, scope, unlocked },
        withCounterWidth(number, plainRegister({ cell, scope, ...(write && { write }) })),
      );
    registers.set(number, needs === undefined ? access : { ...access, isPresent: presence(needs) });
  }
  const vectorLengths = registers.get(SVE_VLS);
  return {
    features,
    list: BigUint64Array.from(
      present.filter(({ unlisted }) => !unlisted),
      ({ id }) => fromHex(id),
    ),
    conditional: [...registers.values()].filter(({ isPresent }) => isPresent !== undefined),
    registers,
    anyCoprocessor: new Set(profile.anyCoprocessor.map(fromHex)),
    resets: cells.vcpu,
    vmResets: cells.vm,
    computed: [...registers.values()].filter(({ reset }) => reset !== undefined),
    sveMaxVq: vectorLengths === undefined ? 0 : greatestVq(cells.vcpu[vectorLengths.cell]!),
    pmuCounters: chosenCounters(features, registers, cells.vcpu),
    surviving,
  };
}

function fromHex(digits: string): bigint {
  return BigInt(`0x${digits}`);
}

/** Whether the digit of the ID register is great enough now. */
function presence({ id, digit, least }: NonNullable<ProfileRegister['needs']>): (vcpu: VcpuState) => boolean {
  const number = fromHex(id);
  return vcpu => idDigit(vcpu, number, digit) >= least;
}
