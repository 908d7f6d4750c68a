/**
 * The same for kernels of today, on the same CPU: every ordered pair, as userspace finds them and pinned to what both
 * accept.
 *
 * @packageDocumentation
 */
import { featureMask } from '../abi/vcpu-features.ts';
import type { Kvm } from '../kvm.ts';
import { RegisterBatch } from '../register-batch.ts';
import { baseline } from '../state.ts';
import type { Setup } from './migrate.ts';
import { type MigrationTable, move } from './move.ts';

/** Recorded hosts that differ in the kernel alone, oldest first. */
export const KERNELS_OF_TODAY = [
  'linux-5.10-max',
  'linux-6.1-max',
  'linux-6.12-max',
  'linux-6.18-max',
  'linux-7.3-max',
] as const;

const FEATURES = ['PSCI_0_2'] as const;

/** What userspace does that does nothing. */
export const UNPINNED: Setup = {
  featureBits: featureMask(FEATURES),
  registers: RegisterBatch.from([]),
  omit: [],
};

/** What userspace does on both of two hosts, so that guests can move. */
export function pinned(a: Kvm, b: Kvm): Setup {
  return a.host === b.host ? UNPINNED : baseline([a, b], { features: FEATURES });
}

/** How many lines there are. */
export const MOVES_OF_TODAY = 2 * KERNELS_OF_TODAY.length ** 2;

/**
 * The tables of today, each line a migration that was executed on recorded hosts.
 *
 * @param open - opens a host by name; the caller closes it
 * @param onMove - called before each
 */
export function tablesOfToday(open: (host: string) => Kvm, onMove: () => void): MigrationTable[] {
  const hosts = KERNELS_OF_TODAY.map(open);
  const table = (title: string, isPinned: boolean): MigrationTable => ({
    title,
    moves: hosts.flatMap(from =>
      hosts.map(to => {
        onMove();
        const setup = isPinned ? pinned(from, to) : UNPINNED;
        return move(`${from.host} -> ${to.host}`, isPinned, { kvm: from, setup }, { kvm: to, setup });
      }),
    ),
  });
  return [table('Today: unpinned', false), table('Today: pinned to the baseline of the two', true)];
}
