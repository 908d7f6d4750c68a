/**
 * Guests of a few words, for what shows only when one runs.
 *
 * @packageDocumentation
 */
import { KVM_ARM_VCPU_CTRL, KVM_ARM_VCPU_PMU_V3 } from '../abi/device-attributes.ts';
import { ERRNO } from '../abi/errno.ts';
import { KVM_RUN_SIZE } from '../abi/exits.ts';
import { coreRegId } from '../abi/register-id.ts';
import { encodeVcpuInit } from '../abi/structs.ts';
import { featureMask, type VcpuFeature } from '../abi/vcpu-features.ts';
import type { KvmHandle, VcpuHandle } from '../backend.ts';
import { ioctlError } from '../errors.ts';
import { losePatience } from '../patience.ts';
import { withVcpus } from './scratch.ts';

/** What an experiment is made on. */
export interface Host {
  readonly kvm: KvmHandle;
  /** A target that KVM_ARM_VCPU_INIT accepts. */
  readonly target: number;
}

/** Where the guest's words are; X2 has an address without memory. */
export const CODE = 0x4000_0000n;
const DEVICE = 0x0900_0000n;
/** str x0, [x2] */
export const STR_X0 = 0xf900_0040;

/** Offsets in `struct kvm_run`. */
export const EXIT_REASON = 8;
export const RUN_FLAGS = 14;
export const MMIO_DATA = 40;

const PC = coreRegId(256);
const X2 = coreRegId(16);
/** Of a memory slot: pages of any size that kernels have. */
const SLOT_BYTES = 65536;

const { KVM_ARM_VCPU_PMU_V3_CTRL: PMU_CTRL } = KVM_ARM_VCPU_CTRL;

/** TypeScript has the types of WebAssembly in its library for browsers only. */
const { WebAssembly } = globalThis as unknown as {
  WebAssembly: { Memory: new (limits: object) => { buffer: SharedArrayBuffer } };
};

/** A guest that can run. */
export interface Guest {
  readonly vcpu: VcpuHandle;
  /** `struct kvm_run`. */
  readonly area: DataView;
  /** Runs it until it leaves. */
  run(): void;
  /** As {@link run}; false where it left because an interrupt line has moved, which the program is told. */
  runTold(): boolean;
  /** Completes its last exit. */
  kick(): void;
  /** Whether it leaves within so many milliseconds; else it is made to. */
  runUntil(milliseconds: number): Promise<boolean>;
}

/**
 * Asks a question of the first vCPU of a new VM, which has these words to run; a second vCPU is off.
 *
 * @param pmu - it has a performance monitor
 */
export function runGuest<Answer>(
  { kvm, target }: Host,
  words: readonly number[],
  ask: (guest: Guest) => Answer,
  pmu = false,
): Answer {
  const features = ['PSCI_0_2', ...(pmu ? (['PMU_V3'] as const) : [])] as const;
  return withVcpus(kvm, 2, ({ vm, vcpus }) => {
    const [vcpu, other] = vcpus as [VcpuHandle, VcpuHandle];
    const ram = new Uint8Array(new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }).buffer);
    ram.set(new Uint8Array(Uint32Array.from(words).buffer));
    const expect = (request: string, result: number) => {
      if (result < 0) throw ioctlError(request, result);
    };
    expect('KVM_SET_USER_MEMORY_REGION', vm.setUserMemoryRegion(0, 0, CODE, ram.subarray(0, SLOT_BYTES)));
    const init = (each: VcpuHandle, has: readonly VcpuFeature[]) =>
      expect('KVM_ARM_VCPU_INIT', each.armVcpuInit(encodeVcpuInit(target, featureMask(has))));
    init(vcpu, features);
    init(other, [...features, 'POWER_OFF']);
    if (pmu)
      expect(
        'KVM_SET_DEVICE_ATTR',
        vcpu.setDeviceAttr(PMU_CTRL, BigInt(KVM_ARM_VCPU_PMU_V3.KVM_ARM_VCPU_PMU_V3_INIT), new Uint8Array(8)),
      );
    expect('KVM_SET_ONE_REG', vcpu.setOneReg(PC, CODE));
    expect('KVM_SET_ONE_REG', vcpu.setOneReg(X2, DEVICE));
    const bytes = new Uint8Array(KVM_RUN_SIZE);
    return ask({
      vcpu,
      area: new DataView(bytes.buffer),
      run: () => expect('KVM_RUN', vcpu.run(bytes)),
      runTold() {
        const result = vcpu.run(bytes);
        if (result !== -ERRNO.EINTR) expect('KVM_RUN', result);
        return result >= 0;
      },
      kick: () => {
        vcpu.kick();
        vcpu.run(bytes);
      },
      runUntil: milliseconds =>
        new Promise(resolve => {
          let isLate = false;
          const stop = losePatience(milliseconds, () => {
            isLate = true;
            vcpu.kick();
          });
          vcpu.start(bytes, () => {
            stop();
            resolve(!isLate);
          });
        }),
    });
  });
}
