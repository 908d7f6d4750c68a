/**
 * KVM_IOEVENTFD (virt/kvm/eventfd.c): writes of a guest that signal an eventfd instead of leaving it.
 *
 * @packageDocumentation
 */
import { ERRNO } from '../abi/errno.ts';
import { KVM_IOEVENTFD_FLAG } from '../abi/interrupts.ts';
import type { EventFdHandle, Result } from '../backend.ts';
import { EmulatedEventFd } from './event-fd.ts';

const {
  KVM_IOEVENTFD_FLAG_DATAMATCH: DATAMATCH,
  KVM_IOEVENTFD_FLAG_PIO: PIO,
  KVM_IOEVENTFD_FLAG_DEASSIGN: DEASSIGN,
} = KVM_IOEVENTFD_FLAG;
/** Of s390's virtio, whose bus every kernel has. */
const VIRTIO_CCW_NOTIFY = 8;
const VALID = DATAMATCH | PIO | DEASSIGN | VIRTIO_CCW_NOTIFY;

const LENGTHS = [0, 1, 2, 4, 8];

type Bus = 'mmio' | 'pio' | 'ccw';

/** `struct _ioeventfd`. */
interface IoEventFd {
  readonly event: EventFdHandle;
  readonly bus: Bus;
  readonly addr: bigint;
  /** Bytes; 0: any. */
  readonly len: number;
  /** Undefined: whatever is written. */
  readonly match: bigint | undefined;
}

const busOf = (flags: number): Bus =>
  (flags & PIO) !== 0 ? 'pio' : (flags & VIRTIO_CCW_NOTIFY) !== 0 ? 'ccw' : 'mmio';

const isOpen = (event: EventFdHandle): boolean => event instanceof EmulatedEventFd && event.isOpen;

/** Those of a VM. */
export class IoEventFds {
  readonly #all: IoEventFd[] = [];

  /** `kvm_ioeventfd`. */
  set(event: EventFdHandle, addr: bigint, len: number, flags: number, datamatch: bigint): Result {
    const match = (flags & DATAMATCH) === 0 ? undefined : datamatch;
    const given: IoEventFd = { event, bus: busOf(flags), addr, len, match };
    return (flags & DEASSIGN) === 0 ? this.#assign(given, flags) : this.#deassign(given);
  }

  #assign(given: IoEventFd, flags: number): Result {
    const { event, bus, addr, len, match } = given;
    if (!LENGTHS.includes(len) || addr + BigInt(len) > 0xffff_ffff_ffff_ffffn) return -ERRNO.EINVAL;
    if ((flags & ~VALID) !== 0 || (len === 0 && match !== undefined)) return -ERRNO.EINVAL;
    if (!isOpen(event)) return -ERRNO.EBADF;
    const collides = this.#all.some(
      other =>
        other.bus === bus &&
        other.addr === addr &&
        (other.len === 0 ||
          len === 0 ||
          (other.len === len && (other.match === undefined || match === undefined || other.match === match))),
    );
    if (collides) return -ERRNO.EEXIST;
    this.#all.push(given);
    return 0;
  }

  #deassign({ event, bus, addr, len, match }: IoEventFd): Result {
    if (!isOpen(event)) return -ERRNO.EBADF;
    const index = this.#all.findIndex(
      other =>
        other.event === event &&
        other.bus === bus &&
        other.addr === addr &&
        other.len === len &&
        other.match === match,
    );
    if (index < 0) return -ERRNO.ENOENT;
    this.#all.splice(index, 1);
    return 0;
  }

  /** A guest writes to an address without memory: whether that was all that it wanted (`ioeventfd_in_range`). */
  takesWrite(addr: bigint, len: number, data: bigint): boolean {
    const hit = this.#all.find(
      each =>
        each.bus === 'mmio' &&
        each.addr === addr &&
        (each.len === 0 || (each.len === len && (each.match === undefined || each.match === data))),
    );
    hit?.event.signal();
    return hit !== undefined;
  }
}
