/**
 * An emulated VM: the ioctls of its descriptor (`kvm_vm_ioctl`, virt/kvm/kvm_main.c; `kvm_arch_vm_ioctl`,
 * arch/arm64/kvm/arm.c).
 *
 * @packageDocumentation
 */
import { KVM_CAP } from '../abi/capabilities.ts';
import { ERRNO } from '../abi/errno.ts';
import { KVM_MP_STATE } from '../abi/mp-state.ts';
import { encodeVcpuInit } from '../abi/structs.ts';
import type { DeviceHandle, EventFdHandle, Result, VmHandle } from '../backend.ts';
import { type ClockKind, makeClock } from './clock.ts';
import { enableCap } from './enable-cap.ts';
import {
  changeIrqfd,
  createDevice,
  createIrqchip,
  setDeviceAddress,
  setGsiRouting,
  setIrqLine,
  signalMsi,
} from './interrupts.ts';
import { IoEventFds } from './io-event-fds.ts';
import { flatIoctl, NOT_YET_ON_VM } from './ioctl.ts';
import { clearDirtyLog, getDirtyLog, setMemorySlot } from './memory-slots.ts';
import { hasSmcccAttr, setSmcccAttr } from './smccc-filter.ts';
import type { HostModel, VcpuState, VmState } from './state.ts';
import { EmulatedVcpu } from './vcpu.ts';

/** `VmHandle` of the emulated host. */
export class EmulatedVm implements VmHandle {
  /** Undefined after close. The vCPUs hold it, too, and go on, as the kernel's do. */
  #open: VmState | undefined;

  constructor(host: HostModel, ipaBits: number, clock: ClockKind) {
    this.#open = {
      host,
      ipaBits,
      clock: makeClock(clock, host.profile.counterHz),
      memory: new Map(),
      ioEventFds: new IoEventFds(),
      configuration: undefined,
      features: 0,
      is32Bit: undefined,
      cells: [],
      psciVersion: 0n,
      pmcrN: 0n,
      pmuCounters: undefined,
      pmuFilter: [],
      identityUnlocked: false,
      voffset: 0n,
      poffset: 0n,
      counterOffsetSet: false,
      smcccFilter: undefined,
      eagerSplitChunkSize: 0n,
      manualDirtyProtect: false,
      dirtyRingSize: 0,
      nisvToUser: false,
      systemSuspend: false,
      randomState: 0n,
      gic: undefined,
      timerPpis: [...host.profile.timerPpis],
      timerPpisFixed: false,
      maxVcpus: undefined,
      isDead: false,
      vcpus: new Map(),
      machine: undefined,
    };
  }

  /** Undefined where nothing can be asked of it: {@link #refusal} says why. */
  get #state(): VmState | undefined {
    return this.#open?.isDead === false ? this.#open : undefined;
  }

  get #refusal(): Result {
    return this.#open === undefined ? -ERRNO.EBADF : -ERRNO.EIO;
  }

  checkExtension(cap: number): Result {
    const vm = this.#state;
    if (vm === undefined) return this.#refusal;
    if (cap === KVM_CAP.KVM_CAP_ARM_EAGER_SPLIT_CHUNK_SIZE)
      return Number(BigInt.asIntN(32, vm.eagerSplitChunkSize));
    if (cap === KVM_CAP.KVM_CAP_MAX_VCPUS && vm.maxVcpus !== undefined) return vm.maxVcpus;
    const { capabilities, vmCapabilities } = vm.host.profile;
    return vmCapabilities[cap] ?? capabilities[cap] ?? 0;
  }

  enableCap(cap: number, flags: number, args: BigUint64Array): Result {
    return this.#state === undefined ? this.#refusal : enableCap(this.#state, cap, flags, args);
  }

  createVcpu(id: number): EmulatedVcpu | Result {
    const vm = this.#state;
    if (vm === undefined) return this.#refusal;
    if (vm.vcpus.size >= this.checkExtension(KVM_CAP.KVM_CAP_MAX_VCPUS)) return -ERRNO.EINVAL;
    if (id >= this.checkExtension(KVM_CAP.KVM_CAP_MAX_VCPU_ID)) return -ERRNO.EINVAL;
    if (vm.gic?.initialized)
      return vm.vcpus.has(id) && vm.host.profile.gics?.existingVcpuFirst ? -ERRNO.EEXIST : -ERRNO.EBUSY;
    if (id >= (vm.maxVcpus ?? vm.host.profile.maxVcpus ?? Infinity)) return -ERRNO.EINVAL;
    if (vm.vcpus.has(id)) return -ERRNO.EEXIST;
    // Each new vCPU starts the VM's virtual counter anew (`kvm_timer_vcpu_init`).
    if (!vm.counterOffsetSet) {
      vm.voffset = vm.clock.now();
      vm.poffset = 0n;
    }
    const vcpu: VcpuState = {
      vm,
      id,
      configuration: undefined,
      features: 0,
      switchedOn: 0,
      cells: [],
      mpState: KVM_MP_STATE.KVM_MP_STATE_RUNNABLE,
      serror: undefined,
      sveFinalized: false,
      sveMaxVq: 0,
      pmuCreated: false,
      pmuIrq: 0,
      abortPending: false,
      pendingReset: undefined,
      guestDebug: undefined,
      stepPending: false,
      stolenTime: undefined,
      irq: false,
      fiq: false,
      gic: undefined,
      timersEnabled: false,
      hasRun: false,
      isRunning: false,
      kicked: false,
      runner: undefined,
    };
    vm.vcpus.set(id, vcpu);
    const placed = vm.gic?.addVcpu(vcpu) ?? 0;
    if (placed < 0) {
      vm.vcpus.delete(id);
      return placed;
    }
    return new EmulatedVcpu(vcpu);
  }

  createDevice(type: number, flags: number): DeviceHandle | Result {
    const vm = this.#state;
    return vm === undefined ? this.#refusal : createDevice(vm, type, flags);
  }

  createIrqchip(): Result {
    return this.#state === undefined ? this.#refusal : createIrqchip(this.#state);
  }

  irqLine(irq: number, level: number): Result {
    return this.#state === undefined ? this.#refusal : setIrqLine(this.#state, irq, level);
  }

  signalMsi(msi: Uint8Array): Result {
    return this.#state === undefined ? this.#refusal : signalMsi(this.#state, msi);
  }

  setGsiRouting(entries: Uint8Array): Result {
    return this.#state === undefined ? this.#refusal : setGsiRouting(this.#state, entries);
  }

  irqfd(event: EventFdHandle, gsi: number, flags: number, resample: EventFdHandle | undefined): Result {
    const vm = this.#state;
    return vm === undefined ? this.#refusal : changeIrqfd(vm, event, gsi, flags, resample);
  }

  ioeventfd(event: EventFdHandle, addr: bigint, len: number, flags: number, datamatch: bigint): Result {
    return this.#state?.ioEventFds.set(event, addr, len, flags, datamatch) ?? this.#refusal;
  }

  setUserMemoryRegion(slot: number, flags: number, guestPhysAddr: bigint, bytes: Uint8Array): Result {
    const vm = this.#state;
    return vm === undefined ? this.#refusal : setMemorySlot(vm, slot, flags, guestPhysAddr, bytes);
  }

  getDirtyLog(slot: number, bitmap: Uint8Array): Result {
    return this.#state === undefined ? this.#refusal : getDirtyLog(this.#state, slot, bitmap);
  }

  clearDirtyLog(slot: number, firstPage: number, pageCount: number, bitmap: Uint8Array): Result {
    const vm = this.#state;
    return vm === undefined ? this.#refusal : clearDirtyLog(vm, slot, firstPage, pageCount, bitmap);
  }

  armPreferredTarget(init: Uint8Array): Result {
    if (this.#state === undefined) return this.#refusal;
    init.set(encodeVcpuInit(this.#state.host.profile.targets.preferred, 0n));
    return 0;
  }

  armGetRegWritableMasks(range: number, masks: BigUint64Array): Result {
    if (this.#state === undefined) return this.#refusal;
    if (range !== 0 || !has(this.#state, KVM_CAP.KVM_CAP_ARM_SUPPORTED_REG_MASK_RANGES)) return -ERRNO.EINVAL;
    masks.fill(0n);
    for (const [index, mask] of Object.entries(this.#state.host.profile.writableMasks)) {
      masks[Number(index)] = BigInt(`0x${mask}`);
    }
    return 0;
  }

  armSetCounterOffset(bytes: Uint8Array): Result {
    const vm = this.#state;
    if (vm === undefined) return this.#refusal;
    if (!has(vm, KVM_CAP.KVM_CAP_COUNTER_OFFSET)) return -ERRNO.EINVAL;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const reserved = view.getBigUint64(8, true);
    if (reserved !== 0n) return -ERRNO.EINVAL;
    vm.counterOffsetSet = true;
    vm.voffset = vm.poffset = view.getBigUint64(0, true);
    return 0;
  }

  hasDeviceAttr(group: number, attr: bigint): Result {
    return this.#state === undefined ? this.#refusal : hasSmcccAttr(this.#state, group, attr);
  }

  /** arm64 has no KVM_GET_DEVICE_ATTR on a VM: an unknown request. */
  getDeviceAttr(): Result {
    return this.#state === undefined ? this.#refusal : -ERRNO.EINVAL;
  }

  setDeviceAttr(group: number, attr: bigint, data: Uint8Array): Result {
    return this.#state === undefined ? this.#refusal : setSmcccAttr(this.#state, group, attr, data);
  }

  ioctl(request: number, argument: bigint | Uint8Array): Result {
    const vm = this.#state;
    if (vm === undefined) return this.#refusal;
    return flatIoctl(
      request,
      argument,
      {
        KVM_ENABLE_CAP: cap => {
          const view = new DataView(cap.buffer, cap.byteOffset);
          const args = BigUint64Array.from({ length: 4 }, (_, i) => view.getBigUint64(8 + 8 * i, true));
          return this.enableCap(view.getUint32(0, true), view.getUint32(4, true), args);
        },
        KVM_IRQ_LINE: line => this.#irqLineOf(line),
        KVM_IRQ_LINE_STATUS: line => this.#irqLineOf(line),
        KVM_ARM_SET_DEVICE_ADDR: address => setDeviceAddress(vm, address),
        KVM_ARM_PREFERRED_TARGET: init => this.armPreferredTarget(init),
        KVM_ARM_SET_COUNTER_OFFSET: offset => this.armSetCounterOffset(offset),
      },
      {
        KVM_CREATE_IRQCHIP: () => this.createIrqchip(),
        KVM_CHECK_EXTENSION: cap => (cap > 0xffff_ffffn ? 0 : this.checkExtension(Number(cap))),
        // No guest has written a page yet: a ring that there is holds no entry to collect.
        KVM_RESET_DIRTY_RINGS: () => (vm.dirtyRingSize === 0 ? -ERRNO.EINVAL : 0),
      },
      NOT_YET_ON_VM,
    );
  }

  close(): void {
    this.#open = undefined;
  }

  #irqLineOf(line: Uint8Array): Result {
    const view = new DataView(line.buffer, line.byteOffset);
    return this.irqLine(view.getUint32(0, true), view.getUint32(4, true));
  }
}

/** Whether the kernel knows the requests of a capability; an unknown request is EINVAL. */
function has({ host }: VmState, cap: number): boolean {
  return (host.profile.capabilities[cap] ?? 0) > 0;
}
