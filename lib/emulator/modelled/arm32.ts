/**
 * KVM of 32-bit kernels: what arch/arm has in place of arch/arm64. All registers are modelled, for a kernel with VFPv3
 * on QEMU's Cortex-A15 with GICv2.
 *
 * @packageDocumentation
 */
import { KVM_CAP } from '../../abi/capabilities.ts';
import { encodeRegisterId, psciVersionId } from '../../abi/register-id.ts';
import type { ProfileRegister } from '../profile.ts';
import { capabilities, hexId, type Rule } from './rule.ts';

const ARM = { arch: 'arm' } as const;
const cp15 = (crn: number, crm: number, opc1: number, opc2: number) =>
  hexId(encodeRegisterId({ ...ARM, kind: 'coprocessor', bytes: 4, coproc: 15, opc1, crn, crm, opc2 }));
/** A 64-bit one goes by CRm alone. */
const cp15Wide = (crm: number, opc1: number) =>
  hexId(encodeRegisterId({ ...ARM, kind: 'coprocessor', bytes: 8, coproc: 15, opc1, crn: 0, crm, opc2: 0 }));

/** `struct kvm_regs`: usr_regs[18], three each of SVC, ABT, UND and IRQ, fiq_regs[8]. */
const CORE_WORDS = 38;
const CPSR = 16;
/** SVC mode with A, I and F set. */
const CPSR_RESET = '1d3';

const CORE: readonly ProfileRegister[] = Array.from({ length: CORE_WORDS }, (_, word) => ({
  id: hexId(encodeRegisterId({ ...ARM, kind: 'core', bytes: 4, offset: 4 * word })),
  reset: word === CPSR ? CPSR_RESET : '0',
}));

const FIRMWARE: readonly ProfileRegister[] = [{ id: hexId(psciVersionId('arm')), reset: '1' }];

const TIMERS: readonly ProfileRegister[] = [
  { id: cp15(14, 3, 0, 1), reset: '4' },
  { id: cp15Wide(14, 1), reset: '0', varies: true },
  { id: cp15Wide(14, 3), reset: '0', survivesInit: true },
];

/** CRn 0: CRm, Op1, Op2 and the value that QEMU's cortex-a15 has, without the security extension. */
const INVARIANT = [
  [0, 0, 0, '412fc0f1'], // MIDR
  [0, 0, 1, '8444c004'], // CTR
  [0, 0, 2, '0'], // TCMTR
  [0, 0, 3, '0'], // TLBTR
  [0, 0, 6, '0'], // REVIDR
  [0, 1, 1, 'a200023'], // CLIDR
  [0, 1, 7, '0'], // AIDR
  [1, 0, 0, '1131'], // ID_PFR0
  [1, 0, 1, '11001'], // ID_PFR1
  [1, 0, 2, '2010555'], // ID_DFR0
  [1, 0, 3, '0'], // ID_AFR0
  [1, 0, 4, '10201105'], // ID_MMFR0
  [1, 0, 5, '20000000'], // ID_MMFR1
  [1, 0, 6, '1240000'], // ID_MMFR2
  [1, 0, 7, '2102211'], // ID_MMFR3
  [2, 0, 0, '2101110'], // ID_ISAR0
  [2, 0, 1, '13112111'], // ID_ISAR1
  [2, 0, 2, '21232041'], // ID_ISAR2
  [2, 0, 3, '11112131'], // ID_ISAR3
  [2, 0, 4, '10011142'], // ID_ISAR4
  [2, 0, 5, '0'], // ID_ISAR5
] as const;

const INVARIANTS: readonly ProfileRegister[] = INVARIANT.map(([crm, op1, op2, reset]) => ({
  id: cp15(0, crm, op1, op2),
  reset,
  write: 'fixed',
}));

/** What `reset_unknown` and `reset_unknown64` put. */
const UNKNOWN = 'decafbad';
const UNKNOWN_WIDE = 'd0c0ffeedecafbad';

/** What shares the storage of a 64-bit register, whose low half it writes. */
const LOW_HALF = { reset: UNKNOWN_WIDE, write: { stored: 'ffffffff' } } as const;

/** Those that are saved, in the table's order; MPIDR, ACTLR and L2CTLR are in `arm32-registers.ts`, too. */
const CP15: readonly ProfileRegister[] = [
  { id: cp15(0, 0, 0, 5), reset: '80000000' }, // MPIDR
  { id: cp15(0, 0, 2, 0), reset: UNKNOWN }, // CSSELR
  { id: cp15(1, 0, 0, 0), reset: 'c50078' }, // SCTLR
  { id: cp15(1, 0, 0, 1), reset: '0' }, // ACTLR
  { id: cp15(1, 0, 0, 2), reset: '0' }, // CPACR
  { id: cp15Wide(2, 0), reset: UNKNOWN_WIDE }, // TTBR0
  { id: cp15(2, 0, 0, 0), ...LOW_HALF, sameAs: cp15Wide(2, 0) }, // TTBR0
  { id: cp15(2, 0, 0, 1), ...LOW_HALF }, // TTBR1
  { id: cp15(2, 0, 0, 2), reset: '0' }, // TTBCR
  { id: cp15Wide(2, 1), reset: UNKNOWN_WIDE, sameAs: cp15(2, 0, 0, 1) }, // TTBR1
  { id: cp15(3, 0, 0, 0), reset: UNKNOWN }, // DACR
  { id: cp15(5, 0, 0, 0), reset: UNKNOWN }, // DFSR
  { id: cp15(5, 0, 0, 1), reset: UNKNOWN }, // IFSR
  { id: cp15(5, 1, 0, 0), reset: UNKNOWN }, // ADFSR
  { id: cp15(5, 1, 0, 1), reset: UNKNOWN }, // AIFSR
  { id: cp15(6, 0, 0, 0), reset: UNKNOWN }, // DFAR
  { id: cp15(6, 0, 0, 2), reset: UNKNOWN }, // IFAR
  { id: cp15Wide(7, 0), reset: UNKNOWN_WIDE }, // PAR
  { id: cp15(9, 0, 1, 2), reset: '0' }, // L2CTLR
  { id: cp15(10, 2, 0, 0), reset: UNKNOWN }, // PRRR
  { id: cp15(10, 2, 0, 1), reset: UNKNOWN }, // NMRR
  { id: cp15(10, 3, 0, 0), reset: UNKNOWN }, // AMAIR0
  { id: cp15(10, 3, 0, 1), reset: UNKNOWN }, // AMAIR1
  { id: cp15(12, 0, 0, 0), reset: '0' }, // VBAR
  { id: cp15(13, 0, 0, 1), reset: '0' }, // CONTEXTIDR
  { id: cp15(13, 0, 0, 2), reset: UNKNOWN }, // TPIDRURW
  { id: cp15(13, 0, 0, 3), reset: UNKNOWN }, // TPIDRURO
  { id: cp15(13, 0, 0, 4), reset: UNKNOWN }, // TPIDRPRW
  { id: cp15(14, 1, 0, 0), reset: '0' }, // CNTKCTL
];

const vfp = (index: number, bytes: number) => hexId(encodeRegisterId({ ...ARM, kind: 'vfp', bytes, index }));

/** D0 to D31 and FPEXC, FPSCR, FPINST, FPINST2, which no init resets; MVFR0, MVFR1 and FPSID, which nobody changes. */
const VFP: readonly ProfileRegister[] = [
  ...Array.from(
    { length: 32 },
    (_, n): ProfileRegister => ({ id: vfp(n, 8), reset: '0', survivesInit: true }),
  ),
  ...[0x1008, 0x1001, 0x1009, 0x100a].map(
    (index): ProfileRegister => ({ id: vfp(index, 4), reset: '0', survivesInit: true }),
  ),
  { id: vfp(0x1007, 4), reset: '10110222', write: 'fixed' },
  { id: vfp(0x1006, 4), reset: '11111111', write: 'fixed' },
  { id: vfp(0x1000, 4), reset: '410430f0', write: 'fixed' },
];

/** CCSIDR of the caches that CLIDR names. */
const CACHES: readonly ProfileRegister[] = ['701fe00a', '201fe00a', '711fe07a'].map((reset, value) => ({
  id: hexId(encodeRegisterId({ ...ARM, kind: 'demux', bytes: 4, id: 0, value })),
  reset,
  write: 'fixed',
}));

/** Capabilities that only arm64 has, and those whose answer is not known here. */
const NOT_ON_ARM: ReadonlySet<number> = new Set([
  KVM_CAP.KVM_CAP_SET_GUEST_DEBUG,
  KVM_CAP.KVM_CAP_ARM_EL1_32BIT,
  KVM_CAP.KVM_CAP_GUEST_DEBUG_HW_BPS,
  KVM_CAP.KVM_CAP_GUEST_DEBUG_HW_WPS,
  KVM_CAP.KVM_CAP_ARM_PMU_V3,
  KVM_CAP.KVM_CAP_VCPU_ATTRIBUTES,
  KVM_CAP.KVM_CAP_IRQ_ROUTING,
  KVM_CAP.KVM_CAP_SIGNAL_MSI,
]);

/** What differs from arm64, in memory slots and vCPUs too: KVM_USER_MEM_SLOTS, and VGIC_V2_MAX_CPUS without a GICv3. */
const ARM_LIMITS: Readonly<Record<number, number>> = {
  [KVM_CAP.KVM_CAP_NR_MEMSLOTS]: 32,
  [KVM_CAP.KVM_CAP_MAX_VCPUS]: 8,
  [KVM_CAP.KVM_CAP_MAX_VCPU_ID]: 8,
};

/** Linux 4.17 for 32-bit arm against arm64. */
export const ARM32: readonly Rule[] = [
  {
    rule: 'Register ids begin with 0x40, any others are EINVAL; vCPU features are POWER_OFF (bit 0) and PSCI_0_2 (bit 1)',
    source: 'arch/arm/include/uapi/asm/kvm.h; KVM_VCPU_MAX_FEATURES, arch/arm/include/asm/kvm_host.h, 5.2',
    apply: host => ({
      ...host,
      architecture: 'arm',
      knownFeatures: 2,
      configurations: [{ features: [0, 2] }],
    }),
  },
  {
    rule: 'The only target is KVM_ARM_TARGET_CORTEX_A15',
    source: 'kvm_target_cpu, arch/arm/kvm/guest.c, of a Cortex-A15',
    apply: host => ({
      ...host,
      targets: { preferred: 0, accepted: [0] },
      provenance: { ...host.provenance, midr: '412fc0f1' },
    }),
  },
  {
    rule: 'Core registers are the 38 words of struct kvm_regs: another width, or an offset beyond, is ENOENT; CPSR takes USR, FIQ, IRQ, SVC, ABT and UND mode',
    source: 'get_core_reg, set_core_reg and num_core_regs, arch/arm/kvm/guest.c; cortexa_regs_reset, reset.c',
    apply: host => ({ ...host, registers: [...CORE, ...FIRMWARE] }),
  },
  {
    rule: 'Timers are CTL (u32), CNT and CVAL, whose ids are not swapped',
    source: 'KVM_REG_ARM_TIMER_*, arch/arm/include/uapi/asm/kvm.h; copy_timer_indices, arch/arm/kvm/guest.c',
    apply: host => ({ ...host, registers: [...host.registers, ...TIMERS] }),
  },
  {
    rule: 'The 21 invariant registers of CP15 answer under any coprocessor without registers of its own; their values are those of QEMU without the security extension',
    source:
      'invariant_cp15 and get_invariant_cp15, arch/arm/kvm/coproc.c; cortex_a15_initfn, target/arm of QEMU',
    apply: host => ({
      ...host,
      registers: [...host.registers, ...INVARIANTS],
      anyCoprocessor: {
        registers: INVARIANTS.map(({ id }) => id),
        except: [0x10, 0x11, 0x12, 0x14],
      },
    }),
  },
  {
    rule: 'All CP15 registers that the kernel saves are storage. MPIDR has clusters of four; ACTLR.SMP and L2CTLR tell how many vCPUs there were at init',
    source:
      'cp15_regs, reset_mpidr, reset_actlr and reset_l2ctlr, arch/arm/kvm/coproc.c; a15_regs, coproc_a15.c',
    apply: host => ({ ...host, registers: [...host.registers, ...CP15] }),
  },
  {
    rule: 'D0 to D31 and the control registers of VFP; CCSIDR of three caches',
    source:
      'copy_vfp_regids, vfp_set_reg and write_demux_regids, arch/arm/kvm/coproc.c; cortex_a15_initfn of QEMU',
    apply: host => ({ ...host, registers: [...host.registers, ...VFP, ...CACHES] }),
  },
  {
    rule: 'Capabilities are those of arm without debugging, PMU and vCPU attributes; 32 memory slots; 8 vCPUs, without CONFIG_ARM_GIC_V3. IRQ_ROUTING and SIGNAL_MSI are left at 0 (unconfirmed)',
    source:
      'kvm_vm_ioctl_check_extension, virt/kvm/arm/arm.c, 4.18; arch/arm/include/asm/kvm_host.h, 5.2 (same in 4.17 unconfirmed)',
    apply: capabilities((cap, value) => (NOT_ON_ARM.has(cap) ? undefined : (ARM_LIMITS[cap] ?? value))),
  },
  {
    rule: 'No attributes of a PMU; those of the timers are there',
    source: 'kvm_arm_vcpu_arch_has_attr, arch/arm/kvm/guest.c',
    apply: host => ({ ...host, pmuAttributes: 0, pmceid: null }),
  },
];
