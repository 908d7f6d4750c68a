/**
 * What kernels do differently and no value tells: one small experiment on scratch vCPUs for each behaviour of a profile.
 *
 * @packageDocumentation
 */
import { KVM_CAP } from '../abi/capabilities.ts';
import { KVM_ARM_VM_SMCCC_CTRL, KVM_ARM_VM_SMCCC_FILTER } from '../abi/device-attributes.ts';
import { ERRNO } from '../abi/errno.ts';
import { KVM_DEBUG_ARCH_HSR_HIGH_VALID, KVM_EXIT, KVM_RUN_SIZE } from '../abi/exits.ts';
import { breakpointRegisters, encodeGuestDebug, KVM_GUESTDBG } from '../abi/guest-debug.ts';
import { PSCI_FN } from '../abi/psci.ts';
import { CORE_PSTATE, coreRegId, firmwareRegId, sysRegId } from '../abi/register-id.ts';
import { encodeVcpuEvents, encodeVcpuInit, STRUCT_SIZE } from '../abi/structs.ts';
import { featureMask } from '../abi/vcpu-features.ts';
import type { VcpuHandle } from '../backend.ts';
import type { ProfileBehaviours } from '../emulator/profile.ts';
import { PMCR_EL0 } from '../emulator/registers/pmu-registers.ts';
import {
  CODE,
  EXIT_REASON,
  type Guest,
  type Host,
  MMIO_DATA,
  RUN_FLAGS,
  runGuest,
  STR_X0,
} from './run-guest.ts';
import { expectValue, initialised, withVcpus } from './scratch.ts';

type Experiments = {
  readonly [Name in keyof ProfileBehaviours]: (
    host: Host,
  ) => ProfileBehaviours[Name] | Promise<ProfileBehaviours[Name]>;
};

const CORE_PC = coreRegId(256);
const AARCH32_USER = 0x10n;
const ID_AA64PFR1_EL1 = sysRegId(3, 0, 0, 4, 1);
/** Nobody can write it. */
const ID_AA64DFR1_EL1 = sysRegId(3, 0, 0, 5, 1);
const CTR_EL0 = sysRegId(3, 3, 0, 0, 1);
const IDC = 1n << 28n;
const CLIDR_EL1 = sysRegId(3, 1, 0, 0, 1);
/** Level of coherence 1, and 2. */
const CLIDR_LEVELS = [0x0120_0000n, 0x0220_0000n];
/** A register that is none of the banked ones of AArch32's supervisor mode, in which a 32-bit vCPU starts: R14_abt. */
const X20 = coreRegId(8 * 20);
/** Of 64; a PMU has no use for it in PMCR_EL0. */
const HIGHEST_BIT = 1n << 63n;

const EL1_32BIT = featureMask(['EL1_32BIT']);
const PMU_V3 = featureMask(['PMU_V3']);
const PSCI_0_2 = featureMask(['PSCI_0_2']);
const PMCNTENSET_EL0 = sysRegId(3, 3, 9, 12, 1);
const CYCLE_COUNTER = 1n << 31n;
const TIMER_CTL = sysRegId(3, 3, 14, 3, 1);
const TIMER_CNT = sysRegId(3, 3, 14, 3, 2);
const TIMER_CVAL = sysRegId(3, 3, 14, 0, 2);
const BEYOND_32_BITS = 1n << 32n;

const ESR_EL1 = sysRegId(3, 0, 5, 2, 0);
const DATA_ABORT = encodeVcpuEvents({
  serrorPending: false,
  serrorHasEsr: false,
  extDabtPending: true,
  serrorEsr: 0n,
});
const SMCCC_FILTER = BigInt(KVM_ARM_VM_SMCCC_FILTER);
/** `struct kvm_smccc_filter`. */
const FILTER_SIZE = 24;
/** PSTATE of EL1h with nothing masked. */
const UNMASKED = 5n;
const SERROR = encodeVcpuEvents({
  serrorPending: true,
  serrorHasEsr: false,
  extDabtPending: false,
  serrorEsr: 0n,
});

/** Words for a guest that has the address of no memory in X2. */
const LDRSB_W0 = 0x39c0_0040;
/** mrs x0, ctr_el0 */
const MRS_X0_CTR = 0xd53b_0020;
const HVC = 0xd400_0002;
const BRK = 0xd420_0000;
const WFI = 0xd503_207f;
/** A timer that fires when the guest waits for long: after 33 ms of the fastest counter, 1.4 s of one of 24 MHz. */
const TIMER_TICKS = 1n << 25n;
const WAIT_MS = 4000;
const X0 = coreRegId(0);
const X3 = coreRegId(24);
const X4 = coreRegId(32);
const X5 = coreRegId(40);
const VBAR_EL1 = sysRegId(3, 0, 12, 0, 0);
/** Of the vectors: a synchronous exception of EL1. */
const FROM_EL1 = 0x200;
const MRS_X0_PMMIR = 0xd538_9ec0;
const MRS_X0_ICC_SRE = 0xd538_cca0;
const MRS_X0_ICC_PMR = 0xd538_4600;
const MSR_ICC_SGI1R_XZR = 0xd518_cbbf;
/** Words for a guest with a PMU; X3 to X5 have a value for each question, X4 ones. */
const MSR_PMEVTYPER0_XZR = 0xd51b_ec1f;
const MSR_PMEVTYPER1_X3 = 0xd51b_ec23;
const MSR_PMEVCNTR0_X4 = 0xd51b_e804;
const MSR_PMCNTENSET_X4 = 0xd51b_9c24;
const MSR_PMCNTENCLR_X4 = 0xd51b_9c44;
const MSR_PMOVSCLR_X4 = 0xd51b_9c64;
const MSR_PMOVSSET_X4 = 0xd51b_9e64;
const MRS_X0_PMOVSSET = 0xd53b_9e60;
const MSR_PMINTENSET_X4 = 0xd518_9e24;
const MSR_PMINTENCLR_X4 = 0xd518_9e44;
const MSR_PMCR_X3 = 0xd51b_9c03;
const PMCR_RESETS = 6n;
const MSR_PMCR_X5 = 0xd51b_9c05;
const MSR_PMSWINC_X5 = 0xd51b_9c85;
const CHAIN = 0x1en;
const ALL_32 = 0xffff_ffffn;
/** Bits 31:24 of an affinity. */
const RESERVED_AFFINITY = 1n << 24n;
const PSTATE_SS = 1n << 21n;
const MDSCR_EL1 = sysRegId(2, 0, 0, 2, 2);
const MDSCR_MDE = 1n << 15n;

/** Whether events make a vCPU go on elsewhere. */
function movesOn(vcpu: VcpuHandle, events: Uint8Array): boolean {
  const before = vcpu.getOneReg(CORE_PC);
  vcpu.setVcpuEvents(events);
  return vcpu.getOneReg(CORE_PC) !== before;
}

/** Asks a question of a vCPU with a feature that the host may not have. */
function ifAccepted<Answer>(
  { kvm, target }: Host,
  features: bigint,
  otherwise: Answer,
  ask: (vcpu: VcpuHandle) => Answer,
): Answer {
  return withVcpus(kvm, 1, ({ vcpus: [vcpu] }) =>
    vcpu!.armVcpuInit(encodeVcpuInit(target, features)) === 0 ? ask(vcpu!) : otherwise,
  );
}

const EXPERIMENTS: Experiments = {
  vcpuEventsNeedInit: ({ kvm }) =>
    withVcpus(
      kvm,
      1,
      ({ vcpus: [vcpu] }) =>
        vcpu!.getVcpuEvents(new Uint8Array(STRUCT_SIZE.kvm_vcpu_events)) === -ERRNO.ENOEXEC,
    ),
  workaround2WithoutSsbs: ({ kvm, target }) =>
    initialised(kvm, target, 0n, vcpu => {
      const pfr1 = expectValue(vcpu.getOneReg(ID_AA64PFR1_EL1));
      vcpu.setOneReg(ID_AA64PFR1_EL1, pfr1 & ~0xf0n);
      return Number(expectValue(vcpu.getOneReg(firmwareRegId(2))));
    }),
  aarch32User: ({ kvm, target }) =>
    initialised(kvm, target, 0n, vcpu => vcpu.setOneReg(CORE_PSTATE, AARCH32_USER) === 0),
  clidr: ({ kvm, target }) =>
    initialised(kvm, target, 0n, vcpu => {
      if (vcpu.setOneReg(CLIDR_EL1, 0n) === 0) return 'any';
      return CLIDR_LEVELS.every(value => vcpu.setOneReg(CLIDR_EL1, value) === 0) ? 'level' : 'fixed';
    }),
  featuresPerVcpu: ({ kvm, target }) =>
    withVcpus(kvm, 2, ({ vcpus: [vcpu, other] }) => {
      vcpu!.armVcpuInit(encodeVcpuInit(target, 0n));
      return other!.armVcpuInit(encodeVcpuInit(target, PSCI_0_2)) === 0;
    }),
  widthOfAllVcpus: host =>
    ifAccepted(host, EL1_32BIT, false, () =>
      withVcpus(
        host.kvm,
        2,
        ({ vcpus: [vcpu] }) => vcpu!.armVcpuInit(encodeVcpuInit(host.target, EL1_32BIT)) === -ERRNO.EINVAL,
      ),
    ),
  vmAttributes: ({ kvm }) =>
    withVcpus(kvm, 0, ({ vm }) => vm.hasDeviceAttr(KVM_ARM_VM_SMCCC_CTRL, SMCCC_FILTER) === 0),
  pmu: host =>
    ifAccepted(host, PMU_V3, 'change', vcpu => {
      vcpu.setOneReg(PMCR_EL0, HIGHEST_BIT);
      if (vcpu.getOneReg(PMCR_EL0) === HIGHEST_BIT) return 'stored';
      vcpu.setOneReg(PMCNTENSET_EL0, CYCLE_COUNTER);
      vcpu.setOneReg(PMCNTENSET_EL0, 0n);
      return vcpu.getOneReg(PMCNTENSET_EL0) === 0n ? 'assigned' : 'change';
    }),
  bankedNarrowing: host =>
    ifAccepted(host, EL1_32BIT, false, vcpu => {
      vcpu.setOneReg(X20, HIGHEST_BIT);
      return expectValue(vcpu.getOneReg(X20)) === HIGHEST_BIT;
    }),
  abortTakenAtOnce: ({ kvm, target }) => initialised(kvm, target, 0n, vcpu => movesOn(vcpu, DATA_ABORT)),
  abort32TakenAtOnce: host => ifAccepted(host, EL1_32BIT, false, vcpu => movesOn(vcpu, DATA_ABORT)),
  serrorTakenAtOnce: ({ kvm, target }) =>
    initialised(kvm, target, 0n, vcpu => {
      vcpu.setOneReg(CORE_PSTATE, UNMASKED);
      return movesOn(vcpu, SERROR);
    }),
  abortSyndrome: ({ kvm, target }) =>
    initialised(kvm, target, 0n, vcpu => {
      vcpu.setVcpuEvents(DATA_ABORT);
      return expectValue(vcpu.getOneReg(ESR_EL1)).toString(16);
    }),
  timerControl: ({ kvm, target }) =>
    initialised(kvm, target, 0n, vcpu => {
      vcpu.setOneReg(TIMER_CTL, BEYOND_32_BITS);
      return vcpu.getOneReg(TIMER_CTL) === BEYOND_32_BITS ? 'masked' : 'status';
    }),
  emptyFilterRefused: ({ kvm }) =>
    withVcpus(
      kvm,
      0,
      ({ vm }) =>
        vm.hasDeviceAttr(KVM_ARM_VM_SMCCC_CTRL, SMCCC_FILTER) === 0 &&
        vm.setDeviceAttr(KVM_ARM_VM_SMCCC_CTRL, SMCCC_FILTER, new Uint8Array(FILTER_SIZE)) === -ERRNO.EINVAL,
    ),
  identitySettledByRun: ({ kvm, target }) =>
    initialised(kvm, target, 0n, vcpu => {
      vcpu.kick();
      vcpu.run(new Uint8Array(KVM_RUN_SIZE));
      const value = expectValue(vcpu.getOneReg(ID_AA64DFR1_EL1));
      return vcpu.setOneReg(ID_AA64DFR1_EL1, value ^ 1n) === -ERRNO.EBUSY;
    }),
  signedReadsCut: host =>
    runGuest(host, [LDRSB_W0], ({ vcpu, run, kick, area }) => {
      run();
      area.setUint8(MMIO_DATA, 0xff);
      kick();
      return expectValue(vcpu.getOneReg(X0)) === 0xffn;
    }),
  guestCtrLacksIdc: host =>
    runGuest(host, [MRS_X0_CTR, STR_X0], ({ vcpu, run, area }) => {
      run();
      return (expectValue(vcpu.getOneReg(CTR_EL0)) & ~area.getBigUint64(MMIO_DATA, true) & IDC) !== 0n;
    }),
  timersEndWaits: host =>
    runGuest(host, [WFI, STR_X0], ({ vcpu, runUntil }) => {
      const now = expectValue(vcpu.getOneReg(TIMER_CNT));
      vcpu.setOneReg(TIMER_CVAL, now + TIMER_TICKS);
      vcpu.setOneReg(TIMER_CTL, 1n);
      return runUntil(WAIT_MS);
    }),
  reservedAffinityIgnored: host =>
    runGuest(host, [HVC, STR_X0], ({ vcpu, run, area }) => {
      vcpu.setOneReg(X0, BigInt(PSCI_FN.PSCI_0_2_FN64_CPU_ON));
      vcpu.setOneReg(coreRegId(8), RESERVED_AFFINITY | 1n);
      run();
      return area.getBigUint64(MMIO_DATA, true) === 0n;
    }),
  stepKept: host =>
    runGuest(host, [STR_X0], ({ vcpu, run }) => {
      vcpu.setGuestDebug(
        encodeGuestDebug(KVM_GUESTDBG.KVM_GUESTDBG_ENABLE | KVM_GUESTDBG.KVM_GUESTDBG_SINGLESTEP),
      );
      run();
      return (expectValue(vcpu.getOneReg(CORE_PSTATE)) & PSTATE_SS) === 0n;
    }),
  debuggerMeetsGuest: host =>
    runGuest(host, [STR_X0], ({ vcpu, run, area }) => {
      const { control, value } = breakpointRegisters(CODE);
      vcpu.setOneReg(sysRegId(2, 0, 0, 0, 4), value);
      vcpu.setOneReg(sysRegId(2, 0, 0, 0, 5), control);
      vcpu.setOneReg(MDSCR_EL1, MDSCR_MDE);
      vcpu.setGuestDebug(encodeGuestDebug(KVM_GUESTDBG.KVM_GUESTDBG_ENABLE));
      run();
      return area.getUint32(EXIT_REASON, true) === KVM_EXIT.KVM_EXIT_DEBUG;
    }),
  debugTellsHigh: host =>
    runGuest(host, [BRK], ({ vcpu, run, area }) => {
      vcpu.setGuestDebug(
        encodeGuestDebug(KVM_GUESTDBG.KVM_GUESTDBG_ENABLE | KVM_GUESTDBG.KVM_GUESTDBG_USE_SW_BP),
      );
      run();
      return (area.getUint16(RUN_FLAGS, true) & KVM_DEBUG_ARCH_HSR_HIGH_VALID) !== 0;
    }),
  iccWithoutGic: host => {
    if (!isThere(host, MRS_X0_ICC_SRE)) return 'none';
    if (!isThere(host, MRS_X0_ICC_PMR)) return 'sre';
    return isThere(host, MSR_ICC_SGI1R_XZR) ? 'interface and SGIs' : 'interface';
  },
  pmmirReadsZero: host => isThere(host, MRS_X0_PMMIR),
  pmuChainsPairs: host =>
    withPmu(
      host,
      [
        ...[MSR_PMINTENCLR_X4, MSR_PMOVSCLR_X4, MSR_PMEVTYPER0_XZR, MSR_PMEVTYPER1_X3, MSR_PMEVCNTR0_X4],
        ...[MSR_PMCNTENSET_X4, MSR_PMCR_X5, MSR_PMSWINC_X5, MRS_X0_PMOVSSET, STR_X0],
      ],
      ({ run, area }) => {
        run();
        return (area.getBigUint64(MMIO_DATA, true) & 1n) === 0n;
      },
    ),
  pmuKeepsResets: host =>
    withPmu(host, [MSR_PMCR_X3, STR_X0], ({ vcpu, run }) => {
      run();
      return (expectValue(vcpu.getOneReg(PMCR_EL0)) & PMCR_RESETS) !== 0n;
    }),
  pmuInterruptNeedsEnable: host =>
    withPmu(
      host,
      [MSR_PMCNTENCLR_X4, MSR_PMOVSSET_X4, MSR_PMINTENSET_X4, MSR_PMCR_X5, STR_X0],
      ({ runTold }) => runTold(),
    ),
};

/** Whether a guest may execute an MRS or MSR: the next store is then the one after it, and not the handler's. */
function isThere(host: Host, access: number): boolean {
  const words = [access, STR_X0];
  const handled = [...words, ...Array<number>(FROM_EL1 / 4 - words.length).fill(0), STR_X0];
  return runGuest(host, handled, ({ vcpu, run }) => {
    vcpu.setOneReg(VBAR_EL1, CODE);
    run();
    return expectValue(vcpu.getOneReg(CORE_PC)) < CODE + BigInt(FROM_EL1);
  });
}

/** Asks a guest that can count: X3 has CHAIN, which is P and C of PMCR_EL0, X4 ones, and X5 PMCR_EL0.E or the first counter. */
function withPmu(host: Host, words: readonly number[], ask: (guest: Guest) => boolean): boolean {
  if (host.kvm.checkExtension(KVM_CAP.KVM_CAP_ARM_PMU_V3) <= 0) return false;
  return runGuest(
    host,
    words,
    guest => {
      for (const [id, value] of [
        [X3, CHAIN],
        [X4, ALL_32],
        [X5, 1n],
      ] as const)
        guest.vcpu.setOneReg(id, value);
      return ask(guest);
    },
    true,
  );
}

/** Makes each experiment, one after another. */
export async function recordBehaviours(host: Host): Promise<ProfileBehaviours> {
  const found: [name: string, answer: unknown][] = [];
  for (const [name, experiment] of Object.entries(EXPERIMENTS)) found.push([name, await experiment(host)]);
  return Object.fromEntries(found) as unknown as ProfileBehaviours;
}
