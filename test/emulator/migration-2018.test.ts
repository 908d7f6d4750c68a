/**
 * The two migration tables of the discussion on kvmarm, February 2018 (answer to "[PATCH v3 08/18] arm/arm64: KVM: Add
 * PSCI version selection API"), with the model behind them: the destination's vCPU is initialised by its own userspace,
 * then every register that the source lists is written; the first that is refused fails the migration.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { Kvm, type Vcpu, type VcpuInitOptions } from '#lib/emulator.js';

const opened: Kvm[] = [];
afterEach(() => {
  for (const kvm of opened.splice(0)) kvm.close();
});

describe('the migration tables of 2018', () => {
  interface Side {
    readonly host: string;
    readonly features?: VcpuInitOptions['features'];
    /** What userspace does to have PSCI 0.2. */
    readonly pin?: true;
  }
  const OLD: Side = { host: 'linux-4.14' };
  const REGISTER = {
    old: OLD,
    new: { host: 'psci-firmware-register-v3' },
    compat: { host: 'psci-firmware-register-v3', pin: true },
  } as const;
  const FEATURE = {
    old: OLD,
    new: { host: 'psci-feature-bit' },
    compat: { host: 'psci-feature-bit', features: ['PSCI_0_2', 4] },
  } as const;

  function start({ host, features, pin }: Side): Vcpu {
    const kvm = Kvm.open({ host });
    opened.push(kvm);
    const vcpu = kvm.createVm().createVcpu(0);
    vcpu.init({ features });
    if (pin) vcpu.setPsciVersion('0.2');
    return vcpu;
  }

  /** The first register that is refused, with its errno. */
  function migrate(source: Side, destination: Side): string | undefined {
    const from = start(source);
    from.setOneReg('PC', 0x4008_0000n);
    from.setOneReg('TTBR0_EL1', 0x1234_5000n);
    const to = start(destination);
    const written = to.setRegs(from.getRegs());
    const errors = Array.from({ length: written.length }, (_, i) => written.errorAt(i));
    const error = errors.find(one => one !== undefined);
    if (error !== undefined) return `${error.register?.name} ${error.code}`;
    expect([to.getOneReg('PC'), to.getOneReg('TTBR0_EL1')]).toEqual([0x4008_0000n, 0x1234_5000n]);
    return undefined;
  }

  const REFUSED = 'KVM_REG_ARM_PSCI_VERSION ENOENT';
  const CELLS = [
    ['new', 'new', undefined, undefined],
    ['old', 'new', undefined, undefined],
    ['new', 'old', REFUSED, undefined],
    ['compat', 'old', REFUSED, undefined],
    ['old', 'compat', undefined, undefined],
  ] as const;

  it.each(CELLS)('register: %s to %s fails at: %s', (source, destination, refused) => {
    expect(migrate(REGISTER[source], REGISTER[destination])).toBe(refused);
  });

  it.each(CELLS)('feature bit: %s to %s works', (source, destination, _, refused) => {
    expect(migrate(FEATURE[source], FEATURE[destination])).toBe(refused);
  });

  it('the register carries the version along', () => {
    const from = start(REGISTER.compat);
    const to = start(REGISTER.new);
    to.setRegs(from.getRegs());
    expect(to.psciVersion).toBe('0.2');
  });

  it('32-bit arm: the register moves between new hosts, and its id is that of arm', () => {
    const from = start({ host: 'psci-firmware-register-v3-arm', pin: true });
    const to = start({ host: 'psci-firmware-register-v3-arm' });
    expect(to.setRegs(from.getRegs()).failed).toBe(0);
    expect(to.getOneReg(0x4030000000140000n)).toBe(2n);
  });
});
