/** Ends a test run with the reasons for which tests were skipped, which the default report keeps in their titles. */
import type { Reporter, TestModule } from 'vitest/node';

export default class SkipReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const reasons = new Map<string, number>();
    for (const module of modules) {
      for (const test of module.children.allTests('skipped')) {
        const [, reason = 'no reason in the title'] =
          /[([]skipped:? ([^\])]*)[\])]/.exec(test.fullName) ?? [];
        reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
      }
    }
    for (const [reason, count] of reasons) console.log(`  ${count} skipped: ${reason}`);
  }
}
