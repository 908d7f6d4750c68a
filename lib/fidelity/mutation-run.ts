/**
 * Replays a trace on profiles that are wrong in one place, and tells which mistakes it notices.
 *
 * @packageDocumentation
 */
import type { HostProfile } from '../emulator/profile.ts';
import { openEmulated } from '../emulator/system.ts';
import { KvmError } from '../errors.ts';
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
 * Tries mutations.
 *
 * @param trace - of the host that the profile is of
 * @param isTried - whether to try a mutation, by its name and number
 */
export function* tryMutations(
  profile: HostProfile,
  trace: readonly TracedSequence[],
  isTried: (name: string, index: number) => boolean,
): Generator<MutationResult> {
  let index = 0;
  for (const mutation of mutations(profile)) {
    const { name } = mutation;
    if (!isTried(name, index++)) continue;
    if (isNoticed(mutation, trace)) yield { name, verdict: 'noticed' };
    else {
      const reason = whyUnnoticeable(profile, name);
      yield { name, verdict: reason === undefined ? 'missed' : 'unnoticeable', reason };
    }
  }
}

/** By an answer; or by the emulated host itself, which refuses a profile that is none. */
function isNoticed(mutation: Mutation, trace: readonly TracedSequence[]): boolean {
  const profile = mutation.apply();
  try {
    return departures(() => openEmulated(profile), trace).next().done !== true;
  } catch (error) {
    if (error instanceof KvmError && error.code === 'ERR_BAD_PROFILE') return true;
    throw error;
  }
}
