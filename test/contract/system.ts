/** /dev/kvm: version, capabilities, making VMs. */
import assert from 'node:assert/strict';
import type { Capability } from '#lib/abi/capabilities.js';
import type { Suite } from '#lib/testing.js';
import { refused, rejects, untyped, withKvm, withVm } from './suite.ts';

/**
 * `kvm_vm_ioctl_check_extension` (arch/arm64/kvm/arm.c) and `kvm_vm_ioctl_check_extension_generic`
 * (virt/kvm/kvm_main.c) of Linux 6.12, whose constants these are, but for what the CPU has.
 */
const CAPABILITIES: Readonly<Partial<Record<Capability, number>>> = {
  IRQCHIP: 1, // vgic_present
  USER_MEMORY: 1,
  NR_MEMSLOTS: 32767, // KVM_USER_MEM_SLOTS = SHRT_MAX
  MP_STATE: 1,
  COALESCED_MMIO: 1, // KVM_COALESCED_MMIO_PAGE_OFFSET
  SYNC_MMU: 1,
  DESTROY_MEMORY_REGION_WORKS: 1,
  SET_GUEST_DEBUG: 1,
  IRQ_ROUTING: 4096, // KVM_MAX_IRQ_ROUTES
  JOIN_MEMORY_REGIONS_WORKS: 1,
  IRQFD: 1,
  SET_BOOT_CPU_ID: 0,
  IOEVENTFD: 1,
  INTERNAL_ERROR_DATA: 1,
  VCPU_EVENTS: 1,
  ENABLE_CAP: 0, // on a vCPU: not arm64
  ASYNC_PF: 0,
  MAX_VCPUS: 512, // VGIC_V3_MAX_CPUS
  ONE_REG: 1,
  SYNC_REGS: 0,
  SIGNAL_MSI: 1,
  READONLY_MEM: 1,
  IRQFD_RESAMPLE: 1,
  ARM_PSCI: 1,
  ARM_SET_DEVICE_ADDR: 1,
  DEVICE_CTRL: 1,
  ARM_EL1_32BIT: 0, // Neoverse N1 has AArch32 at EL0 alone
  ENABLE_CAP_VM: 1,
  IOEVENTFD_NO_LENGTH: 0,
  VM_ATTRIBUTES: 0, // arm64 has the SMCCC filter, but no such capability
  ARM_PSCI_0_2: 1,
  CHECK_EXTENSION_VM: 1,
  DISABLE_QUIRKS: 0,
  MULTI_ADDRESS_SPACE: 0,
  GUEST_DEBUG_HW_BPS: 6, // ID_AA64DFR0_EL1.BRPs of Neoverse N1, plus one
  GUEST_DEBUG_HW_WPS: 4, // ID_AA64DFR0_EL1.WRPs, plus one
  IOEVENTFD_ANY_LENGTH: 1,
  ARM_PMU_V3: 1,
  VCPU_ATTRIBUTES: 1,
  MAX_VCPU_ID: 512,
  IMMEDIATE_EXIT: 1,
  ARM_USER_IRQ: 1,
  NESTED_STATE: 0,
  ARM_INJECT_SERROR_ESR: 1, // Neoverse N1 has the RAS extension
  COALESCED_PIO: 1,
  ARM_VM_IPA_SIZE: 48, // ID_AA64MMFR0_EL1.PARange 5
  MANUAL_DIRTY_LOG_PROTECT2: 3, // KVM_DIRTY_LOG_MANUAL_CAPS
  ARM_SVE: 0,
  ARM_PTRAUTH_ADDRESS: 0,
  ARM_PTRAUTH_GENERIC: 0,
  ARM_IRQ_LINE_LAYOUT_2: 1,
  ARM_NISV_TO_USER: 1,
  ARM_INJECT_EXT_DABT: 1,
  HALT_POLL: 1,
  LAST_CPU: 0,
  STEAL_TIME: 1,
  DIRTY_LOG_RING: 0, // only on strongly ordered CPUs
  SET_GUEST_DEBUG2: 0x30003, // KVM_GUESTDBG_VALID_MASK
  PTP_KVM: 1,
  BINARY_STATS_FD: 1,
  ARM_MTE: 0,
  SYSTEM_EVENT_DATA: 1,
  ARM_SYSTEM_SUSPEND: 1,
  DIRTY_LOG_RING_ACQ_REL: 0x10_0000, // KVM_DIRTY_RING_MAX_ENTRIES × sizeof(struct kvm_dirty_gfn)
  DIRTY_LOG_RING_WITH_BITMAP: 1,
  COUNTER_OFFSET: 1,
  ARM_EAGER_SPLIT_CHUNK_SIZE: 0, // KVM_ARM_EAGER_SPLIT_CHUNK_SIZE_DEFAULT
  ARM_SUPPORTED_BLOCK_SIZES: 0x4020_1000, // 4 KiB, 2 MiB, 1 GiB: `kvm_supported_block_sizes`, 4 KiB pages
  ARM_SUPPORTED_REG_MASK_RANGES: 1, // BIT(0)
  USER_MEMORY2: 1,
  MEMORY_ATTRIBUTES: 0,
  GUEST_MEMFD: 0,
  // Later kernels' (reference: 6.15, 6.16, 6.17, 6.19, 7.3).
  ARM_WRITABLE_IMP_ID_REGS: 0,
  ARM_EL2: 0,
  ARM_EL2_E2H0: 0,
  ARM_CACHEABLE_PFNMAP_SUPPORTED: 0,
  ARM_SEA_TO_USER: 0,
  ARM_PMU_V3_STRICT: 0,
};

export const system: Suite = ({ describe, it, open }) => {
  describe('/dev/kvm', () => {
    it('speaks version 12 of the API (KVM_API_VERSION)', () => {
      withKvm(open, kvm => assert.equal(kvm.apiVersion(), 12));
    });

    it('shares 8192 bytes with each vCPU: struct kvm_run and the coalesced MMIO ring, a page each', () => {
      withKvm(open, kvm => assert.equal(kvm.vcpuMmapSize(), 8192));
    });
  });

  describe('KVM_CHECK_EXTENSION', () => {
    const names = Object.keys(CAPABILITIES) as Capability[];

    it('answers on /dev/kvm what the kernel source says', () => {
      withKvm(open, kvm => {
        const answers = Object.fromEntries(names.map(name => [name, kvm.checkExtension(name)]));
        assert.deepEqual(answers, CAPABILITIES);
      });
    });

    it('answers the same on a VM', () => {
      withVm(open, vm => {
        const answers = Object.fromEntries(names.map(name => [name, vm.checkExtension(name)]));
        assert.deepEqual(answers, CAPABILITIES);
      });
    });

    it('recommends as many vCPUs as the host has CPUs, whatever that is', () => {
      withKvm(open, kvm => {
        const recommended = kvm.checkExtension('NR_VCPUS');
        assert.ok(recommended >= 1 && recommended <= 512, String(recommended));
      });
    });

    it('takes names with and without KVM_CAP_, and numbers', () => {
      withKvm(open, kvm => {
        assert.equal(kvm.checkExtension('KVM_CAP_ARM_PSCI_0_2'), 1);
        assert.equal(kvm.checkExtension(102), 1);
      });
    });

    it('answers 0 for a capability that the kernel has never heard of', () => {
      withVm(open, vm => {
        for (const cap of [2, 999, 0x7fff_ffff, 0xffff_ffff]) {
          assert.equal(vm.kvm.checkExtension(cap), 0);
          assert.equal(vm.checkExtension(cap), 0);
        }
      });
    });

    it('answers MSI_DEVID on a VM alone: EINVAL on /dev/kvm', () => {
      withVm(open, vm => {
        refused('EINVAL', 'KVM_CHECK_EXTENSION', () => vm.kvm.checkExtension('MSI_DEVID'));
        assert.equal(vm.checkExtension('MSI_DEVID'), 0); // msis_require_devid: an ITS sets it
      });
    });

    it('refuses what is no capability before the kernel is asked', () => {
      withVm(open, vm => {
        for (const target of [vm, vm.kvm]) {
          rejects('ERR_INVALID_ARG_VALUE', () => target.checkExtension(untyped('ARM_PSCI_0_3')));
          for (const cap of [-1, 1.5, Number.NaN, 0x1_0000_0000]) {
            rejects('ERR_OUT_OF_RANGE', () => target.checkExtension(cap));
          }
          for (const cap of [undefined, null, 102n, {}, Symbol('cap')]) {
            rejects('ERR_INVALID_ARG_TYPE', () => target.checkExtension(untyped(cap)));
          }
        }
      });
    });
  });

  // kvm_init_ipa_range (arch/arm64/kvm/mmu.c): 0 is 40 bits, else ARM64_MIN_PARANGE_BITS to the host's limit.
  describe('KVM_CREATE_VM', () => {
    it('makes VMs of 32 to 48 IPA bits on this CPU', () => {
      withKvm(open, kvm => {
        kvm.createVm().close();
        for (const ipaBits of [0, 32, 33, 36, 40, 44, 48]) kvm.createVm({ ipaBits }).close();
      });
    });

    it('refuses fewer and more: EINVAL, with the range in the hint', () => {
      withKvm(open, kvm => {
        for (const ipaBits of [1, 31, 49, 52, 64, 255]) {
          const { hint } = refused('EINVAL', 'KVM_CREATE_VM', () => kvm.createVm({ ipaBits }));
          assert.equal(hint, `This host takes ipaBits from 32 to 48; ${ipaBits} was asked for`);
        }
      });
    });

    it('refuses what is no number of bits before the kernel is asked', () => {
      withKvm(open, kvm => {
        for (const ipaBits of [256, -1, 40.5, Number.NaN, Number.POSITIVE_INFINITY]) {
          rejects('ERR_OUT_OF_RANGE', () => kvm.createVm({ ipaBits }));
        }
        for (const ipaBits of ['40', 40n, null]) {
          rejects('ERR_INVALID_ARG_TYPE', () => kvm.createVm({ ipaBits: untyped(ipaBits) }));
        }
        for (const options of [null, 40, 'ipaBits']) {
          rejects('ERR_INVALID_ARG_TYPE', () => kvm.createVm(untyped(options)));
        }
      });
    });

    it('makes VMs that know nothing of each other', () => {
      withKvm(open, kvm => {
        const [one, other] = [kvm.createVm(), kvm.createVm()];
        const [first, second] = [one.createVcpu(0), other.createVcpu(0)];
        first.init();
        second.init();
        first.setPsciVersion('0.2');
        assert.equal(second.psciVersion, '1.1');
      });
    });
  });

  describe('KVM_ARM_PREFERRED_TARGET', () => {
    it('is KVM_ARM_TARGET_GENERIC_V8, 5, without features (since 6.6)', () => {
      withVm(open, vm => assert.deepEqual(vm.preferredTarget(), { target: 5, featureBits: 0n }));
    });
  });
};
