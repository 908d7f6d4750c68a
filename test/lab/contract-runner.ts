/** Runs the contract in the guest, on its kernel's KVM; prints a {@link CaseResult} per line. */
import { inspect } from 'node:util';
import { Kvm } from '#lib/index.js';
import { suites } from '../contract/index.ts';
import { type CaseResult, casesOf } from './contract-cases.ts';

for (const { path, run } of casesOf(suites, () => Kvm.open({ backend: 'native' }))) {
  const started = performance.now();
  let outcome = {};
  try {
    await run();
  } catch (error) {
    outcome = { error: inspect(error) };
  }
  const result: CaseResult = { path, ms: Math.round(performance.now() - started), ...outcome };
  console.log(JSON.stringify(result));
}
