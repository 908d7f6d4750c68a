/** A kernel of Debian's, which the lab has fetched, as a guest of emulated hosts: what it says of its firmware. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { DEFAULT_KERNEL, findKernel } from '#lib/lab/kernels.js';
import { BOOT, describeLab } from '../lab/tier.ts';
import { ROOT } from '../native/support.ts';
import { SCRIPT } from './support.ts';

/** Boots the kernel until it has printed such a line; what it printed. */
async function bootTo(line: RegExp, args: readonly string[]): Promise<string> {
  const kernel = findKernel(DEFAULT_KERNEL);
  if (typeof kernel === 'string') throw new Error(kernel);
  const child = spawn(
    process.execPath,
    [
      join(ROOT, SCRIPT),
      kernel.image,
      '--args',
      'earlycon console=ttyAMA0',
      '--backend',
      'emulated',
      ...args,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let printed = '';
  try {
    for await (const chunk of child.stdout) {
      printed += chunk;
      if (line.test(printed)) break;
    }
  } finally {
    child.kill();
  }
  return printed;
}

describeLab("a guest with Debian's kernel", () => {
  // drivers/firmware/psci/psci.c, psci_probe()
  const firmware: [string, string, string[]][] = [
    ['the newest PSCI', 'PSCIv1.1', []],
    ['the PSCI that was pinned', 'PSCIv0.2', ['--psci', '0.2']],
    ['the newest PSCI of an old host', 'PSCIv1.0', ['--host', 'linux-5.10-cortex-a57']],
  ];
  it.each(firmware)(
    'finds %s: %s',
    async (_, version, args) => {
      const printed = await bootTo(/psci: .* detected in firmware\.\r?\n/, args);
      expect(printed).toMatch(/Linux version 6\.12\.\d+/);
      expect(printed).toMatch(/psci: probing for conduit method from DT\./);
      expect(printed).toContain(`psci: ${version} detected in firmware.`);
    },
    BOOT,
  );
});
