/**
 * The interrupt controller in the kernel of a VM: its life (arch/arm64/kvm/vgic/vgic-init.c) and how interrupts find their
 * vCPUs (vgic.c).
 *
 * @packageDocumentation
 */
import { KVM_VGIC_SIZE } from '../../abi/device-attributes.ts';
import { ERRNO } from '../../abi/errno.ts';
import { sysRegId } from '../../abi/register-id.ts';
import type { Result } from '../../backend.ts';
import { setGicFields } from '../gic-fields.ts';
import { isPpi, MAX_SPI, NR_PRIVATE_IRQS } from '../intids.ts';
import type { ProfileGic } from '../profile.ts';
import type { VcpuState, VmState } from '../state.ts';
import { CpuInterface } from './cpu-interface.ts';
import { Interrupt } from './interrupt.ts';
import { type Irqfds, makeIrqfds } from './irqfds.ts';
import { framesAreApart, placeRedistributor, type RedistributorRegion } from './redistributors.ts';

/** How many interrupts there are where userspace did not say (`VGIC_NR_IRQS_LEGACY`). */
const DEFAULT_NR_IRQS = 256;
/** The greatest number of vCPUs, by version (`VGIC_V2_MAX_CPUS`, `VGIC_V3_MAX_CPUS`). */
const MAX_CPUS = { 2: 8, 3: 512 } as const;
/** Bits of a priority that are kept (`VGIC_PRI_BITS`), and all that a GICv2's hardware has. */
export const PRI_BITS = 5;
/** ICC_CTLR_EL1.PRIbits and IDbits. */
const PRIBITS_SHIFT = 8n;
const IDBITS_SHIFT = 11n;
/** The affinity fields of MPIDR_EL1 (`MPIDR_HWID_BITMASK`). */
const AFFINITY = 0xff_00ff_ffffn;
const MPIDR_EL1 = sysRegId(3, 0, 0, 0, 5);

const V2_DIST_SIZE = BigInt(KVM_VGIC_SIZE.KVM_VGIC_V2_DIST_SIZE);
const V2_CPU_SIZE = BigInt(KVM_VGIC_SIZE.KVM_VGIC_V2_CPU_SIZE);

/** GICR_PENDBASER when a vCPU is initialised: inner shareable, RaWb (`INITIAL_PENDBASER_VALUE`). */
const INITIAL_PENDBASER = (1n << 10n) | (3n << 7n);

export class Gic {
  readonly vm: VmState;
  readonly model: 2 | 3;
  readonly profile: ProfileGic;
  /** Bits of a priority that count in the hardware. */
  readonly priorityBits: number;
  /** The host's ICC_CTLR_EL1. */
  readonly hostControl: bigint;
  readonly cpus: CpuInterface[] = [];
  readonly regions: RedistributorRegion[] = [];
  readonly irqfds: Irqfds;
  distributor: bigint | undefined;
  /** The frame of a GICv2's CPU interfaces. */
  cpuFrame: bigint | undefined;
  /** How many SPIs; 0 while nobody has said. */
  nrSpis = 0;
  initialized = false;
  /** A vCPU could be run: its frames are where the guest finds them. */
  ready = false;
  /** GICD_CTLR: of a GICv3 EnableGrp1, of a GICv2 Enable. */
  enabled = false;
  /** GICD_IIDR.Revision */
  revision: number;
  /** A GICv2's groups can be written by userspace (its GICD_IIDR was). */
  groupsWritable = false;
  /** The maintenance interrupt; 0 while nobody has chosen one. */
  maintenanceIrq = 0;
  propbaser = 0n;
  /** Whose guest makes an access; undefined where userspace does. */
  running: CpuInterface | undefined;
  #spis: Interrupt[] = [];

  constructor(vm: VmState, model: 2 | 3, profile: ProfileGic) {
    this.vm = vm;
    this.model = model;
    this.profile = profile;
    this.hostControl = BigInt(`0x${profile.iccControl ?? '0'}`);
    this.priorityBits = model === 2 ? PRI_BITS : Number((this.hostControl >> PRIBITS_SHIFT) & 7n) + 1;
    this.revision = profile.revision;
    this.irqfds = makeIrqfds(this);
    for (const vcpu of vm.vcpus.values()) this.addVcpu(vcpu);
  }

  /** A vCPU is created (`kvm_vgic_vcpu_init`). */
  addVcpu(vcpu: VcpuState): Result {
    const cpu = new CpuInterface(this, vcpu, this.cpus.length);
    this.cpus.push(cpu);
    vcpu.gic = cpu;
    vcpu.irq = vcpu.fiq = false;
    return this.model === 3 ? placeRedistributor(this, cpu) : 0;
  }

  /** `vgic_init` */
  init(): Result {
    if (this.initialized) return 0;
    if (this.nrSpis === 0) this.nrSpis = DEFAULT_NR_IRQS - NR_PRIVATE_IRQS;
    const [first] = this.cpus;
    this.#spis = Array.from({ length: this.nrSpis }, (_, n) => {
      const irq = new Interrupt(NR_PRIVATE_IRQS + n, first);
      if (this.model === 3) irq.group = 1;
      return irq;
    });
    for (const cpu of this.cpus) {
      cpu.priorityBits = this.priorityBits;
      cpu.idBits = Number((this.hostControl >> IDBITS_SHIFT) & 7n);
      if (this.model === 3) cpu.pendbaser = INITIAL_PENDBASER;
    }
    this.irqfds.setDefaultRouting();
    this.initialized = true;
    return 0;
  }

  /** Only a GICv2 is initialised by what needs it (`vgic_lazy_init`). */
  lazyInit(): Result {
    return this.initialized || this.model === 2 ? this.init() : -ERRNO.EBUSY;
  }

  /** Before the first run of a vCPU (`kvm_vgic_map_resources`). */
  mapResources(): Result {
    if (this.ready) return 0;
    const result = this.model === 2 ? this.#mapV2() : this.#mapV3();
    if (result === 0) this.ready = true;
    else if (this.vm.host.profile.gics?.failureIsDeadly) this.vm.isDead = true;
    else this.#destroy();
    return result;
  }

  #mapV2(): Result {
    const { distributor, cpuFrame } = this;
    if (distributor === undefined || cpuFrame === undefined) return -ERRNO.ENXIO;
    const isApart = distributor + V2_DIST_SIZE <= cpuFrame || cpuFrame + V2_CPU_SIZE <= distributor;
    return isApart ? this.init() : -ERRNO.EINVAL;
  }

  #mapV3(): Result {
    if (this.cpus.some(cpu => cpu.redistributor === undefined)) return -ERRNO.ENXIO;
    if (this.distributor === undefined) return -ERRNO.ENXIO;
    if (!framesAreApart(this)) return -ERRNO.EINVAL;
    return this.initialized ? 0 : -ERRNO.EBUSY;
  }

  /** What a kernel that goes on leaves of it (`__kvm_vgic_destroy` of Linux 5.10). */
  #destroy(): void {
    for (const cpu of this.cpus) cpu.clear();
    this.#spis = [];
    this.nrSpis = 0;
    this.regions.length = 0;
    this.initialized = false;
  }

  // Who is who.

  shared(intid: number): Interrupt | undefined {
    return this.#spis[intid - NR_PRIVATE_IRQS];
  }

  get nrIrqs(): number {
    return this.nrSpis + NR_PRIVATE_IRQS;
  }

  isValidSpi(intid: number): boolean {
    return intid >= NR_PRIVATE_IRQS && intid < this.nrIrqs && intid <= MAX_SPI;
  }

  byId(id: number): CpuInterface | undefined {
    return this.vm.vcpus.get(id)?.gic;
  }

  byAffinity(affinity: bigint): CpuInterface | undefined {
    return this.cpus.find(({ vcpu }) => affinityOf(vcpu) === (affinity & AFFINITY));
  }

  // How interrupts find their vCPUs.

  /** Who is to have an interrupt as it is now (`vgic_target_oracle`). */
  recipient(irq: Interrupt): CpuInterface | undefined {
    if (irq.active) return irq.queuedAt ?? irq.target;
    if (!irq.enabled || !irq.pending || !this.enabled) return undefined;
    return irq.target;
  }

  /** Something was done to an interrupt: puts it on the list where it belongs, if on any (`vgic_queue_irq_unlock`). */
  queue(irq: Interrupt): void {
    const recipient = this.recipient(irq);
    if (irq.queuedAt === undefined) recipient?.add(irq);
    else irq.queuedAt.update();
    recipient?.update();
    recipient?.vcpu.runner?.wake();
  }

  /** All lists may have something else to say. */
  updateAll(): void {
    for (const cpu of this.cpus) {
      cpu.update();
      if (cpu.hasPending) cpu.vcpu.runner?.wake();
    }
  }

  /** The line of a device moves (`kvm_vgic_inject_irq`). */
  inject(cpu: CpuInterface | undefined, intid: number, level: boolean, owner?: object): Result {
    if (!this.initialized) return 0;
    if (cpu === undefined && intid < NR_PRIVATE_IRQS) return -ERRNO.EINVAL;
    const irq = cpu === undefined ? this.shared(intid) : cpu.interrupt(intid);
    if (irq === undefined) return -ERRNO.EINVAL;
    const matters = irq.isEdge ? level : irq.lineLevel !== level;
    if (irq.owner !== owner || !matters) return 0;
    if (irq.isEdge) irq.pendingLatch = true;
    else irq.lineLevel = level;
    this.queue(irq);
    return 0;
  }

  /** A device in the kernel takes a line for itself (`kvm_vgic_set_owner`). */
  setOwner(cpu: CpuInterface, intid: number, owner: object): Result {
    if (!this.initialized) return -ERRNO.EAGAIN;
    if (!isPpi(intid) && !this.isValidSpi(intid)) return -ERRNO.EINVAL;
    const irq = cpu.interrupt(intid)!;
    if (irq.owner !== undefined && irq.owner !== owner) return -ERRNO.EEXIST;
    irq.owner = owner;
    return 0;
  }

  /** The guest has ended a level interrupt of a device (`kvm_notify_acked_irq`). */
  acknowledged(irq: Interrupt): void {
    this.irqfds.acknowledged(irq.intid - NR_PRIVATE_IRQS);
  }

  /**
   * The level of a timer's interrupt as the kernel looks it up for a guest: of the timer with that number that the running
   * vCPU has, whoever's the interrupt is (`kvm_arch_timer_get_input_level`, arch/arm64/kvm/arch_timer.c).
   */
  inputLevel({ intid }: Interrupt): boolean {
    return this.running?.privateIrqs[intid]?.input?.() ?? false;
  }

  /** The vCPU is entered, or has left its guest to have something done. */
  sync(cpu: CpuInterface): void {
    cpu.prune();
    cpu.update();
  }
}

/** The affinity that a vCPU has; 0 before it is initialised. */
export function affinityOf(vcpu: VcpuState): bigint {
  const mpidr = vcpu.configuration?.registers.get(MPIDR_EL1)?.get(vcpu);
  return typeof mpidr === 'bigint' ? mpidr & AFFINITY : 0n;
}

/** Makes a VM's interrupt controller (`kvm_vgic_create`). */
export function createGic(vm: VmState, model: 2 | 3): Result {
  const { gics } = vm.host.profile;
  const ofModel = model === 2 ? gics?.v2 : gics?.v3;
  const exists = vm.gic !== undefined;
  if (exists && gics?.existenceFirst) return -ERRNO.EEXIST;
  if (ofModel === undefined) return -ERRNO.ENODEV;
  const vcpus = [...vm.vcpus.values()];
  if (vcpus.some(({ isRunning }) => isRunning)) return -ERRNO.EBUSY;
  if (exists) return -ERRNO.EEXIST;
  if (vcpus.some(({ hasRun }) => hasRun)) return -ERRNO.EBUSY;
  if (vcpus.length > MAX_CPUS[model]) return -ERRNO.E2BIG;
  vm.maxVcpus = MAX_CPUS[model];
  vm.gic = new Gic(vm, model, ofModel);
  setGicFields(vm);
  return 0;
}
