/**
 * Whether something is a host profile: a table of what each field must be.
 *
 * @packageDocumentation
 */
import { KvmError } from '../errors.ts';
import { CLIDR_RULES, FORMAT, type HostProfile, PMU_RULES, TIMER_CONTROL_RULES, VERSION } from './profile.ts';

/** Answers what a value must be, if it is not that. */
type Check = (value: unknown) => string | undefined;

const must =
  (expected: string, test: (value: unknown) => boolean): Check =>
  value =>
    test(value) ? undefined : expected;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const text = must('a string', value => typeof value === 'string');
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
const table =
  (check: Check, key: Check = () => undefined): Check =>
  value => {
    if (!isObject(value)) return 'an object';
    for (const [name, one] of Object.entries(value)) {
      const expected = nested(`.${name}`, key(name) ?? check(one));
      if (expected !== undefined) return expected;
    }
    return undefined;
  };
const record =
  (fields: Readonly<Record<string, Check>>): Check =>
  value => {
    if (!isObject(value)) return 'an object';
    for (const [name, check] of Object.entries(fields)) {
      const expected = nested(`.${name}`, check(value[name]));
      if (expected !== undefined) return expected;
    }
    return undefined;
  };

const digits = must(
  '16 hex digits or dots',
  value => typeof value === 'string' && /^[0-9a-f.]{16}$/.test(value),
);
const rule: Check = value => {
  if (value === 'fixed' || value === 'ignored') return undefined;
  if (!isObject(value)) return "'fixed', 'ignored', or an object with stored or digits";
  return 'stored' in value
    ? record({ stored: hex })(value)
    : record({ digits: table(digits, position) })(value);
};
const orNull =
  (check: Check): Check =>
  value =>
    value === null ? undefined : check(value);
const position = must('the position of a digit', name => /^\d{1,3}$/.test(String(name)));
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

const profile = record({
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
  targets: record({ preferred: count, accepted: list(count) }),
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
  timerPpis: list(count),
  pmuAttributes: count,
  pmus: numbered(count),
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
    rawCore: onlyTrue,
    beforeSve: onlyTrue,
    unknownFirmware: only('EINVAL'),
  }),
  anyCoprocessor: record({ registers: list(id), except: list(count) }),
  configurations: list(
    record({
      features: list(count),
      absent: absentOr(list(id)),
      resets: absentOr(table(hex, id)),
      writes: absentOr(table(orNull(rule), id)),
    }),
  ),
  registers: list(register),
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
  const fault = profile(value);
  if (fault === undefined) return unknownReference(value);
  const parts = fault.split('\0');
  return `${parts.slice(0, -1).join('').slice(1)} must be ${parts.at(-1)}`;
}

/** Registers that name others must name ones that stand before them. */
function unknownReference({ registers }: HostProfile): string | undefined {
  const ids = registers.map(one => one.id);
  const twice = ids.find((one, i) => ids.indexOf(one) !== i);
  if (twice !== undefined) return `registers has ${twice} twice`;
  for (const [i, { sameAs, needs }] of registers.entries()) {
    if (sameAs !== undefined && !ids.slice(0, i).includes(sameAs)) {
      return `registers[${i}].sameAs must be the id of a register before it`;
    }
    if (needs !== undefined && !ids.includes(needs.id)) {
      return `registers[${i}].needs.id must be the id of a register`;
    }
  }
  return undefined;
}
