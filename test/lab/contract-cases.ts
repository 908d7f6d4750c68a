/** The contract's cases as a list, to run them without a test framework and to name them without running. */
import type { Kvm } from '#lib/kvm.js';
import type { Suite, Tests } from '../contract/suite.ts';

/** The contract, by subject. A suite only registers its cases; `open` is for their bodies. */
export type Suites = Readonly<Record<string, Suite>>;

/** One `it`, with the names that lead to it. */
export interface Case {
  /** Suite, then the names of each `describe`, then of the case: no two cases have the same. */
  readonly path: readonly string[];
  readonly run: () => void | Promise<void>;
}

/** How a case went in the guest; one line of JSON each. */
export interface CaseResult {
  readonly path: readonly string[];
  readonly ms: number;
  /** Absent when the case passed. */
  readonly error?: string;
}

/** Every case of the suites, in order. */
export function casesOf(suites: Suites, open: () => Kvm): Case[] {
  const cases: Case[] = [];
  for (const [name, suite] of Object.entries(suites)) {
    const path = [name];
    const tests: Tests = {
      describe(title, body) {
        path.push(title);
        body();
        path.pop();
      },
      it(title, run) {
        cases.push({ path: [...path, title], run });
      },
    };
    suite(tests, open);
  }
  return cases;
}
