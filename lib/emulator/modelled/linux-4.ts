/**
 * What Linux 4.14 and 4.17 do otherwise than 5.10. Each source names the releases that were read: 4.18 is taken for 4.17,
 * and 4.12 with 4.18 for what is between them. What that cannot settle is marked as unconfirmed.
 *
 * @packageDocumentation
 */
import { KVM_CAP } from '../../abi/capabilities.ts';
import { coreRegId, KVM_REG_ARM_COPROC, psciVersionId, sysRegId } from '../../abi/register-id.ts';
import type { ProfileRegister } from '../profile.ts';
import { behave, capabilities, eachRegister, fieldsOf, hexId, type Rule, resetTo, without } from './rule.ts';

const PMCR_EL0 = sysRegId(3, 3, 9, 12, 0);
const FPEXC32_EL2 = sysRegId(3, 4, 5, 3, 0);
const DISR_EL1 = sysRegId(3, 0, 12, 1, 1);
const TIMER_CTL = sysRegId(3, 3, 14, 3, 1);
const DEBUG_0 = [4, 5, 6, 7].map(op2 => sysRegId(2, 0, 0, 0, op2));

/** `VGIC_V3_MAX_CPUS` and `VGIC_V2_MAX_CPUS` of that time. */
const GICV3_CPUS = 255;
const GICV2_CPUS = 8;

/** The padding of `struct kvm_regs`, which is storage as well. */
const PADDING: readonly ProfileRegister[] = [328, 856].map(offset => ({
  id: hexId(coreRegId(offset)),
  reset: '0',
  unlisted: true,
}));

/** Linux 4.17 against 5.10, on arm64 and on 32-bit arm; all of it holds for 4.14, too. */
export const LINUX_4_17: readonly Rule[] = [
  {
    rule: 'No capability from 158 on, no VCPU_EVENTS and no ENABLE_CAP_VM',
    source:
      'kvm_vm_ioctl_check_extension (virt/kvm/arm/arm.c) and kvm_arch_dev_ioctl_check_extension (reset.c), 4.12 and 4.18',
    apply: capabilities((cap, value) =>
      cap >= KVM_CAP.KVM_CAP_ARM_INJECT_SERROR_ESR ||
      cap === KVM_CAP.KVM_CAP_VCPU_EVENTS ||
      cap === KVM_CAP.KVM_CAP_ENABLE_CAP_VM
        ? undefined
        : value,
    ),
  },
  {
    rule: 'KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS and KVM_ENABLE_CAP are unknown requests: EINVAL',
    source: 'kvm_arch_vcpu_ioctl and kvm_arch_vm_ioctl, virt/kvm/arm/arm.c, 4.18; VCPU_EVENTS came with 4.19',
    apply: host => ({ ...host, enableCaps: [] }),
  },
  {
    rule: 'A VM has 40 IPA bits and no choice of them: any type but 0 is EINVAL',
    source:
      'kvm_arch_init_vm, virt/kvm/arm/arm.c, 4.12 and 4.18; KVM_PHYS_SHIFT, asm/kvm_arm.h and asm/kvm_mmu.h',
    apply: host => ({ ...host, ipaBits: { min: 0, max: 0, default: 40 } }),
  },
  {
    rule: 'No SVE and no pointer authentication: KVM_ARM_VCPU_FINALIZE is EINVAL, coprocessor 0x15 has no registers of its own, and vCPUs of a VM may differ in EL1_32BIT',
    source: 'kvm_vcpu_set_target and kvm_arch_vcpu_ioctl, virt/kvm/arm/arm.c; kvm_arm_get_reg, guest.c, 4.18',
    apply: host => ({
      ...behave({ beforeSve: true, widthOfAllVcpus: false })(host),
      anyCoprocessor: {
        ...host.anyCoprocessor,
        except: host.anyCoprocessor.except.filter(coproc => coproc !== KVM_REG_ARM_COPROC.KVM_REG_ARM64_SVE),
      },
    }),
  },
];

/** The same, on arm64. */
export const LINUX_4_17_ARM64: readonly Rule[] = [
  {
    rule: 'Values of ID registers, reset values and caches are those that the recorded kernel showed of its CPU',
    source: 'the recorded host; sanitising by an older kernel could differ (unconfirmed)',
  },
  {
    rule: 'MAX_VCPUS and MAX_VCPU_ID answer 255 whatever the GIC; with its GICv2 a VM has 8 vCPUs all the same',
    source:
      'kvm_vm_ioctl_check_extension and kvm_arch_vcpu_create, virt/kvm/arm/arm.c, 4.12 and 4.18; 255: VGIC_V3_MAX_CPUS before 512 (in 4.17 unconfirmed)',
    apply: host => ({
      ...capabilities((cap, value) =>
        cap === KVM_CAP.KVM_CAP_MAX_VCPUS || cap === KVM_CAP.KVM_CAP_MAX_VCPU_ID ? GICV3_CPUS : value,
      )(host),
      maxVcpus: GICV2_CPUS,
    }),
  },
  {
    rule: 'Four vCPU features are known: POWER_OFF, EL1_32BIT, PSCI_0_2, PMU_V3; any other is ENOENT',
    source:
      'KVM_VCPU_MAX_FEATURES, arch/arm64/include/asm/kvm_host.h, 4.18; the posting of 2018 shows 4 as well',
    apply: host => ({ ...host, knownFeatures: 4 }),
  },
  {
    rule: 'Core ids are any bytes of struct kvm_regs. All 216 words are listed as u64, of which the last two are ENOENT to read; PSTATE takes any mode that there is but SYS, of either width; nothing is cut to 32 bits',
    source: 'get_core_reg, set_core_reg and kvm_arm_copy_reg_indices, arch/arm64/kvm/guest.c, 4.18',
    apply: host => {
      const isMember = (register: ProfileRegister) => fieldsOf(register).kind === 'core';
      return {
        ...behave({ rawCore: true })(host),
        registers: [
          ...host.registers.filter(isMember),
          ...PADDING,
          ...host.registers.filter(register => !isMember(register)),
        ],
      };
    },
  },
  {
    rule: 'PMCR_EL0 is not among the registers: ENOENT',
    source: 'sys_reg_descs without .reg, arch/arm64/kvm/sys_regs.c, 4.14.y and 4.18',
    apply: without(PMCR_EL0),
  },
  {
    rule: 'FPEXC32_EL2 is 0x70 after a reset',
    source:
      'sys_reg_descs, arch/arm64/kvm/sys_regs.c, 4.18 (4.14.y has the later 0x700; mainline 4.14 unconfirmed)',
    apply: resetTo(FPEXC32_EL2, '70'),
  },
  {
    rule: 'Of the PMU there are the attributes IRQ and INIT. Which of two errors comes first is as in 5.10 (not modelled)',
    source: 'asm/kvm.h, 4.18; KVM_ARM_VCPU_PMU_V3_FILTER came with 5.10',
    apply: host => ({ ...host, pmuAttributes: 2 }),
  },
];

const FW = KVM_REG_ARM_COPROC.KVM_REG_ARM_FW;
const isFirmware = (register: ProfileRegister) => fieldsOf(register).kind === 'firmware';

/** The firmware register as merged. */
export const ONE_FIRMWARE_REGISTER: readonly Rule[] = [
  {
    rule: 'One firmware register, PSCI_VERSION; every other id of coprocessor 0x14 is EINVAL to read and to write, another width too',
    source: 'kvm_arm_get_fw_reg and kvm_arm_set_fw_reg, virt/kvm/arm/psci.c, 4.19 and 5.2',
    apply: host => {
      const own = hexId(psciVersionId(host.architecture ?? 'arm64'));
      const { registers } = eachRegister(register =>
        isFirmware(register) && register.id !== own ? [] : register,
      )(host);
      return behave({ unknownFirmware: 'EINVAL' })({ ...host, registers });
    },
  },
  {
    rule: 'PSCI_VERSION takes 0.1 without the feature PSCI_0_2, and 0.2 and 1.0 with it; a guest finds 1.0 by default',
    source:
      'kvm_arm_set_fw_reg, virt/kvm/arm/psci.c, and kvm_psci_version, include/kvm/arm_psci.h, 4.19 and 5.2',
    apply: host => ({
      ...host,
      psci: { withFeature: ['2', '10000'], withoutFeature: ['1'], latest: '10000' },
    }),
  },
];

/** Before any firmware register. */
export const BEFORE_FIRMWARE: readonly Rule[] = [
  {
    rule: 'No firmware register: ids of coprocessor 0x14 are taken for system registers, and mostly ENOENT',
    source: 'kvm_arm_get_reg, arch/arm64/kvm/guest.c, as the posting of 2018 shows it before its change',
    apply: host => ({
      ...eachRegister(register => (isFirmware(register) ? [] : register))(host),
      anyCoprocessor: {
        ...host.anyCoprocessor,
        except: host.anyCoprocessor.except.filter(coproc => coproc !== FW),
      },
    }),
  },
  {
    rule: 'A guest finds PSCI 0.2 with the feature PSCI_0_2, else 0.1; nothing chooses',
    source: 'kvm_psci_version, virt/kvm/arm/psci.c, as the posting of 2018 shows it before its change',
    apply: host => ({ ...host, psci: { withFeature: [], withoutFeature: [], latest: '2' } }),
  },
];

/** The AArch32 ID registers that 4.14 has, which do not change: ID_PFR0_EL1 to ID_ISAR5_EL1. */
const isInvariantId = ({ crm, op2 }: { crm: number; op2: number }) => crm === 1 || (crm === 2 && op2 <= 5);

const idFields = (register: ProfileRegister) => {
  const fields = fieldsOf(register);
  if (fields.kind !== 'sysreg' || fields.op0 !== 3 || fields.op1 !== 0 || fields.crn !== 0) return undefined;
  return fields.crm === 0 ? undefined : fields;
};

const REVIDR_EL1 = hexId(sysRegId(3, 0, 0, 0, 6));

/** Linux 4.14 against 4.17, but for the firmware. */
export const LINUX_4_14: readonly Rule[] = [
  {
    rule: 'Of the ID registers ID_PFR0_EL1 to ID_ISAR5_EL1 are listed, after REVIDR_EL1, and are invariant under any coprocessor; all others are ENOENT',
    source: 'invariant_sys_regs and sys_reg_descs, arch/arm64/kvm/sys_regs.c, 4.14.y',
    apply: host => {
      const invariant = host.registers.filter(register => {
        const fields = idFields(register);
        return fields !== undefined && isInvariantId(fields);
      });
      return {
        ...host,
        registers: host.registers.flatMap(register => {
          if (register.id === REVIDR_EL1) return [register, ...invariant];
          return idFields(register) === undefined ? [register] : [];
        }),
        anyCoprocessor: {
          ...host.anyCoprocessor,
          registers: [...host.anyCoprocessor.registers, ...invariant.map(({ id }) => id)],
        },
      };
    },
  },
  {
    rule: 'DBGBVR0_EL1, DBGBCR0_EL1, DBGWVR0_EL1 and DBGWCR0_EL1 are ENOENT: their index 0 is taken for none',
    source: 'index_to_sys_reg_desc and walk_sys_regs, arch/arm64/kvm/sys_regs.c, 4.14.y',
    apply: without(...DEBUG_0),
  },
  {
    rule: 'No DISR_EL1',
    source: 'sys_reg_descs, arch/arm64/kvm/sys_regs.c, 4.14.y',
    apply: without(DISR_EL1),
  },
  {
    rule: 'KVM_REG_ARM_TIMER_CTL is 32 bits of storage: ISTATUS is what was written',
    source:
      'kvm_arm_timer_get_reg and kvm_arm_timer_set_reg, virt/kvm/arm/arch_timer.c, before 4.15 (label unconfirmed)',
    apply: host => ({
      ...behave({ timerControl: 'stored' })(host),
      registers: host.registers.map(register =>
        register.id === hexId(TIMER_CTL)
          ? { ...register, reset: '0', write: { stored: 'ffffffff' } }
          : register,
      ),
    }),
  },
];
