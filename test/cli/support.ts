/** Runs the program as it is installed: the compiled file, in a process of its own. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kvm } from '#lib/emulator.js';
import { encodeState, saveVcpus } from '#lib/state.js';
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

/** The words of an example of the help, with files in a folder of their own: `guest.state`, `hosts.html`. */
export function wordsOf(example: string): string {
  return example.replaceAll("'", '').replaceAll(/\w+\.(state|html)/g, name => join(stateFolder(), name));
}

let folder: string | undefined;

function stateFolder(): string {
  if (folder !== undefined) return folder;
  const made = mkdtempSync(join(tmpdir(), 'kvm-arm64-examples-'));
  folder = made;
  process.on('exit', () => rmSync(made, { recursive: true }));
  const kvm = Kvm.open({ host: 'linux-6.12-max' });
  const vcpu = kvm.createVm().createVcpu(0);
  vcpu.init();
  const state = encodeState(saveVcpus([vcpu]));
  kvm.close();
  for (const name of ['guest', 'before', 'after']) writeFileSync(join(made, `${name}.state`), state);
  return made;
}
