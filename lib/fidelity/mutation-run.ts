/**
 * Replays a trace on profiles that are wrong in one place, and tells which mistakes it notices.
 *
 * @packageDocumentation
 */
import type { HostProfile } from '../emulator/profile.ts';
import { openEmulated } from '../emulator/system.ts';
import { type Mutation, mutations } from './mutate.ts';
import { departures, type TracedSequence } from './trace.ts';
import { whyUnnoticeable } from './unnoticeable.ts';

/** Whether a trace told a mutation from the kernel: if not, either no call can, or the trace should. */
export interface MutationResult {
  readonly name: string;
  readonly verdict: 'noticed' | 'unnoticeable' | 'missed';
  /** Why it is unnoticeable. */
  readonly reason?: string | undefined;
}

/**
 * Tries mutations, of which each `every`-th of a profile's.
 *
 * @param trace - of the host that the profile is of
 */
export function* tryMutations(
  profile: HostProfile,
  trace: readonly TracedSequence[],
  every = 1,
): Generator<MutationResult> {
  let index = 0;
  for (const mutation of mutations(profile)) {
    if (index++ % every !== 0) continue;
    const { name } = mutation;
    if (isNoticed(mutation, trace)) yield { name, verdict: 'noticed' };
    else {
      const reason = whyUnnoticeable(profile, name);
      yield { name, verdict: reason === undefined ? 'missed' : 'unnoticeable', reason };
    }
  }
}

/** A profile that cannot even be opened, or whose answers throw, is noticed, too. */
function isNoticed(mutation: Mutation, trace: readonly TracedSequence[]): boolean {
  const profile = mutation.apply();
  return departures(() => openEmulated(profile), trace).next().done !== true;
}
