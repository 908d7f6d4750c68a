/** A shell in a machine of the lab, on this terminal. */
import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { LabError } from './error.ts';
import { shellScript } from './guest.ts';
import { openInitrd } from './initrd.ts';
import { type MachineOptions, QEMU, shellArguments } from './machine.ts';
import { projectFolder } from './project.ts';
import { labStatus } from './status.ts';

/**
 * Boots a machine and gives it the terminal, until its shell ends.
 *
 * @throws LabError where it cannot be booted
 */
export async function labShell(kernel: string | undefined, options: MachineOptions): Promise<void> {
  const status = labStatus(kernel);
  if (!status.available) throw new LabError('ERR_LAB_UNAVAILABLE', status.reason);
  const { image, modules } = status.kernel;
  const cwd = process.cwd();
  const content = {
    init: shellScript(cwd),
    modules,
    project: projectFolder(cwd),
    parts: undefined,
    files: {},
  };
  const { fd, memory } = openInitrd(content, options.memory);
  const boot = { kernel: image, initrd: '/proc/self/fd/3' };
  const qemu = spawn(QEMU, shellArguments(boot, { ...options, memory }), {
    stdio: ['inherit', 'inherit', 'inherit', fd],
  });
  closeSync(fd);
  const kill = () => void qemu.kill('SIGKILL');
  process.once('exit', kill);
  const code = await new Promise(resolve => qemu.once('close', resolve));
  process.off('exit', kill);
  if (code !== 0) throw new LabError('ERR_LAB_CRASHED', `QEMU ended with status ${code}`);
}
