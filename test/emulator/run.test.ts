/** The guests of the lab's suite, on each emulated host of 64 bits. */
import { describe, it } from 'vitest';
import { RECORDED_HOSTS } from '#lib/emulator/profile.js';
import { testOnHosts } from '#lib/testing.js';

const suite = new URL('../../dist/test/lab/run-suite.js', import.meta.url);

await testOnHosts({ describe, it, suite, hosts: [...RECORDED_HOSTS] });
