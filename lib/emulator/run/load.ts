/**
 * The CPU is loaded by the first KVM_RUN: most programs that emulate a host look at registers alone.
 *
 * @packageDocumentation
 */
import { createRequire } from 'node:module';
import type { Runner, VcpuState } from '../state.ts';

const require = createRequire(import.meta.url);

/** What runs a vCPU's guest. */
export function makeRunner(vcpu: VcpuState): Runner {
  const { VcpuRunner } = require('./runner.js') as typeof import('./runner.ts');
  return new VcpuRunner(vcpu);
}
