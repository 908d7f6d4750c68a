/** The devices of the machine, by address: what answers a guest's access to no memory. */
import type { MmioExit } from 'kvm-arm64';

/** A device's registers. Accesses of 1, 2, 4 or 8 bytes; of 8 the devices here see the lower half. */
export interface MmioDevice {
  /** @param offset - from the start of the device */
  read(offset: number): number;
  write(offset: number, value: number): void;
}

/** Where a device is. */
export interface Placed {
  readonly base: number;
  readonly size: number;
  readonly device: MmioDevice;
}

/** Addresses of nothing that are reported; a guest that looks for a PCI bus tries thousands. */
const WARNINGS = 8;

/** Where nothing is, reads give 0 and writes do nothing, each address with a warning at its first access. */
export class Bus {
  readonly #devices: readonly Placed[];
  readonly #warn: (text: string) => void;
  readonly #warned = new Set<bigint>();

  constructor(devices: readonly Placed[], warn: (text: string) => void) {
    this.#devices = devices;
    this.#warn = warn;
  }

  /** Answers an exit: does the write, or fills in what is read. */
  access({ physAddr, isWrite, data }: MmioExit): void {
    const view = Buffer.from(data.buffer, data.byteOffset, Math.min(data.length, 4));
    const address = Number(physAddr);
    const found = this.#devices.find(({ base, size }) => address >= base && address < base + size);
    if (found === undefined) this.#warnOf(physAddr, isWrite);
    if (isWrite) {
      found?.device.write(address - found.base, view.readUIntLE(0, view.length));
      return;
    }
    data.fill(0);
    const value = found?.device.read(address - found.base) ?? 0;
    for (let i = 0; i < view.length; i++) view[i] = value >>> (8 * i);
  }

  #warnOf(physAddr: bigint, isWrite: boolean): void {
    if (this.#warned.has(physAddr) || this.#warned.size > WARNINGS) return;
    this.#warned.add(physAddr);
    if (this.#warned.size > WARNINGS) this.#warn('further accesses to nothing are not reported');
    else this.#warn(`the guest ${isWrite ? 'writes' : 'reads'} 0x${physAddr.toString(16)}, where nothing is`);
  }
}
