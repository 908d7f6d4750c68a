/**
 * Prints what failed in vitest's JSON reports and, as the last line, their sum: `N passed, N failed, N skipped`.
 * Fails when anything failed.
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';

const COUNTED_AS = {
  passed: 'passed',
  failed: 'failed',
  pending: 'skipped',
  skipped: 'skipped',
  todo: 'skipped',
};
const LINES_OF_A_FAILURE = 12;
const sum = { passed: 0, failed: 0, skipped: 0 };

function showFailure(report, where, messages) {
  console.log(`FAILED in ${basename(report, '.json')}: ${where}`);
  const lines = messages
    .join('\n')
    .split('\n')
    .filter(line => !line.includes('/node_modules/'));
  for (const line of lines.slice(0, LINES_OF_A_FAILURE)) console.log(`  ${line}`);
}

for (const report of process.argv.slice(2)) {
  for (const { name, status, message, assertionResults } of JSON.parse(readFileSync(report, 'utf8'))
    .testResults) {
    const file = name.slice(name.indexOf('/test/') + 1);
    for (const test of assertionResults) {
      const countedAs = COUNTED_AS[test.status] ?? 'failed';
      sum[countedAs]++;
      if (countedAs === 'failed') showFailure(report, `${file} > ${test.fullName}`, test.failureMessages);
    }
    // A file that could not be loaded, or a hook that failed, has no failed test to show for it.
    if (status === 'failed' && !assertionResults.some(test => test.status === 'failed')) {
      sum.failed++;
      showFailure(report, file, [message]);
    }
  }
}
console.log(
  Object.entries(sum)
    .map(([word, count]) => `${count} ${word}`)
    .join(', '),
);
process.exitCode = sum.failed === 0 ? 0 : 1;
