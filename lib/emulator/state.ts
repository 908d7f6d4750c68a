/**
 * What an emulated VM and vCPU remember. The kernel's names where it has them (`struct kvm_arch`,
 * `struct kvm_vcpu_arch`).
 *
 * @packageDocumentation
 */
import type { Configuration, HostModel } from './model.ts';

/** The state of a VM. */
export interface VmState {
  readonly host: HostModel;
  /** Features of the first vCPU that was initialised: all others must have the same. */
  configuration: Configuration | undefined;
  /** Values of VM-wide registers, by cell; filled by the first init. */
  cells: bigint[];
  /** KVM_REG_ARM_PSCI_VERSION as it was set; 0 while it was not. */
  psciVersion: bigint;
  /** PMCR_EL0.N, VM-wide. */
  pmcrN: bigint;
  /** What the guest's virtual and physical counters lag behind the host's, in ticks. */
  voffset: bigint;
  poffset: bigint;
  /** KVM_ARM_SET_COUNTER_OFFSET was used: from then on writes of the counters are ignored. */
  counterOffsetSet: boolean;
  /** Ranges of the SMCCC filter; undefined until the first one is installed. */
  smcccFilter: { readonly start: number; readonly end: number }[] | undefined;
  /** KVM_CAP_ARM_EAGER_SPLIT_CHUNK_SIZE */
  eagerSplitChunkSize: bigint;
  /** Bytes of each vCPU's dirty ring; 0: none. */
  dirtyRingSize: number;
  readonly vcpuIds: Set<number>;
}

/** The state of a vCPU. */
export interface VcpuState {
  readonly vm: VmState;
  readonly id: number;
  /** Undefined until KVM_ARM_VCPU_INIT. */
  configuration: Configuration | undefined;
  /** Register values, by cell. */
  cells: bigint[];
  mpState: number;
  /** The pending SError's syndrome (VSESR_EL2); undefined: none is pending. */
  serror: bigint | undefined;
  /** The PMU was initialised (KVM_ARM_VCPU_PMU_V3_INIT). */
  pmuCreated: boolean;
}
