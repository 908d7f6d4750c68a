/**
 * What an emulated KVM_RUN leaves in `struct kvm_run`: the other direction of `abi/exits.ts`.
 *
 * @packageDocumentation
 */
import { KVM_DEBUG_ARCH_HSR_HIGH_VALID, KVM_EXIT } from '../../abi/exits.ts';

/** The part of the struct that a program sees, as bytes of its own (`VcpuHandle.run`). */
export class ExitArea {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  isOver(bytes: Uint8Array): boolean {
    return this.#bytes === bytes;
  }

  /** @param fill - writes the union of this reason, by absolute offsets */
  exit(reason: number, fill?: (view: DataView) => void): void {
    this.#view.setUint32(8, reason, true);
    // `kvm_run.flags`: most reasons have none.
    this.#view.setUint16(14, 0, true);
    fill?.(this.#view);
  }

  mmio(address: number, size: number, data: bigint | undefined): void {
    this.exit(KVM_EXIT.KVM_EXIT_MMIO, view => {
      view.setBigUint64(32, BigInt(address), true);
      for (let n = 0; n < size && data !== undefined; n++)
        view.setUint8(40 + n, Number((data >> BigInt(8 * n)) & 0xffn));
      view.setUint32(48, size, true);
      view.setUint8(52, data === undefined ? 0 : 1);
    });
  }

  /** What the program answered to a read. */
  get mmioData(): bigint {
    return this.#view.getBigUint64(40, true);
  }

  /**
   * @param far - of a watchpoint; for others the kernel leaves what is there
   * @param tellsHigh - whether it tells the upper half of the syndrome, too
   */
  debug(esr: bigint, far: bigint | undefined, tellsHigh: boolean): void {
    this.exit(KVM_EXIT.KVM_EXIT_DEBUG, view => {
      view.setUint32(32, Number(BigInt.asUintN(32, esr)), true);
      if (tellsHigh) {
        view.setUint16(14, KVM_DEBUG_ARCH_HSR_HIGH_VALID, true);
        view.setUint32(36, Number(esr >> 32n), true);
      }
      if (far !== undefined) view.setBigUint64(40, far, true);
    });
  }

  armNisv(esrIss: bigint, faultIpa: number): void {
    this.exit(KVM_EXIT.KVM_EXIT_ARM_NISV, view => {
      view.setBigUint64(32, esrIss, true);
      view.setBigUint64(40, BigInt(faultIpa), true);
    });
  }

  /** `s.regs.device_irq_level`: the timers' and the PMU's lines, where the program is the interrupt controller. */
  get deviceIrqLevel(): bigint {
    return this.#view.getBigUint64(304, true);
  }

  set deviceIrqLevel(levels: bigint) {
    this.#view.setBigUint64(304, levels, true);
  }
}
