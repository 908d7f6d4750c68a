/** What guests do and see: the programs of this folder, as one suite for any host. */
import type { Suite } from '#lib/testing.js';
import { debugging } from './debugging.ts';
import { devices } from './devices.ts';
import { forwarding } from './forwarding.ts';
import { memory } from './memory.ts';
import { moving } from './moving.ts';
import { psci } from './psci.ts';
import { running } from './running.ts';

const subjects: Record<string, Suite> = {
  running,
  psci,
  devices,
  memory,
  moving,
  forwarding,
  debugging,
};

export const suite: Suite = tools => {
  for (const [name, subject] of Object.entries(subjects)) tools.describe(name, () => subject(tools));
};
