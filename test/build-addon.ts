/**
 * Builds the addon before the tests, where there is a compiler: what it lacks is then the reason that the tests of the
 * addon have in their titles when they are skipped. One that is named by `KVM_ARM64_ADDON` is taken as it is.
 */
import { spawnSync } from 'node:child_process';

export default function buildAddon(): void {
  if (process.platform !== 'linux' || process.env['KVM_ARM64_ADDON']) return;
  const { status, stderr } = spawnSync(
    process.execPath,
    ['node_modules/node-gyp/bin/node-gyp.js', 'configure', 'build', '--loglevel=error'],
    { encoding: 'utf8' },
  );
  if (status !== 0) console.warn(`The addon could not be built, its tests are skipped:\n${stderr.trim()}`);
}
