/** Runs a Node script on a real arm64 kernel with KVM, in a machine that QEMU emulates. */
import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { LabError } from './error.ts';
import { initScript } from './guest.ts';
import { type GuestFiles, openInitrd } from './initrd.ts';
import { CHANNELS, type MachineOptions, QEMU, runArguments } from './machine.ts';
import { projectFolder } from './project.ts';
import { labStatus } from './status.ts';
import { makeFolder, unpackInto } from './unpack.ts';
import { type LabExit, watch } from './watch.ts';

/** What to run, and on which machine. */
export interface LabOptions extends MachineOptions {
  /** Path of the script, from the working directory; or the first of Node's options. */
  readonly script: string;
  readonly args?: readonly string[] | undefined;
  /** Beside `PATH` and `HOME`, the script's whole environment. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** The working directory, here and there. Default: that of this process. */
  readonly cwd?: string | undefined;
  /**
   * Files and folders of the project, to take along no more than these. The project is the nearest folder from the
   * working directory upwards that has a package.json; in the guest it has the path that it has here.
   */
  readonly parts?: readonly string[] | undefined;
  /** Files to add; see {@link GuestFiles}. */
  readonly files?: GuestFiles | undefined;
  /** A folder, from the working directory: what the script leaves in it comes back at the end. */
  readonly out?: string | undefined;
  /** A kernel that was set up, by the beginning of its version (`6.12`, `7`), or the path of an `Image`. */
  readonly kernel?: string | undefined;
  /** The machine is stopped after this time. Default: two minutes. */
  readonly timeoutMs?: number | undefined;
}

/** A running machine, like a `ChildProcess`: read its streams, wait for its end. */
export interface LabProcess {
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Rejects with a {@link LabError} when the machine ends before the script does. */
  readonly exit: Promise<LabExit>;
  /** Ends the machine at once. */
  kill(): void;
}

/** How a script ended, with all that it wrote. */
export interface LabResult extends LabExit {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

/**
 * Runs a script to its end and collects its output.
 *
 * @throws LabError where the machine cannot be booted, or ends before the script does
 */
export async function runInLab(options: LabOptions): Promise<LabResult> {
  const lab = await startLab(options);
  const [exit, stdout, stderr] = await Promise.all([lab.exit, buffer(lab.stdout), buffer(lab.stderr)]);
  return { ...exit, stdout, stderr };
}

/**
 * Boots a machine that runs a script and powers off.
 *
 * @throws LabError where it cannot be booted
 */
export async function startLab(options: LabOptions): Promise<LabProcess> {
  const status = labStatus(options.kernel);
  if (!status.available) throw new LabError('ERR_LAB_UNAVAILABLE', status.reason);
  const {
    script,
    args = [],
    env = {},
    cwd = process.cwd(),
    parts,
    files = {},
    timeoutMs = 120_000,
  } = options;
  const { image, modules } = status.kernel;
  const project = projectFolder(cwd);
  const out = options.out === undefined ? undefined : resolve(cwd, options.out);
  if (out !== undefined) makeFolder(out);
  const init = initScript({ words: [script, ...args], env, cwd: resolve(cwd), out, mode: options.mode });
  const initrd = openInitrd({ init, modules, project, parts, files }, options.memory);

  const started = performance.now();
  const boot = { kernel: image, initrd: `/proc/self/fd/${3 + CHANNELS.length}` };
  const qemu = spawn(QEMU, runArguments(boot, { ...options, memory: initrd.memory }), {
    stdio: ['ignore', 'ignore', 'pipe', ...CHANNELS.map(() => 'pipe' as const), initrd.fd],
  });
  closeSync(initrd.fd);
  const channel = (name: (typeof CHANNELS)[number]) => qemu.stdio[3 + CHANNELS.indexOf(name)] as Readable;
  const unpacked = out === undefined ? undefined : unpackInto(out, channel('files'));
  unpacked?.catch(() => {}); // where the machine fails, that is the error to tell
  const ended = watch(qemu, channel('control'), channel('console'), started, timeoutMs);
  return {
    stdout: channel('stdout'),
    stderr: channel('stderr'),
    exit: ended.then(async exit => {
      await unpacked;
      return exit;
    }),
    kill: () => void qemu.kill('SIGKILL'),
  };
}
