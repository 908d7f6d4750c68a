/**
 * Opens this machine's KVM, or says why it cannot be.
 *
 * @packageDocumentation
 */
import type { KvmHandle } from '../backend.ts';
import { KvmError } from '../errors.ts';
import { loadAddon } from './addon.ts';
import { type Probe, probe } from './probe.ts';
import { openNative } from './system.ts';

/**
 * Opens the device that was probed.
 *
 * @throws KvmError `ERR_BACKEND_UNAVAILABLE`
 */
export function openDevice(found: Probe): KvmHandle {
  const { addon } = loadAddon(); // that of the probe: without it nothing is usable
  if (!found.usable || addon === undefined) throw unavailable(found);
  const handle = openNative(addon, found.device.path);
  // It could be opened a moment ago: look again for what has changed.
  if (typeof handle === 'number') throw unavailable(probe({ path: found.device.path }));
  return handle;
}

/** The error of a machine whose KVM cannot be used. */
function unavailable({ reason, cure, device }: Probe): KvmError {
  return new KvmError('ERR_BACKEND_UNAVAILABLE', `No native KVM for Arm here: ${reason.replace(/\.$/, '')}`, {
    hint: cure,
    path: device.path,
  });
}
