/** A test runner that keeps what it is told to run. */
import type { TestRunner } from '#lib/testing.js';

/** A test as it was registered: the titles that lead to it, and whether it is to be skipped. */
export interface Registered {
  readonly title: string;
  readonly skip: boolean;
  readonly run: () => Promise<void>;
}

/** A runner, and where it keeps its tests. */
export function recordRunner(): TestRunner & { readonly tests: Registered[] } {
  const titles: string[] = [];
  const tests: Registered[] = [];
  return {
    tests,
    describe(title, body) {
      titles.push(title);
      body();
      titles.pop();
    },
    it(title, { skip }, body) {
      const run = () => body({ skip: () => {} });
      tests.push({ title: [...titles, title].join(' > '), skip, run });
    },
  };
}
