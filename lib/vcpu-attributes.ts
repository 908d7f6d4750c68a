/**
 * What of a vCPU is set by device attributes: its PMU, its timers' interrupts, and where its guest finds its stolen time
 * (Documentation/virt/kvm/devices/vcpu.rst).
 *
 * @packageDocumentation
 */
import { checkOptions, checkUnsigned, invalidType, outOfRange } from './abi/argument.ts';
import {
  encodePmuFilter,
  KVM_ARM_VCPU_CTRL,
  KVM_ARM_VCPU_PMU_V3,
  KVM_ARM_VCPU_PVTIME_IPA,
  KVM_ARM_VCPU_TIMER,
  type PmuEventRange,
} from './abi/device-attributes.ts';
import { ERRNO } from './abi/errno.ts';
import { AttrResource } from './attributes.ts';
import type { VcpuHandle } from './backend.ts';
import { hintFor } from './hints.ts';
import { toU64 } from './resource.ts';
import type { Vm } from './vm.ts';

/** Options of {@link VcpuAttributes.initPmu}. */
export interface PmuOptions {
  /** Its overflow interrupt at the GIC: a PPI (16 to 31), the same on all vCPUs, or an SPI of its own. Default: none. */
  readonly irq?: number | undefined;
  /** Which events may be counted (Linux 5.10+); the first range decides about all others. For the whole VM. Default: all. */
  readonly filter?: readonly PmuEventRange[] | undefined;
}

/** The PPIs of a VM's timers, 16 to 31. */
export interface TimerIrqs {
  /** Default of the kernel: 27. */
  readonly virtual?: number | undefined;
  /** Default of the kernel: 30. */
  readonly physical?: number | undefined;
}

const { KVM_ARM_VCPU_PMU_V3_CTRL, KVM_ARM_VCPU_TIMER_CTRL, KVM_ARM_VCPU_PVTIME_CTRL } = KVM_ARM_VCPU_CTRL;

/** A vCPU's descriptor with the attributes that vCPUs have. */
export abstract class VcpuAttributes extends AttrResource<VcpuHandle> {
  /** The VM that it belongs to. */
  abstract readonly vm: Vm;
  #pmu: PmuOptions | undefined;

  /**
   * Sets the PMU up and initialises it: once, with the feature `PMU_V3`, before the first run. With a GIC, {@link Gic.init}
   * comes first, and an `irq` is needed; without one, none can be had.
   *
   * @throws KvmError `ERR_GIC_NOT_READY`: the GIC is not initialised; ENODEV: the vCPU has no PMU; ENXIO: a GIC, and no `irq`; EBUSY: done
   * already; EINVAL: an interrupt that cannot be; ENXIO with an `irq`: no GIC
   * @example
   * ```ts
   * vcpu.initPmu({ irq: 23 });
   * ```
   */
  initPmu(options: PmuOptions = {}): void {
    const { handle } = this;
    checkOptions('options', options, ['irq', 'filter']);
    const { irq, filter = [] } = options;
    if (!Array.isArray(filter)) throw invalidType('filter', 'an array of { base, count, action }', filter);
    const structs = Array.from(filter as readonly PmuEventRange[], (range, i) => {
      checkOptions(`filter[${i}]`, range, ['base', 'count', 'action']);
      return encodePmuFilter(range);
    });
    if (irq !== undefined) checkUnsigned('irq', irq, 1019);
    // The kernel would take the interrupt, refuse the rest, and then never take it again.
    this.vm.gic?.checkInitialized();
    const set = (attr: keyof typeof KVM_ARM_VCPU_PMU_V3, data = new Uint8Array(0)) => {
      const result = handle.setDeviceAttr(KVM_ARM_VCPU_PMU_V3_CTRL, BigInt(KVM_ARM_VCPU_PMU_V3[attr]), data);
      this.check('KVM_SET_DEVICE_ATTR', result, { hint: hintFor('KVM_ARM_VCPU_PMU_V3_CTRL', result) });
    };
    for (const struct of structs) set('KVM_ARM_VCPU_PMU_V3_FILTER', struct);
    if (irq !== undefined) set('KVM_ARM_VCPU_PMU_V3_IRQ', int(irq));
    set('KVM_ARM_VCPU_PMU_V3_INIT');
    this.#pmu = { irq, filter: [...filter] };
  }

  /** What {@link initPmu} was given, as the kernel does not tell; undefined before. Kept after close. */
  get pmu(): PmuOptions | undefined {
    return this.#pmu;
  }

  /** The PPIs of the timers, which all vCPUs of the VM have. */
  getTimerIrqs(): Readonly<Record<keyof TimerIrqs, number>> {
    const get = (attr: keyof typeof KVM_ARM_VCPU_TIMER) =>
      Buffer.from(this.getDeviceAttr(KVM_ARM_VCPU_TIMER_CTRL, KVM_ARM_VCPU_TIMER[attr], 4)).readInt32LE();
    return {
      virtual: get('KVM_ARM_VCPU_TIMER_IRQ_VTIMER'),
      physical: get('KVM_ARM_VCPU_TIMER_IRQ_PTIMER'),
    };
  }

  /**
   * Sets the PPIs of the timers, for all vCPUs of the VM, before the first run.
   *
   * @throws KvmError EINVAL: the VM has no GIC; EBUSY: a vCPU has run; both timers on one is found at the first run
   */
  setTimerIrqs(irqs: TimerIrqs): void {
    checkOptions('irqs', irqs, ['virtual', 'physical']);
    const { virtual, physical } = irqs;
    // Both before either is set.
    for (const [name, irq] of Object.entries({ virtual, physical })) {
      if (irq === undefined) continue;
      checkUnsigned(name, irq, 31);
      if (irq < 16) throw outOfRange(name, 'a PPI, from 16 to 31', irq);
    }
    const set = (attr: keyof typeof KVM_ARM_VCPU_TIMER, irq: number | undefined) => {
      if (irq !== undefined) this.setDeviceAttr(KVM_ARM_VCPU_TIMER_CTRL, KVM_ARM_VCPU_TIMER[attr], int(irq));
    };
    set('KVM_ARM_VCPU_TIMER_IRQ_VTIMER', virtual);
    set('KVM_ARM_VCPU_TIMER_IRQ_PTIMER', physical);
  }

  /**
   * Where the guest is told of its stolen time (`PV_TIME_ST`): 64 bytes of its memory.
   *
   * @param guestPhysAddr - a multiple of 64
   * @throws KvmError EINVAL: not so, or no memory is there; EEXIST: it was set; ENXIO: the host does not measure it
   */
  setPvTime(guestPhysAddr: number | bigint): void {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, toU64('guestPhysAddr', guestPhysAddr), true);
    this.setDeviceAttr(KVM_ARM_VCPU_PVTIME_CTRL, KVM_ARM_VCPU_PVTIME_IPA, bytes);
  }

  /** Where {@link setPvTime} said; undefined where nothing was said, or the host does not measure it. */
  getPvTime(): bigint | undefined {
    const bytes = new Uint8Array(8);
    const attr = BigInt(KVM_ARM_VCPU_PVTIME_IPA);
    const result = this.handle.getDeviceAttr(KVM_ARM_VCPU_PVTIME_CTRL, attr, bytes);
    if (result === -ERRNO.ENXIO) return undefined;
    this.check('KVM_GET_DEVICE_ATTR', result);
    const address = new DataView(bytes.buffer).getBigUint64(0, true);
    return address === INVALID_GPA ? undefined : address;
  }
}

/** No address (linux/kvm_types.h). */
const INVALID_GPA = 0xffff_ffff_ffff_ffffn;

function int(value: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value, true);
  return bytes;
}
