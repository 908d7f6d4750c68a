import { expect, test } from 'vitest';
import { KVM_CAP } from '#lib/abi/capabilities.js';
import * as attributes from '#lib/abi/device-attributes.js';
import { ERRNO } from '#lib/abi/errno.js';
import { KVM_EXIT, KVM_RUN_SIZE, KVM_SYSTEM_EVENT } from '#lib/abi/exits.js';
import {
  GUEST_DEBUG_OFFSET,
  GUEST_DEBUG_SIZE,
  KVM_ARM_MAX_DBG_REGS,
  KVM_GUESTDBG,
} from '#lib/abi/guest-debug.js';
import * as interrupts from '#lib/abi/interrupts.js';
import { KVM_API_VERSION, KVM_IOCTL, KVMIO } from '#lib/abi/ioctls.js';
import { KVM_MEM } from '#lib/abi/memory.js';
import { KVM_MP_STATE } from '#lib/abi/mp-state.js';
import {
  KVM_PSCI_FN,
  PSCI_0_2_64BIT,
  PSCI_FN,
  PSCI_RET,
  PSCI_VALUE,
  parsePsciVersion,
} from '#lib/abi/psci.js';
import * as registerId from '#lib/abi/register-id.js';
import { parseRegister } from '#lib/abi/register-names.js';
import { SMCCC_FILTER_ACTION, SMCCC_FILTER_SIZE } from '#lib/abi/smccc-filter.js';
import {
  CLEAR_DIRTY_LOG_BITMAP,
  DEVICE_ATTR_ADDR,
  DIRTY_LOG_BITMAP,
  FEATURE_ID_RANGE_SIZE,
  REG_MASK_RANGE_ADDR,
  STRUCT_SIZE,
} from '#lib/abi/structs.js';
import { systemRegisters } from '#lib/abi/system-registers.js';
import { KVM_ARM_TARGET, KVM_ARM_VCPU } from '#lib/abi/vcpu-features.js';
import { noCrossTools, runCross, unlessCross } from './cross.ts';

/** A number of the headers: a C expression, what we have for it, and the macro without which it does not exist. */
interface Claim {
  readonly expression: string;
  readonly value: number | bigint;
  readonly macro?: string;
}

/** Macros of the same names as our table's. */
function macros(table: Readonly<Record<string, number>>): Claim[] {
  return Object.entries(table).map(([macro, value]) => ({ expression: macro, value, macro }));
}

/** Register ids by the names that both sides have. */
function registers(...names: string[]): Claim[] {
  return names.map(macro => ({ expression: macro, value: parseRegister(macro), macro }));
}

/** Members of arm64's `struct kvm_regs`. */
function core(name: string, member: string, size = 'U64'): Claim {
  return {
    expression: `KVM_REG_ARM64 | KVM_REG_SIZE_${size} | KVM_REG_ARM_CORE | KVM_REG_ARM_CORE_REG(${member})`,
    value: parseRegister(name),
  };
}

function numbered(count: number, claim: (n: number) => Claim): Claim[] {
  return Array.from({ length: count }, (_, n) => claim(n));
}

const constants = Object.entries(registerId).flatMap(([macro, value]): Claim[] =>
  typeof value === 'bigint' ? [{ expression: macro, value, macro }] : [],
);

/** Where old headers err, the condition under which they do not. */
const ERRATA: Readonly<Record<string, string>> = {
  // 19 up to Linux 6.1, the number of MEM_PROTECT; 20 since, as in Arm DEN 0022.
  PSCI_1_1_FN_MEM_PROTECT_CHECK_RANGE: 'PSCI_1_1_FN_MEM_PROTECT_CHECK_RANGE != PSCI_0_2_FN(19)',
  PSCI_1_1_FN64_MEM_PROTECT_CHECK_RANGE: 'PSCI_1_1_FN64_MEM_PROTECT_CHECK_RANGE != PSCI_0_2_FN64(19)',
};

/** Structs that came after Linux 6.1, with a macro that came with them. */
const STRUCT_SINCE: Readonly<Record<string, string>> = {
  kvm_arm_counter_offset: 'KVM_ARM_SET_COUNTER_OFFSET',
  reg_mask_range: 'KVM_ARM_GET_REG_WRITABLE_MASKS',
};

const claims: Claim[] = [
  ...macros(ERRNO),
  ...macros(KVM_IOCTL),
  ...macros(KVM_CAP),
  ...macros(KVM_ARM_VCPU),
  ...macros(KVM_ARM_TARGET),
  ...macros(KVM_MP_STATE),
  ...macros(PSCI_FN),
  ...macros(KVM_PSCI_FN),
  ...macros(PSCI_RET),
  ...macros(PSCI_VALUE),
  ...macros(KVM_MEM),
  ...macros(KVM_EXIT),
  ...macros(KVM_SYSTEM_EVENT),
  ...macros(attributes.KVM_DEV_TYPE),
  ...macros(attributes.KVM_DEV_ARM_VGIC_GRP),
  ...macros(attributes.KVM_VGIC_ADDR_TYPE),
  ...macros(attributes.KVM_VGIC_SIZE),
  ...macros(attributes.KVM_DEV_ARM_VGIC_CTRL),
  ...macros(attributes.KVM_ARM_VCPU_CTRL),
  ...macros(attributes.KVM_ARM_VCPU_PMU_V3),
  ...macros(attributes.KVM_ARM_VCPU_TIMER),
  ...macros({
    KVM_CREATE_DEVICE_TEST: attributes.KVM_CREATE_DEVICE_TEST,
    KVM_ARM_VCPU_PVTIME_IPA: attributes.KVM_ARM_VCPU_PVTIME_IPA,
    KVM_ARM_VM_SMCCC_CTRL: attributes.KVM_ARM_VM_SMCCC_CTRL,
    KVM_ARM_VM_SMCCC_FILTER: attributes.KVM_ARM_VM_SMCCC_FILTER,
    KVM_PMU_EVENT_ALLOW: attributes.KVM_PMU_EVENT.allow,
    KVM_PMU_EVENT_DENY: attributes.KVM_PMU_EVENT.deny,
    KVM_MSI_VALID_DEVID: interrupts.KVM_MSI_VALID_DEVID,
    KVM_ARM_MAX_DBG_REGS,
  }),
  ...macros(interrupts.KVM_ARM_IRQ_TYPE),
  ...macros(interrupts.KVM_ARM_IRQ_CPU),
  ...macros(interrupts.KVM_IRQFD_FLAG),
  ...macros(interrupts.KVM_IOEVENTFD_FLAG),
  ...macros(interrupts.KVM_IRQ_ROUTING),
  ...macros(KVM_GUESTDBG),
  ...(
    [
      ['KVM_SMCCC_FILTER_HANDLE', SMCCC_FILTER_ACTION.handle],
      ['KVM_SMCCC_FILTER_DENY', SMCCC_FILTER_ACTION.deny],
      ['KVM_SMCCC_FILTER_FWD_TO_USER', SMCCC_FILTER_ACTION.forward],
      ['sizeof(struct kvm_smccc_filter)', SMCCC_FILTER_SIZE],
      ['offsetof(struct kvm_smccc_filter, nr_functions)', 4],
      ['offsetof(struct kvm_smccc_filter, action)', 8],
    ] as const
  ).map(([expression, value]) => ({ expression, value, macro: 'KVM_ARM_VM_SMCCC_FILTER' })),
  ...macros({ KVMIO, KVM_API_VERSION, PSCI_0_2_64BIT, KVM_ARM_FEATURE_ID_RANGE_SIZE: FEATURE_ID_RANGE_SIZE }),
  { expression: 'PSCI_VERSION(1, 3)', value: parsePsciVersion('1.3'), macro: 'PSCI_VERSION' },

  ...constants,
  ...macros(
    Object.fromEntries(Object.entries(registerId.KVM_REG_ARM_COPROC).map(([name, n]) => [name, n << 16])),
  ),
  ...registers(
    'KVM_REG_ARM_PSCI_VERSION',
    'KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_1',
    'KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_2',
    'KVM_REG_ARM_SMCCC_ARCH_WORKAROUND_3',
    'KVM_REG_ARM_STD_BMAP',
    'KVM_REG_ARM_STD_HYP_BMAP',
    'KVM_REG_ARM_VENDOR_HYP_BMAP',
    'KVM_REG_ARM_VENDOR_HYP_BMAP_2',
    'KVM_REG_ARM_TIMER_CTL',
    'KVM_REG_ARM_TIMER_CNT',
    'KVM_REG_ARM_TIMER_CVAL',
    'KVM_REG_ARM_PTIMER_CTL',
    'KVM_REG_ARM_PTIMER_CNT',
    'KVM_REG_ARM_PTIMER_CVAL',
    'KVM_REG_ARM64_SVE_VLS',
  ),
  {
    expression: 'KVM_REG_ARM_FW_REG(9)',
    value: parseRegister('KVM_REG_ARM_FW_REG(9)'),
    macro: 'KVM_REG_ARM_FW_REG',
  },
  {
    expression: 'KVM_REG_ARM_FW_FEAT_BMAP_REG(9)',
    value: parseRegister('KVM_REG_ARM_FW_FEAT_BMAP_REG(9)'),
    macro: 'KVM_REG_ARM_FW_FEAT_BMAP_REG',
  },
  {
    expression: 'KVM_REG_ARM64 | KVM_REG_SIZE_U32 | KVM_REG_ARM_DEMUX | KVM_REG_ARM_DEMUX_ID_CCSIDR | 3',
    value: parseRegister('KVM_REG_ARM_DEMUX_ID_CCSIDR(3)'),
  },
  ...numbered(31, n => core(`X${n}`, `regs.regs[${n}]`)),
  core('SP', 'regs.sp'),
  core('PC', 'regs.pc'),
  core('PSTATE', 'regs.pstate'),
  core('SP_EL1', 'sp_el1'),
  core('ELR_EL1', 'elr_el1'),
  core('SPSR_EL1', 'spsr[KVM_SPSR_EL1]'),
  core('SPSR_ABT', 'spsr[KVM_SPSR_ABT]'),
  core('SPSR_UND', 'spsr[KVM_SPSR_UND]'),
  core('SPSR_IRQ', 'spsr[KVM_SPSR_IRQ]'),
  core('SPSR_FIQ', 'spsr[KVM_SPSR_FIQ]'),
  ...numbered(32, n => core(`V${n}`, `fp_regs.vregs[${n}]`, 'U128')),
  core('FPSR', 'fp_regs.fpsr', 'U32'),
  core('FPCR', 'fp_regs.fpcr', 'U32'),
  ...numbered(32, n => ({ expression: `KVM_REG_ARM64_SVE_ZREG(${n}, 0)`, value: parseRegister(`Z${n}`) })),
  ...numbered(16, n => ({ expression: `KVM_REG_ARM64_SVE_PREG(${n}, 0)`, value: parseRegister(`P${n}`) })),
  { expression: 'KVM_REG_ARM64_SVE_FFR(0)', value: parseRegister('FFR') },
  ...systemRegisters().map(({ encoding: e }) => ({
    expression: `ARM64_SYS_REG(${e >> 14}, ${(e >> 11) & 7}, ${(e >> 7) & 15}, ${(e >> 3) & 15}, ${e & 7})`,
    value: registerId.sysRegId(e >> 14, (e >> 11) & 7, (e >> 7) & 15, (e >> 3) & 15, e & 7),
  })),

  ...Object.entries({
    ...STRUCT_SIZE,
    ...interrupts.INTERRUPT_STRUCT_SIZE,
    kvm_guest_debug: GUEST_DEBUG_SIZE,
    kvm_pmu_event_filter: attributes.PMU_FILTER_SIZE,
  }).map(([struct, value]) => ({
    expression: `sizeof(struct ${struct})`,
    value,
    ...(STRUCT_SINCE[struct] === undefined ? {} : { macro: STRUCT_SINCE[struct] }),
  })),
  ...(
    [
      ['kvm_vcpu_init', 'target', 0],
      ['kvm_vcpu_init', 'features', 4],
      ['kvm_vcpu_events', 'exception.serror_pending', 0],
      ['kvm_vcpu_events', 'exception.serror_has_esr', 1],
      ['kvm_vcpu_events', 'exception.ext_dabt_pending', 2],
      ['kvm_vcpu_events', 'exception.serror_esr', 8],
      ['kvm_enable_cap', 'cap', 0],
      ['kvm_enable_cap', 'flags', 4],
      ['kvm_enable_cap', 'args', 8],
      ['kvm_device_attr', 'flags', 0],
      ['kvm_device_attr', 'group', 4],
      ['kvm_device_attr', 'attr', 8],
      ['kvm_device_attr', 'addr', DEVICE_ATTR_ADDR],
      ['kvm_arm_counter_offset', 'counter_offset', 0],
      ['kvm_userspace_memory_region', 'userspace_addr', 24],
      // What exits.test.ts builds and lib/abi/exits.ts reads.
      ['kvm_run', 'exit_reason', 8],
      ['kvm_run', 'flags', 14],
      ['kvm_run', 'hypercall.nr', 32],
      ['kvm_run', 'hypercall.longmode', 96], // of a union with flags, since 6.4
      ['kvm_run', 'debug.arch.hsr', 32],
      ['kvm_run', 'debug.arch.hsr_high', 36],
      ['kvm_run', 'debug.arch.far', 40],
      ['kvm_run', 'mmio.phys_addr', 32],
      ['kvm_run', 'mmio.data', 40],
      ['kvm_run', 'mmio.len', 48],
      ['kvm_run', 'mmio.is_write', 52],
      ['kvm_run', 'fail_entry.hardware_entry_failure_reason', 32],
      ['kvm_run', 'fail_entry.cpu', 40],
      ['kvm_run', 'internal.suberror', 32],
      ['kvm_run', 'internal.ndata', 36],
      ['kvm_run', 'internal.data', 40],
      ['kvm_run', 'system_event.type', 32],
      ['kvm_run', 'system_event.ndata', 36],
      ['kvm_run', 'system_event.data', 40],
      ['kvm_run', 'arm_nisv.esr_iss', 32],
      ['kvm_run', 'arm_nisv.fault_ipa', 40],
      ['kvm_run', 'kvm_valid_regs', 288],
      ['kvm_run', 's.regs.device_irq_level', KVM_RUN_SIZE - 8],
      ['kvm_guest_debug', 'control', GUEST_DEBUG_OFFSET.control],
      ['kvm_guest_debug', 'arch.dbg_bcr', GUEST_DEBUG_OFFSET.bcr],
      ['kvm_guest_debug', 'arch.dbg_bvr', GUEST_DEBUG_OFFSET.bvr],
      ['kvm_guest_debug', 'arch.dbg_wcr', GUEST_DEBUG_OFFSET.wcr],
      ['kvm_guest_debug', 'arch.dbg_wvr', GUEST_DEBUG_OFFSET.wvr],
      ['kvm_pmu_event_filter', 'nevents', 2],
      ['kvm_pmu_event_filter', 'action', 4],
      // What interrupts.test.ts holds lib/abi/interrupts.ts to.
      ['kvm_irq_level', 'irq', 0],
      ['kvm_irq_level', 'level', 4],
      ['kvm_msi', 'address_lo', 0],
      ['kvm_msi', 'address_hi', 4],
      ['kvm_msi', 'data', 8],
      ['kvm_msi', 'flags', 12],
      ['kvm_msi', 'devid', 16],
      ['kvm_irq_routing', 'nr', 0],
      ['kvm_irq_routing_entry', 'gsi', 0],
      ['kvm_irq_routing_entry', 'type', 4],
      ['kvm_irq_routing_entry', 'flags', 8],
      ['kvm_irq_routing_entry', 'u.irqchip.irqchip', 16],
      ['kvm_irq_routing_entry', 'u.irqchip.pin', 20],
      ['kvm_irq_routing_entry', 'u.msi.address_lo', 16],
      ['kvm_irq_routing_entry', 'u.msi.address_hi', 20],
      ['kvm_irq_routing_entry', 'u.msi.data', 24],
      ['kvm_irq_routing_entry', 'u.msi.devid', 28],
      ['kvm_irqfd', 'fd', 0],
      ['kvm_irqfd', 'gsi', 4],
      ['kvm_irqfd', 'flags', 8],
      ['kvm_irqfd', 'resamplefd', 12],
      ['kvm_ioeventfd', 'datamatch', 0],
      ['kvm_ioeventfd', 'addr', 8],
      ['kvm_ioeventfd', 'len', 16],
      ['kvm_ioeventfd', 'fd', 20],
      ['kvm_ioeventfd', 'flags', 24],
      ['kvm_dirty_log', 'slot', 0],
      ['kvm_dirty_log', 'dirty_bitmap', DIRTY_LOG_BITMAP],
      ['kvm_clear_dirty_log', 'slot', 0],
      ['kvm_clear_dirty_log', 'num_pages', 4],
      ['kvm_clear_dirty_log', 'first_page', 8],
      ['kvm_clear_dirty_log', 'dirty_bitmap', CLEAR_DIRTY_LOG_BITMAP],
      ['reg_mask_range', 'addr', REG_MASK_RANGE_ADDR],
      ['reg_mask_range', 'range', 8],
    ] as const
  ).map(([struct, member, value]) => ({
    expression: `offsetof(struct ${struct}, ${member})`,
    value,
    ...(STRUCT_SINCE[struct] === undefined ? {} : { macro: STRUCT_SINCE[struct] }),
  })),
];

/**
 * Every claim as an assertion of the compiler, behind `#if defined` where older headers lack the macro; a mark in the
 * assembly output tells which were there.
 */
function program(): string {
  const lines = [
    '#include <stddef.h>',
    '#include <asm/errno.h>',
    '#include <linux/psci.h>',
    '#include <linux/kvm.h>',
  ];
  // The headers use macros of the kernel's own.
  lines.push('#define BIT(n) (1UL << (n))', '#define SZ_64K 0x10000');
  claims.forEach(({ expression, value, macro }, i) => {
    if (macro !== undefined) lines.push(`#if defined(${macro}) && (${ERRATA[macro] ?? '1'})`);
    // Both as 64 bits: some macros are int, some negative.
    const number = `0x${BigInt.asUintN(64, BigInt(value)).toString(16)}ULL`;
    const ours = `(unsigned long long)(${expression}) == ${number}`;
    lines.push(`_Static_assert(${ours}, "${expression} is not ${number}");`);
    lines.push(`__asm__("# checked ${i}");`);
    if (macro !== undefined) lines.push('#endif');
  });
  return `${lines.join('\n')}\n`;
}

/** With the headers of Linux 6.1 (Debian 12). Newer ones, which `CPATH` can lead the compiler to, know more. */
const KNOWN_TO_LINUX_6_1 = 1605;

test.skipIf(noCrossTools !== undefined)(
  `the numbers are those of Linux's UAPI headers${unlessCross}`,
  async ({ annotate }) => {
    const { stdout, stderr } = runCross('gcc', ['-xc', '-S', '-o', '-', '-'], program());
    expect(stderr).toBe('');
    const checked = new Set(
      [...stdout.toString().matchAll(/# checked (\d+)/g)].map(match => Number(match[1])),
    );
    const absent = claims.filter((_, i) => !checked.has(i)).map(({ expression }) => expression);
    await annotate(`${checked.size} of ${claims.length} numbers; not in these headers: ${absent.join(', ')}`);
    expect(checked.size).toBeGreaterThanOrEqual(KNOWN_TO_LINUX_6_1);
  },
);
