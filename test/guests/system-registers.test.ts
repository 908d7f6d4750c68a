/** MRS and MSR of every encoding in a guest of each emulated host, held to what the guest of its kernel found. */
import { readFileSync } from 'node:fs';
import { Kvm, type VcpuFeature } from 'kvm-arm64';
import { describe, expect, it } from 'vitest';
import { RECORDED_HOSTS } from '#lib/emulator/profile.js';
import { type Answers, probe, RAM, RAM_SIZE } from './system-registers/probe.ts';

/** What is not compared, by encoding in hex, and why. */
const NOT_COMPARED: readonly (readonly [why: string, pattern: RegExp])[] = [
  ['they move', /^df(01|02|10|12|18|1a)$/],
  ["KVM answers them where the hardware has them, which QEMU's has not", /^(80a4|83c6|83ce|83f6)$/],
  [
    "QEMU's, of the implementation or beyond the features that are claimed",
    /^(c[dfl]|d[58f][4-9a-f]|dce|de8|ee)/,
  ],
  ['QEMU keeps bits 10:5 of VBAR_EL1, which are RES0', /^c600$/],
  ["QEMU's SME, which the ID registers do not claim", /^(c094|c096|c806|da12)$/],
];

/** Of a vCPU with a PMU: its registers, and what of them is not compared. */
const OF_PMU = /^(c4f[1267]|dc[ef]|df[4-7])/;
const NOT_COMPARED_OF_PMU: typeof NOT_COMPARED = [
  ['they count', /^(dce[8a]|df[45])/],
  // pmreg_access_selr and its kin, target/arm/helper.c, with PMUSERENR_EL0, which KVM sets.
  ['QEMU lets EL0 have PMSELR_EL0 whatever KVM traps, and PMXEVTYPER_EL0 goes by it', /^dce[59]$/],
];

function ask(host: string, features: readonly VcpuFeature[] = []): Answers {
  const kvm = Kvm.open({ host });
  const vm = kvm.createVm();
  const vcpu = vm.createVcpu(0);
  vcpu.init({ features: ['PSCI_0_2', ...features] });
  if (features.includes('PMU_V3')) vcpu.initPmu();
  const { bytes } = vm.addMemory({ guestPhysAddr: RAM, size: RAM_SIZE });
  const answers = probe({
    ram: bytes,
    set(name, value) {
      try {
        vcpu.setOneReg(name, value);
      } catch (error) {
        if ((error as { code?: string }).code !== 'ENOENT') throw error;
      }
    },
    run(pc) {
      vcpu.setOneReg('PC', BigInt(pc));
      let exit = vcpu.runSync();
      while (exit.reason === 'INTR') exit = vcpu.runSync();
      expect(exit.reason).toBe('MMIO');
    },
  });
  kvm.close();
  return answers;
}

const without = (answers: Answers, excluded: typeof NOT_COMPARED): Answers =>
  Object.fromEntries(
    Object.entries(answers).filter(([key]) => !excluded.some(([, pattern]) => pattern.test(key))),
  );
const compared = (answers: Answers) => without(answers, NOT_COMPARED);
const ofPmu = (answers: Answers) =>
  without(
    Object.fromEntries(Object.entries(answers).filter(([key]) => OF_PMU.test(key))),
    NOT_COMPARED_OF_PMU,
  );

interface Recorded {
  readonly plain: Answers;
  /** What a vCPU with all features answers otherwise; null: UNDEFINED all over. */
  readonly differing: Readonly<Record<string, string | null>>;
}

function recorded(host: string): Recorded {
  const file = new URL(`system-registers/${host}.json`, import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')) as Recorded;
}

describe.each(RECORDED_HOSTS)('%s', host => {
  it('has the system registers that a guest of its kernel found', () => {
    const expected = compared(recorded(host).plain);
    expect(Object.keys(expected).length).toBeGreaterThan(100);
    expect(compared(ask(host))).toEqual(expected);
  });

  it('has the registers of a PMU that a guest of its kernel found', () => {
    const { plain, differing } = recorded(host);
    const full = Object.entries({ ...plain, ...differing }).filter(([, answer]) => answer !== null);
    const expected = ofPmu(Object.fromEntries(full) as Answers);
    expect(Object.keys(expected).length).toBeGreaterThan(15);
    expect(ofPmu(ask(host, ['PMU_V3']))).toEqual(expected);
  });
});
