/** Runs a Node script on a real arm64 kernel with KVM, in a machine that QEMU emulates. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { LabError } from './error.ts';
import type { GuestCommand } from './guest.ts';
import { type GuestFiles, openInitrd } from './initrd.ts';
import { CHANNELS, type MachineOptions, QEMU, qemuArguments } from './machine.ts';
import { labStatus } from './status.ts';

/** What to run, and on which machine. */
export interface LabOptions extends GuestCommand, MachineOptions {
  /** A kernel that was set up, by the beginning of its version (`6.12`, `7`), or the path of an `Image`. */
  readonly kernel?: string | undefined;
  /** Files beside this package's own; see {@link GuestFiles}. */
  readonly files?: GuestFiles | undefined;
  /** The machine is stopped after this time. */
  readonly timeoutMs?: number | undefined;
}

/** How a script ended, and where the time went. */
export interface LabExit {
  /** The script's exit status; 128 + N when signal N ended it. */
  readonly status: number;
  /** Milliseconds from QEMU's start to the script's. */
  readonly bootMs: number;
  /** Milliseconds from the script's start to its end. */
  readonly scriptMs: number;
}

/** A running machine, like a `ChildProcess`: read its streams, wait for its end. */
export interface LabProcess {
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Rejects with a {@link LabError} when the machine ends before the script does. */
  readonly exit: Promise<LabExit>;
}

const CONSOLE_TAIL = 4096;

/** Runs a script to its end and collects its output. */
export async function runInLab(options: LabOptions): Promise<LabExit & { stdout: Buffer; stderr: Buffer }> {
  const lab = await startLab(options);
  const [exit, stdout, stderr] = await Promise.all([lab.exit, buffer(lab.stdout), buffer(lab.stderr)]);
  return { ...exit, stdout, stderr };
}

/** Boots a machine that runs a script and powers off. */
export async function startLab(options: LabOptions): Promise<LabProcess> {
  const status = labStatus(options.kernel);
  if (!status.available) throw new LabError('ERR_LAB_UNAVAILABLE', status.reason);
  const { files = {}, timeoutMs = 120_000 } = options;
  const { image, modules } = status.kernel;
  const initrd = await openInitrd(options, modules, files);
  const boot = { kernel: image, initrd: `/proc/self/fd/${3 + CHANNELS.length}` };
  const started = performance.now();
  const qemu = spawn(QEMU, qemuArguments(boot, options), {
    stdio: ['ignore', 'ignore', 'pipe', ...CHANNELS.map(() => 'pipe' as const), initrd],
  });
  closeSync(initrd);
  const channel = (name: (typeof CHANNELS)[number]) => qemu.stdio[3 + CHANNELS.indexOf(name)] as Readable;
  return {
    stdout: channel('stdout'),
    stderr: channel('stderr'),
    exit: watch(qemu, channel('control'), channel('console'), started, timeoutMs),
  };
}

/** Follows a machine to its end, which comes within the time limit. */
async function watch(
  qemu: ChildProcess,
  control: Readable,
  serial: Readable,
  started: number,
  timeoutMs: number,
): Promise<LabExit> {
  const kill = () => void qemu.kill('SIGKILL');
  process.once('exit', kill);
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    kill();
  }, timeoutMs);

  let scriptStarted: number | undefined;
  let scriptEnded = 0;
  let report = '';
  control.setEncoding('utf8').on('data', (chunk: string) => {
    report += chunk;
    if (report.includes('start\n')) scriptStarted ??= performance.now();
    if (report.includes('exit')) scriptEnded = performance.now();
  });
  let consoleTail = '';
  serial.setEncoding('utf8').on('data', (chunk: string) => {
    consoleTail = (consoleTail + chunk).slice(-CONSOLE_TAIL);
  });

  try {
    const complaint = text(qemu.stderr!);
    await new Promise((resolve, reject) => qemu.once('error', reject).once('close', resolve));
    const status = /^exit (\d+)$/m.exec(report)?.[1];
    if (status !== undefined && scriptStarted !== undefined) {
      return {
        status: Number(status),
        bootMs: scriptStarted - started,
        scriptMs: scriptEnded - scriptStarted,
      };
    }
    const phase = scriptStarted === undefined ? 'the kernel was booting' : 'the script was running';
    if (timedOut) {
      throw new LabError(
        'ERR_LAB_TIMEOUT',
        `the lab was stopped after ${timeoutMs / 1000} s, while ${phase}`,
        {
          console: consoleTail,
        },
      );
    }
    const cause = /Kernel panic - .*/.exec(consoleTail)?.[0] ?? (await complaint).trim();
    throw new LabError(
      'ERR_LAB_CRASHED',
      `the machine ended while ${phase}: ${cause || 'without a message'}`,
      {
        console: consoleTail,
      },
    );
  } finally {
    clearTimeout(timer);
    process.off('exit', kill);
  }
}
