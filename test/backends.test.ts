/** Which backend `Kvm.open()` takes on this machine, and what it says where it takes none. */

import { Kvm, type OpenOptions, type ProbeOptions, probe } from 'kvm-arm64';
import { Kvm as EmulatedKvm } from 'kvm-arm64/emulator';
import { Kvm as NativeKvm } from 'kvm-arm64/native';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

const HOST = 'linux-6.12-neoverse-n1';
const here = probe();
const isArm = process.platform === 'linux' && process.arch === 'arm64';

/** What a program can tell of an open Kvm; closes it. */
function told(kvm: { backend: string; host: string; reason: string; close(): void }) {
  const { backend, host, reason } = kvm;
  kvm.close();
  return { backend, host, reason };
}

describe('probe', () => {
  it.each([undefined, null, {}, { path: 5 }, { path: 'a\0b' }, { path: '' }])('never throws: %j', options => {
    expect(typeof probe(options as ProbeOptions).usable).toBe('boolean');
  });
});

describe('Kvm.open', () => {
  beforeEach(() => vi.stubEnv('KVM_ARM64_BACKEND', ''));
  afterEach(() => vi.unstubAllEnvs());

  it.skipIf(isArm)('auto: emulated where this is no ARM host, and says why (skipped on an ARM host)', () => {
    expect(told(Kvm.open())).toEqual({ backend: 'emulated', host: HOST, reason: here.reason });
    expect(here.reason).toMatch(/x86|x64|does not exist|not linux|this is/i);
  });

  it('auto: emulated where there is no device, on any machine', () => {
    const path = '/dev/no-such-kvm';
    expect(told(Kvm.open({ path }))).toMatchObject({ backend: 'emulated', host: HOST });
  });

  it('native: an error that names the machine and has the cure, where it is not usable', () => {
    if (here.usable) {
      expect(told(Kvm.open({ backend: 'native' }))).toMatchObject({ backend: 'native', host: '/dev/kvm' });
      return;
    }
    for (const open of [() => Kvm.open({ backend: 'native' }), () => NativeKvm.open()]) {
      const sentence = here.reason.replace(/\.$/, '');
      expect(open).toThrowError(
        expect.objectContaining({ code: 'ERR_BACKEND_UNAVAILABLE', hint: here.cure }),
      );
      expect(open).toThrowError(sentence);
    }
  });

  it.skipIf(here.situation !== 'x86-kvm')(
    `native: names x86 where an x86 /dev/kvm works (this machine: ${here.situation})`,
    () => {
      expect(() => Kvm.open({ backend: 'native' })).toThrowError(/the KVM of an x86 machine/);
    },
  );

  it('emulated: as asked for, wherever this runs', () => {
    const reason = "Asked for: backend 'emulated'.";
    expect(told(Kvm.open({ backend: 'emulated' }))).toEqual({ backend: 'emulated', host: HOST, reason });
    expect(told(Kvm.open({ host: HOST }))).toMatchObject({
      backend: 'emulated',
      reason: 'Asked for: this host.',
    });
    expect(told(EmulatedKvm.open())).toMatchObject({ backend: 'emulated', host: HOST });
  });

  it('KVM_ARM64_BACKEND decides in place of auto, and of nothing else', () => {
    vi.stubEnv('KVM_ARM64_BACKEND', 'emulated');
    const reason = 'Asked for: KVM_ARM64_BACKEND=emulated.';
    expect(told(Kvm.open({ path: '/dev/null' }))).toEqual({ backend: 'emulated', host: HOST, reason });
    vi.stubEnv('KVM_ARM64_BACKEND', 'native');
    expect(told(Kvm.open({ backend: 'emulated' })).backend).toBe('emulated');
    expect(() => Kvm.open({ path: '/dev/no-such-kvm' })).toThrowError(
      expect.objectContaining({ code: 'ERR_BACKEND_UNAVAILABLE' }),
    );
  });

  it('refuses what it does not know, and says what there is', () => {
    vi.stubEnv('KVM_ARM64_BACKEND', 'emulator');
    expect(() => Kvm.open()).toThrowError(/KVM_ARM64_BACKEND must be auto, native, emulated; got "emulator"/);
    vi.stubEnv('KVM_ARM64_BACKEND', '');
    expect(() => Kvm.open({ backend: 'kvm' } as unknown as OpenOptions)).toThrowError(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
    );
    expect(() => Kvm.open({ backend: 'native', host: HOST })).toThrowError(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
    );
    for (const open of [Kvm.open, NativeKvm.open]) {
      expect(() => open({ path: 5 as unknown as string })).toThrowError(
        expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
      );
    }
    expect(() => Kvm.open({ host: 'linux-6.12-neoverse-n2' })).toThrowError(
      expect.objectContaining({ code: 'ERR_BAD_PROFILE', message: expect.stringContaining(HOST) }),
    );
  });
});
