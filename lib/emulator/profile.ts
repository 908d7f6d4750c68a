/**
 * Host profiles: what one kernel on one CPU answers, as data. They are recorded (`lib/record`), not written by hand.
 *
 * @packageDocumentation
 */
import { readFileSync } from 'node:fs';
import { didYouMean } from '../abi/nearest.ts';
import { KvmError } from '../errors.ts';

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

/** How a kernel behaves where kernels differ and no value tells. */
export interface ProfileBehaviours {
  /** KVM_GET/SET_VCPU_EVENTS before KVM_ARM_VCPU_INIT: ENOEXEC, or an answer. */
  readonly vcpuEventsNeedInit: boolean;
  /** The level of WORKAROUND_2 when ID_AA64PFR1_EL1.SSBS is 0 (`get_kernel_wa_level`, arch/arm64/kvm/hypercalls.c). */
  readonly workaround2WithoutSsbs: number;
  /** PSTATE may be set to AArch32 user mode. */
  readonly aarch32User: boolean;
  /**
   * KVM_SET_VCPU_EVENTS takes an exception at once where nothing masks it, rather than at the next run
   * (`commit_pending_events`, arch/arm64/kvm/guest.c).
   */
  readonly eventsTakenAtOnce: boolean;
  /**
   * The syndromes of those exceptions have IL, the length of the instruction, rather than that of the vCPU's last trap,
   * which there was none (`inject_abt64`, inject_fault.c).
   */
  readonly syndromesHaveLength: boolean;
  /** PM*SET and PM*CLR registers become what is written, rather than gain or lose its bits (`set_pmreg`, sys_regs.c). */
  readonly pmuBitsAssigned: boolean;
  /** CNTx_CTL is 64 bits of storage and never shows ISTATUS (`arch_timer_set_user`, sys_regs.c). */
  readonly timerControlPlain: boolean;
  /** A SMCCC filter of no functions is EINVAL; otherwise one from 0 on is of all (`kvm_smccc_set_filter`, hypercalls.c). */
  readonly emptyFilterRefused: boolean;
  /** CLIDR_EL1 must name a level of coherence, as the caches of this CPU have no IDC (`set_clidr`, sys_regs.c). */
  readonly clidrNeedsLevel: boolean;
}

export const FORMAT = 'kvm-arm64-host';
export const VERSION = 1;

/** A recorded host. */
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
  };
  readonly apiVersion: number;
  readonly vcpuMmapSize: number;
  /** KVM_CHECK_EXTENSION by capability number, where the answer is not 0; negative for an errno. */
  readonly capabilities: Readonly<Record<string, number>>;
  /** Those that a VM answers otherwise. */
  readonly vmCapabilities: Readonly<Record<string, number>>;
  /** Capabilities that KVM_ENABLE_CAP accepts on a VM (with suitable arguments). */
  readonly enableCaps: readonly number[];
  readonly ipaBits: { readonly min: number; readonly max: number; readonly default: number };
  readonly targets: { readonly preferred: number; readonly accepted: readonly number[] };
  /** How many feature bits the kernel knows; a bit beyond is ENOENT. */
  readonly knownFeatures: number;
  /** Values of KVM_REG_ARM_PSCI_VERSION that are accepted, and the one that an unset vCPU reads. */
  readonly psci: {
    readonly withFeature: readonly Hex[];
    readonly withoutFeature: readonly Hex[];
    readonly latest: Hex;
  };
  /** Frequency of the counter in Hz. */
  readonly counterHz: number;
  /** Interrupts of the timers, by attribute of the group KVM_ARM_VCPU_TIMER_CTRL. */
  readonly timerPpis: readonly number[];
  /** How many attributes the group KVM_ARM_VCPU_PMU_V3_CTRL has. */
  readonly pmuAttributes: number;
  /** The PMUs that KVM_ARM_VCPU_PMU_V3_SET_PMU accepts, by number: how many event counters each has. */
  readonly pmus: Readonly<Record<string, number>>;
  /** KVM_ARM_GET_REG_WRITABLE_MASKS by index, where not 0. */
  readonly writableMasks: Readonly<Record<string, Hex>>;
  readonly behaviours: ProfileBehaviours;
  /**
   * System registers that answer whatever the coprocessor in the id is, where that names no other kind of register: the
   * kernel's table of invariant registers does not compare it (`get_reg_by_id`, arch/arm64/kvm/sys_regs.c).
   */
  readonly anyCoprocessor: readonly Hex[];
  /** The feature sets that KVM_ARM_VCPU_INIT accepts; all others are EINVAL. */
  readonly configurations: readonly ProfileConfiguration[];
  /** The registers, in the order of KVM_GET_REG_LIST; unlisted ones last. */
  readonly registers: readonly ProfileRegister[];
}

/** The host that is emulated by default: the CPU of Graviton2 and Ampere Altra on Debian 13's kernel. */
export const DEFAULT_HOST = 'linux-6.12-neoverse-n1';

/** The profiles that the package has. */
export const HOSTS: readonly string[] = [
  DEFAULT_HOST,
  'linux-6.12-cortex-a57',
  'linux-6.12-max',
  'linux-6.12-max-sve',
  'linux-6.18-max',
  'linux-7.3-max',
  'linux-7.3-max-sve',
];

/**
 * Loads a profile by name.
 *
 * @throws KvmError `ERR_BAD_PROFILE` for a name that the package does not have, with the nearest one
 */
export function loadHost(name: string): HostProfile {
  if (!HOSTS.includes(name)) {
    throw new KvmError(
      'ERR_BAD_PROFILE',
      `There is no host ${JSON.stringify(name)}${didYouMean(name, HOSTS)}; there are ${HOSTS.join(', ')}`,
    );
  }
  return JSON.parse(readFileSync(new URL(`./hosts/${name}.json`, import.meta.url), 'utf8')) as HostProfile;
}
