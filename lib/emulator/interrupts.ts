/**
 * What userspace does about interrupts: it makes a controller, moves lines, and says where they lead
 * (`kvm_vm_ioctl_irq_line` and `kvm_arch_vm_ioctl`, arch/arm64/kvm/arm.c; `kvm_ioctl_create_device`, virt/kvm/kvm_main.c).
 * The controller itself is loaded when one is made.
 *
 * @packageDocumentation
 */
import { createRequire } from 'node:module';
import { KVM_CREATE_DEVICE_TEST, KVM_DEV_TYPE } from '../abi/device-attributes.ts';
import { ERRNO } from '../abi/errno.ts';
import {
  INTERRUPT_STRUCT_SIZE,
  KVM_ARM_IRQ_CPU,
  KVM_ARM_IRQ_TYPE,
  KVM_IRQFD_FLAG,
  KVM_MSI_VALID_DEVID,
  MAX_IRQ_ROUTES,
} from '../abi/interrupts.ts';
import type { DeviceHandle, EventFdHandle, Result } from '../backend.ts';
import type { EmulatedEventFd } from './event-fd.ts';
import { isPpi } from './intids.ts';
import { notEmulated } from './ioctl.ts';
import type { VcpuState, VmState } from './state.ts';

const require = createRequire(import.meta.url);
const loadGic = (): typeof import('./gic/gic.ts') => require('./gic/gic.js');
const loadDevice = (): typeof import('./gic/device.ts') => require('./gic/device.js');
const loadIrqfds = (): typeof import('./gic/irqfds.ts') => require('./gic/irqfds.js');

const MODELS: Readonly<Record<number, 2 | 3>> = {
  [KVM_DEV_TYPE.KVM_DEV_TYPE_ARM_VGIC_V2]: 2,
  [KVM_DEV_TYPE.KVM_DEV_TYPE_ARM_VGIC_V3]: 3,
};

/**
 * KVM_CREATE_DEVICE
 *
 * @throws KvmError `ERR_NOT_EMULATED` for a device that the kernel has and nothing here is
 */
export function createDevice(vm: VmState, type: number, flags: number): DeviceHandle | Result {
  if (!vm.host.profile.devices.includes(type)) return -ERRNO.ENODEV;
  if ((flags & KVM_CREATE_DEVICE_TEST) !== 0) return 0;
  const model = MODELS[type];
  if (model === undefined) throw notEmulated('KVM_CREATE_DEVICE');
  const result = loadGic().createGic(vm, model);
  return result < 0 ? result : new (loadDevice().GicDevice)(vm.gic!);
}

/** KVM_CREATE_IRQCHIP: a GICv2. */
export function createIrqchip(vm: VmState): Result {
  return vm.host.profile.gics === null ? -ERRNO.ENXIO : loadGic().createGic(vm, 2);
}

/** KVM_ARM_SET_DEVICE_ADDR */
export function setDeviceAddress(vm: VmState, bytes: Uint8Array): Result {
  return loadDevice().setDeviceAddress(vm, bytes);
}

/** Fields of `irq` in `struct kvm_irq_level` (asm/kvm.h). */
const TYPE_SHIFT = 24;
const VCPU_SHIFT = 16;
const VCPU2_SHIFT = 28;

/** KVM_IRQ_LINE */
export function setIrqLine(vm: VmState, irq: number, level: number): Result {
  const id = irq & 0xffff;
  const vcpu = vm.vcpus.get(((irq >>> VCPU_SHIFT) & 0xff) + 256 * (irq >>> VCPU2_SHIFT));
  const isHigh = level !== 0;
  const { gic } = vm;
  switch ((irq >>> TYPE_SHIFT) & 0xf) {
    case KVM_ARM_IRQ_TYPE.KVM_ARM_IRQ_TYPE_CPU:
      if (gic !== undefined) return -ERRNO.ENXIO;
      return vcpu === undefined ? -ERRNO.EINVAL : setInput(vcpu, id, isHigh);
    case KVM_ARM_IRQ_TYPE.KVM_ARM_IRQ_TYPE_PPI: {
      const refusal = gic?.lazyInit() ?? -ERRNO.ENXIO;
      if (refusal < 0) return refusal;
      return vcpu === undefined || !isPpi(id) ? -ERRNO.EINVAL : gic!.inject(vcpu.gic, id, isHigh);
    }
    case KVM_ARM_IRQ_TYPE.KVM_ARM_IRQ_TYPE_SPI: {
      const refusal = gic?.lazyInit() ?? -ERRNO.ENXIO;
      return refusal < 0 ? refusal : gic!.inject(undefined, id, isHigh);
    }
    default:
      return -ERRNO.EINVAL;
  }
}

/** An input of a vCPU whose controller is the program (`vcpu_interrupt_line`). */
function setInput(vcpu: VcpuState, id: number, level: boolean): Result {
  if (id === KVM_ARM_IRQ_CPU.KVM_ARM_IRQ_CPU_IRQ) vcpu.irq = level;
  else if (id === KVM_ARM_IRQ_CPU.KVM_ARM_IRQ_CPU_FIQ) vcpu.fiq = level;
  else return -ERRNO.EINVAL;
  vcpu.runner?.inputsChanged();
  return 0;
}

/** Of `struct kvm_msi`. */
const MSI_FLAGS = 12;

/** KVM_SIGNAL_MSI: there is no ITS to take it (`kvm_send_userspace_msi`, virt/kvm/irqchip.c). */
export function signalMsi(vm: VmState, msi: Uint8Array): Result {
  const flags = new DataView(msi.buffer, msi.byteOffset).getUint32(MSI_FLAGS, true);
  const isUnknown = (flags & ~KVM_MSI_VALID_DEVID) !== 0;
  return vm.gic === undefined || isUnknown ? -ERRNO.EINVAL : -ERRNO.ENODEV;
}

/** KVM_SET_GSI_ROUTING; a GIC that is initialised later begins with a routing of its own. */
export function setGsiRouting(vm: VmState, entries: Uint8Array): Result {
  if (entries.length / INTERRUPT_STRUCT_SIZE.kvm_irq_routing_entry > MAX_IRQ_ROUTES) return -ERRNO.EINVAL;
  if (vm.gic !== undefined) return vm.gic.irqfds.setRouting(entries);
  const routes = loadIrqfds().decodeRouting(entries);
  return typeof routes === 'number' ? routes : 0;
}

/** KVM_IRQFD (`kvm_irqfd`, virt/kvm/eventfd.c). */
export function changeIrqfd(
  vm: VmState,
  event: EventFdHandle,
  gsi: number,
  flags: number,
  resample: EventFdHandle | undefined,
): Result {
  const { KVM_IRQFD_FLAG_DEASSIGN, KVM_IRQFD_FLAG_RESAMPLE } = KVM_IRQFD_FLAG;
  if ((flags & ~(KVM_IRQFD_FLAG_DEASSIGN | KVM_IRQFD_FLAG_RESAMPLE)) !== 0) return -ERRNO.EINVAL;
  const own = event as EmulatedEventFd;
  if (vm.gic !== undefined)
    return vm.gic.irqfds.change(own, gsi, flags, resample as EmulatedEventFd | undefined);
  if ((flags & KVM_IRQFD_FLAG_DEASSIGN) === 0) return -ERRNO.EAGAIN;
  return own.isOpen ? 0 : -ERRNO.EBADF;
}
