/** The differential tester itself, with two emulated hosts in the places of kernel and emulator. */
import { describe, expect, it } from 'vitest';
import { loadHost } from '#lib/emulator/load-host.js';
import { DEFAULT_HOST, type HostProfile } from '#lib/emulator/profile.js';
import { openEmulated } from '#lib/emulator/system.js';
import { formatCall, parseCall } from '#lib/fidelity/calls.js';
import { compare, formatTest, isDifference, shrink } from '#lib/fidelity/compare.js';
import { generateCalls, sequences } from '#lib/fidelity/generate.js';
import { mutations } from '#lib/fidelity/mutate.js';
import { runCalls } from '#lib/fidelity/run-calls.js';

const profile = loadHost(DEFAULT_HOST);

/** The kernel knows PSCI 1.0 at most; the emulated host knows 1.1. */
const older: HostProfile = {
  ...profile,
  psci: { ...profile.psci, withFeature: ['2', '10000'], latest: '10000' },
};
const pair = { kernel: () => openEmulated(older), emulated: () => openEmulated(profile) };

describe('a sequence', () => {
  it('is the same for the same seed', () => {
    expect(generateCalls(profile, 7)).toEqual(generateCalls(profile, 7));
    expect(generateCalls(profile, 7)).not.toEqual(generateCalls(profile, 8));
  });

  it('can be written as text and read again', () => {
    for (const { calls } of sequences(profile, 1, 2_000)) {
      for (const call of calls) expect(parseCall(formatCall(call))).toEqual({ makes: undefined, ...call });
    }
  });

  it('never makes the emulated host throw', () => {
    for (const { calls } of sequences(profile, 1_000, 20_000)) {
      const answers = runCalls(() => openEmulated(profile), calls);
      expect(answers.filter(answer => answer.startsWith('throws'))).toEqual([]);
    }
  });

  it('answers in words that can be looked up', () => {
    const lines = [
      'vm0 = kvm createVm 0',
      'vcpu0 = vm0 createVcpu 0',
      'vcpu0 getOneReg 6030000000140000',
      'vcpu0 armVcpuInit 0500000004000000000000000000000000000000000000000000000000000000',
      'vcpu0 getOneReg 6030000000140000',
      'vcpu0 setOneReg 6030000000140000 2',
      'vcpu7 getMpState',
      'vcpu0 close',
      'vcpu0 getMpState',
    ];
    expect(runCalls(() => openEmulated(profile), lines.map(parseCall))).toEqual([
      'ok',
      'ok',
      'ENOEXEC',
      '0',
      '0x10001',
      '0',
      '-',
      'ok',
      'EBADF',
    ]);
  });
});

describe('a difference', () => {
  it('is not found where there is none', () => {
    const same = { kernel: pair.kernel, emulated: pair.kernel };
    for (const { calls } of sequences(profile, 1, 5_000))
      expect(isDifference(compare(same, calls))).toBe(false);
  });

  it('is shrunk to what shows it, and printed as a test', () => {
    const { calls } = [...sequences(profile, 1, 5_000)].find(each =>
      isDifference(compare(pair, each.calls)),
    )!;
    const shrunk = shrink(pair, calls)!;
    expect(shrunk.calls.length).toBeLessThanOrEqual(4);
    expect(shrunk.calls.at(-1)).toMatch(/^vcpu\d+ [gs]etOneReg 6030000000140000/);
    expect(shrunk.kernel.at(-1)).not.toBe(shrunk.emulated.at(-1));
    const test = formatTest(DEFAULT_HOST, shrunk);
    expect(test).toContain(`['${shrunk.calls[0]}', 'ok'],`);
    expect(test).toContain(`openEmulated('${DEFAULT_HOST}')`);
  });
});

describe('calls of guests', () => {
  /** What Linux 6.12 and 5.10 answered in the lab. */
  it.each([
    [
      'linux-6.12-max',
      [
        ['vm0 = kvm createVm 0', 'ok'],
        ['vcpu0 = vm0 createVcpu 0', 'ok'],
        ['vcpu0 armVcpuInit 0500000004000000000000000000000000000000000000000000000000000000', '0'],
        ['vcpu0 setOneReg 6030000000160002 0', '0'],
        ['vcpu0 guest hvc 8600ff01 0 0 0', 'ffffffffffffffff 0 0 0'],
        ['vcpu0 setOneReg 6030000000160002 2', 'EBUSY'],
        ['vcpu0 getOneReg 603000000013c009', '0x11001'],
        ['vcpu0 guest hvc c4000001 3 3 400051f4', '0 0 0 0 waits'],
        ['vcpu0 guest hvc 84000000 1 2 3', '10001 0 0 0'],
      ],
    ],
    [
      'linux-5.10-max',
      [
        ['vm0 = kvm createVm 0', 'ok'],
        ['vcpu0 = vm0 createVcpu 0', 'ok'],
        ['vcpu0 armVcpuInit 0500000004000000000000000000000000000000000000000000000000000000', '0'],
        ['vcpu0 guest hvc c4000004 40000fec 2 40', '0 0 0 0'],
        ['vcpu0 getOneReg 603000000013d000', '0xe'],
      ],
    ],
  ] as const)('%s answers them as its kernel does', (host, trace) => {
    const answers = runCalls(
      () => openEmulated(host),
      trace.map(([call]) => parseCall(call)),
    );
    expect(answers).toEqual(trace.map(([, answer]) => answer));
  });
});

describe('mutations', () => {
  const all = [...mutations(profile)];

  it('reach every part of a profile', () => {
    const parts = new Set(all.map(({ name }) => name.split(/[.:]/)[0]));
    expect([...parts, 'format', 'version', 'name', 'provenance'].sort()).toEqual(Object.keys(profile).sort());
    const behaviours = all
      .filter(({ name }) => name.startsWith('behaviours.'))
      .map(({ name }) => name.split(/[.:]/)[1]);
    expect([...new Set(behaviours)]).toEqual(Object.keys(profile.behaviours));
  });

  it('have a name each, and change one thing', () => {
    expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
    for (const { name, apply } of all.filter((_, i) => i % 97 === 0))
      expect(apply(), name).not.toEqual(profile);
  });
});
