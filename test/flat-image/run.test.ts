/** Whole runs of an image of ours (test/guests/flat-image.S) on every recorded host, and on a real kernel in the lab. */
import { describe, expect, it } from 'vitest';
import { RECORDED_HOSTS } from '#lib/emulator/profile.js';
import { BOOT, describeLab, runPackage } from '../lab/tier.ts';
import { file, flatImage, IMAGE_BYTES, SCRIPT } from './support.ts';

const image = file('guest.flat', IMAGE_BYTES);
const initrd = file('initrd', 'ERRATA_1=y');

/** What the image prints, with the newest PSCI of a host. */
const printed = (psci: number, uart = '9000000', memory = '40000000') => `UART 0x${uart}
memory 0x${memory} size 0x4000000
PSCI 0x${psci.toString(16)}
args one two 3
initrd ERRATA_1=y
CPU 0x101
CPU 0x102
CPU 0x103
EXIT: STATUS=7
`;

const ARGS = ['--cpus', '4', '--memory', '64', '--args', 'one two 3'];

/** By the kernel's series: `kvm_psci_version`, include/kvm/arm_psci.h. */
const newestPsci = (host: string) =>
  host.includes('5.10') ? 0x1_0000 : /6\.18|7\.3/.test(host) ? 0x1_0003 : 0x1_0001;

describe('the image of ours', () => {
  it.each(RECORDED_HOSTS)('finds its machine on %s', async host => {
    const { code, stdout, stderr } = await flatImage([image, ...ARGS, '--initrd', initrd, '--host', host]);
    expect(stdout).toBe(printed(newestPsci(host)));
    expect(stderr).toMatch(
      new RegExp(`^flat-image: emulated KVM: ${host}; 4 vCPU, 64 MiB, GICv[23], PSCI 1\\.`),
    );
    expect(code).toBe(3);
  });

  it('finds the machine of kvmtool', async () => {
    const { code, stdout } = await flatImage([image, ...ARGS, '--initrd', initrd, '--layout', 'kvmtool']);
    expect(stdout).toBe(printed(0x1_0001, '1000000', '80000000'));
    expect(code).toBe(3);
  });

  it('finds the PSCI version that was pinned', async () => {
    const { code, stdout } = await flatImage([image, '--cpus', '4', '--psci', '0.2', '--args', '0']);
    expect(stdout).toContain('\nPSCI 0x2\n');
    expect(code).toBe(0);
  });

  it('is told by the firmware of CPUs that are not there: INVALID_PARAMETERS', async () => {
    const { stdout } = await flatImage([image, '--cpus', '3', '--args', '0']);
    expect(stdout).toContain('CPU 0x102\nCPU 0xfffffffffffffffe\n');
  });
});

describe('the end of a machine', () => {
  /** Words of instructions as an image. */
  const words = (name: string, ...code: number[]) =>
    file(name, new Uint8Array(Uint32Array.from(code).buffer));
  // mov w0, #0x84000008 or 9; hvc #0
  const off = words('off', 0x52800100, 0x72b08000, 0xd4000002);
  const reset = words('reset', 0x52800120, 0x72b08000, 0xd4000002);
  const forever = words('forever', 0x14000000); // b .
  const wfi = words('wfi', 0xd503207f, 0x17ffffff); // wfi; b .-4
  // mov x0, #0x40000000 (nothing above 64 MiB); movk ..., lsl 32; ldp x1, x2, [x0]
  const pair = words('pair', 0xd2c00020, 0xa9400801);
  // mov x0, #0xa000000; ldr w1, [x0]; str w1, [x0, #4]; then off
  const nothing = words('nothing', 0xd2a14000, 0xb9400001, 0xb9000401, 0x52800100, 0x72b08000, 0xd4000002);

  const ends: [string, string, string[], number, RegExp][] = [
    ['off', off, [], 0, /PSCI 1\.1\n$/],
    ['a reset', reset, [], 120, /the guest asked for a reset/],
    [
      'the end of the time',
      forever,
      ['--timeout', '1'],
      124,
      /ran for 1 seconds; vCPU 0 at 0x40080000, RUNNABLE/,
    ],
    ['the end of the time of a guest that waits', wfi, ['--timeout', '1'], 124, /ran for 1 seconds/],
    ['what KVM cannot emulate', pair, [], 121, /crash: vCPU 0: an access near 0x100000000 by an instruction/],
    ['accesses to nothing, which are no end', nothing, [], 0, /reads 0xa000000, .*\n.*writes 0xa000004, /],
  ];
  it.each(ends)('%s', async (_, path, args, expected, message) => {
    const { code, stdout, stderr } = await flatImage([path, '--memory', '64', ...args]);
    expect(stderr).toMatch(message);
    expect({ code, stdout }).toEqual({ code: expected, stdout: '' });
  });
});

describeLab('the image of ours on a real kernel', () => {
  it(
    'prints the same',
    async () => {
      const files = { 'dist/guest.flat': IMAGE_BYTES, 'dist/initrd': Buffer.from('ERRATA_1=y') };
      const args = ['dist/guest.flat', ...ARGS, '--initrd', 'dist/initrd'];
      const { status, stdout, stderr } = await runPackage({ script: SCRIPT, args, files });
      expect(stdout.toString()).toBe(printed(0x1_0001));
      expect(stderr.toString()).toMatch(
        /^flat-image: native KVM: \/dev\/kvm; 4 vCPU, 64 MiB, GICv3, PSCI 1\.1\n$/,
      );
      expect(status).toBe(3);
    },
    BOOT,
  );
});
