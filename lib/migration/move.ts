/**
 * One line of a migration table: what was wanted, foretold, and became of it.
 *
 * @packageDocumentation
 */
import { formatPsciVersion } from '../abi/psci.ts';
import { arrive, depart, type End, foretell } from './migrate.ts';

/** One line of a migration table. */
export interface Move {
  /** `'old -> new'` */
  readonly migration: string;
  /** Whether a userspace must do something for it. */
  readonly userspaceChange: boolean;
  /** Whether the state loaded. */
  readonly works: boolean;
  /**
   * Whether it should: the destination gives a new guest the PSCI version that this one found, or a newer one, as those
   * are backward compatible. Where this is not {@link works}, the tables have an asterisk.
   */
  readonly wanted: boolean;
  /** The PSCI version that the guest found. */
  readonly found: string;
  /** The one that it found after the move; absent where it did not arrive. */
  readonly foundThen?: string | undefined;
  /** The registers that were refused, with the errno: the first is where a VMM gives up. */
  readonly refused: readonly string[];
  /** Those that the plan named beforehand. */
  readonly foretold: readonly string[];
}

/** A table. */
export interface MigrationTable {
  readonly title: string;
  readonly moves: readonly Move[];
}

/** Executes a migration. */
export function move(migration: string, userspaceChange: boolean, source: End, destination: End): Move {
  const { file, found } = depart(source);
  const foretold = foretell(file, destination);
  const arrival = arrive(file, destination);
  const offered = depart(destination).found;
  return {
    migration,
    userspaceChange,
    works: arrival.refused.length === 0,
    wanted: offered >= found,
    found: formatPsciVersion(found),
    foundThen: arrival.found === undefined ? undefined : formatPsciVersion(arrival.found),
    refused: arrival.refused,
    foretold,
  };
}

/** Whether what was foretold is what became of it. */
export function isForetold({ refused, foretold }: Move): boolean {
  return refused.toSorted().join() === foretold.toSorted().join();
}
