/**
 * What an errno most likely means for a request, and the cure. Sources: `arch/arm64/kvm` of Linux 6.12 and
 * Documentation/virt/kvm/api.rst; the lab's kernel gave each of them.
 *
 * @packageDocumentation
 */
import { errnoName } from './abi/errno.ts';
import { type Architecture, decodeRegisterId, KVM_REG_ARM, KVM_REG_ARM64 } from './abi/register-id.ts';
import { formatRegister, namesakeOnArm } from './abi/register-names.ts';

/** What the caller knows about the failed request. */
export interface HintContext {
  readonly ipaBits?: number;
  readonly ipaLimit?: number;
  readonly vcpuId?: number;
  readonly pageSize?: number;
  readonly hasFilter?: () => boolean;
  /** Features that were asked for and that the host does not have. */
  readonly lacking?: readonly string[];
  readonly register?: bigint | undefined;
  readonly architecture?: Architecture;
  /** Set where the register is KVM_REG_ARM_PSCI_VERSION. */
  readonly psci?: { hasFeature(): boolean; accepted(): string | undefined } | undefined;
}

type Hint = string | ((context: HintContext) => string | undefined);

const NO_ATTRIBUTE = 'This kernel has no such attribute, or not here: hasDeviceAttr() tells';

/** By request and errno; an errno alone holds for every request that has no entry of its own. */
const HINTS: Readonly<Record<string, Hint>> = {
  ENOEXEC: 'The vCPU is not initialised: call vcpu.init() first',
  EPERM: "A feature of this vCPU is not finalized: call vcpu.finalize('SVE') first",
  EIO: 'The VM is dead: its interrupt controller was not complete at the first run (Linux 6.1+). Make another one',
  EBUSY: 'It is too late for this: a vCPU of the VM has run, or is running',
  'KVM_CREATE_VM EINVAL': ({ ipaBits, ipaLimit }) =>
    ipaBits === 0 || ipaLimit === undefined || ipaLimit <= 0
      ? undefined
      : `This host takes ipaBits from 32 to ${ipaLimit}; ${ipaBits} was asked for`,
  'KVM_CREATE_VCPU EEXIST': ({ vcpuId }) =>
    `The VM has a vCPU ${vcpuId} already; one that was closed keeps its id until the VM is closed`,
  'KVM_CREATE_VCPU EBUSY':
    'The interrupt controller is initialised: create all vCPUs before gic.init(), or before the first run',
  'KVM_CREATE_DEVICE ENODEV': 'This host cannot give a VM such a device',
  'KVM_CREATE_DEVICE EEXIST': 'The VM has an interrupt controller already',
  'KVM_CREATE_DEVICE E2BIG': 'The VM has more vCPUs than a GICv2 can have: 8',
  'KVM_IRQ_LINE ENXIO':
    "Lines of type 'spi' and 'ppi' are those of a GIC (vm.createGic()), 'cpu' those of a VM without one",
  'KVM_IRQ_LINE EBUSY': 'Call gic.init() first',
  'KVM_IRQ_LINE EINVAL':
    'The VM has no such vCPU, or its GIC no such interrupt: it has 256, unless createGic({ irqs }) says otherwise',
  'KVM_IRQFD EAGAIN': 'The VM has no GIC that is initialised: vm.createGic(), gic.init()',
  'KVM_IRQFD EBUSY': 'The eventfd has a line already',
  'KVM_IOEVENTFD EEXIST': 'Another eventfd has these writes already',
  'KVM_IOEVENTFD ENOENT':
    'No eventfd has just these writes: address, size and value must be those of its assignment',
  'KVM_IOEVENTFD EINVAL': 'The access goes beyond 2^64',
  'KVM_IOEVENTFD ENOSPC': 'A VM can have 1000 of them, its other devices among those',
  'KVM_SET_GSI_ROUTING EINVAL':
    'A pin is from 0 to 987, a gsi from 0 to 4095, and leads to one pin or one message',
  'KVM_SIGNAL_MSI ENODEV': "The VM has no ITS: vm.createDevice('ARM_VGIC_ITS')",
  'KVM_SIGNAL_MSI EINVAL': 'No ITS has a doorbell there, or the message has no deviceId',
  'KVM_ARM_VM_SMCCC_FILTER EEXIST':
    "The range meets one that has been set, or the kernel's own: 0x80000000 and 0x80008000 and on, and their twins of 64 bits",
  'KVM_ARM_VM_SMCCC_FILTER EINVAL': ({ hasFilter }) =>
    hasFilter?.() === false
      ? 'Kernels have the filter from Linux 6.4 on'
      : 'The range has no function, or goes beyond 32 bits',
  'KVM_ARM_VCPU_PMU_V3_CTRL ENODEV': "The vCPU has no PMU: init({ features: ['PSCI_0_2', 'PMU_V3'] })",
  'KVM_ARM_VCPU_PMU_V3_CTRL ENXIO': 'With a GIC the PMU needs an irq, and without one it can have none',
  'KVM_ARM_VCPU_PMU_V3_CTRL EBUSY': 'It has been initialised already, or a vCPU has run',
  'KVM_ARM_VCPU_PMU_V3_CTRL EINVAL':
    'The irq must be a PPI (16 to 31), the same on all vCPUs, or an SPI of its own on each; events must be such as the kernel knows',
  'KVM_GET_DEVICE_ATTR ENXIO': NO_ATTRIBUTE,
  'KVM_SET_DEVICE_ATTR ENXIO': NO_ATTRIBUTE,
  'KVM_SET_USER_MEMORY_REGION EEXIST': 'Another region of the VM has some of these addresses',
  'KVM_SET_USER_MEMORY_REGION EFAULT':
    'It ends beyond the guest physical addresses of this VM: see createVm({ ipaBits })',
  'KVM_SET_USER_MEMORY_REGION EINVAL': ({ pageSize }) =>
    `Address and size must be multiples of the host's page size, ${pageSize}`,
  'KVM_RUN ENOSYS':
    "The guest accessed an address without memory by an instruction that KVM cannot decode: vm.enableCap('ARM_NISV_TO_USER') makes that an exit",
  'KVM_GET_DIRTY_LOG ENOENT': 'The region is not logged: addMemory({ logDirtyPages: true })',
  'KVM_CLEAR_DIRTY_LOG ENOENT': 'The region is not logged: addMemory({ logDirtyPages: true })',
  'KVM_CLEAR_DIRTY_LOG EINVAL': 'The first page must be a multiple of 64, the bitmap whole words of 64',
  'KVM_CHECK_EXTENSION EINVAL': 'Only a VM can answer this: vm.checkExtension()',
  'KVM_CREATE_VCPU EINVAL': 'The id is beyond what this VM can have: see checkExtension("MAX_VCPU_ID")',
  'KVM_ARM_VCPU_INIT EINVAL': ({ lacking = [] }) =>
    lacking.length > 0
      ? `This host has no ${lacking.join(' and no ')}`
      : "The host lacks the target, two features exclude each other, or the features differ from those of the VM's first vCPU, or from what this vCPU was initialised with before",
  'KVM_ARM_VCPU_INIT ENOENT': 'This kernel does not know one of the feature bits',
  'KVM_ARM_VCPU_FINALIZE EINVAL': 'Only SVE is finalized, and only on a vCPU that was initialised with it',
  'KVM_ARM_VCPU_FINALIZE EPERM': 'It has been finalized already',
  'KVM_GET_ONE_REG ENOENT': noSuchRegister,
  'KVM_SET_ONE_REG ENOENT': noSuchRegister,
  'KVM_GET_ONE_REG EINVAL': context =>
    context.psci === undefined ? malformedRegister(context) : refusedPsciVersion(context),
  'KVM_SET_ONE_REG EINVAL': context =>
    context.psci === undefined
      ? (malformedRegister(context) ?? refusedValue(context))
      : refusedPsciVersion(context),
  'KVM_SET_MP_STATE EINVAL': 'arm64 knows RUNNABLE, STOPPED and, since Linux 5.19, SUSPENDED',
  'KVM_ENABLE_CAP EINVAL': 'No capability to enable on this host, not now, or not with these arguments',
};

function noSuchRegister({ psci }: HintContext): string {
  return psci === undefined
    ? 'This vCPU has no such register, or not of this width'
    : 'This kernel lets nobody see or choose the PSCI version: the register came with Linux 4.17';
}

function malformedRegister({ register, architecture = 'arm64' }: HintContext): string | undefined {
  if (register === undefined) return undefined;
  const first = (architecture === 'arm64' ? KVM_REG_ARM64 : KVM_REG_ARM) >> 56n;
  if (register >> 56n !== first) {
    const meant = architecture === 'arm' ? namesakeOnArm(formatRegister(register)) : undefined;
    const near = meant === undefined ? '' : ` (did you mean ${meant}?)`;
    return `An id of ${architecture} begins with 0x${first.toString(16)}${near}`;
  }
  return decodeRegisterId(register).kind === 'core'
    ? 'No core register has this offset and width'
    : undefined;
}

function refusedValue({ register }: HintContext): string | undefined {
  return register === undefined ? undefined : 'The host does not let this register have that value';
}

function refusedPsciVersion({ psci }: HintContext): string | undefined {
  if (psci?.hasFeature() === false) {
    return "This vCPU was initialised without PSCI_0_2 and has PSCI 0.1; initialise it with features: ['PSCI_0_2'] to select a version";
  }
  const accepted = psci?.accepted();
  return accepted === undefined ? undefined : `This host accepts ${accepted}`;
}

/** The hint for a failed request, if there is one. */
export function hintFor(request: string, errno: number, context: HintContext = {}): string | undefined {
  const code = errnoName(-errno);
  const hint = HINTS[`${request} ${code}`] ?? HINTS[code];
  return typeof hint === 'function' ? hint(context) : hint;
}
