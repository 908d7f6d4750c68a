/** Runs the tools that set-up is made of: apt, dpkg, tar and npm. */
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { LabError } from './error.ts';

/** Runs a command to its end; resolves to its standard output. A failure is one line, the tool's own. */
export async function command(file: string, args: readonly string[], cwd?: string): Promise<string> {
  const child = spawn(file, args, {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    // Messages are quoted to the user and searched by them: the untranslated ones are found.
    env: { ...process.env, LC_ALL: 'C' },
  });
  // A tool that outlives this process would write again into the folder that is removed when it ends.
  const kill = () => void child.kill();
  process.prependOnceListener('exit', kill);
  const [status, stdout, stderr] = await Promise.all([
    new Promise<number | NodeJS.Signals>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => resolve(code ?? signal ?? 'SIGKILL'));
    }),
    text(child.stdout),
    text(child.stderr),
  ])
    .catch((cause: unknown) => {
      throw new LabError('ERR_LAB_SETUP', `set-up needs ${file}, which cannot be run here`, { cause });
    })
    .finally(() => process.off('exit', kill));
  if (status !== 0) {
    throw new LabError('ERR_LAB_SETUP', `${file} ${args.at(0) ?? ''} failed: ${complaint(stderr) || status}`);
  }
  return stdout;
}

/** How the tools mark the line that says why, the surest first; others begin with it. */
const CAUSES = [/No space left on device/, /^E: /, /^npm error (?!code|errno|syscall|path|dest)/, /\S/];

function complaint(stderr: string): string {
  const lines = stderr.split('\n');
  return CAUSES.map(cause => lines.find(line => cause.test(line))).find(line => line !== undefined) ?? '';
}
