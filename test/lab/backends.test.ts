/** `Kvm.open()` on an ARM host: native, or an error with its cure, but never something else in silence. */
import { beforeAll, describe, expect, it } from 'vitest';
import { BOOT, describeLab, runPackage } from './tier.ts';

type Outcome = Readonly<
  Record<'backend' | 'host' | 'reason' | 'code' | 'hint' | 'message', string | undefined>
>;

describeLab('Kvm.open on a real ARM host', () => {
  let outcomes: Readonly<Record<string, Outcome>>;
  beforeAll(async () => {
    const { status, stdout, stderr } = await runPackage({ script: 'dist/test/lab/backends-guest.js' });
    expect(stderr.toString()).toBe('');
    expect(status).toBe(0);
    outcomes = JSON.parse(stdout.toString());
  }, BOOT);

  describe('with a KVM that can be used', () => {
    it('auto and native are native', () => {
      const native = {
        backend: 'native',
        host: '/dev/kvm',
        reason: '/dev/kvm is KVM on ARM64, and can be used.',
      };
      expect(outcomes['auto']).toEqual(native);
      expect(outcomes['native']).toEqual(native);
    });

    it('emulated is emulated', () => {
      expect(outcomes['emulated']).toMatchObject({ backend: 'emulated', host: 'linux-6.12-neoverse-n1' });
    });
  });

  it('without a device, auto is emulated and says why; native is an error', () => {
    expect(outcomes['noDevice']).toMatchObject({
      backend: 'emulated',
      reason: '/dev/no-such-kvm does not exist.',
    });
    expect(outcomes['noDeviceNative']).toMatchObject({ code: 'ERR_BACKEND_UNAVAILABLE' });
  });

  it.each([
    ['noPermission', /EACCES/, /usermod -aG kvm/],
    ['notKvm', /ENOTTY/, /\/dev\/kvm/],
    ['folder', /EISDIR/, /ls -l \/dev\/kvm/],
  ])('%s: auto throws, with the cure', (name, cause, cure) => {
    expect(outcomes[name]).toMatchObject({
      code: 'ERR_BACKEND_UNAVAILABLE',
      message: expect.stringMatching(cause),
      hint: expect.stringMatching(cure),
    });
  });

  it('who may not open the device can still ask for the emulated host', () => {
    expect(outcomes['noPermissionEmulated']).toMatchObject({ backend: 'emulated' });
  });
});
