/** What the tests of the addon need of this machine, and why it is missing where it is. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, test } from 'vitest';
import { type Addon, type Fd, loadAddon } from '#lib/native/addon.js';
import { gatherFacts } from '#lib/native/facts.js';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const loaded = loadAddon();

/** The addon; only read within tests of {@link withAddon}. */
export const addon = loaded.addon as Addon;
export const addonPath = loaded.path as string;

const { device } = gatherFacts('/dev/kvm');

const noAddon = loaded.addon === undefined && 'no addon here: npm run build:native';
const noKvm =
  noAddon || (device.apiVersion === undefined && `no usable /dev/kvm here: ${device.fault?.code}`);
const noX86 = noKvm || (device.isArm === true && 'the KVM here is one of Arm');
const noDist = !existsSync(`${ROOT}/dist/lib/native/probe.js`) && 'not compiled: npm run build';

export const noX86Guests = noX86 !== false;
export const unlessX86Guests = noX86 ? ` [skipped: ${noX86}]` : '';

/** `describe` that says in its title why it is skipped. */
function describeUnless(reason: string | false) {
  return (title: string, body: () => void): void => {
    if (reason) describe.skip(`${title} [skipped: ${reason}]`, body);
    else describe(title, body);
  };
}

export const withAddon = describeUnless(noAddon);
export const withKvm = describeUnless(noKvm);
export const withX86Kvm = describeUnless(noX86);

/** `test` for children that run compiled code. */
export const testCompiled = noDist ? (title: string) => test.skip(`${title} [skipped: ${noDist}]`) : test;

/** A descriptor, where failing would be another test's finding. */
export function must<T extends object>(result: T | number): T {
  if (typeof result === 'number') throw new Error(`unexpected errno ${result}`);
  return result;
}

export function openKvm(): Fd {
  return must(addon.open('/dev/kvm'));
}

/** What a child process left. */
export interface ChildEnd {
  readonly code: number | string | null | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs Node with these arguments. */
export async function node(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<ChildEnd> {
  try {
    const options = { env: { ...process.env, NODE_OPTIONS: '', ...env }, timeout: 120_000 };
    const { stdout, stderr } = await promisify(execFile)(process.execPath, args, options);
    return { code: 0, stdout, stderr };
  } catch (error) {
    const { code, signal, stdout, stderr } = error as ChildEnd & { signal?: string };
    return { code: code ?? signal, stdout, stderr };
  }
}

/** Runs one of the fixtures with the addon's path as its first argument. */
export function fixture(name: string, args: readonly string[] = [], nodeArgs: readonly string[] = []) {
  return node([...nodeArgs, `${ROOT}/test/native/fixtures/${name}.mjs`, addonPath, ...args]);
}
