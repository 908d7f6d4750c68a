/**
 * What the contract's cases have in common. Nothing here knows a runner or a backend, so that the same files judge the
 * emulated host and a real kernel in the lab.
 *
 * The host under test is the one that is emulated by default: Linux 6.12 on a Neoverse N1 (QEMU, GICv3, no SVE, no
 * pointer authentication). Where a value belongs to that CPU rather than to KVM, the test says so.
 */
import assert from 'node:assert/strict';
import { KvmError } from '#lib/errors.js';
import type { Kvm } from '#lib/kvm.js';
import type { Vcpu, VcpuInitOptions } from '#lib/vcpu.js';
import type { Vm } from '#lib/vm.js';

type Open = () => Kvm;

/** Runs a case with a fresh Kvm, and closes it. */
export function withKvm(open: Open, use: (kvm: Kvm) => void): void {
  const kvm = open();
  try {
    use(kvm);
  } finally {
    kvm.close();
  }
}

/** Runs a case with a fresh VM. */
export function withVm(open: Open, use: (vm: Vm) => void): void {
  withKvm(open, kvm => use(kvm.createVm()));
}

/** Runs a case with vCPU 0 of a fresh VM, not initialised. */
export function withNewVcpu(open: Open, use: (vcpu: Vcpu) => void): void {
  withVm(open, vm => use(vm.createVcpu(0)));
}

/** Runs a case with vCPU 0 of a fresh VM, initialised with these features. */
export function withVcpu(
  open: Open,
  features: NonNullable<VcpuInitOptions['features']>,
  use: (vcpu: Vcpu) => void,
): void {
  withNewVcpu(open, vcpu => {
    vcpu.init({ features });
    use(vcpu);
  });
}

/** Another vCPU of the same VM, initialised with these features. */
export function sibling({ vm }: Vcpu, id: number, features: NonNullable<VcpuInitOptions['features']>): Vcpu {
  const vcpu = vm.createVcpu(id);
  vcpu.init({ features });
  return vcpu;
}

/** asm-generic/errno-base.h, as far as this host uses it. */
const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  EIO: 5,
  ENXIO: 6,
  E2BIG: 7,
  ENOEXEC: 8,
  EAGAIN: 11,
  EBUSY: 16,
  EEXIST: 17,
  ENODEV: 19,
  EINVAL: 22,
} as const;

/** The errors that this host gives. */
export type Code = keyof typeof ERRNO;

function thrownBy(call: () => unknown, expectation: string): unknown {
  let result: unknown;
  try {
    result = call();
  } catch (error) {
    return error;
  }
  assert.fail(`expected ${expectation}, but it returned ${String(result)}`);
}

/** The kernel must refuse this call: checks all that the error says, and returns it. */
export function refused(code: Code, request: string, call: () => unknown, register?: bigint): KvmError {
  const error = thrownBy(call, `${code} of ${request}`);
  assert.ok(error instanceof KvmError, `expected ${code} of ${request}, but it threw ${String(error)}`);
  const { code: actual, errno, syscall, request: asked } = error;
  assert.deepEqual(
    { code: actual, errno, syscall, request: asked, register: error.register?.id },
    { code, errno: -ERRNO[code], syscall: 'ioctl', request, register },
  );
  return error;
}

/** The kernel must refuse this call, whatever request it is. */
export function refuses(call: () => unknown, code: Code): void {
  assert.throws(call, { name: 'KvmError', code, errno: -ERRNO[code] });
}

/** KVM_GET_ONE_REG must be refused. */
export function refusesGet(code: Code, vcpu: Vcpu, id: bigint): KvmError {
  return refused(code, 'KVM_GET_ONE_REG', () => vcpu.getOneReg(id), id);
}

/** KVM_SET_ONE_REG must be refused. */
export function refusesSet(code: Code, vcpu: Vcpu, id: bigint, value: bigint): KvmError {
  return refused(code, 'KVM_SET_ONE_REG', () => vcpu.setOneReg(id, value), id);
}

/** The value must be accepted and read back. */
export function stores(vcpu: Vcpu, id: bigint, value: bigint): void {
  vcpu.setOneReg(id, value);
  assert.equal(vcpu.getOneReg(id), value);
}

/** The library must refuse an argument before the kernel is asked: Node's error with Node's code. */
export function rejects(
  code: 'ERR_INVALID_ARG_TYPE' | 'ERR_INVALID_ARG_VALUE' | 'ERR_OUT_OF_RANGE',
  call: () => unknown,
): Error {
  const error = thrownBy(call, code);
  const wanted = code === 'ERR_OUT_OF_RANGE' ? RangeError : TypeError;
  assert.ok(error instanceof wanted, `expected a ${wanted.name}, but it threw ${String(error)}`);
  assert.equal((error as Error & { code?: string }).code, code);
  return error;
}

/** Calls a function with what its types forbid, as JavaScript may. */
export function untyped(value: unknown): never {
  return value as never;
}
