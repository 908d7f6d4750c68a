/**
 * The generic timers of a vCPU as its guest has them (`kvm_timer_should_fire`, arch/arm64/kvm/arch_timer.c; D12.2).
 *
 * @packageDocumentation
 */

import { PTIMER, TIMER } from '../registers/timer-registers.ts';
import type { VcpuState } from '../state.ts';

const ENABLE = 1n;
const IMASK = 2n;
const ISTATUS = 4n;
/** All but ISTATUS, which is not kept. */
const CONTROL_32 = 0xffff_fffbn;

const mask64 = (value: bigint) => BigInt.asUintN(64, value);

/** Comparator and control: where KVM_GET_ONE_REG shows them, or where it does not know them (before Linux 6.4). */
interface Storage {
  ctl: bigint;
  cval: bigint;
}

export class GuestTimer {
  readonly #vcpu: VcpuState;
  readonly #offset: 'voffset' | 'poffset';
  readonly #ids: { readonly ctl: bigint; readonly cval: bigint };
  readonly #hidden: Storage = { ctl: 0n, cval: 0n };
  /**
   * There is none of the host's behind it: KVM traps its registers, keeps 32 bits of control and shows ISTATUS whether it is
   * enabled or not (`timer_emulate`, `read_timer_ctl`).
   */
  readonly #isEmulated: boolean;

  constructor(vcpu: VcpuState, kind: 'virtual' | 'physical') {
    this.#vcpu = vcpu;
    this.#offset = kind === 'virtual' ? 'voffset' : 'poffset';
    this.#ids = kind === 'virtual' ? TIMER : PTIMER;
    this.#isEmulated = kind === 'physical' && vcpu.vm.host.profile.gics?.physicalTimerMapped === false;
  }

  get counter(): bigint {
    const { vm } = this.#vcpu;
    return mask64(vm.clock.now() - vm[this.#offset]);
  }

  #cell(name: keyof Storage): number | undefined {
    return this.#vcpu.configuration!.registers.get(this.#ids[name])?.cell;
  }

  #read(name: keyof Storage): bigint {
    const cell = this.#cell(name);
    return cell === undefined ? this.#hidden[name] : this.#vcpu.cells[cell]!;
  }

  #write(name: keyof Storage, value: bigint): void {
    const cell = this.#cell(name);
    if (cell === undefined) this.#hidden[name] = value;
    else this.#vcpu.cells[cell] = value;
  }

  get compare(): bigint {
    return this.#read('cval');
  }

  set compare(value: bigint) {
    this.#write('cval', value);
  }

  /** ISTATUS shows while the timer is enabled. */
  get control(): bigint {
    const control = this.#read('ctl') & (this.#isEmulated ? CONTROL_32 : ENABLE | IMASK);
    const shows = this.#isEmulated || (control & ENABLE) !== 0n;
    return control | (shows && this.counter >= this.compare ? ISTATUS : 0n);
  }

  set control(value: bigint) {
    this.#write('ctl', value & (this.#isEmulated ? CONTROL_32 : ENABLE | IMASK));
  }

  /** The comparator as a distance, of 32 bits with a sign. */
  get value(): bigint {
    return BigInt.asUintN(32, this.compare - this.counter);
  }

  set value(value: bigint) {
    this.compare = mask64(this.counter + BigInt.asIntN(32, value));
  }

  /** The level of its interrupt. */
  get fires(): boolean {
    return (this.control & (ENABLE | ISTATUS | IMASK)) === (ENABLE | ISTATUS);
  }

  /** Until it fires; undefined where it will not, or does already. */
  get ticksToGo(): bigint | undefined {
    const { control, compare, counter } = this;
    const isArmed = (control & (ENABLE | IMASK)) === ENABLE;
    return isArmed && compare > counter ? compare - counter : undefined;
  }
}
