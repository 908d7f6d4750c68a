/**
 * The grounds of both backends.
 *
 * @packageDocumentation
 */
import type { HostProfile } from '../../emulator/profile.ts';
import { openEmulated } from '../../emulator/system.ts';
import { openDevice } from '../../native/open.ts';
import { probe } from '../../native/probe.ts';
import { Ground } from './run-program.ts';

/** Seconds that a program may take: on an emulated machine, which may be slow, and by an emulated vCPU's own clock. */
const PATIENCE = { native: 10, emulated: 0.0001 };

const ticks = ({ counterHz }: HostProfile, seconds: number) => BigInt(Math.round(counterHz * seconds));

/** Of this machine's KVM. @param profile - recorded from it */
export function nativeGround(profile: HostProfile): Ground {
  return new Ground(openDevice(probe()), ticks(profile, PATIENCE.native));
}

export function emulatedGround(profile: HostProfile): Ground {
  return new Ground(openEmulated(profile), ticks(profile, PATIENCE.emulated));
}
