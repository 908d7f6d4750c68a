/** The contract: every suite, for whoever runs them on a backend. */
import { attributes } from './attributes.ts';
import { batches } from './batches.ts';
import { beforeInit } from './before-init.ts';
import { coreRegisters } from './core-registers.ts';
import { enableCap } from './enable-cap.ts';
import { errors } from './errors.ts';
import { escapeHatch } from './escape-hatch.ts';
import { vcpuEvents } from './events.ts';
import { firmwareRegisters } from './firmware-registers.ts';
import { idRegisters } from './id-registers.ts';
import { init } from './init.ts';
import { lifetime } from './lifetime.ts';
import { pmu } from './pmu.ts';
import { psciVersion } from './psci-version.ts';
import { registerErrors } from './register-errors.ts';
import { registerList } from './register-list.ts';
import type { Suite } from './suite.ts';
import { system } from './system.ts';
import { timers } from './timers.ts';
import { vcpuCreation } from './vcpu-creation.ts';

export const suites: Record<string, Suite> = {
  system,
  vcpuCreation,
  init,
  beforeInit,
  registerList,
  registerErrors,
  coreRegisters,
  psciVersion,
  firmwareRegisters,
  idRegisters,
  timers,
  pmu,
  attributes,
  enableCap,
  vcpuEvents,
  batches,
  lifetime,
  errors,
  escapeHatch,
};
