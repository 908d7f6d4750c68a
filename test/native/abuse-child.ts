/** Runs the cases without a test runner, for the sanitizers: `node abuse-child.js ADDON`. */
import { abuseCases } from './abuse-cases.ts';

const cases = abuseCases(process.argv[2]!);
for (const { run } of cases) run();
console.log(`${cases.length} cases hold`);
