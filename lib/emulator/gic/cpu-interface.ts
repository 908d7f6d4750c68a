/**
 * A vCPU's interface to the GIC: what is on its list (`ap_list_head`, arch/arm64/kvm/vgic/vgic.c), and what the hardware
 * does with its list registers (IHI 0069H, 4.8 and 12.2; IHI 0048B, 5). There is a list register for every interrupt.
 *
 * @packageDocumentation
 */

import { MAX_SPI, NR_PRIVATE_IRQS, NR_SGIS } from '../intids.ts';
import type { VcpuState } from '../state.ts';
import type { Gic } from './gic.ts';
import { findIcc, type IccRegister } from './icc-registers.ts';
import { Interrupt } from './interrupt.ts';
import type { RedistributorRegion } from './redistributors.ts';

/** No priority is lower; what runs while no interrupt does. */
const IDLE = 0xff;
const SPURIOUS = 1023;
/** A GICv2's answer where a group 1 interrupt wants to be taken otherwise (IHI 0048B, 3.2.5). */
const OTHER_GROUP = 1022;
const CPUID_SHIFT = 10;

/** `struct vgic_vmcr`. */
export interface Vmcr {
  grpen0: boolean;
  grpen1: boolean;
  ackctl: boolean;
  fiqen: boolean;
  cbpr: boolean;
  eoim: boolean;
  abpr: number;
  bpr: number;
  pmr: number;
}

export class CpuInterface {
  readonly gic: Gic;
  readonly vcpu: VcpuState;
  /** In the order of creation. */
  readonly index: number;
  readonly privateIrqs: readonly Interrupt[];
  readonly vmcr: Vmcr = {
    grpen0: false,
    grpen1: false,
    ackctl: false,
    fiqen: false,
    cbpr: false,
    eoim: false,
    abpr: 0,
    bpr: 0,
    pmr: 0,
  };
  /** Active priorities of the groups, of which a GICv2 has the second for both. */
  readonly activePriorities: readonly [Uint32Array, Uint32Array] = [new Uint32Array(4), new Uint32Array(4)];
  /** ICC_CTLR_EL1.PRIbits and IDbits as userspace has them. */
  priorityBits = 0;
  idBits = 0;
  /** GICR_PENDBASER */
  pendbaser = 0n;
  /** Where its redistributor lies; undefined while it has no place. */
  redistributor:
    | { readonly region: RedistributorRegion; readonly index: number; readonly base: bigint }
    | undefined;
  /** Interrupts that may be for this vCPU, in the order in which they came. */
  #list: Interrupt[] = [];

  constructor(gic: Gic, vcpu: VcpuState, index: number) {
    this.gic = gic;
    this.vcpu = vcpu;
    this.index = index;
    this.privateIrqs = Array.from({ length: NR_PRIVATE_IRQS }, (_, intid) => {
      const irq = new Interrupt(intid, this);
      if (gic.model === 3) irq.group = 1;
      else irq.targets = 1 << vcpu.id;
      return irq;
    });
  }

  /** A system register of its, by the encoding. */
  findIcc(encoding: number): IccRegister | undefined {
    return findIcc(this, encoding);
  }

  /**
   * Moves the lines of the timers: when the vCPU is loaded, to what they are; when it has left its guest, down as well, if
   * the interrupt was not taken; and while it runs only up, and not those of active interrupts, which the hardware holds
   * back (`kvm_timer_vcpu_load_gic`, arch/arm64/kvm/arch_timer.c; `vgic_irq_handle_resampling`, vgic.c).
   */
  moveTimers(when: 'loaded' | 'left' | 'runs'): void {
    for (const irq of this.#timerIrqs) {
      const level = irq.input!();
      const moves = !irq.isMapped || when === 'loaded' || (!irq.active && (level || when === 'left'));
      if (moves) this.gic.inject(this, irq.intid, level, irq.owner);
    }
  }

  get #timerIrqs(): Interrupt[] {
    return this.privateIrqs.filter(irq => irq.input !== undefined);
  }

  /** `kvm_vgic_reset_mapped_irq` */
  resetTimers(): void {
    for (const irq of this.#timerIrqs) {
      irq.lineLevel = false;
      if (irq.isMapped) irq.active = irq.pendingLatch = false;
    }
    this.update();
  }

  /** An interrupt by its number as this vCPU sees it (`vgic_get_vcpu_irq`). */
  interrupt(intid: number): Interrupt | undefined {
    return intid < NR_PRIVATE_IRQS ? this.privateIrqs[intid] : this.gic.shared(intid);
  }

  // The list.

  add(irq: Interrupt): void {
    irq.queuedAt = this;
    this.#list.push(irq);
  }

  /** Takes off the list what is not for this vCPU any more (`vgic_prune_ap_list`). */
  prune(): void {
    if (this.#list.every(irq => this.gic.recipient(irq) === this)) return;
    const moving = this.#list.filter(irq => this.gic.recipient(irq) !== this);
    this.#list = this.#list.filter(irq => this.gic.recipient(irq) === this);
    for (const irq of moving) {
      const recipient = this.gic.recipient(irq);
      irq.queuedAt = undefined;
      recipient?.add(irq);
      recipient?.update();
    }
  }

  clear(): void {
    for (const irq of this.#list) irq.queuedAt = undefined;
    this.#list = [];
  }

  /** Whether there is something for a vCPU that waits to go on for (`kvm_vgic_vcpu_pending_irq`). */
  get hasPending(): boolean {
    return (
      this.gic.enabled &&
      this.#list.some(irq => irq.pending && irq.enabled && !irq.active && irq.priority < this.vmcr.pmr)
    );
  }

  /** The pending interrupt of highest priority in a group that is enabled. */
  #highestPending(): Interrupt | undefined {
    const { grpen0, grpen1 } = this.vmcr;
    let best: Interrupt | undefined;
    for (const irq of this.#list) {
      if (irq.active || !(irq.group === 0 ? grpen0 : grpen1)) continue;
      if (best !== undefined && irq.priority >= best.priority) continue;
      if (this.gic.recipient(irq) === this) best = irq;
    }
    return best;
  }

  #findActive(intid: number): Interrupt | undefined {
    return this.#list.find(irq => irq.intid === intid && irq.active);
  }

  // Priorities.

  /** The least binary point of group 0: so many bits of a priority are no group of their own (ICH_VTR_EL2.PREbits). */
  get #leastBinaryPoint(): number {
    return 7 - this.gic.priorityBits;
  }

  /** What the hardware makes of the registers when the vCPU is entered. */
  load(): void {
    const { vmcr } = this;
    vmcr.bpr = Math.max(vmcr.bpr, this.#leastBinaryPoint);
    vmcr.abpr = Math.max(vmcr.abpr, this.#leastBinaryPoint + 1);
    if (this.gic.model === 3) vmcr.fiqen = true;
  }

  binaryPoint(group: 0 | 1): number {
    const { cbpr, bpr, abpr } = this.vmcr;
    if (group === 0) return bpr;
    return cbpr ? Math.min(bpr + 1, 7) : abpr;
  }

  setBinaryPoint(group: 0 | 1, value: number): void {
    const { vmcr } = this;
    if (group === 0) vmcr.bpr = Math.max(value & 7, this.#leastBinaryPoint);
    else if (!vmcr.cbpr) vmcr.abpr = Math.max(value & 7, this.#leastBinaryPoint + 1);
    this.update();
  }

  /** GICC_ABPR, which can be written whatever is common. */
  setAliasedBinaryPoint(value: number): void {
    this.vmcr.abpr = Math.max(value & 7, this.#leastBinaryPoint + 1);
    this.update();
  }

  /** The bits of a priority that decide whether it preempts. */
  #groupMask(group: 0 | 1): number {
    // Group 1 has one bit less of a subpriority for the same binary point, but with the common one.
    const { cbpr, bpr, abpr } = this.vmcr;
    const subpriority = group === 0 || cbpr ? bpr + 1 : abpr;
    return (IDLE << subpriority) & IDLE;
  }

  get runningPriority(): number {
    for (let n = 0; n < 4; n++) {
      const active = (this.activePriorities[0][n]! | this.activePriorities[1][n]!) >>> 0;
      if (active !== 0) return (32 * n + lowestBit(active)) << (8 - this.gic.priorityBits);
    }
    return IDLE;
  }

  #canPreempt({ priority, group }: Interrupt): boolean {
    if (priority >= this.vmcr.pmr) return false;
    const running = this.runningPriority;
    const mask = this.#groupMask(group);
    return running === IDLE || (priority & mask) < (running & mask);
  }

  /** Of a GICv2 both groups have their active priorities in one register. */
  #prioritiesOf(group: 0 | 1): Uint32Array {
    return this.activePriorities[this.gic.model === 2 ? 1 : group];
  }

  #activate(irq: Interrupt): void {
    const level = (irq.priority & this.#groupMask(irq.group)) >> (8 - this.gic.priorityBits);
    this.#prioritiesOf(irq.group)[level >> 5]! |= 1 << (level & 31);
    irq.active = true;
    if (irq.isEdge) irq.pendingLatch = false;
    // Of a timer only the rise is seen: the next comes when it is ended (`vgic_v3_populate_lr`).
    if (irq.isMapped) irq.lineLevel = false;
    if (this.gic.model === 2 && irq.intid < NR_SGIS) {
      irq.activeSource = lowestBit(irq.source);
      irq.source &= ~(1 << irq.activeSource);
      irq.pendingLatch = irq.source !== 0;
    }
  }

  /** What ran ends: the priority that it had, or idle where nothing ran. */
  #dropPriority(): number {
    const [group0, group1] = this.activePriorities;
    for (let n = 0; n < 4; n++) {
      const active = (group0[n]! | group1[n]!) >>> 0;
      if (active === 0) continue;
      const bit = lowestBit(active);
      const holder = (group0[n]! >>> bit) & 1 ? group0 : group1;
      holder[n]! &= ~(1 << bit);
      return (32 * n + bit) << (8 - this.gic.priorityBits);
    }
    return IDLE;
  }

  #deactivate(irq: Interrupt): void {
    irq.active = false;
    // What was latched of a level interrupt is gone once it was handled (`vgic_v3_fold_lr`).
    if (!irq.isEdge) irq.pendingLatch = false;
    if (irq.isMapped) irq.lineLevel = irq.input!();
    if (!irq.isEdge && irq.intid >= NR_PRIVATE_IRQS) this.gic.acknowledged(irq);
  }

  // What the guest does.

  /** ICC_IAR0_EL1, ICC_IAR1_EL1. */
  acknowledge(group: 0 | 1): number {
    const irq = this.#highestPending();
    if (irq === undefined || irq.group !== group || !this.#canPreempt(irq)) return SPURIOUS;
    this.#activate(irq);
    this.update();
    return irq.intid;
  }

  /** ICC_HPPIR0_EL1, ICC_HPPIR1_EL1: whatever masks it. */
  highestPendingOf(group: 0 | 1): number {
    const irq = this.#highestPending();
    return irq?.group === group ? irq.intid : SPURIOUS;
  }

  /** ICC_EOIR0_EL1, ICC_EOIR1_EL1; GICC_EOIR and GICC_AEOIR, by the interrupt's own group. */
  end(intid: number, group?: 0 | 1): void {
    if (intid > MAX_SPI) return;
    const irq = this.#findActive(intid);
    const dropped = this.#dropPriority();
    // A GICv3 looks whether it is what ran; a GICv2 takes the program's word.
    const isIts = (active: Interrupt): boolean =>
      group === undefined ||
      (dropped !== IDLE && active.group === group && (active.priority & this.#groupMask(group)) === dropped);
    if (irq !== undefined && isIts(irq) && !this.vmcr.eoim) this.#deactivate(irq);
    this.update();
  }

  /** ICC_DIR_EL1, GICC_DIR: where the end of an interrupt was split in two. */
  deactivate(intid: number): void {
    const irq = this.vmcr.eoim ? this.#findActive(intid) : undefined;
    if (irq === undefined) return;
    this.#deactivate(irq);
    this.update();
  }

  /** GICC_IAR; or the alias GICC_AIAR, which is for group 1. */
  acknowledgeV2(alias: boolean): number {
    const irq = this.#highestPending();
    if (irq === undefined) return SPURIOUS;
    const refusal = this.#refusalV2(irq, alias);
    if (refusal !== undefined) return refusal;
    if (!this.#canPreempt(irq)) return SPURIOUS;
    this.#activate(irq);
    this.update();
    return irq.intid < NR_SGIS ? irq.intid | (irq.activeSource << CPUID_SHIFT) : irq.intid;
  }

  /** GICC_HPPIR, GICC_AHPPIR. */
  highestPendingV2(alias: boolean): number {
    const irq = this.#highestPending();
    if (irq === undefined) return SPURIOUS;
    const refusal = this.#refusalV2(irq, alias);
    if (refusal !== undefined) return refusal;
    return irq.intid < NR_SGIS ? irq.intid | (lowestBit(irq.source) << CPUID_SHIFT) : irq.intid;
  }

  #refusalV2({ group }: Interrupt, alias: boolean): number | undefined {
    if (alias) return group === 0 ? SPURIOUS : undefined;
    return group === 1 && !this.vmcr.ackctl ? OTHER_GROUP : undefined;
  }

  // What the vCPU sees.

  /** Works out the levels of the vCPU's inputs. */
  update(): void {
    const { vcpu } = this;
    const irq = this.#highestPending();
    const signalled = irq !== undefined && this.#canPreempt(irq) ? irq : undefined;
    const isFiq = signalled?.group === 0 && this.vmcr.fiqen;
    const [irqLevel, fiqLevel] = [signalled !== undefined && !isFiq, isFiq];
    if (irqLevel === vcpu.irq && fiqLevel === vcpu.fiq) return;
    vcpu.irq = irqLevel;
    vcpu.fiq = fiqLevel;
    vcpu.runner?.inputsChanged();
  }
}

/** The number of the lowest bit that is 1. */
function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}
