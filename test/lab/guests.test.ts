/**
 * Guests on real kernels. Those of 6.18 and 7.3 are not among them: a guest that waits for its timer without an interrupt
 * controller does not wake there, and whose doing that is has not been found out.
 */
import { describe, it } from 'vitest';
import { testOnHosts } from '#lib/testing.js';
import { BOOT, PACKAGE_PARTS } from './tier.ts';

const suite = new URL('../../dist/test/guests/index.js', import.meta.url);
const hosts = [
  { kernel: '5.10', cpu: 'cortex-a57' },
  { kernel: '6.1', cpu: 'max' },
  { kernel: '6.12', cpu: 'neoverse-n1' },
];

await testOnHosts({ describe, it, suite, hosts, timeout: BOOT, parts: PACKAGE_PARTS });
