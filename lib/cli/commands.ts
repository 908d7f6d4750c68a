/**
 * The commands. A new one is a file in `commands/` and a row here.
 *
 * @packageDocumentation
 */
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
import { migrationTables } from './commands/migration-tables.ts';
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
  migrationTables,
  stateSave,
  stateShow,
  stateDiff,
  stateLoad,
  labList,
  labSetup,
  labRun,
  labShell,
];

/** The option of every command whose output is its own. */
export const JSON_OPTION: Options = {
  json: {
    summary: 'one JSON document on stdout, for an error too; register ids and values as hex strings',
  },
};

/** The options that every command has. */
export const COMMON_OPTIONS: Options = {
  help: { short: 'h', summary: 'this help, or that of a command' },
  version: { summary: 'the version of this program' },
};

/** All options that a command has. */
export function optionsOf({ options, json }: Command): Options {
  return { ...options, ...(json === undefined ? {} : JSON_OPTION), ...COMMON_OPTIONS };
}
