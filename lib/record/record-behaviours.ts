/**
 * What kernels do differently and no value tells: one small experiment on scratch vCPUs for each behaviour of a profile.
 *
 * @packageDocumentation
 */
import { KVM_CAP } from '../abi/capabilities.ts';
import { ERRNO } from '../abi/errno.ts';
import { CORE_PSTATE, coreRegId, firmwareRegId, sysRegId } from '../abi/register-id.ts';
import { encodeVcpuEvents, STRUCT_SIZE } from '../abi/structs.ts';
import { KVM_ARM_VCPU } from '../abi/vcpu-features.ts';
import type { KvmHandle } from '../backend.ts';
import type { ProfileBehaviours } from '../emulator/profile.ts';
import { expectValue, initialised, withVcpus } from './scratch.ts';

/** What an experiment is made on. */
interface Host {
  readonly kvm: KvmHandle;
  /** A target that KVM_ARM_VCPU_INIT accepts. */
  readonly target: number;
}

type Experiments = {
  readonly [Name in keyof ProfileBehaviours]: (host: Host) => ProfileBehaviours[Name];
};

const CORE_PC = coreRegId(256);
const AARCH32_USER = 0x10n;
const ID_AA64PFR1_EL1 = sysRegId(3, 0, 0, 4, 1);
const CLIDR_EL1 = sysRegId(3, 1, 0, 0, 1);
const PMCNTENSET_EL0 = sysRegId(3, 3, 9, 12, 1);
const CYCLE_COUNTER = 1n << 31n;
const TIMER_CTL = sysRegId(3, 3, 14, 3, 1);
const BEYOND_32_BITS = 1n << 32n;

const ESR_EL1 = sysRegId(3, 0, 5, 2, 0);
const ESR_IL = 1n << 25n;
const DATA_ABORT = encodeVcpuEvents({
  serrorPending: false,
  serrorHasEsr: false,
  extDabtPending: true,
  serrorEsr: 0n,
});
/** Attribute of a VM, and the size of `struct kvm_smccc_filter`. */
const SMCCC_CTRL = 0;
const SMCCC_FILTER = 0n;
const FILTER_SIZE = 24;
const PMU_V3 = 1n << BigInt(KVM_ARM_VCPU.KVM_ARM_VCPU_PMU_V3);

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
  eventsTakenAtOnce: ({ kvm, target }) =>
    initialised(kvm, target, 0n, vcpu => {
      const before = vcpu.getOneReg(CORE_PC);
      vcpu.setVcpuEvents(DATA_ABORT);
      return vcpu.getOneReg(CORE_PC) !== before;
    }),
  syndromesHaveLength: ({ kvm, target }) =>
    initialised(kvm, target, 0n, vcpu => {
      vcpu.setVcpuEvents(DATA_ABORT);
      return (expectValue(vcpu.getOneReg(ESR_EL1)) & ESR_IL) !== 0n;
    }),
  pmuBitsAssigned: ({ kvm, target }) =>
    kvm.checkExtension(KVM_CAP.KVM_CAP_ARM_PMU_V3) > 0 &&
    initialised(kvm, target, PMU_V3, vcpu => {
      vcpu.setOneReg(PMCNTENSET_EL0, CYCLE_COUNTER);
      vcpu.setOneReg(PMCNTENSET_EL0, 0n);
      return vcpu.getOneReg(PMCNTENSET_EL0) === 0n;
    }),
  timerControlPlain: ({ kvm, target }) =>
    initialised(kvm, target, 0n, vcpu => {
      vcpu.setOneReg(TIMER_CTL, BEYOND_32_BITS);
      return vcpu.getOneReg(TIMER_CTL) === BEYOND_32_BITS;
    }),
  emptyFilterRefused: ({ kvm }) =>
    withVcpus(
      kvm,
      0,
      ({ vm }) => vm.setDeviceAttr(SMCCC_CTRL, SMCCC_FILTER, new Uint8Array(FILTER_SIZE)) === -ERRNO.EINVAL,
    ),
  clidrNeedsLevel: ({ kvm, target }) =>
    initialised(kvm, target, 0n, vcpu => vcpu.setOneReg(CLIDR_EL1, 0n) === -ERRNO.EINVAL),
};

/** Makes each experiment. */
export function recordBehaviours(host: Host): ProfileBehaviours {
  return Object.fromEntries(
    Object.entries(EXPERIMENTS).map(([name, experiment]) => [name, experiment(host)]),
  ) as unknown as ProfileBehaviours;
}
