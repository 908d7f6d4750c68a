/** Prints the sum of vitest's JSON reports: `N passed, N failed, N skipped`. Fails when anything failed. */
import { readFileSync } from 'node:fs';

const COUNTED_AS = {
  passed: 'passed',
  failed: 'failed',
  pending: 'skipped',
  skipped: 'skipped',
  todo: 'skipped',
};
const sum = { passed: 0, failed: 0, skipped: 0 };
for (const file of process.argv.slice(2)) {
  for (const { status, assertionResults } of JSON.parse(readFileSync(file, 'utf8')).testResults) {
    for (const test of assertionResults) sum[COUNTED_AS[test.status] ?? 'failed']++;
    // A file that could not be loaded, or a hook that failed, has no failed test to show for it.
    if (status === 'failed' && !assertionResults.some(test => test.status === 'failed')) sum.failed++;
  }
}
console.log(
  Object.entries(sum)
    .map(([word, count]) => `${count} ${word}`)
    .join(', '),
);
process.exitCode = sum.failed === 0 ? 0 : 1;
