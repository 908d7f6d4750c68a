/** Runs the cases without a test runner, for the sanitizers: `node abuse-child.js ADDON`. */
import { createRequire } from 'node:module';
import type { Addon } from '#lib/native/addon.js';
import { abuseCases } from './abuse-cases.ts';

const addon = createRequire(import.meta.url)(process.argv[2]!) as Addon;
const cases = abuseCases(addon);
for (const { run } of cases) run();
console.log(`${cases.length} cases hold`);
