/** Interrupt controllers and their guests, on real kernels: GICv3, GICv2, and the newest with SVE. */
import { describe, it } from 'vitest';
import { testOnHosts } from '#lib/testing.js';
import { BOOT, PACKAGE_PARTS } from './tier.ts';

const suite = new URL('../../dist/test/guests/with-interrupts.js', import.meta.url);
const hosts = [
  { kernel: '5.10', cpu: 'cortex-a57' },
  { kernel: '6.1', cpu: 'max' },
  { kernel: '6.12', cpu: 'neoverse-n1' },
  { kernel: '6.18', cpu: 'max' },
  { kernel: '7', cpu: 'max-sve' },
];

await testOnHosts({ describe, it, suite, hosts, timeout: BOOT, parts: PACKAGE_PARTS });
