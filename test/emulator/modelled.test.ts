/**
 * Hosts that nobody can boot. Expectations are those of the kernels' source (psci.c, guest.c, sys_regs.c, arm.c of 4.14
 * to 5.2, arch/arm/kvm) and of the two proposals as they were posted on kvmarm in February 2018.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { formatPsciVersion, parsePsciVersion } from '#lib/abi/psci.js';
import { parseRegister } from '#lib/abi/register-names.js';
import { loadHost } from '#lib/emulator/load-host.js';
import { MODELLED_HOSTS } from '#lib/emulator/profile.js';
import { guestPsciVersion } from '#lib/emulator/psci.js';
import type { VcpuState } from '#lib/emulator/state.js';
import { Kvm, type KvmError, type Vcpu, type VcpuInitOptions } from '#lib/emulator.js';

const opened: Kvm[] = [];
afterEach(() => {
  for (const kvm of opened.splice(0)) kvm.close();
});

type Features = NonNullable<Parameters<Vcpu['init']>[0]>['features'];

function newVcpu(host: string): Vcpu {
  const kvm = Kvm.open({ host });
  opened.push(kvm);
  return kvm.createVm().createVcpu(0);
}

function initialised(host: string, features: Features = ['PSCI_0_2']): Vcpu {
  const vcpu = newVcpu(host);
  vcpu.init({ features });
  return vcpu;
}

/** What a call gives: a value, or the errno's name. */
function outcome<Value>(call: () => Value): Value | string {
  try {
    return call();
  } catch (error) {
    return (error as { code: string }).code;
  }
}

const ARM64 = ['linux-4.14', 'linux-4.17', 'psci-firmware-register-v3', 'psci-feature-bit'];
const ARM32 = ['linux-4.17-arm', 'psci-firmware-register-v3-arm'];
const WITHOUT_REGISTER = ['linux-4.14', 'psci-feature-bit'];
const V3 = ['psci-firmware-register-v3', 'psci-firmware-register-v3-arm'];
const MERGED = ['linux-4.17', 'linux-4.17-arm'];

/** An id as it is on the host's architecture. */
const firmwareId = (host: string, index: number, size = 0x30n) =>
  ((ARM32.includes(host) ? 0x40n : 0x60n) << 56n) | (size << 48n) | 0x14_0000n | BigInt(index);

it.each(MODELLED_HOSTS)('%s says what it is made of, and how each rule is known', host => {
  const { machine, kernel, basis, rules = [] } = loadHost(host).provenance;
  expect([machine, basis]).toEqual(['modelled', 'linux-5.10-cortex-a57']);
  expect(kernel).toMatch(/^4\.1[47]\b/);
  expect(rules.length).toBeGreaterThan(8);
  for (const { rule, source } of rules) expect([rule.length, source.length]).not.toContain(0);
  expect(new Set(rules.map(({ rule }) => rule)).size).toBe(rules.length);
});

describe('the hint of a register whose arm: was forgotten', () => {
  it.each([
    ['KVM_REG_ARM_PSCI_VERSION', 'arm:KVM_REG_ARM_PSCI_VERSION'],
    ['PC', 'arm:PC'],
    ['CNTVCT_EL0', 'arm:KVM_REG_ARM_TIMER_CNT'],
  ])('%s: %s', (name, meant) => {
    const hint = `An id of arm begins with 0x40 (did you mean ${meant}?)`;
    const vcpu = initialised('linux-4.17-arm');
    expect(() => vcpu.getOneReg(name)).toThrowError(expect.objectContaining({ code: 'EINVAL', hint }));
    expect(() => vcpu.setOneReg(name, 0n)).toThrowError(expect.objectContaining({ code: 'EINVAL', hint }));
  });

  it('is that alone for one that 32-bit arm has not', () => {
    expect(() => initialised('linux-4.17-arm').getOneReg('X0')).toThrowError(
      expect.objectContaining({ code: 'EINVAL', hint: 'An id of arm begins with 0x40' }),
    );
  });
});

describe('the hint of a refused KVM_ARM_VCPU_INIT', () => {
  const hintOf = (host: string, before: Features, options: VcpuInitOptions) => {
    const vcpu = initialised(host, before);
    try {
      vcpu.init(options);
    } catch (error) {
      return (error as KvmError).hint;
    }
    return 'taken';
  };
  const differ = /or from what this vCPU was initialised with before$/;

  it.each(['linux-5.10-cortex-a57', 'linux-4.14'])('%s: other features than before', host => {
    expect(hintOf(host, ['PSCI_0_2'], { features: ['PSCI_0_2', 'PMU_V3'] })).toMatch(differ);
  });

  it('psci-feature-bit does not lack bit 4, which is SVE elsewhere', () => {
    expect(hintOf('psci-feature-bit', ['PSCI_0_2'], { features: ['PSCI_0_2', 4] })).toMatch(differ);
    expect(hintOf('psci-feature-bit', ['PSCI_0_2'], { target: 9, features: [4] })).toMatch(
      /lacks the target/,
    );
    expect(hintOf('linux-5.10-cortex-a57', ['PSCI_0_2'], { features: [4] })).toBe('This host has no SVE');
  });
});

describe('KVM_REG_ARM_PSCI_VERSION', () => {
  const VERSIONS = ['0.1', '0.2', '1.0', '1.1', '1.2', '1.3', '0.3', '2.0'] as const;
  const accepted = (host: string, features: Features) => {
    const vcpu = initialised(host, features);
    const id = firmwareId(host, 0);
    return VERSIONS.map(version => outcome(() => vcpu.setOneReg(id, parsePsciVersion(version))) ?? 'ok');
  };
  const all = (answer: string) => VERSIONS.map(() => answer);
  const with02And10 = ['EINVAL', 'ok', 'ok', 'EINVAL', 'EINVAL', 'EINVAL', 'EINVAL', 'EINVAL'];

  it.each(MERGED)(
    '%s takes 0.2 and 1.0, and 0.1 without the feature (kvm_arm_set_fw_reg, 4.19 and 5.2)',
    host => {
      expect(accepted(host, ['PSCI_0_2'])).toEqual(with02And10);
      expect(accepted(host, [])).toEqual(['ok', ...all('EINVAL').slice(1)]);
    },
  );

  it.each(V3)('%s takes 0.2 and 1.0, and nothing without the feature (kvm_arm_set_fw_reg, v3)', host => {
    expect(accepted(host, ['PSCI_0_2'])).toEqual(with02And10);
    expect(accepted(host, [])).toEqual(all('EINVAL'));
  });

  it.each(WITHOUT_REGISTER)('%s has no such register, and the error says since when there is', host => {
    expect(accepted(host, ['PSCI_0_2'])).toEqual(all('ENOENT'));
    const vcpu = initialised(host);
    expect(vcpu.getRegList().includes(firmwareId(host, 0))).toBe(false);
    expect(() => vcpu.psciVersion).toThrowError(
      expect.objectContaining({ code: 'ENOENT', hint: expect.stringContaining('Linux 4.17') }),
    );
    expect(vcpu.vm.kvm.supportedPsciVersions()).toEqual([]);
  });

  it('takes the whole u64 into account (switch (val), v3 and 4.19)', () => {
    const vcpu = initialised('linux-4.17');
    expect(outcome(() => vcpu.setOneReg('PSCI_VERSION', 0x1_0001_0000n))).toBe('EINVAL');
  });

  it.each([...MERGED, ...V3])('%s: 1.0 by default, one version for the VM, kept by a further init', host => {
    const first = initialised(host);
    const second = first.vm.createVcpu(1);
    second.init();
    expect([first.psciVersion, second.psciVersion]).toEqual(['1.0', '1.0']);
    first.setPsciVersion('0.2');
    first.init();
    expect([first.psciVersion, second.psciVersion]).toEqual(['0.2', '0.2']);
    expect(first.vm.kvm.supportedPsciVersions()).toEqual(['0.2', '1.0']);
  });

  it.each(MERGED)(
    '%s reads 0.1 without the feature, and setting that makes the other vCPUs have it',
    host => {
      const without = initialised(host, []);
      expect(without.psciVersion).toBe('0.1');
      const other = without.vm.createVcpu(1);
      other.init();
      without.setPsciVersion('0.1');
      expect(other.psciVersion).toBe('0.1');
    },
  );

  it.each(V3)('%s cannot be read without the feature, and is listed all the same (v3)', host => {
    const vcpu = initialised(host, []);
    expect(() => vcpu.psciVersion).toThrowError(
      expect.objectContaining({ code: 'EINVAL', hint: expect.stringContaining('PSCI_0_2') }),
    );
    expect(vcpu.getRegList().includes(firmwareId(host, 0))).toBe(true);
    expect(vcpu.getRegs().errorAt(vcpu.getRegList().indexOf(firmwareId(host, 0)))?.code).toBe('EINVAL');
  });
});

describe('the firmware coprocessor', () => {
  const outcomes = (host: string) => {
    const vcpu = initialised(host);
    return [firmwareId(host, 1), firmwareId(host, 0xffff), firmwareId(host, 0, 0x20n)].flatMap(id => [
      outcome(() => vcpu.getOneReg(id)),
      outcome(() => vcpu.setOneReg(id, 0n)),
    ]);
  };
  const MIDR_BY_FIRMWARE = 0x603000000014c000n;

  it.each([...MERGED, ...V3])('%s: any other index or width is EINVAL (kvm_arm_get_fw_reg)', host => {
    expect(new Set(outcomes(host))).toEqual(new Set(['EINVAL']));
  });

  it.each(WITHOUT_REGISTER)('%s: there is none, so the ids go to the system registers: ENOENT', host => {
    expect(new Set(outcomes(host))).toEqual(new Set(['ENOENT']));
  });

  it('without it invariant registers answer under its number, too (get_invariant_sys_reg)', () => {
    const midr = initialised('linux-4.14').getOneReg('MIDR_EL1');
    expect(initialised('linux-4.14').getOneReg(MIDR_BY_FIRMWARE)).toBe(midr);
    expect(outcome(() => initialised('linux-4.17').getOneReg(MIDR_BY_FIRMWARE))).toBe('EINVAL');
  });
});

describe('the version that a guest finds (kvm_psci_version)', () => {
  const found = (host: string, features: number, psciVersion = 0n) => {
    const vm = { host: { profile: loadHost(host) }, features: 0, psciVersion };
    return formatPsciVersion(guestPsciVersion({ vm, features } as unknown as VcpuState));
  };
  const [PSCI_0_2, FORCE, ARM_PSCI_0_2] = [1 << 2, 1 << 4, 1 << 1];

  it.each([
    ['linux-4.14', PSCI_0_2, '0.2'],
    ['linux-4.14', 0, '0.1'],
    ['linux-4.17', PSCI_0_2, '1.0'],
    ['linux-4.17-arm', ARM_PSCI_0_2, '1.0'],
    ['linux-4.17-arm', 0, '0.1'],
    ['psci-firmware-register-v3', PSCI_0_2, '1.0'],
    ['psci-firmware-register-v3', 0, '0.1'],
    ['psci-feature-bit', PSCI_0_2, '1.0'],
    ['psci-feature-bit', PSCI_0_2 | FORCE, '0.2'],
    ['psci-feature-bit', FORCE, '0.1'],
  ])('%s with features %i: %s', (host, features, version) => {
    expect(found(host, features)).toBe(version);
  });

  it('is what was set, where that is possible', () => {
    expect(found('psci-firmware-register-v3', PSCI_0_2, 2n)).toBe('0.2');
  });
});

describe('vCPU features', () => {
  it.each(['linux-4.14', 'linux-4.17', 'psci-firmware-register-v3'])(
    '%s knows four (KVM_VCPU_MAX_FEATURES)',
    host => {
      for (const feature of [1, 2, 3])
        expect(outcome(() => newVcpu(host).init({ features: [feature] }))).toBeUndefined();
      for (const feature of [4, 5, 31, 32])
        expect(outcome(() => newVcpu(host).init({ features: [feature] }))).toBe('ENOENT');
    },
  );

  it('psci-feature-bit has a fifth, and no sixth', () => {
    expect(outcome(() => newVcpu('psci-feature-bit').init({ features: ['PSCI_0_2', 4] }))).toBeUndefined();
    expect(outcome(() => newVcpu('psci-feature-bit').init({ features: [5] }))).toBe('ENOENT');
  });

  it.each(ARM32)('%s has two, PSCI_0_2 being bit 1 (uapi/asm/kvm.h of arm)', host => {
    expect(outcome(() => newVcpu(host).init({ features: [0, 1] }))).toBeUndefined();
    expect(outcome(() => newVcpu(host).init({ features: [2] }))).toBe('ENOENT');
    expect(outcome(() => newVcpu(host).init({ features: ['SVE'] }))).toBe('ERR_INVALID_ARG_VALUE');
  });

  it('may differ between vCPUs, EL1_32BIT as well; a vCPU keeps its own (kvm_vcpu_set_target, 4.18)', () => {
    const first = initialised('linux-4.17', ['EL1_32BIT']);
    const second = first.vm.createVcpu(1);
    expect(outcome(() => second.init())).toBeUndefined();
    expect(outcome(() => second.init({ features: [] }))).toBe('EINVAL');
  });
});

describe('what came later', () => {
  it.each(MODELLED_HOSTS)('%s: SVE, events, the choice of IPA bits and SUSPENDED', host => {
    const vcpu = newVcpu(host);
    const { vm } = vcpu;
    expect(outcome(() => vcpu.finalize(4))).toBe('EINVAL'); // an unknown request, before init as after
    vcpu.init();
    expect(outcome(() => vcpu.finalize(4))).toBe('EINVAL');
    expect(outcome(() => vcpu.getVcpuEvents())).toBe('EINVAL');
    expect(outcome(() => vcpu.setVcpuEvents({ serrorPending: true }))).toBe('EINVAL');
    expect(outcome(() => vcpu.setMpState('SUSPENDED'))).toBe('EINVAL');
    expect(outcome(() => vm.kvm.createVm({ ipaBits: 40 }))).toBe('EINVAL');
    expect(outcome(() => vm.createVcpu(8))).toBe('EINVAL'); // GICv2
    const late = ['ARM_VM_IPA_SIZE', 'ARM_SVE', 'VCPU_EVENTS', 'ENABLE_CAP_VM', 'STEAL_TIME'] as const;
    expect(late.map(cap => vm.checkExtension(cap))).toEqual([0, 0, 0, 0, 0]);
    expect(vm.checkExtension('ARM_PSCI_0_2')).toBe(1);
  });

  it.each(ARM64)('%s: ids of SVE are ENOENT', host => {
    expect(outcome(() => initialised(host).getOneReg('KVM_REG_ARM64_SVE_VLS'))).toBe('ENOENT');
    expect(outcome(() => initialised(host).getOneReg(0x6030000000150000n))).toBe('ENOENT');
  });

  it('linux-4.14: no AArch64 ID registers, no DISR_EL1, no debug registers 0; PMCR_EL0 neither in 4.17', () => {
    const has = (host: string, name: string) => initialised(host).getRegList().includes(parseRegister(name));
    for (const name of ['ID_AA64PFR0_EL1', 'MVFR0_EL1', 'DISR_EL1', 'DBGBVR0_EL1', 'PMCR_EL0'])
      expect([name, has('linux-4.14', name)]).toEqual([name, false]);
    for (const name of ['ID_AA64PFR0_EL1', 'MVFR0_EL1', 'DISR_EL1', 'DBGBVR0_EL1'])
      expect([name, has('linux-4.17', name)]).toEqual([name, true]);
    expect(has('linux-4.17', 'PMCR_EL0')).toBe(false);
    expect(has('linux-4.14', 'ID_ISAR5_EL1')).toBe(true);
  });

  it('linux-4.14: the control register of the timer keeps ISTATUS as written (kvm_arm_timer_set_reg)', () => {
    const vcpu = initialised('linux-4.14');
    vcpu.setOneReg('TIMER_CTL', 0x1_0000_0007n);
    expect(vcpu.getOneReg('TIMER_CTL')).toBe(7n);
    const later = initialised('linux-4.17');
    later.setOneReg('TIMER_CVAL', 2n ** 63n);
    later.setOneReg('TIMER_CTL', 7n);
    expect(later.getOneReg('TIMER_CTL')).toBe(3n);
  });
});

describe.each(ARM64)('core registers of %s are bytes (get_core_reg, set_core_reg, 4.18)', host => {
  const core = (word: number, size: bigint) => 0x6000000000100000n | (size << 52n) | BigInt(word);
  const [U32, U64, U128] = [2n, 3n, 4n];

  it('lists each word of struct kvm_regs as u64; the last two are ENOENT', () => {
    const vcpu = initialised(host);
    const list = Array.from(vcpu.getRegList());
    expect(list.slice(0, 216)).toEqual(Array.from({ length: 216 }, (_, word) => core(word, U64)));
    expect(list.slice(216).some(id => (id >> 16n) % 0x1000n === 0x10n)).toBe(false);
    const batch = vcpu.getRegs();
    expect([...Array(batch.length).keys()].filter(i => batch.errorAt(i) !== undefined)).toEqual([214, 215]);
    expect(batch.errorAt(215)?.code).toBe('ENOENT');
  });

  it('any offset and width within reads what lies there', () => {
    const vcpu = initialised(host);
    vcpu.setOneReg('X0', 0x11112222_33334444n);
    vcpu.setOneReg('X1', 0x55556666_77778888n);
    expect(vcpu.getOneReg(core(1, U64))).toBe(0x77778888_11112222n);
    expect(vcpu.getOneReg(core(1, U32))).toBe(0x11112222n);
    vcpu.setOneReg(core(1, U64), 0xaaaabbbb_ccccddddn);
    expect([vcpu.getOneReg('X0'), vcpu.getOneReg('X1')]).toEqual([
      0xccccdddd_33334444n,
      0x55556666_aaaabbbbn,
    ]);
    vcpu.setOneReg('V31', 2n ** 127n + 1n);
    expect(vcpu.getOneReg(core(84 + 4 * 31 + 2, U64))).toBe(2n ** 63n);
    vcpu.setOneReg(core(82, U64), 5n); // padding
    expect(vcpu.getOneReg(core(82, U64))).toBe(5n);
  });

  it('beyond it is ENOENT, and a value of more than 16 bytes can be read but not written', () => {
    const vcpu = initialised(host);
    expect(outcome(() => vcpu.getOneReg(core(216, U32)))).toBe('ENOENT');
    expect(outcome(() => vcpu.getOneReg(core(215, U32)))).toBe('ENOENT');
    expect(outcome(() => vcpu.getOneReg(core(214, U32)))).toBe(0n);
    expect(outcome(() => vcpu.getOneReg(core(212, U128)))).toBe('ENOENT');
    expect(outcome(() => vcpu.getOneReg(core(0, 5n)))).toBe(0n);
    expect(outcome(() => vcpu.setOneReg(core(0, 5n), 0n))).toBe('EINVAL');
  });

  it('PSTATE takes modes of either width but SYS, and cuts nothing', () => {
    const vcpu = initialised(host);
    vcpu.setOneReg('X0', 2n ** 63n);
    expect([0x3c5n, 0x10n, 0x13n, 0x1bn].map(mode => outcome(() => vcpu.setOneReg('PSTATE', mode)))).toEqual(
      Array(4).fill(undefined),
    );
    expect([0x1fn, 0x9n, 0x16n].map(mode => outcome(() => vcpu.setOneReg('PSTATE', mode)))).toEqual(
      Array(3).fill('EINVAL'),
    );
    expect(vcpu.getOneReg('X0')).toBe(2n ** 63n);
  });
});

describe('the order of KVM_GET_REG_LIST (kvm_arm_copy_reg_indices)', () => {
  it('v3: core, firmware, timers, system registers', () => {
    const list = Array.from(initialised('psci-firmware-register-v3').getRegList());
    expect(list.slice(216, 221)).toEqual(
      ['PSCI_VERSION', 'TIMER_CTL', 'TIMER_CNT', 'TIMER_CVAL', 'MIDR_EL1'].map(name => parseRegister(name)),
    );
  });

  it('v3 lists what linux-4.14 lists, and the one register', () => {
    const old = Array.from(initialised('linux-4.14').getRegList());
    const list = Array.from(initialised('psci-firmware-register-v3').getRegList());
    expect(list.toSpliced(216, 1)).toEqual(old);
  });
});

describe.each(ARM32)('%s', host => {
  it('lists core, firmware, timers, invariants, CP15, VFP and caches (kvm_arm_copy_reg_indices, arch/arm/kvm)', () => {
    const list = Array.from(initialised(host).getRegList());
    expect(list.length).toBe(38 + 1 + 3 + 21 + 29 + 32 + 7 + 3);
    const at = (index: number) => list[index]?.toString(16);
    expect(at(0)).toBe('4020000000100000');
    expect(at(38)).toBe('4030000000140000');
    expect(list.slice(39, 42)).toEqual(
      ['CTL', 'CNT', 'CVAL'].map(timer => parseRegister(`arm:KVM_REG_ARM_TIMER_${timer}`)),
    );
    expect(at(42)).toBe('40200000000f0000'); // MIDR
    expect(at(63)).toBe('40200000000f0005'); // MPIDR
    expect(at(92)).toBe('4030000000120000'); // D0
    expect(at(131)).toBe('4020000000110000');
    expect(list.every(id => id >> 56n === 0x40n)).toBe(true);
  });

  it('refuses ids of arm64, and says so', () => {
    const vcpu = initialised(host);
    expect(vcpu.vm.kvm.architecture).toBe('arm');
    expect(() => vcpu.getOneReg('X0')).toThrowError(
      expect.objectContaining({ code: 'EINVAL', hint: 'An id of arm begins with 0x40' }),
    );
    expect(outcome(() => initialised('linux-4.17').getOneReg('arm:R0'))).toBe('EINVAL');
  });

  it('core registers are words; CPSR takes six modes (set_core_reg, arch/arm/kvm/guest.c)', () => {
    const vcpu = initialised(host);
    expect(vcpu.getOneReg('arm:CPSR')).toBe(0x1d3n);
    expect(outcome(() => vcpu.getOneReg('arm:R0:u64'))).toBe('ENOENT');
    expect(outcome(() => vcpu.getOneReg(0x4020000000100026n))).toBe('ENOENT'); // word 38
    expect(outcome(() => vcpu.setOneReg('arm:CPSR', 0x1fn))).toBe('EINVAL'); // SYS
    expect(outcome(() => vcpu.setOneReg('arm:CPSR', 0x10n))).toBeUndefined();
  });

  it('TTBR0 and TTBR1 of 32 bits are halves of those of 64 (vcpu_cp15_reg64_get, coproc.c)', () => {
    const vcpu = initialised(host);
    const [ttbr0, ttbr1] = [0x40300000000f0100n, 0x40300000000f0108n];
    const [low0, low1] = ['arm:CP15_0_C2_C0_0', 'arm:CP15_0_C2_C0_1'];
    for (const [wide, low] of [
      [ttbr0, low0],
      [ttbr1, low1],
    ] as const) {
      expect(vcpu.getOneReg(wide)).toBe(0xd0c0ffee_decafbadn); // reset_unknown64
      expect(vcpu.getOneReg(low)).toBe(0xdecafbadn);
      vcpu.setOneReg(low, 0x1234n);
      expect(vcpu.getOneReg(wide)).toBe(0xd0c0ffee_00001234n);
      vcpu.setOneReg(wide, 0x5_0000_0006n);
      expect(vcpu.getOneReg(low)).toBe(6n);
    }
  });

  it('tells the number of vCPUs and their clusters (reset_mpidr, reset_actlr, reset_l2ctlr)', () => {
    const alone = initialised(host);
    const named = ['arm:CP15_0_C0_C0_5', 'arm:CP15_0_C1_C0_1', 'arm:CP15_1_C9_C0_2'];
    const values = (vcpu: Vcpu) => named.map(name => vcpu.getOneReg(name));
    expect(values(alone)).toEqual([0x8000_0000n, 0n, 0n]);
    const vcpus = [1, 2, 3, 4, 5].map(id => alone.vm.createVcpu(id));
    for (const vcpu of vcpus) vcpu.init();
    expect(values(vcpus[0]!)).toEqual([0x8000_0001n, 0x40n, 0x0300_0000n]);
    expect(values(vcpus[4]!)).toEqual([0x8000_0101n, 0x40n, 0x0100_0000n]);
  });

  it('invariants do not change, under whatever coprocessor; floating point survives an init', () => {
    const vcpu = initialised(host);
    expect(vcpu.getOneReg(0x40200000000f0000n)).toBe(0x412fc0f1n);
    expect(vcpu.getOneReg(0x4020000000130000n)).toBe(0x412fc0f1n);
    expect(outcome(() => vcpu.setOneReg(0x40200000000f0000n, 0n))).toBe('EINVAL');
    vcpu.setOneReg('arm:D31', 7n);
    vcpu.setOneReg('arm:R0', 7n);
    vcpu.init();
    expect([vcpu.getOneReg('arm:D31'), vcpu.getOneReg('arm:R0')]).toEqual([7n, 0n]);
  });
});
