/** Ends a test run with the reasons for which tests were skipped: those in titles, and what cases said when they ran. */
import type { Reporter, TestModule } from 'vitest/node';

export default class SkipReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const reasons = new Map<string, number>();
    for (const module of modules) {
      for (const test of module.children.allTests('skipped')) {
        const result = test.result();
        const said = result.state === 'skipped' ? result.note : undefined;
        const reason =
          said ?? /[([]skipped:? ([^\])]*)[\])]/.exec(test.fullName)?.[1] ?? 'no reason in the title';
        reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
      }
    }
    for (const [reason, count] of reasons) console.log(`  ${count} skipped: ${reason}`);
  }
}
