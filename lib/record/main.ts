/**
 * Records the machine that this runs on and prints the profile: `node dist/lib/record/main.js NAME MACHINE`.
 *
 * @packageDocumentation
 */
import { createRequire } from 'node:module';
import { release, version } from 'node:os';
import { openDevice } from '../native/open.ts';
import { probe } from '../native/probe.ts';
import { formatProfile } from './format-profile.ts';
import { recordHost } from './record-host.ts';

const [name = 'recorded', machine = 'unknown'] = process.argv.slice(2);
const kvm = openDevice(probe());
const profile = recordHost(kvm, name, {
  kernel: `${release()} ${version()}`,
  machine,
  recorded: new Date().toISOString().slice(0, 10),
  tool: `kvm-arm64 ${createRequire(import.meta.url)('kvm-arm64/package.json').version}`,
});
kvm.close();
process.stdout.write(formatProfile(profile));
