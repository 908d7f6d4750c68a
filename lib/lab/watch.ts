/** Follows a machine from its start to its end, and says how it went. */
import type { ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { LabError } from './error.ts';
import { CPUS, QEMU } from './machine.ts';

/** How a script ended, and where the time went. */
export interface LabExit {
  /** The script's exit status; 128 + N when signal N ended it. */
  readonly status: number;
  /** Milliseconds from QEMU's start to the script's. */
  readonly bootMs: number;
  /** Milliseconds from the script's start to its end. */
  readonly scriptMs: number;
}

const CONSOLE_TAIL = 4096;

/** What QEMU says of a CPU that it has not, whether or not properties follow (`parse_cpu_option`, cpu-target.c). */
const NO_CPU = /unable to find CPU model '(.*)'/;

/**
 * Follows a machine to its end, which comes within the time limit.
 *
 * @throws LabError where the machine ends before the script does
 */
export async function watch(
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
  let console = '';
  serial.setEncoding('utf8').on('data', (chunk: string) => {
    console = (console + chunk).slice(-CONSOLE_TAIL);
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
    const mode = /^mode (.*)$/m.exec(report)?.[1];
    if (mode !== undefined) {
      throw new LabError('ERR_LAB_UNAVAILABLE', `KVM has come up in mode ${mode} on this kernel and CPU`);
    }
    const phase = scriptStarted === undefined ? 'the kernel was booting' : 'the script was running';
    if (timedOut) {
      const message = `the lab was stopped after ${timeoutMs / 1000} s, while ${phase}`;
      throw new LabError('ERR_LAB_TIMEOUT', message, { console });
    }
    const said = (await complaint).trim();
    const cpu = NO_CPU.exec(said)?.[1];
    if (cpu !== undefined) {
      const cure = `cpu takes ${Object.keys(CPUS).join(', ')}, or a model that ${QEMU} -cpu help lists`;
      throw new LabError('ERR_LAB_UNAVAILABLE', `QEMU has no CPU model ${JSON.stringify(cpu)}: ${cure}`);
    }
    const cause = /(?:Kernel panic - |lab: ).*/.exec(console)?.[0] ?? said;
    const message = `the machine ended while ${phase}: ${cause || 'without a message'}`;
    throw new LabError('ERR_LAB_CRASHED', message, { console });
  } finally {
    clearTimeout(timer);
    process.off('exit', kill);
  }
}
