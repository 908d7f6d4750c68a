/**
 * Interrupts that a program gives its guest, and what a guest tells it by an eventfd: the part of a VM that has lines.
 *
 * @packageDocumentation
 */
import { checkOptions, checkUnsigned, invalidType, invalidValue } from './abi/argument.ts';
import {
  encodeGsiRoute,
  encodeIrq,
  encodeMsi,
  type GsiRoute,
  INTERRUPT_STRUCT_SIZE,
  KVM_ARM_IRQ_CPU,
  KVM_ARM_IRQ_TYPE,
  KVM_IOEVENTFD_FLAG,
  KVM_IRQFD_FLAG,
  MAX_IRQ_ROUTES,
  MAX_IRQ_VCPU,
  type Msi,
} from './abi/interrupts.ts';
import { AttrResource } from './attributes.ts';
import type { EventFdHandle, VmHandle } from './backend.ts';
import { EventFd } from './event-fd.ts';
import { toU64 } from './resource.ts';

/** An interrupt line, and its level. */
export type IrqLine =
  /** A shared interrupt, 32 and up. */
  | { readonly type: 'spi'; readonly id: number; readonly level: boolean }
  /** A private interrupt of a vCPU, 16 to 31. */
  | { readonly type: 'ppi'; readonly id: number; readonly vcpu: number; readonly level: boolean }
  /** An input of a vCPU, where the VM has no GIC in the kernel. */
  | { readonly type: 'cpu'; readonly id: 'irq' | 'fiq'; readonly vcpu: number; readonly level: boolean };

/** Options of {@link InterruptResource.assignIrqFd}. */
export interface IrqFdOptions {
  /** Signalled when the guest has ended the interrupt, which is then level-triggered. */
  readonly resample?: EventFd | undefined;
}

/** Which writes of a guest signal an eventfd. */
export interface IoEvent {
  /** Guest physical address, where no memory is. */
  readonly physAddr: number | bigint;
  /** Bytes of the write: 1, 2, 4 or 8. Default: any. */
  readonly size?: 1 | 2 | 4 | 8 | undefined;
  /** The value that is written; needs a `size`. Default: any. */
  readonly value?: number | bigint | undefined;
}

const SPI_FIRST = 32;
const PPI_FIRST = 16;
/** 1020 to 1023 are no interrupts (`vgic_valid_spi`, include/kvm/arm_vgic.h). */
const SPI_LAST = 1019;

/** A VM's descriptor with interrupt lines. */
export abstract class InterruptResource extends AttrResource<VmHandle> {
  /**
   * `KVM_IRQ_LINE`: sets the level of a line. Lines of the timers and the PMU are the kernel's once a vCPU has run.
   *
   * @throws KvmError ENXIO: no GIC in the kernel, or for `'cpu'` there is one; EINVAL: no such interrupt or vCPU; EBUSY: the
   * GICv3 is not initialised
   * @example
   * ```ts
   * vm.setIrqLine({ type: 'spi', id: 33, level: true });
   * ```
   */
  setIrqLine(line: IrqLine): void {
    const { handle } = this;
    checkOptions('line', line, ['type', 'id', 'vcpu', 'level'] as never);
    if (typeof line.level !== 'boolean') throw invalidType('level', 'a boolean', line.level);
    this.check('KVM_IRQ_LINE', handle.irqLine(irqOf(line), Number(line.level)));
  }

  /**
   * `KVM_SIGNAL_MSI`: what a device would do by writing to the doorbell of an ITS.
   *
   * @returns 1, or 0 where the guest does not take it
   * @throws KvmError ENODEV, EINVAL: no ITS has this doorbell; as the kernel answers
   */
  signalMsi(msi: Msi): number {
    const { handle } = this;
    return this.check('KVM_SIGNAL_MSI', handle.signalMsi(encodeMsi(checkMsi('msi', msi))));
  }

  /**
   * `KVM_SET_GSI_ROUTING`: which line leads where, all lines at once. Without it GSI n is SPI 32 + n.
   *
   * @throws KvmError EINVAL: a pin that the GIC does not have; others as the kernel answers
   */
  setGsiRouting(routes: readonly GsiRoute[]): void {
    const { handle } = this;
    if (!Array.isArray(routes)) throw invalidType('routes', 'an array of routes', routes);
    checkUnsigned('routes.length', routes.length, MAX_IRQ_ROUTES);
    const size = INTERRUPT_STRUCT_SIZE.kvm_irq_routing_entry;
    const entries = new Uint8Array(size * routes.length);
    for (const [i, route] of (routes as readonly GsiRoute[]).entries()) {
      checkRoute(`routes[${i}]`, route);
      entries.set(encodeGsiRoute(route), size * i);
    }
    this.check('KVM_SET_GSI_ROUTING', handle.setGsiRouting(entries));
  }

  /**
   * `KVM_IRQFD`: each signal of the eventfd is an interrupt of the guest's.
   *
   * @param gsi - the line: SPI 32 + `gsi`, unless {@link setGsiRouting} says otherwise
   * @throws KvmError EAGAIN: the GIC is not initialised; EBUSY: the eventfd has a line already
   */
  assignIrqFd(event: EventFd, gsi: number, options: IrqFdOptions = {}): void {
    const { handle } = this;
    checkOptions('options', options, ['resample']);
    const { resample } = options;
    checkUnsigned('gsi', gsi, 0xffff_ffff);
    const flags = resample === undefined ? 0 : KVM_IRQFD_FLAG.KVM_IRQFD_FLAG_RESAMPLE;
    const resampled = resample && eventHandle('resample', resample);
    this.check('KVM_IRQFD', handle.irqfd(eventHandle('event', event), gsi, flags, resampled));
  }

  /** Ends {@link assignIrqFd}. A line that the eventfd does not have is no error, as in the kernel. */
  deassignIrqFd(event: EventFd, gsi: number): void {
    const { handle } = this;
    checkUnsigned('gsi', gsi, 0xffff_ffff);
    const flags = KVM_IRQFD_FLAG.KVM_IRQFD_FLAG_DEASSIGN;
    this.check('KVM_IRQFD', handle.irqfd(eventHandle('event', event), gsi, flags, undefined));
  }

  /**
   * `KVM_IOEVENTFD`: such writes of the guest signal the eventfd, and are no exits any more.
   *
   * @throws KvmError EEXIST: another has these writes; ENOSPC: too many; EINVAL: not such an access
   */
  assignIoEventFd(event: EventFd, access: IoEvent): void {
    this.#ioEventFd(event, access, 0);
  }

  /**
   * Ends {@link assignIoEventFd} of just this access.
   *
   * @throws KvmError ENOENT: there is none
   */
  deassignIoEventFd(event: EventFd, access: IoEvent): void {
    this.#ioEventFd(event, access, KVM_IOEVENTFD_FLAG.KVM_IOEVENTFD_FLAG_DEASSIGN);
  }

  #ioEventFd(event: EventFd, access: IoEvent, flag: number): void {
    const { handle } = this;
    checkOptions('access', access, ['physAddr', 'size', 'value']);
    const { size = 0, value } = access;
    const physAddr = toU64('physAddr', access.physAddr);
    if (![0, 1, 2, 4, 8].includes(size)) throw invalidValue('size', '1, 2, 4 or 8', size);
    if (value !== undefined && size === 0)
      throw invalidValue('size', '1, 2, 4 or 8, as a value is given', size);
    const match = value === undefined ? 0 : KVM_IOEVENTFD_FLAG.KVM_IOEVENTFD_FLAG_DATAMATCH;
    const data = toU64('value', value ?? 0n);
    const target = eventHandle('event', event);
    this.check('KVM_IOEVENTFD', handle.ioeventfd(target, physAddr, size, flag | match, data));
  }
}

function eventHandle(name: string, event: EventFd): EventFdHandle {
  if (!(event instanceof EventFd))
    throw invalidType(name, 'an EventFd, as kvm.createEventFd() makes it', event);
  return EventFd.handleOf(event);
}

function irqOf(line: IrqLine): number {
  const { KVM_ARM_IRQ_TYPE_SPI, KVM_ARM_IRQ_TYPE_PPI, KVM_ARM_IRQ_TYPE_CPU } = KVM_ARM_IRQ_TYPE;
  switch (line.type) {
    case 'spi':
      checkInterrupt(line.id, SPI_FIRST, SPI_LAST);
      return encodeIrq(KVM_ARM_IRQ_TYPE_SPI, 0, line.id);
    case 'ppi':
      checkInterrupt(line.id, PPI_FIRST, SPI_FIRST - 1);
      checkUnsigned('vcpu', line.vcpu, MAX_IRQ_VCPU);
      return encodeIrq(KVM_ARM_IRQ_TYPE_PPI, line.vcpu, line.id);
    case 'cpu': {
      const { KVM_ARM_IRQ_CPU_IRQ, KVM_ARM_IRQ_CPU_FIQ } = KVM_ARM_IRQ_CPU;
      if (line.id !== 'irq' && line.id !== 'fiq') throw invalidValue('id', "'irq' or 'fiq'", line.id);
      checkUnsigned('vcpu', line.vcpu, MAX_IRQ_VCPU);
      return encodeIrq(
        KVM_ARM_IRQ_TYPE_CPU,
        line.vcpu,
        line.id === 'irq' ? KVM_ARM_IRQ_CPU_IRQ : KVM_ARM_IRQ_CPU_FIQ,
      );
    }
    default:
      throw invalidValue('type', "'spi', 'ppi' or 'cpu'", (line as { type: unknown }).type);
  }
}

function checkInterrupt(id: number, first: number, last: number): void {
  checkUnsigned('id', id, last);
  if (id < first) throw invalidValue('id', `from ${first} to ${last}`, id);
}

function checkMsi(name: string, msi: Msi): Msi {
  checkOptions(name, msi, ['address', 'data', 'deviceId']);
  checkUnsigned(`${name}.data`, msi.data, 0xffff_ffff);
  if (msi.deviceId !== undefined) checkUnsigned(`${name}.deviceId`, msi.deviceId, 0xffff_ffff);
  return { ...msi, address: toU64(`${name}.address`, msi.address) };
}

function checkRoute(name: string, route: GsiRoute): void {
  checkOptions(name, route, ['gsi', 'pin', 'msi'] as never);
  checkUnsigned(`${name}.gsi`, route.gsi, 0xffff_ffff);
  if ('pin' in route) checkUnsigned(`${name}.pin`, route.pin, 0xffff_ffff);
  else checkMsi(`${name}.msi`, route.msi);
}
