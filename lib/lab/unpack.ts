/** Unpacks the files that come back from a machine. */
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { LabError } from './error.ts';

/**
 * Makes the folder that files will come back to, before the machine takes its time.
 *
 * @throws LabError
 */
export function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (cause) {
    throw notBack(folder, (cause as Error).message, cause);
  }
}

/**
 * Unpacks a tar archive into a folder, while it comes in.
 *
 * @throws LabError
 */
export function unpackInto(folder: string, files: Readable): Promise<void> {
  const tar = spawn('tar', ['-x', '-o', '-f', '-', '-C', folder], { stdio: ['pipe', 'ignore', 'pipe'] });
  tar.stdin.on('error', () => files.resume()); // tar has ended; its status says why
  files.pipe(tar.stdin);
  const complaint = text(tar.stderr);
  return new Promise((resolve, reject) => {
    tar.once('error', error => reject(notBack(folder, error.message, error)));
    tar.once('close', async status => {
      if (status === 0) resolve();
      else reject(notBack(folder, (await complaint).split('\n')[0] ?? ''));
    });
  });
}

function notBack(folder: string, why: string, cause?: unknown): LabError {
  return new LabError('ERR_LAB_UNAVAILABLE', `files cannot come back to ${folder}: ${why}`, { cause });
}
