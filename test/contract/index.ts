/** The contract: every subject's cases, as one suite for any host. */
import type { Suite } from '#lib/testing.js';
import { attributes } from './attributes.ts';
import { batches } from './batches.ts';
import { beforeInit } from './before-init.ts';
import { coreRegisters } from './core-registers.ts';
import { devices } from './devices.ts';
import { enableCap } from './enable-cap.ts';
import { errors } from './errors.ts';
import { escapeHatch } from './escape-hatch.ts';
import { vcpuEvents } from './events.ts';
import { firmwareRegisters } from './firmware-registers.ts';
import { idRegisters } from './id-registers.ts';
import { init } from './init.ts';
import { ioEventFds } from './io-event-fds.ts';
import { lifetime } from './lifetime.ts';
import { memory } from './memory.ts';
import { pmu } from './pmu.ts';
import { psciVersion } from './psci-version.ts';
import { registerErrors } from './register-errors.ts';
import { registerList } from './register-list.ts';
import { savedStates } from './saved-states.ts';
import { system } from './system.ts';
import { timers } from './timers.ts';
import { vcpuCreation } from './vcpu-creation.ts';

const subjects: Record<string, Suite> = {
  system,
  memory,
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
  devices,
  ioEventFds,
  enableCap,
  vcpuEvents,
  batches,
  lifetime,
  savedStates,
  errors,
  escapeHatch,
};

export const suite: Suite = tools => {
  for (const [name, subject] of Object.entries(subjects)) tools.describe(name, () => subject(tools));
};
