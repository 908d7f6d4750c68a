/** The aarch64 cross tools of the machine, if it has any: an oracle for numbers and encodings. */
import { spawnSync } from 'node:child_process';

const PREFIX = 'aarch64-linux-gnu-';

function works(tool: string): boolean {
  return spawnSync(PREFIX + tool, ['--version']).status === 0;
}

/** Why there is no oracle here, for the title of a skipped test; `undefined` where there is one. */
export const noCrossTools = works('gcc') && works('as') ? undefined : `no ${PREFIX}gcc on the PATH`;

/** Runs a cross tool on a text; never throws for what the tool says. */
export function runCross(
  tool: string,
  args: string[],
  input = '',
): { stdout: Buffer; stderr: string; ok: boolean } {
  const { stdout, stderr, status } = spawnSync(PREFIX + tool, args, { input, maxBuffer: 1 << 28 });
  return { stdout, stderr: stderr.toString(), ok: status === 0 };
}

/** The end of a title: why it is skipped, or nothing. */
export const unlessCross = noCrossTools === undefined ? '' : ` (skipped: ${noCrossTools})`;
