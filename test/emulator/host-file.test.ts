/** A host given as a file: through both entries, and every way in which a file can be wrong. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kvm } from 'kvm-arm64';
import { Kvm as EmulatedKvm } from 'kvm-arm64/emulator';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

const NAME = 'linux-6.12-cortex-a57';
const text = readFileSync(new URL(`../../lib/emulator/hosts/${NAME}.json`, import.meta.url), 'utf8');
const profile = JSON.parse(text);
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kvm-arm64-host-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function fileOf(content: string | object, name = 'host.json'): string {
  const file = join(folder, name);
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}

describe.each([
  ['kvm-arm64', Kvm.open],
  ['kvm-arm64/emulator', EmulatedKvm.open],
])('the host of %s', (_entry, open) => {
  let kvm: ReturnType<typeof open> | undefined;
  afterEach(() => {
    kvm?.close();
    kvm = undefined;
  });

  it('is the profile in a file', () => {
    kvm = open({ host: fileOf({ ...profile, name: 'mine' }) });
    expect([kvm.backend, kvm.host]).toEqual(['emulated', 'mine']);
    expect(kvm.checkExtension('ARM_VM_IPA_SIZE')).toBe(44); // a Cortex-A57's, as ID_AA64MMFR0_EL1.PARange 4 says
  });

  it('is read anew each time', () => {
    const file = fileOf({ ...profile, name: 'first' });
    open({ host: file }).close();
    fileOf({ ...profile, name: 'second' });
    kvm = open({ host: file });
    expect(kvm.host).toBe('second');
  });

  it('is a file where it has a slash, whatever its name', () => {
    kvm = open({ host: fileOf(text, 'host') });
    expect(kvm.host).toBe(NAME);
  });

  it('is a file where it ends in .json, and is a name elsewhere', () => {
    const missing = expect.objectContaining({
      code: 'ERR_BAD_PROFILE',
      path: 'no-such-host.json',
      message: 'no-such-host.json cannot be read: ENOENT: no such file or directory',
    });
    expect(() => open({ host: 'no-such-host.json' })).toThrowError(missing);
    expect(() => open({ host: 'no-such-host' })).toThrowError(/^There is no host "no-such-host"; there are /);
  });

  it.each([
    ['empty', '', 'is no host profile: it is not JSON, or not all of it: '],
    ['cut short', text.slice(0, -100), 'is no host profile: it is not JSON, or not all of it: '],
    ['binary', '\u007fELF\u0002\u0001\0', 'is no host profile: it is not JSON, or not all of it: '],
    [
      'foreign JSON',
      { name: 'kvm-arm64', version: '0.1.0' },
      "is no host profile: it has no format 'kvm-arm64-host'",
    ],
    ['JSON that is no object', '42', "is no host profile: it has no format 'kvm-arm64-host'"],
    [
      'of a future version',
      { ...profile, version: profile.version + 1 },
      `is no host profile: its version is ${profile.version + 1}, and this library reads ${profile.version}; a newer kvm-arm64 reads it`,
    ],
    [
      'of no version',
      { ...profile, version: undefined },
      `is no host profile: its version is undefined, and this library reads ${profile.version}`,
    ],
    [
      'damaged in a field',
      { ...profile, ipaBits: { ...profile.ipaBits, max: '44' } },
      'is no host profile: ipaBits.max must be a whole number, zero or more',
    ],
    ['without a field', { ...profile, registers: undefined }, 'is no host profile: registers must be a list'],
    [
      'damaged in a register',
      {
        ...profile,
        registers: [...profile.registers.slice(0, 7), { ...profile.registers[7], write: 'sometimes' }],
      },
      "is no host profile: registers[7].write must be 'fixed', 'ignored', or an object with stored or digits",
    ],
  ])('is refused with the name of the file where that is %s', (_case, content, why) => {
    const file = fileOf(content);
    expect(() => open({ host: file })).toThrowError(
      expect.objectContaining({ name: 'KvmError', code: 'ERR_BAD_PROFILE', path: file }),
    );
    expect(() => open({ host: file })).toThrowError(`${file} ${why}`);
  });

  it('is refused where it cannot be read', () => {
    const file = join(folder, 'folder.json');
    mkdirSync(file, { recursive: true });
    expect(() => open({ host: file })).toThrowError(
      expect.objectContaining({
        code: 'ERR_BAD_PROFILE',
        path: file,
        message: expect.stringContaining(`${file} cannot be read: EISDIR`),
      }),
    );
  });
});
