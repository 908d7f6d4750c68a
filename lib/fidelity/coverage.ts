/**
 * What a run has tried: methods with their outcomes, registers read and written, digits of rules.
 *
 * @packageDocumentation
 */
import type { HostProfile } from '../emulator/profile.ts';
import { type Call, kindOf } from './calls.ts';
import type { Answer } from './run-calls.ts';

/** A summary that can be sent as JSON. */
export interface CoverageSummary {
  /** `vcpu.setOneReg` → outcome → how often. */
  readonly outcomes: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Of the profile's: how many were read, written with success, and refused a value. */
  readonly registers: { readonly of: number; readonly read: number; readonly written: number };
  /** Digits of write rules: position and value. */
  readonly ruleDigits: { readonly of: number; readonly tried: number };
}

/** Counts as calls are made. */
export class Coverage {
  readonly #outcomes: Record<string, Record<string, number>> = {};
  readonly #read = new Set<string>();
  readonly #written = new Set<string>();
  /** `id position value`. */
  readonly #digits = new Set<string>();
  readonly #profile: HostProfile;

  constructor(profile: HostProfile) {
    this.#profile = profile;
  }

  add({ on, method, args: [id = '', value = ''] }: Call, answer: Answer): void {
    const name = `${kindOf(on)}.${method}`;
    const outcome = /^(?:E[A-Z0-9]+|throws|-$)/.exec(answer)?.[0] ?? 'ok';
    const outcomes = this.#outcomes[name] ?? {};
    this.#outcomes[name] = { ...outcomes, [outcome]: (outcomes[outcome] ?? 0) + 1 };
    if (method === 'getOneReg' && outcome === 'ok') this.#read.add(id);
    if (method === 'setOneReg') {
      if (outcome === 'ok') this.#written.add(id);
      for (const [position, digit] of [...value].reverse().entries()) {
        this.#digits.add(`${id} ${position} ${digit}`);
      }
    }
  }

  summary(): CoverageSummary {
    const { registers } = this.#profile;
    const ids = registers.map(({ id }) => id);
    const ruleDigits = registers.flatMap(({ id, write }) =>
      typeof write === 'object' && 'digits' in write
        ? Object.keys(write.digits).flatMap(position =>
            [...'0123456789abcdef'].map(digit => `${id} ${position} ${digit}`),
          )
        : [],
    );
    const count = (all: readonly string[], seen: ReadonlySet<string>) =>
      all.filter(one => seen.has(one)).length;
    return {
      outcomes: this.#outcomes,
      registers: { of: ids.length, read: count(ids, this.#read), written: count(ids, this.#written) },
      ruleDigits: { of: ruleDigits.length, tried: count(ruleDigits, this.#digits) },
    };
  }
}
