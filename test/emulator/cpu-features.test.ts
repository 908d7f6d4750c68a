/** What the ID registers of the hosts claim, and what of it the emulated CPU does. */
import { describe, expect, it } from 'vitest';
import { fieldValue, registerFields } from '#lib/abi/register-fields.js';
import { formatRegister } from '#lib/abi/register-names.js';
import { CLAIMED_FIELDS } from '#lib/emulator/cpu/features.js';
import { cpuFeatures, cpuGaps } from '#lib/emulator/cpu-features.js';
import { loadHost } from '#lib/emulator/load-host.js';
import { modelOf } from '#lib/emulator/model.js';
import { HOSTS, RECORDED_HOSTS } from '#lib/emulator/profile.js';

/** Fields that ask nothing of the interpreter, with the reason (D24.2 of Arm DDI 0487). */
const NOTHING_TO_DO: Readonly<Record<string, string>> = {
  'ID_AA64DFR0_EL1.BRPs': 'a count, read by the debug registers',
  'ID_AA64DFR0_EL1.WRPs': 'a count, read by the debug registers',
  'ID_AA64DFR0_EL1.CTX_CMPs': 'a count, read by the debug registers',
  'ID_AA64DFR0_EL1.DebugVer': 'of external debug and of EL2 beyond Armv8',
  'ID_AA64DFR0_EL1.PMUVer': 'registers outside the CPU',
  'ID_AA64ISAR1_EL1.GPI': 'with API',
  'ID_AA64ISAR1_EL1.DGH': 'a hint',
  'ID_AA64MMFR0_EL1.ASIDBITS': 'the TLB does not keep ASIDs apart: TTBR writes empty it',
  'ID_AA64MMFR0_EL1.BIGEND': 'always',
  'ID_AA64MMFR0_EL1.BIGENDEL0': 'always',
  'ID_AA64MMFR0_EL1.SNSMEM': 'there is one Security state',
  'ID_AA64MMFR0_EL1.TGRAN16_2': 'stage 2',
  'ID_AA64MMFR0_EL1.TGRAN64_2': 'stage 2',
  'ID_AA64MMFR0_EL1.TGRAN4_2': 'stage 2',
  'ID_AA64MMFR1_EL1.VMIDBits': 'EL2',
  'ID_AA64MMFR1_EL1.VH': 'EL2',
  'ID_AA64MMFR1_EL1.XNX': 'stage 2',
  'ID_AA64MMFR1_EL1.ETS': 'accesses are in order',
  'ID_AA64MMFR1_EL1.HCX': 'EL2',
  'ID_AA64MMFR2_EL1.CnP': 'each CPU has a TLB of its own',
  'ID_AA64MMFR2_EL1.IESB': 'errors are synchronised at once',
  'ID_AA64MMFR2_EL1.FWB': 'stage 2',
  'ID_AA64MMFR2_EL1.TTL': 'a hint in the operand of TLBI',
  'ID_AA64MMFR2_EL1.BBM': 'entries never conflict',
  'ID_AA64PFR0_EL1.EL1': '32-bit guests are told apart by the feature EL1_32BIT',
  'ID_AA64PFR0_EL1.EL2': 'KVM hides it',
  'ID_AA64PFR0_EL1.EL3': 'there is none to guests',
  'ID_AA64PFR0_EL1.AdvSIMD': 'half precision, with FP',
  'ID_AA64PFR0_EL1.GIC': 'registers outside the CPU',
  'ID_AA64PFR0_EL1.SEL2': 'EL2',
  'ID_AA64PFR0_EL1.CSV2': 'nothing is executed ahead',
  'ID_AA64PFR0_EL1.CSV3': 'nothing is executed ahead',
  'ID_AA64ZFR0_EL1.*': 'with SVE',
};

const claimed = new Set(CLAIMED_FIELDS.map(([encoding, low]) => `${encoding} ${low}`));

describe('the claims of ID registers', () => {
  it.each(RECORDED_HOSTS)('of %s are features that the CPU knows, or ask nothing of it', name => {
    const profile = loadHost(name);
    const unknown = new Set<string>();
    for (const { features } of profile.configurations) {
      const { registers, resets, vmResets } = modelOf(profile).configuration(features[0]!)!;
      for (const [id, { scope, cell }] of registers) {
        const register = formatRegister(id);
        if (!register.startsWith('ID_AA64')) continue;
        const value = (scope === 'vm' ? vmResets : resets)[cell]!;
        for (const field of registerFields(id)) {
          const known =
            claimed.has(`${id & 0xffffn} ${field.shift}`) ||
            `${register}.${field.name}` in NOTHING_TO_DO ||
            `${register}.*` in NOTHING_TO_DO;
          if (!known && fieldValue(field, value) !== 0n) unknown.add(`${register}.${field.name}`);
        }
      }
    }
    expect([...unknown]).toEqual([]);
  });
});

describe('gaps', () => {
  it.each(HOSTS.filter(name => !/max/.test(name)))('of %s are no integer instructions', name => {
    const gaps = cpuGaps(loadHost(name));
    expect(gaps.filter(({ kind }) => kind === 'integer')).toEqual([]);
    expect(gaps.map(({ feature }) => feature)).toContain('AArch32');
  });

  it('are of all feature sets together', () => {
    const features = (name: string) => cpuGaps(loadHost(name)).map(({ feature }) => feature);
    expect(features('linux-6.12-max-sve')).toContain('SVE');
    expect(features('linux-6.12-max')).not.toContain('SVE');
    expect(features('linux-6.12-max')).toContain('PAuth');
  });
});

describe('features', () => {
  it('go by the features of the vCPU', () => {
    const host = loadHost('linux-6.12-max-sve');
    expect(cpuFeatures(host, 0).has('SVE')).toBe(false);
    const withSve = host.configurations
      .flatMap(({ features }) => features)
      .find(set => (set & (1 << 4)) !== 0)!;
    expect(cpuFeatures(host, withSve).has('SVE')).toBe(true);
    expect(cpuFeatures(host, 0).has('LSE')).toBe(true);
  });

  it('of kernels that hide no ID registers are those of the machine', () => {
    const basis = cpuFeatures(loadHost('linux-5.10-cortex-a57'), 0);
    expect(cpuFeatures(loadHost('linux-4.14'), 0)).toEqual(basis);
    expect(basis).toContain('CRC32');
  });

  it('of a 32-bit guest are none but that', () => {
    expect([...cpuFeatures(loadHost('linux-6.12-cortex-a57'), 1 << 1)]).toEqual(['AArch32']);
    expect([...cpuFeatures(loadHost('linux-4.17-arm'), 0)]).toEqual(['AArch32']);
  });

  it('of sets that a host refuses are none', () => {
    expect(cpuFeatures(loadHost('linux-6.12-neoverse-n1'), 1 << 4).size).toBe(0);
  });
});
