/**
 * A profile made ready to answer: per set of features a table from register id to where its value lies and what a
 * write does to it. Made once per profile and features; a vCPU then only copies the reset values.
 *
 * @packageDocumentation
 */
import { registerBits } from '../abi/register-id.ts';
import { checkProfile } from './check-profile.ts';
import type { HostProfile, ProfileConfiguration, ProfileRegister } from './profile.ts';
import { heldByRun } from './registers/held-registers.ts';
import { withUnlocking } from './registers/identity-registers.ts';
import { chosenCounters, withCounterWidth } from './registers/pmu-registers.ts';
import { isCore, RAW_CORE_LIST } from './registers/raw-core.ts';
import { idDigit } from './registers/register-access.ts';
import { specialRegister } from './registers/special-registers.ts';
import { greatestVq, SVE_VLS } from './registers/sve-registers.ts';
import { plainRegister } from './registers/write-rules.ts';
import type { Configuration, HostModel, RegisterAccess, Storage, VcpuState } from './state.ts';

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
  const places = layOut(profile);
  const configurations = new Map<number, Configuration>();
  return {
    profile,
    configuration(features) {
      let configuration = configurations.get(features);
      if (configuration === undefined) {
        const recorded = profile.configurations.find(({ features: sets }) => sets.includes(features));
        if (recorded === undefined) return undefined;
        configuration = configure(profile, places, features, recorded);
        configurations.set(features, configuration);
      }
      return configuration;
    },
  };
}

/** Storage, and the width of the widest register that has it. */
interface Place extends Storage {
  bits: number;
}

/** Where each register's value lies: in the same cell whatever the features, as vCPUs of one VM may differ in them. */
function layOut({ registers }: HostProfile): ReadonlyMap<string, Place> {
  const places = new Map<string, Place>();
  const cells = { vcpu: 0, vm: 0 };
  for (const { id, scope = 'vcpu', sameAs } of registers) {
    const place = places.get(sameAs ?? '') ?? { cell: cells[scope]++, scope, bits: 0 };
    place.bits = Math.max(place.bits, registerBits(fromHex(id)));
    places.set(id, place);
  }
  return places;
}

function configure(
  profile: HostProfile,
  places: ReadonlyMap<string, Place>,
  features: number,
  { absent = [], resets = {}, writes = {} }: ProfileConfiguration,
): Configuration {
  const missing = new Set(absent);
  const present = profile.registers.filter(({ id }) => !missing.has(id));
  const registers = new Map<bigint, RegisterAccess>();
  const values = { vcpu: [] as bigint[], vm: [] as bigint[] };
  const surviving: number[] = [];
  for (const { id, reset } of profile.registers) {
    const { cell, scope } = places.get(id)!;
    values[scope][cell] ??= fromHex(resets[id] ?? reset);
  }
  for (const { id, write: usual, unlocked, survivesInit, needs } of present) {
    const write = id in writes ? writes[id] : usual;
    const { cell, scope, bits: widest } = places.get(id)!;
    if (survivesInit) surviving.push(cell);
    const number = fromHex(id);
    const plain =
      specialRegister(number, { cell, scope, profile }) ??
      withUnlocking(
        { cell, scope, unlocked },
        withCounterWidth(number, plainRegister({ cell, scope, ...(write && { write }) })),
      );
    const held = heldByRun(number, profile.behaviours, plain);
    const bits = registerBits(number);
    const access = bits < widest ? withWidth(held, bits) : held;
    registers.set(number, needs === undefined ? access : { ...access, isPresent: presence(needs) });
  }
  const vectorLengths = registers.get(SVE_VLS);
  const listed = present.filter(({ unlisted }) => !unlisted).map(({ id }) => fromHex(id));
  return {
    list: BigUint64Array.from(
      profile.behaviours.rawCore ? [...RAW_CORE_LIST, ...listed.filter(id => !isCore(id))] : listed,
    ),
    conditional: [...registers.values()].filter(({ isPresent }) => isPresent !== undefined),
    registers,
    anyCoprocessor: {
      registers: new Set(profile.anyCoprocessor.registers.map(fromHex)),
      except: new Set(profile.anyCoprocessor.except.map(BigInt)),
    },
    resets: values.vcpu,
    vmResets: values.vm,
    computed: [...registers.values()].filter(({ reset }) => reset !== undefined),
    sveMaxVq: vectorLengths === undefined ? 0 : greatestVq(values.vcpu[vectorLengths.cell]!),
    pmuCounters: chosenCounters(features, registers, values.vcpu),
    surviving,
  };
}

function fromHex(digits: string): bigint {
  return BigInt(`0x${digits}`);
}

/** The low half of a register shows no more than that. */
function withWidth(access: RegisterAccess, bits: number): RegisterAccess {
  return { ...access, get: vcpu => BigInt.asUintN(bits, access.get(vcpu) as bigint) };
}

/** Whether the digit of the ID register is great enough now. */
function presence({ id, digit, least }: NonNullable<ProfileRegister['needs']>): (vcpu: VcpuState) => boolean {
  const number = fromHex(id);
  return vcpu => idDigit(vcpu, number, digit) >= least;
}
