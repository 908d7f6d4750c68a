/** Imports the file of a suite. */
import type { Suite } from './suite.ts';

/** The file's export `suite`. */
export async function loadSuite(address: URL | string): Promise<Suite> {
  let module: { suite?: unknown };
  try {
    module = await import(String(address));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_UNKNOWN_FILE_EXTENSION') throw cause;
    const message = `Node ${process.version} does not run ${address}: name its compiled file, or use Node 22.18 or newer`;
    throw new Error(message, { cause });
  }
  if (typeof module.suite !== 'function') throw new TypeError(`${address} exports no function named suite`);
  return module.suite as Suite;
}
