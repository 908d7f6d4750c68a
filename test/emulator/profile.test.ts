/** A damaged or foreign profile is refused with the field's name; no damage crashes. */
import fc from 'fast-check';
import { Kvm } from 'kvm-arm64/emulator';
import { describe, expect, it } from 'vitest';
import { HOSTS, type HostProfile, loadHost } from '#lib/emulator/profile.js';

const shipped = loadHost('linux-6.12-max-sve');
const fresh = () => structuredClone(shipped) as unknown as Record<string, unknown>;

function refusal(profile: unknown): { code?: string; message?: string } | undefined {
  try {
    const kvm = Kvm.open({ host: profile as HostProfile });
    const vcpu = kvm.createVm().createVcpu(0);
    vcpu.init();
    vcpu.getRegs();
    kvm.close();
    return undefined;
  } catch (error) {
    return error as { code?: string; message?: string };
  }
}

describe('a host profile', () => {
  it.each(HOSTS)('%s is one, and a copy of it works', name => {
    expect(refusal(structuredClone(loadHost(name)))).toBeUndefined();
  });

  it.each([
    [null, "no format 'kvm-arm64-host'"],
    [[], "no format 'kvm-arm64-host'"],
    [{ format: 'qcow2' }, "no format 'kvm-arm64-host'"],
    [{ format: 'kvm-arm64-host', version: 2 }, 'its version is 2, and this library reads 1'],
    [{ ...fresh(), counterHz: 0 }, 'counterHz must be a frequency above 0'],
    [{ ...fresh(), capabilities: { 165: '48' } }, 'capabilities.165 must be a whole number'],
    [{ ...fresh(), behaviours: {} }, 'behaviours.vcpuEventsNeedInit must be true or false'],
    [
      { ...fresh(), registers: [{ id: '6030000000100000' }] },
      'registers[0].reset must be a number in hex digits',
    ],
    [
      { ...fresh(), registers: [{ id: '6030000000100000', reset: '0', write: { digits: { 0: '0..' } } }] },
      'registers[0].write.digits.0 must be 16 hex digits or dots',
    ],
    [
      { ...fresh(), registers: [{ id: '6030000000100000', reset: '0', sameAs: '6030000000100002' }] },
      'registers[0].sameAs must be the id of a register before it',
    ],
  ])('is refused by the name of the field: %#', (profile, message) => {
    expect(refusal(profile)).toMatchObject({
      code: 'ERR_BAD_PROFILE',
      message: expect.stringContaining(message),
    });
  });

  it('with any field missing or of another type is refused, or works', () => {
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(fresh())), fc.anything(), (field, value) => {
        const error = refusal({ ...fresh(), [field]: value });
        if (error !== undefined) expect(error.code).toMatch(/^(ERR_BAD_PROFILE|E[A-Z0-9]+)$/);
      }),
      { numRuns: 300 },
    );
    for (const field of Object.keys(fresh())) {
      const { [field]: _, ...rest } = fresh();
      expect(refusal(rest), field).toMatchObject({ code: 'ERR_BAD_PROFILE' });
    }
  });
});
