/**
 * What kernels do differently and no value tells: one small experiment on scratch vCPUs for each behaviour of a profile.
 *
 * @packageDocumentation
 */
import { ERRNO } from '../abi/errno.ts';
import { CORE_PSTATE, firmwareRegId, sysRegId } from '../abi/register-id.ts';
import { STRUCT_SIZE } from '../abi/structs.ts';
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

const AARCH32_USER = 0x10n;
const ID_AA64PFR1_EL1 = sysRegId(3, 0, 0, 4, 1);
const CLIDR_EL1 = sysRegId(3, 1, 0, 0, 1);

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
  clidrNeedsLevel: ({ kvm, target }) =>
    initialised(kvm, target, 0n, vcpu => vcpu.setOneReg(CLIDR_EL1, 0n) === -ERRNO.EINVAL),
};

/** Makes each experiment. */
export function recordBehaviours(host: Host): ProfileBehaviours {
  return Object.fromEntries(
    Object.entries(EXPERIMENTS).map(([name, experiment]) => [name, experiment(host)]),
  ) as unknown as ProfileBehaviours;
}
