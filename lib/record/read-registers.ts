/**
 * Vcpus to record from, and their values.
 *
 * @packageDocumentation
 */
import { wordOffsets } from '../abi/register-id.ts';
import { encodeVcpuInit } from '../abi/structs.ts';
import { KVM_ARM_VCPU } from '../abi/vcpu-features.ts';
import type { KvmHandle, VcpuHandle, VmHandle } from '../backend.ts';
import { withVcpus } from './scratch.ts';

/** Two vCPUs of a VM, ready to be asked. */
export interface Subjects {
  readonly vcpu: VcpuHandle;
  readonly other: VcpuHandle;
  /** Initialises the first one again. */
  init(): void;
}

/**
 * Asks a question of two new vCPUs with these features, initialised and finalized.
 *
 * @param prepare - what the VM needs before it has vCPUs
 */
export function withFeatures<Answer>(
  kvm: KvmHandle,
  target: number,
  features: number,
  ask: (subjects: Subjects) => Answer,
  prepare?: (vm: VmHandle) => void,
): Answer {
  // The kernel takes POWER_OFF out of the struct, so each call gets its own.
  const init = (one: VcpuHandle) => one.armVcpuInit(encodeVcpuInit(target, BigInt(features)));
  return withVcpus(
    kvm,
    2,
    ({ vcpus }) => {
      const [vcpu, other] = vcpus as [VcpuHandle, VcpuHandle];
      return ask({ vcpu, other, init: () => void init(vcpu) });
    },
    {
      vm: prepare,
      // One after the other: for Linux 5.10 a vCPU that was not initialised is a 64-bit one.
      vcpu(vcpu) {
        init(vcpu);
        if ((features >> KVM_ARM_VCPU.KVM_ARM_VCPU_SVE) & 1)
          vcpu.armVcpuFinalize(KVM_ARM_VCPU.KVM_ARM_VCPU_SVE);
      },
    },
  );
}

/** The list of a vCPU that has one. */
export function listRegisters(vcpu: VcpuHandle): bigint[] {
  const list = vcpu.getRegList();
  if (typeof list === 'number') throw new Error(`KVM_GET_REG_LIST fails with errno ${-list}`);
  return [...list];
}

/** The value of each register, undefined where it cannot be read. */
export function readEach(vcpu: VcpuHandle, ids: readonly bigint[]): (bigint | undefined)[] {
  const asked = BigUint64Array.from(ids);
  const starts = wordOffsets(asked);
  const words = new BigUint64Array(starts[ids.length]!);
  const status = new Int32Array(ids.length);
  vcpu.getRegs(asked, words, status);
  return ids.map((_, i) => {
    if (status[i] !== 0) return undefined;
    let value = 0n;
    for (let word = starts[i + 1]! - 1; word >= starts[i]!; word--) value = (value << 64n) | words[word]!;
    return value;
  });
}

/** The values of those registers that can be read. */
export function readAll(vcpu: VcpuHandle, ids: readonly bigint[]): Map<bigint, bigint> {
  const values = readEach(vcpu, ids);
  return new Map(
    ids.flatMap((id, i) => {
      const value = values[i];
      return value === undefined ? [] : [[id, value] as const];
    }),
  );
}
