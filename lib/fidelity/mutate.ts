/**
 * Profiles with one mistake each, to prove that the comparison would notice it: every value of the JSON is changed,
 * and every member of a list or table is dropped. What a field means is not asked, so new fields are mutated as well.
 *
 * @packageDocumentation
 */
import {
  CLIDR_RULES,
  type HostProfile,
  ICC_WITHOUT_GIC,
  PMU_RULES,
  TIMER_CONTROL_RULES,
} from '../emulator/profile.ts';

/** A profile that is wrong in one place. */
export interface Mutation {
  /** `registers.603000000013c020.write.digits.0[3]: 0 → .` */
  readonly name: string;
  /** Makes the wrong profile. */
  apply(): HostProfile;
}

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Members that say which profile it is. */
const IDENTITY = ['format', 'version', 'name', 'provenance'];

/** Members without which it is no profile; any other may be dropped. */
const REQUIRED =
  /^(?:[a-zA-Z]+|(?:ipaBits|targets|psci|behaviours)\.\w+|configurations\.[^.]+\.features|registers\.[^.]+\.(?:id|reset)|.*\.(?:stored|digits))$/;

/** Flags that a register has not by default: to have them is a mistake, too. */
const REGISTER_FLAGS: Readonly<Record<string, Json>> = {
  scope: 'vm',
  survivesInit: true,
  unlisted: true,
  write: 'ignored',
};

/** Members that are words, and which there are. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  'behaviours.clidr': CLIDR_RULES,
  'behaviours.pmu': PMU_RULES,
  'behaviours.iccWithoutGic': ICC_WITHOUT_GIC,
  'behaviours.timerControl': TIMER_CONTROL_RULES,
};

/** All mutations of a profile. */
export function* mutations(profile: HostProfile): Generator<Mutation> {
  for (const [key, value] of Object.entries(profile as unknown as Readonly<Record<string, Json>>)) {
    if (IDENTITY.includes(key)) continue;
    const put = (changed: Json) => ({ ...profile, [key]: changed }) as unknown as HostProfile;
    yield* mutationsOf(key, value, put);
  }
}

/** One change at or below a place. */
function* mutationsOf(path: string, value: Json, put: (changed: Json) => HostProfile): Generator<Mutation> {
  const change = (what: string, changed: Json): Mutation => ({
    name: `${path}: ${what}`,
    apply: () => put(changed),
  });
  if (typeof value === 'boolean') yield change(`${value} → ${!value}`, !value);
  else if (typeof value === 'number') yield change(`${value} → ${value + 1}`, value + 1);
  else if (typeof value === 'string') yield* mutationsOfText(path, value, put);
  else if (Array.isArray(value)) {
    const list = value as readonly Json[];
    for (const [i, member] of list.entries()) {
      const name = memberName(member, i);
      yield { name: `${path}.${name}: dropped`, apply: () => put(list.toSpliced(i, 1)) };
      yield* mutationsOf(`${path}.${name}`, member, changed => put(list.with(i, changed)));
    }
  } else if (value !== null) {
    const table = value as Readonly<Record<string, Json>>;
    for (const [key, member] of Object.entries(table)) {
      const { [key]: _, ...others } = table;
      if (!REQUIRED.test(`${path}.${key}`))
        yield { name: `${path}.${key}: dropped`, apply: () => put(others) };
      yield* mutationsOf(`${path}.${key}`, member, changed => put({ ...table, [key]: changed }));
    }
    if (/^registers\.[^.]+$/.test(path)) {
      for (const [flag, set] of Object.entries(REGISTER_FLAGS)) {
        if (!(flag in table)) yield change(`with ${flag} ${JSON.stringify(set)}`, { ...table, [flag]: set });
      }
    }
  }
}

/** A digit rule by digit; a number in hex by one bit; words have no neighbours (their member is dropped instead). */
function* mutationsOfText(
  path: string,
  text: string,
  put: (changed: Json) => HostProfile,
): Generator<Mutation> {
  const words = WORDS[path];
  if (words !== undefined) {
    for (const other of words.filter(word => word !== text))
      yield { name: `${path}: ${text} → ${other}`, apply: () => put(other) };
  } else if (/^[0-9a-f.]{16}$/.test(text) && path.includes('.digits.')) {
    for (const [digit, stored] of [...text].entries()) {
      const wrong = stored === '.' ? digit.toString(16) : '.';
      const changed = `${text.slice(0, digit)}${wrong}${text.slice(digit + 1)}`;
      yield { name: `${path}[${digit}]: ${stored} → ${wrong}`, apply: () => put(changed) };
    }
  } else if (/^[0-9a-f]+$/.test(text)) {
    // Which bit is chance enough, but the same in each run: it depends on the place.
    const bit = BigInt([...path].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % (4 * text.length));
    const changed = (BigInt(`0x${text}`) ^ (1n << bit)).toString(16).padStart(text.length, '0');
    yield { name: `${path}: ${text} → ${changed}`, apply: () => put(changed) };
  }
}

function memberName(member: Json, index: number): string {
  if (typeof member !== 'object' || member === null) return String(index);
  const { id, features } = member as { readonly id?: string; readonly features?: readonly number[] };
  return id ?? (features === undefined ? String(index) : `features ${features[0]}`);
}
