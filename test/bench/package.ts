/** What the package costs before it does anything: `node dist/test/bench/package.js`. */
import { execFileSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ROUNDS = 21;
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** Milliseconds of a whole process that runs a script of one line. */
function run(script: string): number {
  const start = process.hrtime.bigint();
  execFileSync(process.execPath, ['--input-type=module', '-e', script], { cwd: ROOT });
  return Number(process.hrtime.bigint() - start) / 1e6;
}

/** Both in turns, so that a busy machine slows both. */
const empty: number[] = [];
const importing: number[] = [];
for (let i = 0; i < ROUNDS; i++) {
  empty.push(run(''));
  importing.push(run("import 'kvm-arm64'"));
}
const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]!;
const least = (values: number[]) => Math.min(...values);
console.log(
  `import 'kvm-arm64': ${(median(importing) - median(empty)).toFixed(0)} ms over an empty script ` +
    `(fastest of each: ${(least(importing) - least(empty)).toFixed(0)} ms; aim: 25 at most)`,
);

const addon = `${ROOT}/prebuilds/linux-arm64/kvm_arm64.glibc.node`;
console.log(
  existsSync(addon)
    ? `addon for arm64: ${(statSync(addon).size / 1000).toFixed(0)} KB (aim: 150 at most)`
    : 'addon for arm64: not built (npm run build:cross)',
);
