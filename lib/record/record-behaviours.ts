/**
 * What kernels do differently and no value tells: one small experiment on scratch vCPUs for each behaviour of a profile.
 *
 * @packageDocumentation
 */
import { ERRNO } from '../abi/errno.ts';
import { CORE_PSTATE, coreRegId, firmwareRegId, sysRegId } from '../abi/register-id.ts';
import { encodeVcpuInit, STRUCT_SIZE } from '../abi/structs.ts';
import { KVM_ARM_VCPU } from '../abi/vcpu-features.ts';
import type { KvmHandle, VcpuHandle } from '../backend.ts';
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

const AARCH32_USER = 0x10n;
const ID_AA64PFR1_EL1 = sysRegId(3, 0, 0, 4, 1);
const CLIDR_EL1 = sysRegId(3, 1, 0, 0, 1);
/** Level of coherence 1, and 2. */
const CLIDR_LEVELS = [0x0120_0000n, 0x0220_0000n];
const PMCR_EL0 = sysRegId(3, 3, 9, 12, 0);
/** A register that is none of the banked ones of AArch32's supervisor mode, in which a 32-bit vCPU starts: R14_abt. */
const X20 = coreRegId(8 * 20);
/** Of 64; a PMU has no use for it in PMCR_EL0. */
const HIGHEST_BIT = 1n << 63n;

function feature(name: keyof typeof KVM_ARM_VCPU): bigint {
  return 1n << BigInt(KVM_ARM_VCPU[name]);
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
      return other!.armVcpuInit(encodeVcpuInit(target, feature('KVM_ARM_VCPU_PSCI_0_2'))) === 0;
    }),
  widthOfAllVcpus: host =>
    ifAccepted(host, feature('KVM_ARM_VCPU_EL1_32BIT'), false, () =>
      withVcpus(
        host.kvm,
        2,
        ({ vcpus: [vcpu] }) =>
          vcpu!.armVcpuInit(encodeVcpuInit(host.target, feature('KVM_ARM_VCPU_EL1_32BIT'))) === -ERRNO.EINVAL,
      ),
    ),
  vmAttributes: ({ kvm }) => withVcpus(kvm, 0, ({ vm }) => vm.hasDeviceAttr(0, 0n) === 0),
  rawPmu: host =>
    ifAccepted(host, feature('KVM_ARM_VCPU_PMU_V3'), false, vcpu => {
      vcpu.setOneReg(PMCR_EL0, HIGHEST_BIT);
      return expectValue(vcpu.getOneReg(PMCR_EL0)) === HIGHEST_BIT;
    }),
  bankedNarrowing: host =>
    ifAccepted(host, feature('KVM_ARM_VCPU_EL1_32BIT'), false, vcpu => {
      vcpu.setOneReg(X20, HIGHEST_BIT);
      return expectValue(vcpu.getOneReg(X20)) === HIGHEST_BIT;
    }),
};

/** Makes each experiment. */
export function recordBehaviours(host: Host): ProfileBehaviours {
  return Object.fromEntries(
    Object.entries(EXPERIMENTS).map(([name, experiment]) => [name, experiment(host)]),
  ) as unknown as ProfileBehaviours;
}
