/**
 * The version of the package.
 *
 * @packageDocumentation
 */
import { createRequire } from 'node:module';

/** As package.json has it. */
export function version(): string {
  // By the package's own name, as the way from here to the file differs between source and build.
  return createRequire(import.meta.url)('kvm-arm64/package.json').version;
}
