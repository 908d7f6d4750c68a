/**
 * The results of fidelity runs as text.
 *
 * @packageDocumentation
 */
import { formatTest } from './compare.ts';
import type { Report } from './guest.ts';
import type { MutationResult } from './mutation-run.ts';
import { NO_OBJECT } from './run-calls.ts';

/** Rows in columns; all cells but the first are figures. */
function columns(rows: readonly (readonly (string | number)[])[]): string {
  const width = (column: number) => Math.max(...rows.map(row => String(row[column] ?? '').length));
  return rows
    .map(row =>
      row
        .map((cell, i) => (i === 0 ? String(cell).padEnd(width(0)) : String(cell).padStart(width(i))))
        .join('  '),
    )
    .join('\n');
}

/** Host, calls, differences, and what was covered; then each difference as a test. */
export function formatReport(host: string, seed: number, report: Report): string {
  const { sequences, calls, differing, differences, coverage } = report;
  const { outcomes, registers, ruleDigits } = coverage;
  const pairs = Object.values(outcomes).reduce((sum, of) => sum + Object.keys(of).length, 0);
  return [
    columns([
      ['host', 'seed', 'sequences', 'calls', 'differences'],
      [host, seed, sequences, calls, differing],
    ]),
    '',
    `registers read ${registers.read} of ${registers.of}, written ${registers.written}; digits of write rules tried ${ruleDigits.tried} of ${ruleDigits.of}; methods × outcomes ${pairs}:`,
    ...Object.entries(outcomes)
      .sort(([a], [b]) => a.localeCompare(b))
      .map(([method, of]) => {
        const counts = Object.entries(of).sort(([, a], [, b]) => b - a);
        return `  ${method.padEnd(26)} ${counts.map(([outcome, count]) => `${outcome === NO_OBJECT ? 'no such object' : outcome} ${count}`).join(', ')}`;
      }),
    ...differences.flatMap(difference => [
      '',
      `// seed ${difference.seed}: emulated, the last call answers ${difference.emulated.at(-1)}`,
      formatTest(host, difference),
    ]),
  ].join('\n');
}

const VERDICTS = ['noticed', 'unnoticeable', 'missed'] as const;

/** How many mutations of each part of the profile were noticed, and of the others which and why. */
export function formatMutations(host: string, results: readonly MutationResult[]): string {
  const tally = (part: string, of: readonly MutationResult[]) => [
    part,
    of.length,
    ...VERDICTS.map(wanted => of.filter(({ verdict }) => verdict === wanted).length),
  ];
  const parts = groupBy(results, ({ name }) => name.split(/[.:]/)[0]!);
  const reasons = groupBy(results, ({ reason }) => reason);
  const missed = results.filter(({ verdict }) => verdict === 'missed');
  return [
    columns([
      [host, 'mutations', ...VERDICTS],
      ...[...parts].map(([part, of]) => tally(part, of)),
      tally('all', results),
    ]),
    '',
    ...[...reasons].flatMap(([why, of]) => (why === undefined ? [] : [`unnoticeable ${of.length}: ${why}`])),
    ...missed.map(({ name }) => `missed: ${name}`),
  ].join('\n');
}

/** `Map.groupBy`, which Node 20 does not have. */
function groupBy<Key, T>(all: readonly T[], keyOf: (one: T) => Key): Map<Key, T[]> {
  const groups = new Map<Key, T[]>();
  for (const one of all) groups.set(keyOf(one), [...(groups.get(keyOf(one)) ?? []), one]);
  return groups;
}
