/**
 * Guests that do nothing but access their GIC, some instructions at a time, and a program that moves lines and has attributes
 * in between: what each answered. Programs are made here, straight on.
 */
import { KVM_DEV_ARM_VGIC_GRP, KVM_VGIC_ADDR_TYPE } from '#lib/abi/device-attributes.js';
import { encodeIrqLevel } from '#lib/abi/interrupts.js';
import { KVM_IOCTL } from '#lib/abi/ioctls.js';
import type { Device } from '#lib/device.js';
import { KvmError } from '#lib/errors.js';
import type { Kvm } from '#lib/kvm.js';
import type { Vcpu } from '#lib/vcpu.js';
import type { Vm } from '#lib/vm.js';

/** One instruction of a guest. */
export type Op =
  | {
      readonly kind: 'load' | 'store';
      readonly bytes: 1 | 2 | 4 | 8;
      readonly address: number;
      readonly value: bigint;
    }
  | { readonly kind: 'mrs' | 'msr'; readonly encoding: number; readonly value: bigint };

/** Where the frames are. */
export const PLACES = { GICD: 0x0800_0000, GICC: 0x0801_0000, GICR: 0x080a_0000 } as const;

export interface GicGuestOptions {
  readonly model: 2 | 3;
  readonly cpus?: number;
  /** Default: 96. */
  readonly irqs?: number;
}

const RAM = 0x4000_0000;
const SIZE = 0x10_0000;
/** Operands and results, behind the code. */
const LISTS = 0x8_0000;
const VECTORS = 0xf_f000;
/** Nothing is there. */
const REPORT = 0x0900_0000;

// X1 and X2 are an access's address and value, X0 its result; X20 the list, X21 REPORT, X22 what to run next.
const FETCH = [0xa8c1_0a81, 0xaa02_03e0]; // ldp x1, x2, [x20], #16; mov x0, x2
const KEEP = 0xf81f_8280; // stur x0, [x20, #-8]
const GO = 0xd61f_02c0; // br x22
const END = [0xf900_02bf, GO]; // str xzr, [x21]; br x22
/** mrs x0, esr_el1; mrs x10, elr_el1; add x10, x10, #4; msr elr_el1, x10; eret */
const SKIP = [0xd538_5200, 0xd538_402a, 0x9100_114a, 0xd518_402a, 0xd69f_03e0];
const LOAD = { 1: 0x3940_0020, 2: 0x7940_0020, 4: 0xb940_0020, 8: 0xf940_0020 } as const;
const STORE = { 1: 0x3900_0022, 2: 0x7900_0022, 4: 0xb900_0022, 8: 0xf900_0022 } as const;

function instruction(op: Op): number {
  switch (op.kind) {
    case 'load':
      return LOAD[op.bytes];
    case 'store':
      return STORE[op.bytes];
    case 'mrs':
      return 0xd530_0000 | ((op.encoding & 0x7fff) << 5);
    case 'msr':
      return 0xd510_0000 | ((op.encoding & 0x7fff) << 5) | 2;
  }
}

/** The newest GIC of a host. */
export function modelOf(kvm: Kvm): 2 | 3 {
  const vm = kvm.createVm();
  const model = vm.canCreateDevice('ARM_VGIC_V3') ? 3 : 2;
  vm.close();
  return model;
}

const bytesOf = (value: bigint, bytes: number) =>
  new Uint8Array(BigUint64Array.of(value).buffer).slice(0, bytes);

/** 0, or the negative errno of a call that is refused. */
export function resultOf(call: () => unknown): number {
  try {
    call();
    return 0;
  } catch (error) {
    if (error instanceof KvmError && error.errno !== undefined) return error.errno;
    throw error;
  }
}

export class GicGuest {
  readonly vm: Vm;
  readonly vcpus: readonly Vcpu[];
  readonly gic: Device;
  readonly #view: DataView;
  #code = 4;
  #list = LISTS;

  /** The GIC is placed, and not initialised. */
  constructor(kvm: Kvm, { model, cpus = 2, irqs = 96 }: GicGuestOptions) {
    this.vm = kvm.createVm();
    const { bytes } = this.vm.addMemory({ guestPhysAddr: RAM, size: SIZE });
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#put(0, [GO]);
    this.#put(VECTORS + 0x200, SKIP);
    this.vcpus = Array.from({ length: cpus }, (_, id) => {
      const vcpu = this.vm.createVcpu(id);
      vcpu.init();
      vcpu.setOneReg('PC', BigInt(RAM));
      vcpu.setOneReg('VBAR_EL1', BigInt(RAM + VECTORS));
      vcpu.setOneReg('X21', BigInt(REPORT));
      return vcpu;
    });
    this.gic = this.vm.createDevice(model === 2 ? 'ARM_VGIC_V2' : 'ARM_VGIC_V3');
    this.gic.setU32(KVM_DEV_ARM_VGIC_GRP.KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, irqs);
    const place = (type: number, at: number) =>
      this.gic.setU64(KVM_DEV_ARM_VGIC_GRP.KVM_DEV_ARM_VGIC_GRP_ADDR, type, BigInt(at));
    if (model === 2) {
      place(KVM_VGIC_ADDR_TYPE.KVM_VGIC_V2_ADDR_TYPE_DIST, PLACES.GICD);
      place(KVM_VGIC_ADDR_TYPE.KVM_VGIC_V2_ADDR_TYPE_CPU, PLACES.GICC);
    } else {
      place(KVM_VGIC_ADDR_TYPE.KVM_VGIC_V3_ADDR_TYPE_DIST, PLACES.GICD);
      place(KVM_VGIC_ADDR_TYPE.KVM_VGIC_V3_ADDR_TYPE_REDIST, PLACES.GICR);
    }
  }

  init(): void {
    this.gic.setDeviceAttr(KVM_DEV_ARM_VGIC_GRP.KVM_DEV_ARM_VGIC_GRP_CTRL, 0);
  }

  #put(offset: number, words: readonly number[]): void {
    for (const [i, word] of words.entries()) this.#view.setUint32(offset + 4 * i, word, true);
  }

  /**
   * Puts accesses into memory, each place of which is written once: no cache has to be told of new code.
   *
   * @returns has the vCPU make them: what each read, an MSR or a store the value that it had, one that raised an exception
   * ESR_EL1
   */
  prepare(cpu: number, ops: readonly Op[]): () => bigint[] {
    const [code, list] = [this.#code, this.#list];
    const words = [...ops.flatMap(op => [...FETCH, instruction(op), KEEP]), ...END];
    this.#put(code, words);
    for (const [i, op] of ops.entries()) {
      this.#view.setBigUint64(list + 16 * i, BigInt('address' in op ? op.address : 0), true);
      this.#view.setBigUint64(list + 16 * i + 8, op.value, true);
    }
    this.#code += 4 * words.length;
    this.#list += 16 * ops.length;
    return () => {
      const vcpu = this.vcpus[cpu]!;
      vcpu.setOneReg('X20', BigInt(RAM + list));
      vcpu.setOneReg('X22', BigInt(RAM + code));
      const exit = vcpu.runSync();
      if (exit.reason !== 'MMIO' || exit.physAddr !== BigInt(REPORT))
        throw new Error(`the guest of CPU ${cpu} ended by ${exit.reason}`);
      return ops.map((_, i) => this.#view.getBigUint64(list + 16 * i + 8, true));
    };
  }

  run(cpu: number, ...ops: readonly Op[]): bigint[] {
    return this.prepare(cpu, ops)();
  }

  /** KVM_IRQ_LINE, of anything. */
  line(irq: number, level: number): number {
    return resultOf(() => this.vm.ioctl(KVM_IOCTL.KVM_IRQ_LINE, encodeIrqLevel(irq, level)));
  }

  setAttr(group: number, attr: bigint, value: bigint, bytes: 4 | 8): number {
    return resultOf(() => this.gic.setDeviceAttr(group, attr, bytesOf(value, bytes)));
  }

  getAttr(group: number, attr: bigint, bytes: 4 | 8): bigint | number {
    let value = 0n;
    const result = resultOf(() => {
      const data = this.gic.getDeviceAttr(group, attr, bytes);
      value = bytes === 4 ? BigInt(viewOf(data).getUint32(0, true)) : viewOf(data).getBigUint64(0, true);
    });
    return result < 0 ? result : value;
  }
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
