/** The selftests' assertions on every emulated host that was recorded. */
import { describe, it } from 'vitest';
import { RECORDED_HOSTS } from '#lib/emulator/profile.js';
import { testOnHosts } from '#lib/testing.js';

const suite = new URL('../../dist/test/selftests/index.js', import.meta.url);

await testOnHosts({ describe, it, suite, hosts: [...RECORDED_HOSTS] });
