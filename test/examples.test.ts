/** Runs every example on the emulated host, and on the real kernel where the lab is: they must print the same. */
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { BOOT, describeLab, runPackage } from './lab/tier.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** All but the one that wants an image, which has tests of its own (test/flat-image). */
const examples = readdirSync(`${ROOT}/examples`)
  .filter(file => file.endsWith('.ts') && file !== 'flat-image.ts')
  .map(file => file.replace(/\.ts$/, ''));

/** Values from the kernel's source and the reference of its ABI, not from a run of ours. */
const PRINTED: Readonly<Record<string, readonly RegExp[]>> = {
  'select-psci': [
    /^PSCI versions that this host accepts: 0\.2, 1\.0, 1\.1$/m,
    /^A guest would find 1\.1, the newest$/m,
    /^Selected 1\.0; it holds for the whole VM: vCPU 1 has 1\.0$/m,
    /^ {2}KvmError: EINVAL: .*KVM_SET_ONE_REG \(KVM_REG_ARM_PSCI_VERSION\)\. This host accepts 0\.2, 1\.0, 1\.1$/m,
    /^ {2}TypeError: version must be/m,
    /^ {2}KvmError: ENOEXEC: .* call vcpu\.init\(\) first$/m,
  ],
  'read-registers': [
    /: 259 registers, 0 of them unreadable$/m,
    /^KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_1 \(64 bits\)/m,
  ],
  'copy-vcpu': [/^259 of 259 registers copied$/m, /^PSCI 1\.0, PC 0x40080000$/m],
};

function emulated(example: string): string {
  const env = { ...process.env, KVM_ARM64_BACKEND: 'emulated' };
  return execFileSync(process.execPath, [`${ROOT}/dist/examples/${example}.js`], { env, encoding: 'utf8' });
}

/** What the backends may say differently: who answers. */
const withoutHost = (text: string) => text.replaceAll(/^.*(?:\/dev\/kvm|linux-6\.12-neoverse-n1).*\n/gm, '');

describe('examples', () => {
  it('all have their expectations', () => {
    expect(Object.keys(PRINTED).sort()).toEqual(examples.sort());
  });

  it.each(examples)('%s prints what the kernel would answer', example => {
    const printed = emulated(example);
    for (const line of PRINTED[example] ?? []) expect(printed).toMatch(line);
  });
});

describeLab('examples on the real kernel', () => {
  it.each(examples)(
    '%s prints the same',
    async example => {
      const { status, stdout, stderr } = await runPackage({ script: `dist/examples/${example}.js` });
      const printed = stdout.toString();
      expect(stderr.toString()).toBe('');
      expect(status).toBe(0);
      expect(withoutHost(printed)).toBe(withoutHost(emulated(example)));
      for (const line of PRINTED[example] ?? []) expect(printed).toMatch(line);
    },
    BOOT,
  );
});
