/**
 * Host profiles: what one kernel on one CPU answers, as data. They are recorded (`lib/record`), not written by hand;
 * kernels that nobody can boot are a recorded one with changes (`modelled/`).
 *
 * @packageDocumentation
 */

/** An unsigned number of any width in hex, without a prefix. */
export type Hex = string;

/**
 * What a write does to a register:
 *
 * - `'fixed'`: only the present value is accepted, another is EINVAL;
 * - `'ignored'`: any value is accepted and none is stored;
 * - `stored`: a mask of the bits that are stored; the others keep what they have;
 * - `digits`: per hex digit of the value, lowest first, a string of 16: at position n what is stored when n is
 *   written, or `.` where that is EINVAL; a digit that is absent accepts only what it has at reset.
 */
export type WriteRule =
  | 'fixed'
  | 'ignored'
  | { readonly stored: Hex }
  | { readonly digits: Readonly<Record<string, string>> };

/** One register of a host. */
export interface ProfileRegister {
  readonly id: Hex;
  /** Its value after `KVM_ARM_VCPU_INIT`. */
  readonly reset: Hex;
  /** Default: every bit is stored. */
  readonly write?: WriteRule;
  /** `'vm'`: one value for all vCPUs of the VM, set up by the first init. Default: each vCPU has its own. */
  readonly scope?: 'vm';
  /**
   * What a write does once KVM_CAP_ARM_WRITABLE_IMP_ID_REGS is enabled, where that is something else; null: every bit is
   * stored.
   */
  readonly unlocked?: WriteRule | null;
  /** A further init leaves its value alone. */
  readonly survivesInit?: true;
  /** It moves by itself; the reset value is then 0. */
  readonly varies?: true;
  /** The kernel answers for it but does not list it. */
  readonly unlisted?: true;
  /** It is there only while a digit of an ID register (0 the lowest) has at least this value. */
  readonly needs?: { readonly id: Hex; readonly digit: number; readonly least: number };
  /** The id of the register whose storage it shares. */
  readonly sameAs?: Hex;
}

/** What differs for some sets of vCPU features. */
export interface ProfileConfiguration {
  /** The sets: feature bits, without POWER_OFF. */
  readonly features: readonly number[];
  /** Registers of the profile that this vCPU has not. */
  readonly absent?: readonly Hex[];
  /** Reset values that differ. */
  readonly resets?: Readonly<Record<Hex, Hex>>;
  /** Rules that differ; null: every bit is stored. */
  readonly writes?: Readonly<Record<Hex, WriteRule | null>>;
}

/** What a write of CLIDR_EL1 may be. */
export const CLIDR_RULES = ['fixed', 'any', 'level'] as const;
export type ClidrRule = (typeof CLIDR_RULES)[number];

/** What writes of the PMU's registers do. */
export const PMU_RULES = ['stored', 'change', 'assigned'] as const;
export type PmuRule = (typeof PMU_RULES)[number];

/** What CNTx_CTL holds. */
export const TIMER_CONTROL_RULES = ['status', 'masked', 'stored'] as const;
export type TimerControlRule = (typeof TIMER_CONTROL_RULES)[number];

/** What a vCPU without an interrupt controller has of the system registers of a GICv3. */
export const ICC_WITHOUT_GIC = ['none', 'sre', 'interface', 'interface and SGIs'] as const;
export type IccWithoutGic = (typeof ICC_WITHOUT_GIC)[number];

/** How a kernel behaves where kernels differ and no value tells. */
export interface ProfileBehaviours {
  /** KVM_GET/SET_VCPU_EVENTS before KVM_ARM_VCPU_INIT: ENOEXEC, or an answer. */
  readonly vcpuEventsNeedInit: boolean;
  /** The level of WORKAROUND_2 when ID_AA64PFR1_EL1.SSBS is 0 (`get_kernel_wa_level`, arch/arm64/kvm/hypercalls.c). */
  readonly workaround2WithoutSsbs: number;
  /** PSTATE may be set to AArch32 user mode. */
  readonly aarch32User: boolean;
  /**
   * CLIDR_EL1: `'fixed'` before Linux 6.3; then any, or, as the caches of this CPU have no IDC, any that names a `'level'`
   * of coherence (`set_clidr`, sys_regs.c).
   */
  readonly clidr: ClidrRule;
  /** The features of KVM_ARM_VCPU_INIT are each vCPU's, POWER_OFF among them (before Linux 6.5); else they are the VM's. */
  readonly featuresPerVcpu: boolean;
  /** EL1_32BIT must be the same in all vCPUs there are, initialised or not (`vcpu_allowed_register_width`, reset.c). */
  readonly widthOfAllVcpus: boolean;
  /** A VM has device attributes (the SMCCC filter, Linux 6.4). */
  readonly vmAttributes: boolean;
  /**
   * What userspace's writes of the PMU's registers are: `'stored'` before Linux 6.7, without the rules that a guest meets;
   * then PM*SET and PM*CLR `'change'` by the bits that are written, and later they are `'assigned'` (`set_pmreg`, sys_regs.c).
   */
  readonly pmu: PmuRule;
  /** How a core register is cut to 32 bits: X0 to X15 as the AArch32 mode banks them (`vcpu_reg32`, before Linux 5.11). */
  readonly bankedNarrowing: boolean;
  /** KVM_SET_VCPU_EVENTS has a data abort taken at once, rather than at the next run. */
  readonly abortTakenAtOnce: boolean;
  /** The same, of a vCPU with a 32-bit EL1 (before Linux 5.11, `prepare_fault32`, arch/arm64/kvm/aarch32.c). */
  readonly abort32TakenAtOnce: boolean;
  /**
   * An SError is taken at once, too, where PSTATE does not mask it, and after a data abort that comes with it
   * (`commit_pending_events`, arch/arm64/kvm/guest.c of Linux 6.18).
   */
  readonly serrorTakenAtOnce: boolean;
  /**
   * ESR_EL1 of a data abort at EL1: with or without IL, the length of the instruction, which there was none; with its
   * sign in the upper half in 6.1 (`inject_abt64`, inject_fault.c).
   */
  readonly abortSyndrome: Hex;
  /**
   * CNTx_CTL: `'status'` shows ISTATUS as it is now; from Linux 6.18 on it is `'masked'` in what is written and else 64 bits
   * of storage (`arch_timer_set_user`, sys_regs.c); before 4.15 all is `'stored'`.
   */
  readonly timerControl: TimerControlRule;
  /** A SMCCC filter of no functions is EINVAL; otherwise one from 0 on is of all (`kvm_smccc_set_filter`, hypercalls.c). */
  readonly emptyFilterRefused: boolean;
  /**
   * The first run of a VM takes the GIC from the ID registers where it has no GICv3 (`kvm_finalize_sys_regs`,
   * sys_regs.c); what would change one of them later is EBUSY.
   */
  readonly identitySettledByRun: boolean;
  /**
   * A read of a device by a load that extends the sign is cut to the width of the access again (`kvm_handle_mmio_return`,
   * arch/arm64/kvm/mmio.c, before Linux 7).
   */
  readonly signedReadsCut: boolean;
  /** A guest reads CTR_EL0 without the IDC that KVM_GET_ONE_REG shows (`access_ctr`, sys_regs.c; until 6.11). */
  readonly guestCtrLacksIdc: boolean;
  /**
   * Without an interrupt controller in the kernel, a timer that fires ends a vCPU's wait, of WFI or CPU_SUSPEND. On Linux
   * 6.18 `kvm_vcpu_check_block` sees nothing of it: the vCPU wakes and sleeps on, thousands of times, until it is kicked.
   */
  readonly timersEndWaits: boolean;
  /** CPU_ON and AFFINITY_INFO take an affinity with reserved bits for the one without (psci.c before Linux 5.15). */
  readonly reservedAffinityIgnored: boolean;
  /**
   * A debugger's single step is kept over the guest's exits, and PSTATE.SS is the guest's own between runs; else each
   * entry begins a step, which goes on over an instruction that KVM emulates (`kvm_arm_setup_debug`,
   * arch/arm64/kvm/debug.c, before Linux 6.2 and 6.1.y).
   */
  readonly stepKept: boolean;
  /**
   * The guest's own breakpoints and watchpoints meet a debugger that brings none (`kvm_arm_setup_debug`; since Linux 6.14
   * they do nothing, `setup_external_mdscr`).
   */
  readonly debuggerMeetsGuest: boolean;

  /** A debug exit tells the upper half of the syndrome, and says so (`KVM_DEBUG_ARCH_HSR_HIGH_VALID`, not in Linux 5.10). */
  readonly debugTellsHigh: boolean;
  /**
   * What a guest without an interrupt controller has of ICC_*: `'none'` where the host's is no GICv3, ICC_SRE_EL1 alone, or the
   * hardware's CPU interface, in Linux 5.10 with the registers of SGIs (`access_gic_sgi`, sys_regs.c; not from 6.12 on).
   */
  readonly iccWithoutGic: IccWithoutGic;
  /** A guest reads PMMIR_EL1 as zero, with a PMU and without one (`trap_raz_wi`, sys_regs.c; not in 5.10, and in 7.3 it is a register). */
  readonly pmmirReadsZero: boolean;
  /**
   * A counter and the CHAIN that counts its overflows are one counter of 64 bits, whose lower half never overflows
   * (`kvm_pmu_pmc_is_chained`, arch/arm64/kvm/pmu-emul.c of Linux 5.10; no more in 6.1.176).
   */
  readonly pmuChainsPairs: boolean;
  /** PMCR_EL0 shows userspace the resets C and P that the guest has written last (`access_pmcr` of Linux 5.10). */
  readonly pmuKeepsResets: boolean;
  /** The PMU's interrupt is of counters that are enabled (`kvm_pmu_overflow_status`; later also of those that were). */
  readonly pmuInterruptNeedsEnable: boolean;

  // Only modelled hosts have those that follow: their kernels are too old for the lab.

  /** Core registers are any bytes of `struct kvm_regs`, listed as one id for each of its words (before Linux 4.19). */
  readonly rawCore?: true;
  /**
   * Before Linux 5.2: KVM_ARM_VCPU_FINALIZE and the SVE coprocessor are unknown, and an init has nothing to switch on or
   * to compare between vCPUs.
   */
  readonly beforeSve?: true;
  /** What an id of the firmware coprocessor that is none of its registers gives; default ENOENT (EINVAL before Linux 5.3). */
  readonly unknownFirmware?: 'EINVAL';
}

/** An interrupt controller that KVM_CREATE_DEVICE makes, with what kernels do differently about it. */
export interface ProfileGic {
  /** GICD_IIDR.Revision when it is made, and those that userspace can choose. */
  readonly revision: number;
  readonly revisions: readonly number[];
  /** The choice is accepted and makes no difference (Linux 6.18 looks at the revision that there is). */
  readonly revisionKept?: true;
  /** ICC_CTLR_EL1 at reset: what the host's CPU interface is. Only of a GICv3. */
  readonly iccControl?: Hex;
  /** CPU_SYSREGS of no register: ENXIO in Linux 5.10 (`vgic_v3_cpu_sysregs_uaccess`, vgic-sys-reg-v3.c). */
  readonly unknownRegister?: 'ENXIO' | 'ENOENT';
  /** Its frames must lie in the VM's addresses as a whole, and what is there is looked at first (not in Linux 5.10). */
  readonly framesCheckedWhole: boolean;
  /** A second address for all redistributors is EEXIST; EINVAL in Linux 5.10. Only of a GICv3, as what follows. */
  readonly redistributorsExist?: boolean;
  /** Userspace sees GICR_TYPER.Last, too (not in Linux 5.10). */
  readonly lastToUserspace?: boolean;
  /** There are GICR_INVLPIR, GICR_INVALLR and GICR_SYNCR (not in Linux 5.10). */
  readonly invalidation?: boolean;
  /** Userspace can read and write GICD_IIDR and GICD_TYPER2 before the GIC is initialised (`reg_allowed_pre_init`). */
  readonly identifiesEarly?: boolean;
  /** There is the group MAINT_IRQ (Linux 6.15). */
  readonly maintenanceIrq?: boolean;
  /** KVM_DEV_ARM_VGIC_SAVE_PENDING_TABLES wants it initialised. */
  readonly savingNeedsInit?: boolean;
  /** Of a GICv2: userspace's attributes know GICC_DIR. */
  readonly deactivation?: boolean;
}

/** What kernels do about interrupt controllers, whichever they have. */
export interface ProfileGics {
  readonly v2?: ProfileGic;
  readonly v3?: ProfileGic;
  /** A GIC that the first run finds unusable is the end of its VM: EIO for all that follows (`kvm_vm_dead`). Linux 5.10 goes on without it. */
  readonly failureIsDeadly: boolean;
  /** KVM_CREATE_IRQCHIP sees that there is a GIC before it sees that the host has no GICv2. */
  readonly existenceFirst: boolean;
  /** KVM_CREATE_VCPU sees that there is such a vCPU before it sees that the GIC is initialised. */
  readonly existingVcpuFirst: boolean;
  /** A GICv3 puts itself into the ID registers when it is made, whatever was written (`kvm_vgic_finalize_idregs`). */
  readonly setsIdRegisters: boolean;
  /** The physical timer of a guest is one of the host's, as the virtual one is: with VHE (`get_timer_map`, arch_timer.c). */
  readonly physicalTimerMapped: boolean;
  /** An interrupt line empties the counter of its eventfd (`irqfd_wakeup`, virt/kvm/eventfd.c); not in Linux 5.10. */
  readonly irqfdDrains: boolean;
  /** KVM_ARM_VCPU_TIMER_CTRL is EBUSY once the vCPU has run; else once any has (Linux 6.4). */
  readonly timerPpisPerVcpu: boolean;
}

export const FORMAT = 'kvm-arm64-host';
export const VERSION = 1;

/** A host, recorded or modelled. */
export interface HostProfile {
  readonly format: typeof FORMAT;
  readonly version: typeof VERSION;
  /** `linux-6.12-neoverse-n1`. */
  readonly name: string;
  readonly provenance: {
    /** Kernel release and version, as `uname -r -v` has them. */
    readonly kernel: string;
    /** The CPU, and whether it is metal or emulated. */
    readonly machine: string;
    readonly midr: Hex;
    readonly recorded: string;
    readonly tool: string;
    /** Of a modelled host: the recorded one that it is made from. */
    readonly basis?: string;
    /** What it does otherwise, and how that is known. */
    readonly rules?: readonly { readonly rule: string; readonly source: string }[];
  };
  /** Whose register ids and vCPU features these are; default `'arm64'`. `'arm'`: a 32-bit kernel. */
  readonly architecture?: 'arm';
  readonly apiVersion: number;
  readonly vcpuMmapSize: number;
  /** KVM_CHECK_EXTENSION by capability number, where the answer is not 0; negative for an errno. */
  readonly capabilities: Readonly<Record<string, number>>;
  /** Those that a VM answers otherwise. */
  readonly vmCapabilities: Readonly<Record<string, number>>;
  /** Capabilities that KVM_ENABLE_CAP accepts on a VM (with suitable arguments). */
  readonly enableCaps: readonly number[];
  /** How many vCPUs a VM can have, where that is less than the capabilities promise. */
  readonly maxVcpus?: number;
  /** `min` and `max` 0: a kernel whose VMs have the default and no choice (before Linux 4.20). */
  readonly ipaBits: { readonly min: number; readonly max: number; readonly default: number };
  readonly targets: { readonly preferred: number; readonly accepted: readonly number[] };
  /** How many feature bits the kernel knows; a bit beyond is ENOENT. */
  readonly knownFeatures: number;
  /** Values of KVM_REG_ARM_PSCI_VERSION that are accepted, and the version that a guest finds while none is set. */
  readonly psci: {
    readonly withFeature: readonly Hex[];
    readonly withoutFeature: readonly Hex[];
    readonly latest: Hex;
    /** Without the feature PSCI_0_2 the register cannot be read: EINVAL. */
    readonly readNeedsFeature?: true;
    /** A vCPU feature, by bit, with which the guest finds this version instead of the latest. */
    readonly forcedBy?: { readonly feature: number; readonly name: string; readonly version: Hex };
  };
  /** Frequency of the counter in Hz. */
  readonly counterHz: number;
  /** States that KVM_SET_MP_STATE accepts. */
  readonly mpStates: readonly number[];
  /** Devices that KVM_CREATE_DEVICE knows, by type. */
  readonly devices: readonly number[];
  /** Interrupt controllers in the kernel; null where the host has none. */
  readonly gics: ProfileGics | null;
  /** Interrupts of the timers, by attribute of the group KVM_ARM_VCPU_TIMER_CTRL. */
  readonly timerPpis: readonly number[];
  /** How many attributes the group KVM_ARM_VCPU_PMU_V3_CTRL has. */
  readonly pmuAttributes: number;
  /** The PMUs that KVM_ARM_VCPU_PMU_V3_SET_PMU accepts, by number: how many event counters each has. */
  readonly pmus: Readonly<Record<string, number>>;
  /** PMCEID0_EL0 and PMCEID1_EL0: the common events that a guest is told of; null where it cannot have a PMU. */
  readonly pmceid: readonly [Hex, Hex] | null;
  /** KVM_ARM_GET_REG_WRITABLE_MASKS by index, where not 0. */
  readonly writableMasks: Readonly<Record<string, Hex>>;
  readonly behaviours: ProfileBehaviours;
  /**
   * System registers that answer whatever the coprocessor in the id is, `except` where that has registers of its own:
   * the kernel's table of invariant registers does not compare it (`get_reg_by_id`, arch/arm64/kvm/sys_regs.c).
   */
  readonly anyCoprocessor: { readonly registers: readonly Hex[]; readonly except: readonly number[] };
  /** The feature sets that KVM_ARM_VCPU_INIT accepts; all others are EINVAL. */
  readonly configurations: readonly ProfileConfiguration[];
  /** The registers, in the order of KVM_GET_REG_LIST; unlisted ones last. */
  readonly registers: readonly ProfileRegister[];
}

/** The host that is emulated by default: the CPU of Graviton2 and Ampere Altra on Debian 13's kernel. */
export const DEFAULT_HOST = 'linux-6.12-neoverse-n1';

/** The hosts that were recorded from a kernel. */
export const RECORDED_HOSTS: readonly string[] = [
  'linux-5.10-cortex-a57',
  'linux-5.10-max',
  'linux-6.1-max',
  'linux-6.12-cortex-a57',
  'linux-6.12-max',
  'linux-6.12-max-sve',
  DEFAULT_HOST,
  'linux-6.18-max',
  'linux-7.3-max',
  'linux-7.3-max-sve',
];

/** The hosts that nobody can boot: recorded ones with changes. */
export const MODELLED_HOSTS = [
  'linux-4.14',
  'linux-4.17',
  'linux-4.17-arm',
  'psci-firmware-register-v3',
  'psci-firmware-register-v3-arm',
  'psci-feature-bit',
] as const;

/** The profiles that the package has. */
export const HOSTS: readonly string[] = [...RECORDED_HOSTS, ...MODELLED_HOSTS];
