/**
 * What the guest tells of its cases: marks between what the cases print, each a word that nobody else knows, JSON, and
 * the end of the line. In both streams the text before a mark is of the case that the mark is about.
 *
 * - stdout: `{ path }` before a case, `{ path, verdict }` after it;
 * - stderr: `{ path }` after a case.
 */
import type { Readable, Writable } from 'node:stream';
import { inspect } from 'node:util';

/** A mark. */
export interface Mark {
  readonly path: string;
  readonly verdict?: Verdict;
}

/** How a case went: it passed where there is neither. */
export interface Verdict {
  /** Why it skipped itself. */
  readonly skipped?: string | undefined;
  /** What it threw. */
  readonly error?: PortableError;
}

/** An error, on its way to another process. */
export interface PortableError {
  readonly name: string;
  readonly message: string;
  /** With the properties and causes of the error, as Node prints it. */
  readonly stack: string;
}

/** Writes a mark; resolves when it is out, with all that was written before: what follows may block this process. */
export function writeMark(stream: Writable, word: string, mark: Mark): Promise<void> {
  return new Promise(resolve => stream.write(`${word} ${JSON.stringify(mark)}\n`, () => resolve()));
}

/** A stream's text, in pieces that end with a mark each; the last one with the stream. */
export async function* piecesOf(
  stream: Readable,
  word: string,
): AsyncGenerator<{ readonly text: string; readonly mark?: Mark }> {
  const pattern = new RegExp(`${word} (.*)\n`);
  let pending = '';
  for await (const chunk of stream.setEncoding('utf8')) {
    pending += chunk;
    for (let found = pattern.exec(pending); found !== null; found = pattern.exec(pending)) {
      yield { text: pending.slice(0, found.index), mark: JSON.parse(found[1]!) as Mark };
      pending = pending.slice(found.index + found[0].length);
    }
  }
  yield { text: pending };
}

/** What was thrown, in words. */
export function portable(thrown: unknown): PortableError {
  const stack = inspect(thrown);
  if (!(thrown instanceof Error)) return { name: 'Error', message: `thrown: ${stack}`, stack };
  return { name: thrown.name, message: thrown.message, stack };
}

/** An error that looks like the one in the guest. */
export function revived({ name, message, stack }: PortableError): Error {
  return Object.defineProperties(new Error(message), {
    name: { value: name },
    stack: { value: stack },
  });
}
