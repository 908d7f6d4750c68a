/**
 * A profile as text: JSON with one register to a line, so that two recordings can be compared by eye.
 *
 * @packageDocumentation
 */
import type { HostProfile } from '../emulator/profile.ts';

/** Writes a profile; `JSON.parse` reads it again. */
export function formatProfile(profile: HostProfile): string {
  const members = Object.entries(profile).map(([key, value]) => {
    const rows = Array.isArray(value) && typeof value[0] === 'object';
    const text = rows
      ? `[\n${value.map(row => `    ${JSON.stringify(row)}`).join(',\n')}\n  ]`
      : JSON.stringify(value);
    return `  ${JSON.stringify(key)}: ${text}`;
  });
  return `{\n${members.join(',\n')}\n}\n`;
}
