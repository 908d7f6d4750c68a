/**
 * The backends, loaded when they are first needed: each is a dozen files and more, of which a program uses one. Node
 * can require ES modules since 20.19; `kvm-arm64/emulator` and `kvm-arm64/native` import theirs at once, for bundlers.
 *
 * @packageDocumentation
 */
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** The emulated host. */
export function loadEmulator(): typeof import('./emulator/system.ts') {
  return require('./emulator/system.js');
}

/** The look at the machine. */
export function loadProbe(): typeof import('./native/probe.ts') {
  return require('./native/probe.js');
}

/** The machine's own KVM. */
export function loadNative(): typeof import('./native/open.ts') {
  return require('./native/open.js');
}
