/**
 * A file that a command writes: whole, or not at all.
 *
 * @packageDocumentation
 */
import { randomUUID } from 'node:crypto';
import { accessSync, constants, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { UsageError } from './usage-error.ts';

/**
 * Looks whether a file can be written, before the work that leads to its content.
 *
 * @throws UsageError
 */
export function checkOutput(file: string): void {
  orRefuse(file, () => {
    const folder = dirname(resolve(file));
    if (!statSync(folder).isDirectory()) throw new Error(`${folder} is no folder`);
    const existing = statSync(file, { throwIfNoEntry: false });
    if (existing?.isDirectory()) throw new Error('it is a folder');
    const isReplaced = existing === undefined || existing.isFile();
    accessSync(isReplaced ? folder : file, constants.W_OK);
  });
}

/**
 * Writes a file. One that is there is replaced in one step; a device or a pipe is written to.
 *
 * @throws UsageError
 */
export function writeOutput(file: string, content: string | Uint8Array): void {
  orRefuse(file, () => {
    const existing = statSync(file, { throwIfNoEntry: false });
    if (existing?.isFile() === false) return writeFileSync(file, content);
    const place = existing === undefined ? file : realpathSync(file);
    const temporary = `${place}.${randomUUID()}`;
    try {
      writeFileSync(temporary, content);
      renameSync(temporary, place);
    } finally {
      rmSync(temporary, { force: true });
    }
  });
}

function orRefuse(file: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    throw new UsageError(`${file} cannot be written: ${(error as Error).message}`);
  }
}
