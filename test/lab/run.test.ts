/** Guests that run on a real kernel. */
import { describe, it } from 'vitest';
import { testOnHosts } from '#lib/testing.js';
import { BOOT, PACKAGE_PARTS } from './tier.ts';

const suite = new URL('../../dist/test/lab/run-suite.js', import.meta.url);

await testOnHosts({ describe, it, suite, hosts: [{ kernel: '6.12' }], timeout: BOOT, parts: PACKAGE_PARTS });
