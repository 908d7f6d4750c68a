/**
 * The JSON that `--json` prints.
 *
 * @packageDocumentation
 */

/** A bigint as text, in JSON and in tables: JSON has no number that would hold it. */
export function hex(value: bigint, digits = 0): string {
  return `0x${value.toString(16).padStart(digits, '0')}`;
}

/** A document, with `"0x…"` for each bigint. */
export function toJson(document: unknown): string {
  return `${JSON.stringify(document, (_, value) => (typeof value === 'bigint' ? hex(value) : value), 2)}\n`;
}
