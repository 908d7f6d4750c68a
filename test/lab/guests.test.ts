/** Guests on the real kernels that the hosts were recorded from. */
import { describe, it } from 'vitest';
import { RECORDED_HOSTS } from '#lib/emulator/profile.js';
import { machineOf } from '#lib/fidelity/machines.js';
import { testOnHosts } from '#lib/testing.js';
import { BOOT, PACKAGE_PARTS } from './tier.ts';

const suite = new URL('../../dist/test/guests/index.js', import.meta.url);
const hosts = RECORDED_HOSTS.map(host => {
  const { kernel = '', cpu = '' } = machineOf(host)!;
  return { kernel, cpu };
});

await testOnHosts({ describe, it, suite, hosts, timeout: BOOT, parts: PACKAGE_PARTS });
