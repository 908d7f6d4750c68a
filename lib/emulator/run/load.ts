/**
 * The CPU is loaded by the first KVM_RUN: most programs that emulate a host look at registers alone.
 *
 * @packageDocumentation
 */
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** What runs a vCPU's guest. */
export function loadRunner(): typeof import('./runner.ts') {
  return require('./runner.js');
}
