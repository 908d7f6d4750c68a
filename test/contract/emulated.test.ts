/** The contract on the emulated host. */
import { describe, it } from 'vitest';
import { DEFAULT_HOST } from '#lib/index.js';
import { testOnHosts } from '#lib/testing.js';

const suite = new URL('../../dist/test/contract/index.js', import.meta.url);

await testOnHosts({ describe, it, suite, hosts: [DEFAULT_HOST] });
