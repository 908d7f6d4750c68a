/** A damaged or foreign profile is refused with the field's name; no damage crashes. */
import fc from 'fast-check';
import { Kvm } from 'kvm-arm64/emulator';
import { describe, expect, it } from 'vitest';
import { loadHost } from '#lib/emulator/load-host.js';
import { HOSTS, type HostProfile } from '#lib/emulator/profile.js';

const shipped = loadHost('linux-6.12-max-sve');
const fresh = () => structuredClone(shipped) as unknown as Record<string, unknown>;

/** A core register of 64 bits, the id of another, and the greatest value. */
const X0 = { id: '6030000000100000', reset: '0' };
const X1 = '6030000000100002';
const WIDEST = 'ffffffffffffffff';

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
    [{ ...fresh(), configurations: [] }, 'configurations must be a list that is not empty'],
    [
      { ...fresh(), configurations: [{ features: [] }] },
      'configurations[0].features must be a list that is not empty',
    ],
    [{ ...fresh(), registers: [] }, 'registers must be a list that is not empty'],
    [
      { ...fresh(), targets: { preferred: 5, accepted: [] } },
      'targets.accepted must be a list that is not empty',
    ],
    [
      { ...fresh(), targets: { preferred: 4, accepted: [5] } },
      'targets.preferred must be one of targets.accepted',
    ],
    [{ ...fresh(), ipaBits: { min: 41, max: 40, default: 40 } }, 'ipaBits.min must be at most ipaBits.max'],
    [{ ...fresh(), registers: [X0, X0] }, 'registers[1].id must be an id that no register before it has'],
    [
      { ...fresh(), registers: [{ ...X0, reset: '10000000000000000' }] },
      'registers[0].reset must be a number of 64 bits',
    ],
    [
      { ...fresh(), registers: [X0], configurations: [{ features: [0], resets: { [X0.id]: `1${WIDEST}` } }] },
      `configurations[0].resets.${X0.id} must be a number of 64 bits`,
    ],
    [
      { ...fresh(), registers: [X0], configurations: [{ features: [0], resets: { [X1]: '0' } }] },
      `configurations[0].resets.${X1} must be absent, as there is no such register`,
    ],
    [{ ...fresh(), name: 'a\x1b[2Jb' }, 'name must be a string without control characters'],
    [{ ...fresh(), name: 'a\u202eb' }, 'name must be a string without control characters'],
    [
      { ...fresh(), provenance: { ...shipped.provenance, kernel: '6.12\n' } },
      'provenance.kernel must be a string without control characters',
    ],
    [{ ...fresh(), capabilitys: {} }, 'capabilitys must be absent (did you mean capabilities?)'],
    [{ ...fresh(), '\x1b[2J': {} }, '(odd name) must be absent'],
    [
      { ...fresh(), behaviours: { ...shipped.behaviours, rawcore: true } },
      'behaviours.rawcore must be absent (did you mean rawCore?)',
    ],
    [{ ...fresh(), registers: [{ ...X0, sameas: X1 }] }, 'registers[0].sameas must be absent'],
  ])('is refused by the name of the field: %#', (profile, message) => {
    expect(refusal(profile)).toMatchObject({
      code: 'ERR_BAD_PROFILE',
      message: expect.stringContaining(message),
    });
  });

  it('may have the greatest value of a register, and zeros before it', () => {
    const registers = shipped.registers.map(one =>
      one.id === X0.id ? { ...one, reset: `00${WIDEST}` } : one,
    );
    expect(refusal({ ...fresh(), registers })).toBeUndefined();
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
