/**
 * `kvm-arm64 migration-tables`
 *
 * @packageDocumentation
 */
import { styleText } from 'node:util';
import { Kvm } from '../../index.ts';
import { isForetold, type MigrationTable, type Move } from '../../migration/move.ts';
import { MOVES_OF_2018, tablesOf2018 } from '../../migration/tables-of-2018.ts';
import { MOVES_OF_TODAY, tablesOfToday } from '../../migration/tables-of-today.ts';
import type { Command } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { clearProgress, showStep } from '../progress.ts';
import { table } from '../table.ts';

const LEGEND =
  '* is not what was wanted: a guest should move where the destination offers the PSCI version that it found, or a newer one, and nowhere else.';

/** The tables of 2018 and of today. */
export const migrationTables: Command = {
  name: 'migration-tables',
  summary: 'which migrations work, between kernels of 2018 and of today, each one executed',
  details:
    'A guest that asks for the PSCI version runs on an emulated host, is saved, written into a VM of another register by register, and asks again. The first two tables are those of the discussion on kvmarm in February 2018, the others every ordered pair of recorded kernels on the same CPU. The exit code is 1 where a plan foretold something else than what happened.',
  json: {
    tables:
      'of each: title, moves: of each migration, userspaceChange, works, wanted, found and foundThen (PSCI versions that the guest found before and after), refused (registers with errno), foretold (those that the plan named)',
    plans: 'right: how many foretold exactly what was refused; of: how many there were',
  },
  examples: ['migration-tables', 'migration-tables --json'],

  run() {
    const hosts: Kvm[] = [];
    const open = (host: string) => {
      const kvm = Kvm.open({ host });
      hosts.push(kvm);
      return kvm;
    };
    let count = 0;
    const onMove = () => showStep(`migration ${++count} of ${MOVES_OF_2018 + MOVES_OF_TODAY}`);
    let tables: MigrationTable[];
    try {
      tables = [...tablesOf2018(open, onMove), ...tablesOfToday(open, onMove)];
    } finally {
      clearProgress();
      for (const kvm of hosts) kvm.close();
    }
    const moves = tables.flatMap(one => one.moves);
    const plans = { right: moves.filter(isForetold).length, of: moves.length };
    const parts = [
      ...tables.map(one => `${styleText('bold', one.title)}\n\n${formatMoves(one.moves)}`),
      LEGEND,
      `The plan foretold what happened in ${plans.right} of ${plans.of} migrations.`,
    ];
    return {
      data: { tables, plans },
      text: parts.join('\n\n'),
      exitCode: plans.right === plans.of ? EXIT.ok : EXIT.refused,
    };
  },
};

function formatMoves(moves: readonly Move[]): string {
  return table(
    moves.map(move => [
      move.migration,
      move.userspaceChange ? 'yes' : 'no',
      styleText(
        move.works ? 'green' : 'red',
        `${move.works ? 'YES' : 'NO'}${move.works === move.wanted ? '' : '*'}`,
      ),
      describe(move),
    ]),
    ['MIGRATION', 'USERSPACE CHANGE', 'WORKS', 'WHAT HAPPENED'],
  );
}

function describe({ works, found, foundThen, refused }: Move): string {
  const more = refused.length > 1 ? `, and ${refused.length - 1} more` : '';
  if (!works) return `refused: ${refused[0]}${more}`;
  return found === foundThen
    ? `the guest finds PSCI ${found}, as before`
    : `the guest found PSCI ${found}, and now ${foundThen}`;
}
