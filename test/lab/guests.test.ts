/** Guests on real kernels: one machine of each series. */
import { describe, it } from 'vitest';
import { testOnHosts } from '#lib/testing.js';
import { BOOT, PACKAGE_PARTS } from './tier.ts';

const suite = new URL('../../dist/test/guests/index.js', import.meta.url);
const hosts = [
  { kernel: '5.10', cpu: 'cortex-a57' },
  { kernel: '6.1', cpu: 'max' },
  { kernel: '6.12', cpu: 'neoverse-n1' },
  { kernel: '6.18', cpu: 'max' },
  { kernel: '7', cpu: 'max' },
];

await testOnHosts({ describe, it, suite, hosts, timeout: BOOT, parts: PACKAGE_PARTS });
