/**
 * Text in columns.
 *
 * @packageDocumentation
 */
import { stripVTControlCharacters, styleText } from 'node:util';

/**
 * Rows with their cells aligned to the left, without spaces at the end of lines.
 *
 * @param rows - cells may be coloured
 * @param head - titles of the columns
 */
export function table(rows: readonly (readonly string[])[], head?: readonly string[]): string {
  const all = head === undefined ? rows : [head.map(title => styleText('bold', title)), ...rows];
  const widths: number[] = [];
  for (const row of all) {
    // The last cell of a row ends it, so that it widens nothing.
    row.slice(0, -1).forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, widthOf(cell));
    });
  }
  return all
    .map(row =>
      row
        .map((cell, i) => pad(cell, widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function widthOf(cell: string): number {
  return stripVTControlCharacters(cell).length;
}

function pad(cell: string, width: number): string {
  return cell + ' '.repeat(Math.max(0, width - widthOf(cell)));
}
