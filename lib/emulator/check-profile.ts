/**
 * Whether something is a host profile: a table of what each field must be.
 *
 * @packageDocumentation
 */
import { didYouMean } from '../abi/nearest.ts';
import { registerBits } from '../abi/register-id.ts';
import { KvmError } from '../errors.ts';
import {
  CLIDR_RULES,
  FORMAT,
  type HostProfile,
  ICC_WITHOUT_GIC,
  PMU_RULES,
  TIMER_CONTROL_RULES,
  VERSION,
} from './profile.ts';

/** Answers what a value must be, if it is not that. */
type Check = (value: unknown) => string | undefined;

const must =
  (expected: string, test: (value: unknown) => boolean): Check =>
  value =>
    test(value) ? undefined : expected;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

// It is printed to a terminal, which some characters command, and whose text others turn around.
const text = must(
  'a string without control characters',
  value => typeof value === 'string' && !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(value),
);
const count = must(
  'a whole number, zero or more',
  value => Number.isSafeInteger(value) && (value as number) >= 0,
);
const integer = must('a whole number', value => Number.isSafeInteger(value));
const flag = must('true or false', value => typeof value === 'boolean');
const oneOf = (words: readonly string[]) =>
  must(`one of ${words.join(', ')}`, value => words.some(word => word === value));
const hex = must(
  'a number in hex digits',
  value => typeof value === 'string' && /^[0-9a-f]{1,512}$/.test(value),
);
const id = must(
  'a register id of 16 hex digits',
  value => typeof value === 'string' && /^[0-9a-f]{16}$/.test(value),
);

const absentOr =
  (check: Check): Check =>
  value =>
    value === undefined ? undefined : check(value);
const onlyTrue = absentOr(must('true, or absent', value => value === true));
const only = (word: string) => absentOr(must(`'${word}', or absent`, value => value === word));

/** Names the field within, too: `.id must be …`. */
const nested = (path: string, expected: string | undefined) =>
  expected === undefined ? undefined : `${path}\0${expected}`;
/** A field by its name, which in a foreign file may be anything. */
const named = (name: string, expected: string | undefined) =>
  expected && nested(/^\w{1,64}$/.test(name) ? `.${name}` : '.(odd name)', expected);

const list =
  (check: Check): Check =>
  value => {
    if (!Array.isArray(value)) return 'a list';
    for (const [i, one] of value.entries()) {
      const expected = nested(`[${i}]`, check(one));
      if (expected !== undefined) return expected;
    }
    return undefined;
  };
const some =
  (check: Check): Check =>
  value =>
    Array.isArray(value) && value.length === 0 ? 'a list that is not empty' : list(check)(value);
const table =
  (check: Check, key: Check = () => undefined): Check =>
  value => {
    if (!isObject(value)) return 'an object';
    for (const [name, one] of Object.entries(value)) {
      const expected = named(name, key(name) ?? check(one));
      if (expected !== undefined) return expected;
    }
    return undefined;
  };
const record =
  (fields: Readonly<Record<string, Check>>): Check =>
  value => {
    if (!isObject(value)) return 'an object';
    for (const name in value) {
      if (!Object.hasOwn(fields, name)) return named(name, `absent${didYouMean(name, Object.keys(fields))}`);
    }
    for (const name in fields) {
      const expected = named(name, fields[name]!(value[name]));
      if (expected !== undefined) return expected;
    }
    return undefined;
  };

const digits = must(
  '16 hex digits or dots',
  value => typeof value === 'string' && /^[0-9a-f.]{16}$/.test(value),
);
const position = must('the position of a digit', name => /^\d{1,3}$/.test(String(name)));
const storedRule = record({ stored: hex });
const digitsRule = record({ digits: table(digits, position) });
const rule: Check = value => {
  if (value === 'fixed' || value === 'ignored') return undefined;
  if (!isObject(value)) return "'fixed', 'ignored', or an object with stored or digits";
  return 'stored' in value ? storedRule(value) : digitsRule(value);
};
const orNull =
  (check: Check): Check =>
  value =>
    value === null ? undefined : check(value);
const numbered = (check: Check) =>
  table(
    check,
    must('a number', name => /^\d{1,6}$/.test(String(name))),
  );

const register = record({
  id,
  reset: hex,
  write: absentOr(rule),
  scope: only('vm'),
  unlocked: absentOr(orNull(rule)),
  survivesInit: onlyTrue,
  varies: onlyTrue,
  unlisted: onlyTrue,
  needs: absentOr(record({ id, digit: count, least: count })),
  sameAs: absentOr(id),
});

const gic = record({
  revision: count,
  revisions: list(count),
  revisionKept: onlyTrue,
  iccControl: absentOr(hex),
  unknownRegister: absentOr(oneOf(['ENXIO', 'ENOENT'])),
  framesCheckedWhole: flag,
  redistributorsExist: absentOr(flag),
  lastToUserspace: absentOr(flag),
  invalidation: absentOr(flag),
  identifiesEarly: absentOr(flag),
  maintenanceIrq: absentOr(flag),
  savingNeedsInit: absentOr(flag),
  deactivation: absentOr(flag),
});
const gics = record({
  v2: absentOr(gic),
  v3: absentOr(gic),
  failureIsDeadly: flag,
  existenceFirst: flag,
  existingVcpuFirst: flag,
  setsIdRegisters: flag,
  physicalTimerMapped: flag,
  irqfdDrains: flag,
  timerPpisPerVcpu: flag,
});

const profile = record({
  format: oneOf([FORMAT]),
  version: must(String(VERSION), value => value === VERSION),
  name: text,
  provenance: record({
    kernel: text,
    machine: text,
    midr: hex,
    recorded: text,
    tool: text,
    basis: absentOr(text),
    rules: absentOr(list(record({ rule: text, source: text }))),
  }),
  architecture: only('arm'),
  apiVersion: count,
  vcpuMmapSize: count,
  capabilities: numbered(integer),
  vmCapabilities: numbered(integer),
  enableCaps: list(count),
  maxVcpus: absentOr(count),
  ipaBits: record({ min: count, max: count, default: count }),
  targets: record({ preferred: count, accepted: some(count) }),
  knownFeatures: count,
  psci: record({
    withFeature: list(hex),
    withoutFeature: list(hex),
    latest: hex,
    readNeedsFeature: onlyTrue,
    forcedBy: absentOr(record({ feature: count, name: text, version: hex })),
  }),
  counterHz: must('a frequency above 0', value => Number.isSafeInteger(value) && (value as number) > 0),
  mpStates: list(count),
  devices: list(count),
  gics: orNull(gics),
  timerPpis: list(count),
  pmuAttributes: count,
  pmus: numbered(count),
  pmceid: orNull(list(hex)),
  writableMasks: numbered(hex),
  behaviours: record({
    vcpuEventsNeedInit: flag,
    workaround2WithoutSsbs: count,
    aarch32User: flag,
    clidr: oneOf(CLIDR_RULES),
    featuresPerVcpu: flag,
    widthOfAllVcpus: flag,
    vmAttributes: flag,
    pmu: oneOf(PMU_RULES),
    bankedNarrowing: flag,
    abortTakenAtOnce: flag,
    abort32TakenAtOnce: flag,
    serrorTakenAtOnce: flag,
    abortSyndrome: hex,
    timerControl: oneOf(TIMER_CONTROL_RULES),
    emptyFilterRefused: flag,
    identitySettledByRun: flag,
    signedReadsCut: flag,
    guestCtrLacksIdc: flag,
    timersEndWaits: flag,
    reservedAffinityIgnored: flag,
    stepKept: flag,
    debuggerMeetsGuest: flag,
    debugTellsHigh: flag,
    iccWithoutGic: oneOf(ICC_WITHOUT_GIC),
    pmmirReadsZero: flag,
    pmuChainsPairs: flag,
    pmuKeepsResets: flag,
    pmuInterruptNeedsEnable: flag,
    rawCore: onlyTrue,
    beforeSve: onlyTrue,
    unknownFirmware: only('EINVAL'),
  }),
  anyCoprocessor: record({ registers: list(id), except: list(count) }),
  configurations: some(
    record({
      features: some(count),
      absent: absentOr(list(id)),
      resets: absentOr(table(hex, id)),
      writes: absentOr(table(orNull(rule), id)),
    }),
  ),
  registers: some(register),
});

/**
 * Accepts a profile that this library has recorded.
 *
 * @param path - the file that it was read from
 * @throws KvmError `ERR_BAD_PROFILE` for anything else; the message names the field
 */
export function checkProfile(value: HostProfile, path?: string): HostProfile {
  const fault = faultOf(value);
  if (fault === undefined) return value;
  throw new KvmError('ERR_BAD_PROFILE', `${path ?? 'This'} is no host profile: ${fault}`, { path });
}

function faultOf(value: HostProfile): string | undefined {
  if (!isObject(value) || value['format'] !== FORMAT) return `it has no format '${FORMAT}'`;
  if (value.version !== VERSION) {
    const isNewer = Number.isInteger(value.version) && value.version > VERSION;
    const cure = isNewer ? '; a newer kvm-arm64 reads it' : '';
    return `its version is ${JSON.stringify(value.version)}, and this library reads ${VERSION}${cure}`;
  }
  const fault = profile(value) ?? relations(value);
  if (fault === undefined) return undefined;
  const parts = fault.split('\0');
  return `${parts.slice(0, -1).join('').slice(1)} must be ${parts.at(-1)}`;
}

/** What fields that are right by themselves must be to each other. */
function relations({ ipaBits, targets, registers, configurations }: HostProfile): string | undefined {
  if (ipaBits.min > ipaBits.max) return nested('.ipaBits.min', 'at most ipaBits.max');
  if (!targets.accepted.includes(targets.preferred)) {
    return nested('.targets.preferred', 'one of targets.accepted');
  }
  // Registers that share their storage show what they can of a value that the widest can hold.
  const storage = new Map<string, { bits: number }>();
  for (const [i, { id, sameAs }] of registers.entries()) {
    if (storage.has(id)) return nested(`.registers[${i}].id`, 'an id that no register before it has');
    const shared = sameAs === undefined ? { bits: 0 } : storage.get(sameAs);
    if (shared === undefined) return nested(`.registers[${i}].sameAs`, 'the id of a register before it');
    shared.bits = Math.max(shared.bits, registerBits(BigInt(`0x${id}`)));
    storage.set(id, shared);
  }
  const valueFault = (id: string, value: string) => {
    const bits = storage.get(id)?.bits;
    if (bits === undefined) return 'absent, as there is no such register';
    return value.replace(/^0+/, '').length > bits / 4 ? `a number of ${bits} bits` : undefined;
  };
  for (const [i, { id, reset, needs }] of registers.entries()) {
    const expected = valueFault(id, reset);
    if (expected !== undefined) return nested(`.registers[${i}].reset`, expected);
    if (needs !== undefined && !storage.has(needs.id)) {
      return nested(`.registers[${i}].needs.id`, 'the id of a register');
    }
  }
  for (const [i, { resets = {} }] of configurations.entries()) {
    for (const id in resets) {
      const expected = valueFault(id, resets[id]!);
      if (expected !== undefined) return nested(`.configurations[${i}].resets.${id}`, expected);
    }
  }
  return undefined;
}
