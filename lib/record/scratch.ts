/**
 * VMs for one question, closed when it is answered.
 *
 * @packageDocumentation
 */
import { encodeVcpuInit } from '../abi/structs.ts';
import type { KvmHandle, Result, VcpuHandle, VmHandle } from '../backend.ts';
import { ioctlError } from '../errors.ts';

/** A VM with vCPUs numbered from 0. */
export interface Scratch {
  readonly vm: VmHandle;
  readonly vcpus: readonly VcpuHandle[];
}

/**
 * Asks a question of a new VM with a number of vCPUs, which may take its time.
 *
 * @param prepare - what the VM needs before it has vCPUs, and each vCPU before the next one is created
 */
export function withVcpus<Answer>(
  kvm: KvmHandle,
  count: number,
  ask: (scratch: Scratch) => Answer,
  prepare: { readonly vm?: ((vm: VmHandle) => void) | undefined; vcpu?(vcpu: VcpuHandle): void } = {},
): Answer {
  const vm = expectHandle('KVM_CREATE_VM', kvm.createVm(0n));
  const vcpus: VcpuHandle[] = [];
  const close = () => {
    for (const vcpu of vcpus) vcpu.close();
    vm.close();
  };
  let isPromise = false;
  try {
    prepare.vm?.(vm);
    for (let id = 0; id < count; id++) {
      const vcpu = expectHandle('KVM_CREATE_VCPU', vm.createVcpu(id));
      vcpus.push(vcpu);
      prepare.vcpu?.(vcpu);
    }
    const answer = ask({ vm, vcpus });
    isPromise = answer instanceof Promise;
    return isPromise ? ((answer as Promise<unknown>).finally(close) as Answer) : answer;
  } finally {
    if (!isPromise) close();
  }
}

/** Asks a question of the only vCPU of a new VM, initialised. */
export function initialised<Answer>(
  kvm: KvmHandle,
  target: number,
  features: bigint,
  ask: (vcpu: VcpuHandle) => Answer,
): Answer {
  return withVcpus(kvm, 1, ({ vcpus }) => {
    const [vcpu] = vcpus as [VcpuHandle];
    const result = vcpu.armVcpuInit(encodeVcpuInit(target, features));
    if (result < 0) throw ioctlError('KVM_ARM_VCPU_INIT', result);
    return ask(vcpu);
  });
}

function expectHandle<Handle>(request: string, handle: Handle | number): Handle {
  if (typeof handle === 'number') throw ioctlError(request, handle);
  return handle;
}

/** The value of a register that every vCPU has. */
export function expectValue(value: bigint | Result): bigint {
  if (typeof value === 'number')
    throw new Error(`a register that every vCPU has cannot be read: errno ${-value}`);
  return value;
}
