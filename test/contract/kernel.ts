/**
 * What the kernels of the lab have, by series, so that no case asks the host what to expect of it (reference section 0;
 * the Linux sources of 5.10.223, 6.1, 6.12 and 7.3).
 */
import { release } from 'node:os';
import type { PsciVersion } from '#lib/abi/psci.js';
import { loadHost } from '#lib/emulator/load-host.js';
import type { Kvm } from '#lib/kvm.js';
import type { CaseContext } from '#lib/testing.js';

/** A series. */
export interface Kernel {
  /** What `kvm_arm_set_fw_reg()` takes of a vCPU with PSCI_0_2, oldest first. */
  readonly psci: readonly PsciVersion[];
  /** How many bitmap registers there are (5.19; VENDOR_HYP_BMAP_2 with 6.15). */
  readonly bitmaps: 0 | 3 | 4;
  /** The features of a VM's vCPUs are one set, which POWER_OFF does not belong to (6.5). */
  readonly sharesFeatures: boolean;
  /** `KVM_VCPU_MAX_FEATURES`: the first bit that is unknown. */
  readonly features: number;
  /** A filter says who answers a call, and SMCs are calls (6.4). */
  readonly filtersCalls: boolean;
  /** KVM_GET/SET_VCPU_EVENTS want a vCPU that is initialised (6.18, and 6.12.117). */
  readonly eventsNeedInit: boolean;
  /** Fields of ID registers that a later kernel lets programs write. */
  readonly fixedFields: readonly string[];
  /** A SMCCC filter of no functions is refused from base 0, too (7.3, and 6.12.117). */
  readonly refusesEmptyFilter: boolean;
  /** A vCPU that waits is woken by its virtual timer, though it has no interrupt controller (not by 6.18.15). */
  readonly wakesByTimer: boolean;
  /** A VM whose first run fails in its interrupt controller is dead (6.1). */
  readonly diesOfVgic: boolean;
  /** A signed read of a device is cut to its width again (`kvm_handle_mmio_return`, arch/arm64/kvm/mmio.c; until 7.0). */
  readonly cutsSignedReads: boolean;
  /** A step begins anew with each entry, and shows in PSTATE (`kvm_arm_setup_debug`, arch/arm64/kvm/debug.c; until 6.1). */
  readonly stepsByEntry: boolean;
  /** A debugger without breakpoints meets the guest's (`setup_external_mdscr`, debug.c, of 6.14 takes them away). */
  readonly debuggerMeetsGuest: boolean;
  /** OSLAR_EL1 locks (5.18; `trap_raz_wi` in sys_regs.c before). */
  readonly hasOsLock: boolean;
  /** PSCI looks at the reserved bits of an affinity (`kvm_psci_valid_affinity`, 5.15). */
  readonly refusesReservedAffinity: boolean;
  /** A PMU's counter and the CHAIN behind it are the halves of one, and the lower never overflows (not in 6.1.176). */
  readonly chainsHalves: boolean;
}

const LINUX_5_10: Kernel = {
  psci: ['0.2', '1.0'],
  bitmaps: 0,
  sharesFeatures: false,
  features: 7,
  filtersCalls: false,
  eventsNeedInit: false,
  fixedFields: ['LSUI'],
  refusesEmptyFilter: false,
  wakesByTimer: true,
  diesOfVgic: false,
  cutsSignedReads: true,
  stepsByEntry: true,
  debuggerMeetsGuest: true,
  hasOsLock: false,
  refusesReservedAffinity: false,
  chainsHalves: true,
};
const LINUX_6_1: Kernel = {
  ...LINUX_5_10,
  psci: ['0.2', '1.0', '1.1'],
  bitmaps: 3,
  diesOfVgic: true,
  stepsByEntry: false,
  hasOsLock: true,
  refusesReservedAffinity: true,
  chainsHalves: false,
};
const LINUX_6_12: Kernel = {
  ...LINUX_6_1,
  sharesFeatures: true,
  filtersCalls: true,
  eventsNeedInit: true,
  refusesEmptyFilter: true,
};
const LINUX_6_18: Kernel = {
  ...LINUX_6_12,
  psci: ['0.2', '1.0', '1.1', '1.2', '1.3'],
  bitmaps: 4,
  features: 9,
  wakesByTimer: false,
  refusesEmptyFilter: false,
  debuggerMeetsGuest: false,
};
const LINUX_7_3: Kernel = {
  ...LINUX_6_18,
  features: 10,
  wakesByTimer: true,
  cutsSignedReads: false,
  fixedFields: [],
  refusesEmptyFilter: true,
};

const KERNELS: ReadonlyMap<string, Kernel> = new Map([
  ['5.10', LINUX_5_10],
  ['6.1', LINUX_6_1],
  ['6.12', LINUX_6_12],
  ['6.18', LINUX_6_18],
  ['7.3', LINUX_7_3],
]);

/** What the host's kernel has; another than those above is skipped. */
export function kernelOf(kvm: Kvm, context: CaseContext): Kernel {
  const name = kvm.backend === 'native' ? release() : loadHost(kvm.host).provenance.kernel;
  const series = /^\d+\.\d+/.exec(name)?.[0] ?? name;
  return KERNELS.get(series) ?? context.skip(`what Linux ${series} has is not known here`);
}
