/** Interrupt controllers and their guests on every emulated host that was recorded. */
import { describe, it } from 'vitest';
import { RECORDED_HOSTS } from '#lib/emulator/profile.js';
import { testOnHosts } from '#lib/testing.js';

const suite = new URL('../../dist/test/guests/with-interrupts.js', import.meta.url);

await testOnHosts({ describe, it, suite, hosts: [...RECORDED_HOSTS] });
