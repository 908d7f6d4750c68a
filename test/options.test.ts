/** An option that is misspelt or misplaced is refused: left out in silence, it would change what the program gets. */

import { Kvm, Vcpu } from 'kvm-arm64';
import { Kvm as EmulatedKvm } from 'kvm-arm64/emulator';
import { Kvm as NativeKvm } from 'kvm-arm64/native';
import { describe, expect, it } from 'vitest';

const kvm = EmulatedKvm.open();
const vm = kvm.createVm();
const vcpu = vm.createVcpu(0);
/** As a program in JavaScript calls it. */
const loosely = (call: unknown) => call as (options: unknown) => unknown;

const CALLS: readonly [name: string, call: (options: unknown) => unknown, misspelt: object, known: string][] =
  [
    [
      'Kvm.open',
      loosely(Kvm.open),
      { backand: 'native' },
      'backend, host, clock, path (did you mean backend?)',
    ],
    ['Kvm.open of /emulator', loosely(EmulatedKvm.open), { hots: 'x' }, 'host, clock (did you mean host?)'],
    ['Kvm.open of /native', loosely(NativeKvm.open), { pth: '/dev/kvm' }, 'path (did you mean path?)'],
    ['kvm.createVm', loosely(kvm.createVm.bind(kvm)), { ipaBit: 40 }, 'ipaBits (did you mean ipaBits?)'],
    [
      'vcpu.init',
      loosely(vcpu.init.bind(vcpu)),
      { feature: [] },
      'target, features (did you mean features?)',
    ],
    [
      'vcpu.setVcpuEvents',
      loosely(vcpu.setVcpuEvents.bind(vcpu)),
      { serror: true },
      'serrorPending, serrorHasEsr',
    ],
  ];

describe.each(CALLS)('%s', (_name, call, misspelt, known) => {
  it('refuses an option that it does not know, and names those that it does', () => {
    expect(() => call(misspelt)).toThrowError(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE', message: expect.stringContaining(known) }),
    );
  });

  it.each([[['PSCI_0_2']], [null], [40], ['auto'], [new Uint8Array(4)]])(
    'refuses %j in place of options',
    value => {
      expect(() => call(value)).toThrowError(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
    },
  );
});

describe('constructors', () => {
  it.each([
    ['Kvm', Kvm, 'Kvm.open()'],
    ['Vcpu', Vcpu, 'vm.createVcpu()'],
  ])('new %s() says how one is made', (_name, Class, made) => {
    expect(() => new (Class as unknown as new () => unknown)()).toThrowError(
      expect.objectContaining({ code: 'ERR_ILLEGAL_CONSTRUCTOR', message: expect.stringContaining(made) }),
    );
  });
});
