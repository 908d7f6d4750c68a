/**
 * What Linux asserts of itself in tools/testing/selftests/kvm, as cases for every kernel, and what none of its tests has:
 * each expects what its kernel's own test would, and is skipped where that is.
 */
import type { Suite } from '#lib/testing.js';
import { hypercalls } from './hypercalls.ts';
import { idRegisters } from './id-registers.ts';
import { init } from './init.ts';
import { psci } from './psci.ts';
import { psciVersion } from './psci-version.ts';
import { registerList } from './register-list.ts';
import { smcccFilter } from './smccc-filter.ts';
import { vcpuWidth } from './vcpu-width.ts';

const subjects: Record<string, Suite> = {
  psci_test: psci,
  hypercalls,
  smccc_filter: smcccFilter,
  vcpu_width_config: vcpuWidth,
  set_id_regs: idRegisters,
  'get-reg-list': registerList,
  'the PSCI version': psciVersion,
  initialisation: init,
};

export const suite: Suite = tools => {
  for (const [name, subject] of Object.entries(subjects)) tools.describe(name, () => subject(tools));
};
