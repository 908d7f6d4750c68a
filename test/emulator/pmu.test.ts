/** What the emulated PMU counts, to the event, and when it overflows (DDI 0487; arch/arm64/kvm/pmu-emul.c). */
import { Kvm, type Vcpu, type Vm } from 'kvm-arm64/emulator';
import { restoreVm, saveVm } from 'kvm-arm64/state';
import { afterEach, describe, expect, it } from 'vitest';
import { encodePmuFilter } from '#lib/abi/device-attributes.js';
import { cpuGaps } from '#lib/emulator/cpu-features.js';
import { loadHost } from '#lib/emulator/load-host.js';
import { type HostProfile, RECORDED_HOSTS } from '#lib/emulator/profile.js';
import { openEmulated } from '#lib/emulator/system.js';
import { runGuest } from '#lib/record/run-guest.js';

const RAM = 0x4000_0000n;
const VECTORS = 0x800;
const FROM_EL1 = VECTORS + 0x200;
const FROM_EL0 = VECTORS + 0x400;

/** X21 has an address without memory. */
const NOP = 0xd503_201f;
const STR = 0xf900_02bf; // str xzr, [x21]
const SVC = 0xd400_0001;
const UDF = 0;
const ERET = 0xd69f_03e0;
const WFI = 0xd503_207f;
/** mrs x10, elr_el1; add x10, x10, #4; msr elr_el1, x10; eret */
const SKIP = [0xd538_402a, 0x9100_114a, 0xd518_402a, ERET];
const MSR_PMSWINC_X22 = 0xd51b_9c96;
const MRS_X0_PMCEID0 = 0xd53b_9cc0;
const nops = (count: number) => Array<number>(count).fill(NOP);

const EVENT = { SW_INCR: 0x00n, INST_RETIRED: 0x08n, MEM_ACCESS: 0x13n, CHAIN: 0x1en, STALL: 0x3cn } as const;
const CYCLES = 1n << 31n;
/** PMCR_EL0: E and LC, with N, which until the first run is the program's to choose. */
const COUNTING = (6n << 11n) | 0x41n;
const LP = 0x80n;
const NO_EL1 = 1n << 31n;
const NO_EL0 = 1n << 30n;
const EL1H_MASKED = 0x3c5n;
const EL0_MASKED = 0x3c0n;

const open: Kvm[] = [];
afterEach(() => {
  for (const kvm of open.splice(0)) kvm.close();
});

interface Setting {
  /** Default: one with counters of 64 bits. */
  readonly host?: string | HostProfile;
  /** Words by their offsets; the guest begins with the first. */
  readonly code: Readonly<Record<number, readonly number[]>>;
  /** By counter. */
  readonly events?: readonly bigint[];
  readonly registers?: Readonly<Record<string, bigint>>;
  readonly prepare?: (vm: Vm, vcpu: Vcpu) => void;
}

/** A guest whose PMU counts from the start: cycles, and these events. */
function guest({ host = 'linux-6.12-max', code, events = [], registers = {}, prepare }: Setting): Vcpu {
  const kvm = Kvm.open({ host });
  open.push(kvm);
  const vm = kvm.createVm();
  const { bytes } = vm.addMemory({ guestPhysAddr: RAM, size: 65536 });
  for (const [offset, words] of Object.entries(code))
    bytes.set(new Uint8Array(Uint32Array.from(words).buffer), Number(offset));
  const vcpu = vm.createVcpu(0);
  vcpu.init({ features: ['PSCI_0_2', 'PMU_V3'] });
  if (prepare === undefined) vcpu.initPmu();
  else prepare(vm, vcpu);
  const all = 2n ** 32n - 1n;
  const counters = CYCLES | ((1n << BigInt(events.length)) - 1n);
  const settings = {
    PC: RAM,
    PSTATE: EL1H_MASKED,
    VBAR_EL1: RAM + BigInt(VECTORS),
    X21: 0x0900_0000n,
    X22: 1n,
    // What clears them on most kernels, and on those where they are storage.
    PMCNTENCLR_EL0: all,
    PMOVSCLR_EL0: all,
    PMINTENCLR_EL1: all,
    PMOVSSET_EL0: 0n,
    PMINTENSET_EL1: 0n,
    PMCCFILTR_EL0: 0n,
    PMCCNTR_EL0: 0n,
    ...Object.fromEntries(events.map((event, n) => [`PMEVTYPER${n}_EL0`, event])),
    ...Object.fromEntries(events.map((_, n) => [`PMEVCNTR${n}_EL0`, 0n])),
    PMCR_EL0: COUNTING,
    PMCNTENSET_EL0: counters,
    ...registers,
  };
  for (const [name, value] of Object.entries(settings)) vcpu.setOneReg(name, value);
  return vcpu;
}

const values = (vcpu: Vcpu, ...names: string[]) => names.map(name => vcpu.getOneReg(`${name}_EL0`));

describe('a counter', () => {
  it('has an instruction for each cycle, and goes on from run to run', () => {
    const vcpu = guest({ code: { 0: [...nops(10), STR, NOP, STR] }, events: [EVENT.INST_RETIRED] });
    expect(vcpu.runSync().reason).toBe('MMIO');
    expect(values(vcpu, 'PMCCNTR', 'PMEVCNTR0')).toEqual([11n, 11n]);
    vcpu.setOneReg('PMCCNTR_EL0', 1000n);
    expect(vcpu.runSync().reason).toBe('MMIO');
    expect(values(vcpu, 'PMCCNTR', 'PMEVCNTR0')).toEqual([1002n, 13n]);
  });

  it('has no instruction retire that raises an exception, but calls', () => {
    const vcpu = guest({
      code: { 0: [NOP, UDF, SVC, NOP, STR], [FROM_EL1]: SKIP },
      events: [EVENT.INST_RETIRED],
    });
    expect(vcpu.runSync().reason).toBe('MMIO');
    // The handler skips the instruction after the call, too.
    expect(values(vcpu, 'PMCCNTR', 'PMEVCNTR0')).toEqual([12n, 11n]);
  });

  it('leaves out a level', () => {
    const vcpu = guest({
      code: { 0: [NOP, NOP, SVC], [FROM_EL0]: [NOP, STR] },
      events: [
        EVENT.INST_RETIRED,
        EVENT.INST_RETIRED | NO_EL1,
        EVENT.INST_RETIRED | NO_EL0,
        EVENT.INST_RETIRED | NO_EL1 | NO_EL0,
      ],
      registers: { PSTATE: EL0_MASKED },
    });
    expect(vcpu.runSync().reason).toBe('MMIO');
    expect(values(vcpu, 'PMEVCNTR0', 'PMEVCNTR1', 'PMEVCNTR2', 'PMEVCNTR3')).toEqual([5n, 3n, 2n, 0n]);
  });

  it('stands still while the guest waits, and for what never happens or is not counted', () => {
    const vcpu = guest({
      code: { 0: [WFI, STR] },
      events: [EVENT.STALL, EVENT.MEM_ACCESS],
      registers: { CNTV_CTL_EL0: 1n, CNTV_CVAL_EL0: 2n ** 36n + 100_000n },
    });
    while (vcpu.runSync().reason === 'INTR');
    expect(values(vcpu, 'PMCCNTR', 'PMEVCNTR0', 'PMEVCNTR1')).toEqual([2n, 0n, 0n]);
  });

  it('counts neither what is not enabled nor what is filtered; SW_INCR is no event to a filter', () => {
    const filtered = (action: 'allow' | 'deny') => {
      const vcpu = guest({
        host: 'linux-6.12-neoverse-n1',
        code: { 0: [MSR_PMSWINC_X22, MRS_X0_PMCEID0, STR] },
        events: [EVENT.SW_INCR, EVENT.INST_RETIRED],
        prepare: (_, one) => {
          one.initPmu({ filter: [{ base: 0x11, count: 1, action }] });
        },
      });
      expect(vcpu.runSync().reason).toBe('MMIO');
      return [...values(vcpu, 'PMEVCNTR0', 'PMEVCNTR1', 'PMCCNTR'), vcpu.getOneReg('X0')];
    };
    expect(encodePmuFilter({ base: 0x11, count: 1, action: 'deny' })[4]).toBe(1);
    expect(filtered('deny')).toEqual([1n, 3n, 0n, 0x4000_0001n]);
    expect(filtered('allow')).toEqual([1n, 0n, 3n, 0x2_0000n]);
  });

  it('of 64 bits overflows as one of 32 does without PMCR_EL0.LP', () => {
    const overflown = (registers: Readonly<Record<string, bigint>>) => {
      const vcpu = guest({
        code: { 0: [NOP, STR] },
        events: [EVENT.INST_RETIRED, EVENT.CHAIN],
        registers: { PMEVCNTR0_EL0: 2n ** 32n - 1n, ...registers },
      });
      expect(vcpu.runSync().reason).toBe('MMIO');
      return values(vcpu, 'PMEVCNTR0', 'PMEVCNTR1', 'PMOVSSET');
    };
    expect(overflown({})).toEqual([2n ** 32n + 1n, 1n, 1n]);
    expect(overflown({ PMCR_EL0: COUNTING | LP })).toEqual([2n ** 32n + 1n, 0n, 0n]);
    expect(overflown({ PMCR_EL0: COUNTING | LP, PMEVCNTR0_EL0: 2n ** 64n - 1n })).toEqual([1n, 0n, 1n]);
    // PMUVer of 8.4 has 32 bits, and no LP.
    const lower = loadHost('linux-6.12-max').registers.find(({ id }) => id === '603000000013c028')!;
    const dfr0 = (BigInt(`0x${lower.reset}`) & ~0xf00n) | 0x500n;
    expect(overflown({ ID_AA64DFR0_EL1: dfr0 })).toEqual([1n, 1n, 1n]);
  });

  it('and its chain are one counter to Linux 5.10 (kvm_pmu_pmc_is_chained)', () => {
    const vcpu = guest({
      host: 'linux-5.10-max',
      code: { 0: [NOP, STR, NOP, STR] },
      events: [EVENT.INST_RETIRED, EVENT.CHAIN],
      registers: { PMEVCNTR0_EL0: 2n ** 32n - 1n },
    });
    expect(vcpu.runSync().reason).toBe('MMIO');
    expect(values(vcpu, 'PMEVCNTR0', 'PMEVCNTR1', 'PMOVSSET')).toEqual([1n, 1n, 0n]);
    vcpu.setOneReg('PMEVCNTR1_EL0', 2n ** 32n - 1n);
    vcpu.setOneReg('PMEVCNTR0_EL0', 2n ** 32n - 1n);
    expect(vcpu.runSync().reason).toBe('MMIO');
    expect(values(vcpu, 'PMEVCNTR0', 'PMEVCNTR1', 'PMOVSSET')).toEqual([1n, 0n, 2n]);
  });
});

describe('an overflow', () => {
  const INTERRUPTS = { PMINTENSET_EL1: 1n, PMEVCNTR0_EL0: 2n ** 32n - 5n };

  it('is the next exit where the program is the interrupt controller, after the event that it is of', () => {
    const vcpu = guest({
      code: { 0: [...nops(20), STR] },
      events: [EVENT.INST_RETIRED],
      registers: INTERRUPTS,
    });
    expect(vcpu.runSync().reason).toBe('INTR');
    expect(vcpu.getOneReg('PC')).toBe(RAM + 5n * 4n);
    // Told once; then the guest goes on.
    expect(vcpu.runSync().reason).toBe('MMIO');
    expect(values(vcpu, 'PMEVCNTR0', 'PMOVSSET')).toEqual([2n ** 32n + 16n, 1n]);
  });

  it('of one level does not wait for the end of a slice', () => {
    const vcpu = guest({
      code: { 0: [...nops(9), ERET], 256: [...nops(20), SVC] },
      events: [EVENT.INST_RETIRED | NO_EL1],
      registers: { ...INTERRUPTS, ELR_EL1: RAM + 0x100n, SPSR_EL1: EL0_MASKED },
    });
    expect(vcpu.runSync().reason).toBe('INTR');
    expect(vcpu.getOneReg('PC')).toBe(RAM + 0x100n + 5n * 4n);
  });

  it('shows in kvm_run, of counters that are enabled now as far as Linux 5.10 is concerned', () => {
    // msr pmcntenclr_el0, x4; msr pmovsset_el0, x4; msr pmintenset_el1, x4; msr pmcr_el0, x5; str x0, [x2]
    const words = [0xd51b_9c44, 0xd51b_9e64, 0xd518_9e24, 0xd51b_9c05, 0xf900_0040];
    const levels = (name: string) => {
      const kvm = openEmulated(name, 'virtual');
      const host = { kvm, target: loadHost(name).targets.preferred };
      return runGuest(
        host,
        words,
        ({ vcpu, runTold, area }) => {
          vcpu.setOneReg(0x6030_0000_0010_0008n, 2n ** 32n - 1n); // X4
          vcpu.setOneReg(0x6030_0000_0010_000an, 1n); // X5
          return [runTold(), area.getBigUint64(304, true)];
        },
        true,
      );
    };
    expect(levels('linux-5.10-max')).toEqual([true, 0n]);
    expect(levels('linux-6.12-max')).toEqual([false, 4n]);
  });

  it('and the counters are saved and restored', () => {
    const vcpu = guest({
      code: { 0: [...nops(8), STR, ...nops(8), STR] },
      events: [EVENT.INST_RETIRED],
      registers: INTERRUPTS,
      prepare: (vm, one) => {
        vm.createGic();
        vm.gic!.init();
        one.initPmu({ irq: 23 });
      },
    });
    const vm = vcpu.vm;
    expect(vcpu.runSync().reason).toBe('MMIO');
    const kvm = Kvm.open({ host: 'linux-6.12-max' });
    open.push(kvm);
    const restored = restoreVm(kvm, saveVm(vm)).vm;
    const moved = restored.vcpus[0]!;
    for (const one of [vcpu, moved]) {
      expect(one.runSync().reason).toBe('MMIO');
      expect(values(one, 'PMCCNTR', 'PMEVCNTR0', 'PMOVSSET')).toEqual([18n, 2n ** 32n + 13n, 1n]);
    }
  });
});

describe('the events that a host claims', () => {
  it('are all counted on recorded hosts; others are a gap of the CPU', () => {
    for (const name of RECORDED_HOSTS)
      expect(cpuGaps(loadHost(name)).filter(({ feature }) => feature === 'PMU')).toEqual([]);
    // MEM_ACCESS
    const host = { ...loadHost('linux-6.12-max'), pmceid: ['400a0101', '18'] as const };
    expect(cpuGaps(host).at(-1)).toEqual({
      feature: 'PMU',
      kind: 'system',
      instructions: [],
      effect: 'events other than SW_INCR, INST_RETIRED, CPU_CYCLES, CHAIN and those of stalls count nothing',
    });
  });
});
