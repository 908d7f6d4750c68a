/** What examples/flat-image.ts says to those who use it wrongly, and where it puts what it is given. */
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { place, readImage } from '../../examples/flat-image/image.ts';
import { LAYOUTS, type Layout, UART_SIZE } from '../../examples/flat-image/layouts.ts';
import { HELP, MOST_MEMORY, parseOptions } from '../../examples/flat-image/options.ts';
import { file, flatImage, IMAGE_BYTES } from './support.ts';

const MIB = 2 ** 20;
const image = file('image.flat', IMAGE_BYTES);

/** An arm64 Linux image by its header (Documentation/arch/arm64/booting.rst). */
function linuxImage(textOffset: bigint, imageSize: bigint, flags = 0xan): Buffer {
  const bytes = Buffer.alloc(4096);
  bytes.writeBigUInt64LE(textOffset, 8);
  bytes.writeBigUInt64LE(imageSize, 16);
  bytes.writeBigUInt64LE(flags, 24);
  bytes.write('ARM\x64', 56, 'latin1');
  return bytes;
}

describe('the command line', () => {
  it('has defaults for all but the image', () => {
    expect(parseOptions(['a.flat'])).toMatchObject({
      image: 'a.flat',
      cpus: 1,
      memory: 256,
      args: '',
      gic: 'auto',
      layout: 'qemu',
      pmu: false,
    });
  });

  it('takes every option that its help has', () => {
    for (const [option] of HELP.matchAll(/--[a-z]+/g))
      expect(() => parseOptions([option, '1', 'x'])).not.toThrow(/Unknown/);
    expect(parseOptions(['x', '--args=--gic none', '--gic', '2', '--cpus=3'])).toMatchObject({
      args: '--gic none',
      gic: 2,
      cpus: 3,
    });
  });

  const refused: [string, string[], RegExp][] = [
    ['no image', [], /which image\? See --help/],
    ['two images', [image, 'b.flat'], /one image, please; got b\.flat/],
    ['an unknown option', [image, '--speed'], /Unknown option '--speed'; see --help/],
    ["QEMU's name of an option", [image, '--append', 'x'], /--append is --args here/],
    ['no value', [image, '--args', '--psci'], /--args needs a value; .* a dash is given as --args=-/],
    ['a number below 0', [image, '--cpus', '-1'], /--cpus needs a value; .* a dash is given as --cpus=-/],
    ['no number', [image, '--cpus', 'two'], /--cpus takes a number from 1 to 512; got "two"/],
    [
      'more memory than there is room for',
      [image, '--memory', '261121'],
      /--memory takes a number from 1 to 261120/,
    ],
    ['no vCPU', [image, '--cpus', '0'], /--cpus takes a number from 1/],
    ['more vCPUs than the host has', [image, '--cpus', '9', '--host', 'linux-6.12-cortex-a57'], /at most 8/],
    ['a GIC of another kind', [image, '--gic', '4'], /--gic takes one of auto, none, 2, 3; got "4"/],
    ['an unknown layout', [image, '--layout', 'virt'], /--layout takes one of qemu, kvmtool/],
    ['an unknown host', [image, '--host', 'linux-6.12-neoverse-n2'], /linux-6\.12-neoverse-n1/],
    ['a PSCI version that is none', [image, '--gic', 'none', '--psci', 'newest'], /version/],
    ['no such file', ['/nonexistent.flat'], /the image cannot be read: ENOENT/],
    ['no such initrd', [image, '--initrd', '/nonexistent.cpio'], /the initrd cannot be read: ENOENT/],
    ['an empty file', [file('empty', '')], /is empty/],
    ['a file of three bytes', [file('three', 'abc')], /is too short to be one/],
    ['a header with a size that lies', [file('lies', linuxImage(0n, 2n ** 64n - 1n))], /510 is the most/],
    [
      'a header with an offset that lies',
      [file('far', linuxImage(2n ** 30n, 4096n))],
      /ends 1025 MiB from the start/,
    ],
    ['an ELF file', [file('a.elf', '\x7fELF....')], /is an ELF file; .*objcopy -O binary .*a\.elf .*a\.flat/],
    ['a compressed EFI image', [file('zimg', 'MZ\0\0zimg')], /EFI program; give the uncompressed Image/],
    ['an EFI program', [file('a.efi', 'MZ..........')], /is an EFI program; there is no EFI here/],
    ['damaged gzip', [file('a.gz', Buffer.from('1f8b0800', 'hex'))], /damaged/],
    [
      'a big-endian kernel',
      [file('be', linuxImage(0n, 4096n, 1n))],
      /big-endian kernel, which no VM here can run/,
    ],
    [
      'too little memory',
      [file('big', Buffer.alloc(8 * MIB)), '--memory', '8'],
      /need 15 MiB .*--memory 15$/m,
    ],
  ];
  it.each(refused)('refuses %s with 2, in one line', async (_, args, message) => {
    const { code, stdout, stderr } = await flatImage(args);
    expect(stderr).toMatch(message);
    expect({ code, stdout, lines: stderr.trim().split('\n').length }).toEqual({
      code: 2,
      stdout: '',
      lines: 1,
    });
  });

  it('says 3 where the host refuses, with what it has', async () => {
    const { code, stderr } = await flatImage([image, '--gic', 'none', '--psci', '1.7']);
    expect(stderr).toMatch(/EINVAL.*This host accepts 0\.2, 1\.0, 1\.1/);
    expect(code).toBe(3);
  });

  it.skipIf(process.arch === 'arm64')(
    `says 3 where there is no native KVM${process.arch === 'arm64' ? ' (skipped: it may be here)' : ''}`,
    async () => {
      const { code, stderr } = await flatImage([image, '--backend', 'native']);
      expect(stderr).toMatch(/^flat-image: No native KVM for Arm here: /);
      expect(code).toBe(3);
    },
  );

  it('--help is on stdout', async () => {
    expect(await flatImage(['--help'])).toEqual({ code: 0, stdout: HELP, stderr: '' });
  });
});

describe('an image', () => {
  it('without a header is 512 KiB from the start of memory', () => {
    expect(readImage(image)).toMatchObject({ textOffset: 0x8_0000 });
    expect(readImage(image).bytes).toEqual(IMAGE_BYTES);
  });

  it('with one is where that says, and takes what that says', () => {
    expect(readImage(file('linux', linuxImage(0n, 0x200_0000n)))).toMatchObject({
      textOffset: 0,
      size: 0x200_0000,
    });
    expect(readImage(file('linux', linuxImage(0x8_0000n, 0x100_0000n)))).toMatchObject({
      textOffset: 0x8_0000,
      size: 0x100_0000,
    });
  });

  it('before Linux 3.17 has no size, and an offset in either byte order that is 512 KiB', () => {
    expect(readImage(file('old', linuxImage(0x0000_0800_0000_0000n, 0n)))).toMatchObject({
      textOffset: 0x8_0000,
    });
  });

  it('may be compressed by gzip', () => {
    expect(readImage(file('image.gz', gzipSync(IMAGE_BYTES))).bytes).toEqual(IMAGE_BYTES);
  });
});

describe.each(Object.entries(LAYOUTS))('the layout %s', (_, layout: Layout) => {
  it.each([1, 8, 123, 124, 512])('has memory clear of all else, with %s vCPUs', cpus => {
    const redistributors = layout.redistributors(cpus);
    const places = [
      { base: layout.memory, size: MOST_MEMORY * MIB },
      { base: layout.distributor, size: 0x1_0000 },
      { base: redistributors, size: 0x2_0000 * cpus },
      { base: layout.pl011.base, size: UART_SIZE.pl011 },
      { base: layout.uart8250.base, size: UART_SIZE['8250'] },
    ].toSorted((a, b) => a.base - b.base);
    const clear = places.map(({ base, size }, i) => base + size <= (places[i + 1]?.base ?? 2 ** 40));
    expect(clear).toEqual(places.map(() => true));
  });
});

describe('the device tree and the initrd', () => {
  const small = { bytes: new Uint8Array(4096), textOffset: 0x8_0000, size: 4096 };

  it('are at the end of memory: the initrd last, the tree in 2 MiB of its own', () => {
    expect(place(small, 256 * MIB, 0)).toEqual({ tree: 254 * MIB, initrd: 256 * MIB });
    expect(place(small, 256 * MIB, 5 * MIB + 1)).toEqual({ tree: 248 * MIB, initrd: 251 * MIB - 0x1_0000 });
  });

  it('is in the first 512 MiB, where Linux before 4.2 looks', () => {
    expect(place(small, 3072 * MIB, 10)).toEqual({ tree: 510 * MIB, initrd: 3072 * MIB - 0x1_0000 });
  });

  it('is clear of the image and of what that clears', () => {
    expect(() => place({ ...small, size: 4 * MIB }, 6 * MIB, 0)).toThrow(/--memory 9/);
    expect(place({ ...small, size: 4 * MIB }, 9 * MIB, 0)).toEqual({ tree: 6 * MIB, initrd: 9 * MIB });
    expect(() => place({ ...small, size: 600 * MIB }, 2048 * MIB, 0)).toThrow(/601 MiB .* 510 is the most/);
  });
});
