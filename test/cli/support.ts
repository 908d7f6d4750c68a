/** Runs the program as it is installed: the compiled file, in a process of its own. */
import { type ChildEnd, node, ROOT } from '../native/support.ts';

export const BIN = `${ROOT}/dist/lib/cli/main.js`;

/** Nothing of this machine's settings, so that each test says what it sets. */
export const PLAIN = { KVM_ARM64_BACKEND: '', NO_COLOR: undefined, FORCE_COLOR: undefined };

/** `kvm-arm64 …` with the words of one text, which must not need quotes. */
export function cli(words: string, env: NodeJS.ProcessEnv = {}): Promise<ChildEnd> {
  return node([BIN, ...words.split(' ').filter(word => word !== '')], { ...PLAIN, ...env });
}

/** The same against the emulated host, whatever this machine has; with the JSON parsed. */
export async function emulatedJson(words: string) {
  const { code, stdout, stderr } = await cli(`${words} --json`, { KVM_ARM64_BACKEND: 'emulated' });
  return { code, stderr, json: JSON.parse(stdout) };
}
