/**
 * Interrupt lines by number (GSI), where each leads, and the eventfds that raise them (virt/kvm/irqchip.c, eventfd.c;
 * arch/arm64/kvm/vgic/vgic-irqfd.c).
 *
 * @packageDocumentation
 */
import { ERRNO } from '../../abi/errno.ts';
import {
  INTERRUPT_STRUCT_SIZE,
  KVM_IRQ_ROUTING,
  KVM_IRQFD_FLAG,
  KVM_MSI_VALID_DEVID,
  MAX_IRQ_ROUTES,
} from '../../abi/interrupts.ts';
import type { Result } from '../../backend.ts';
import type { EmulatedEventFd } from '../event-fd.ts';
import { NR_PRIVATE_IRQS } from '../intids.ts';
import type { Gic } from './gic.ts';

/** Pins of the one chip (`KVM_IRQCHIP_NUM_PINS`). */
const NR_PINS = 1020 - NR_PRIVATE_IRQS;

/** Where a line leads: to a pin, or to a message that nobody takes. */
type Routes = ReadonlyMap<number, number | 'msi'>;

/** An eventfd with a line. */
interface Irqfd {
  readonly event: EmulatedEventFd;
  readonly gsi: number;
  readonly resample: EmulatedEventFd | undefined;
  readonly release: () => void;
}

export interface Irqfds {
  setDefaultRouting(): void;
  setRouting(entries: Uint8Array): Result;
  change(event: EmulatedEventFd, gsi: number, flags: number, resample: EmulatedEventFd | undefined): Result;
  /** The guest has ended the interrupt of a pin. */
  acknowledged(pin: number): void;
}

export function makeIrqfds(gic: Gic): Irqfds {
  return new IrqfdTable(gic);
}

class IrqfdTable implements Irqfds {
  readonly #gic: Gic;
  #routes: Routes = new Map();
  #irqfds: Irqfd[] = [];

  constructor(gic: Gic) {
    this.#gic = gic;
  }

  setDefaultRouting(): void {
    this.#routes = new Map(Array.from({ length: this.#gic.nrSpis }, (_, n) => [n, n]));
  }

  setRouting(entries: Uint8Array): Result {
    const routes = decodeRouting(entries);
    if (typeof routes === 'number') return routes;
    this.#routes = routes;
    return 0;
  }

  change(event: EmulatedEventFd, gsi: number, flags: number, resample: EmulatedEventFd | undefined): Result {
    const { KVM_IRQFD_FLAG_DEASSIGN } = KVM_IRQFD_FLAG;
    return (flags & KVM_IRQFD_FLAG_DEASSIGN) !== 0
      ? this.#deassign(event, gsi)
      : this.#assign(event, gsi, resample);
  }

  #assign(event: EmulatedEventFd, gsi: number, resample: EmulatedEventFd | undefined): Result {
    if (!this.#gic.initialized) return -ERRNO.EAGAIN;
    if (!event.isOpen || resample?.isOpen === false) return -ERRNO.EBADF;
    if (this.#irqfds.some(irqfd => irqfd.event === event)) return -ERRNO.EBUSY;
    const drains = this.#gic.vm.host.profile.gics?.irqfdDrains !== false;
    const release = event.consume({ drains, onSignal: () => this.#move(gsi, true) });
    this.#irqfds.push({ event, gsi, resample, release });
    // What was signalled before stays counted, and is a pulse (`irqfd_inject`).
    if (event.isSignalled) {
      this.#move(gsi, true);
      if (resample === undefined) this.#move(gsi, false);
    }
    return 0;
  }

  #deassign(event: EmulatedEventFd, gsi: number): Result {
    if (!event.isOpen) return -ERRNO.EBADF;
    const isIt = (irqfd: Irqfd) => irqfd.event === event && irqfd.gsi === gsi;
    for (const irqfd of this.#irqfds.filter(isIt)) irqfd.release();
    this.#irqfds = this.#irqfds.filter(irqfd => !isIt(irqfd));
    return 0;
  }

  /** Moves a line. A signal raises one that is then not lowered, unless its interrupt is ended (`irqfd_wakeup`). */
  #move(gsi: number, level: boolean): void {
    const pin = this.#routes.get(gsi);
    if (typeof pin === 'number') this.#gic.inject(undefined, NR_PRIVATE_IRQS + pin, level);
  }

  acknowledged(pin: number): void {
    // Of several lines to a pin the last counts (`kvm_irq_map_chip_pin`).
    const line = [...this.#routes].findLast(([, to]) => to === pin)?.[0];
    const ended = this.#irqfds.filter(({ gsi, resample }) => resample !== undefined && gsi === line);
    if (ended.length === 0) return;
    this.#move(line!, false);
    for (const { resample } of ended) resample!.signal();
  }
}

/** `kvm_set_irq_routing`, with what each entry must be. */
export function decodeRouting(entries: Uint8Array): Routes | Result {
  const size = INTERRUPT_STRUCT_SIZE.kvm_irq_routing_entry;
  const { KVM_IRQ_ROUTING_IRQCHIP, KVM_IRQ_ROUTING_MSI } = KVM_IRQ_ROUTING;
  const view = new DataView(entries.buffer, entries.byteOffset, entries.byteLength);
  const routes = new Map<number, number | 'msi'>();
  const word = (at: number) => view.getUint32(at, true);
  for (let at = 0; at < entries.length; at += size) if (word(at) >= MAX_IRQ_ROUTES) return -ERRNO.EINVAL;
  for (let at = 0; at < entries.length; at += size) {
    const [gsi, type, flags, chip, pin] = [
      word(at),
      word(at + 4),
      word(at + 8),
      word(at + 16),
      word(at + 20),
    ];
    if ((flags & ~(type === KVM_IRQ_ROUTING_MSI ? KVM_MSI_VALID_DEVID : 0)) !== 0) return -ERRNO.EINVAL;
    if (routes.has(gsi)) return -ERRNO.EINVAL;
    if (type === KVM_IRQ_ROUTING_MSI) routes.set(gsi, 'msi');
    else if (type === KVM_IRQ_ROUTING_IRQCHIP && chip === 0 && pin < NR_PINS) routes.set(gsi, pin);
    else return -ERRNO.EINVAL;
  }
  return routes;
}
