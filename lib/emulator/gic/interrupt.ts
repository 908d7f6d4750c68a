/**
 * An interrupt as KVM keeps it (`struct vgic_irq`, include/kvm/arm_vgic.h).
 *
 * @packageDocumentation
 */
import { isPpi, NR_SGIS } from '../intids.ts';
import type { CpuInterface } from './cpu-interface.ts';

export class Interrupt {
  readonly intid: number;
  enabled = false;
  /** What an edge, a software interrupt or a write of GICD_ISPENDR leaves. */
  pendingLatch = false;
  lineLevel = false;
  active = false;
  isEdge: boolean;
  priority = 0;
  group: 0 | 1 = 0;
  /** GICD_ITARGETSR, of a GICv2. */
  targets = 0;
  /** GICD_IROUTER, of a GICv3. */
  mpidr = 0;
  /** Whom it goes to when it is pending; undefined where the route leads to nobody. */
  target: CpuInterface | undefined;
  /** Of a GICv2's software interrupt: who sent it, by CPU, and whose is active. */
  source = 0;
  activeSource = 0;
  /** Who has it on its list (`irq->vcpu`). */
  queuedAt: CpuInterface | undefined;
  /** The device in the kernel whose line it is; userspace moves it in vain. */
  owner: object | undefined;
  /** The level of the timer that it belongs to. */
  input: (() => boolean) | undefined;
  /** That timer's interrupt is one of the host's (`irq->hw`). */
  isMapped = false;

  constructor(intid: number, target: CpuInterface | undefined) {
    this.intid = intid;
    this.target = target;
    // PPIs are level-triggered, all others begin as edges (`VGIC_CONFIG_EDGE` is 0).
    this.isEdge = !isPpi(intid);
    this.enabled = intid < NR_SGIS;
  }

  get pending(): boolean {
    return this.pendingLatch || (!this.isEdge && this.lineLevel);
  }

  /** Sent by several CPUs at once: taken one after the other (`vgic_irq_is_multi_sgi`). */
  get isMultiSgi(): boolean {
    return (this.source & (this.source - 1)) !== 0;
  }
}
