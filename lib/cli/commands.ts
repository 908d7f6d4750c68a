/**
 * The commands. A new one is a file in `commands/` and a row here.
 *
 * @packageDocumentation
 */
import { HOSTS } from '../emulator/profile.ts';
import type { Command, Options } from './command.ts';
import { baseline } from './commands/baseline.ts';
import { compare } from './commands/compare.ts';
import { doctor } from './commands/doctor.ts';
import { hosts } from './commands/hosts.ts';
import { info } from './commands/info.ts';
import { labList } from './commands/lab-list.ts';
import { labRun } from './commands/lab-run.ts';
import { labSetup } from './commands/lab-setup.ts';
import { labShell } from './commands/lab-shell.ts';
import { plan } from './commands/plan.ts';
import { psci } from './commands/psci.ts';
import { psciSet } from './commands/psci-set.ts';
import { record } from './commands/record.ts';
import { regs } from './commands/regs.ts';
import { stateDiff } from './commands/state-diff.ts';
import { stateLoad } from './commands/state-load.ts';
import { stateSave } from './commands/state-save.ts';
import { stateShow } from './commands/state-show.ts';

/** All commands, in the order of the help. */
export const COMMANDS: readonly Command[] = [
  info,
  doctor,
  psci,
  psciSet,
  regs,
  hosts,
  record,
  compare,
  plan,
  baseline,
  stateSave,
  stateShow,
  stateDiff,
  stateLoad,
  labList,
  labSetup,
  labRun,
  labShell,
];

/** The options that every command has. */
export const COMMON_OPTIONS: Options = {
  backend: {
    value: 'BACKEND',
    choices: ['auto', 'native', 'emulated'],
    summary:
      'auto (default: native on an ARM host, emulated elsewhere), native, emulated; or KVM_ARM64_BACKEND',
  },
  host: {
    value: 'HOST',
    summary: `the emulated host: ${HOSTS.join(', ')}, or a FILE that record wrote (with a slash, or .json)`,
  },
  json: {
    summary: 'one JSON document on stdout, for an error too; register ids and values as hex strings',
  },
  help: { short: 'h', summary: 'this help, or that of a command' },
  version: { summary: 'the version of this program' },
};
