/**
 * What `--help` prints, made from the same tables that the program runs on.
 *
 * @packageDocumentation
 */
import { styleText } from 'node:util';
import type { Command, Options } from './command.ts';
import { COMMANDS, COMMON_OPTIONS, JSON_OPTION, optionsOf } from './commands.ts';
import { EXIT_MEANINGS } from './exit-codes.ts';
import { HOST_OPTIONS } from './host-options.ts';
import { groupOf, type Invocation } from './parse.ts';
import { table } from './table.ts';

/** The help of a command, or else of a group of commands, or of the program. */
export function help({ command, group }: Pick<Invocation, 'command' | 'group'>): string {
  const sections =
    command !== undefined ? commandHelp(command) : group !== undefined ? groupHelp(group) : programHelp();
  return `${sections.join('\n\n')}\n`;
}

function programHelp(): string[] {
  return [
    'KVM on 64-bit Arm: that of this machine, or an emulated host.',
    `${heading('Usage')} kvm-arm64 COMMAND [options]`,
    commandList(COMMANDS),
    optionSection('Options of most commands', { ...HOST_OPTIONS, ...JSON_OPTION }),
    optionSection('Options of every command', COMMON_OPTIONS),
    exitCodes(),
    examples([...firstExamples(COMMANDS), 'regs --help']),
  ];
}

function groupHelp(name: string): string[] {
  const commands = groupOf(name);
  return [
    `${heading('Usage')} kvm-arm64 ${name} COMMAND [options]`,
    commandList(commands),
    optionSection('Options of every command', COMMON_OPTIONS),
    exitCodes(),
    examples([...firstExamples(commands), `${commands[0]!.name} --help`]),
  ];
}

function commandHelp(command: Command): string[] {
  const { summary, details, json } = command;
  return [
    `${summary[0]!.toUpperCase()}${summary.slice(1)}.`,
    ...(details === undefined ? [] : [details]),
    `${heading('Usage')} kvm-arm64 ${usage(command)}`,
    optionSection('Options', optionsOf(command)),
    ...(json === undefined ? [] : [jsonFields(json)]),
    exitCodes(),
    examples(command.examples),
  ];
}

function jsonFields(fields: NonNullable<Command['json']>): string {
  return section('Fields of --json', [
    ['backend, host', 'what answered: native and its device, or emulated and its name; null for none'],
    ...Object.entries(fields),
    [
      'error',
      'in place of the others, where it failed: code, message, and where they apply hint, errno, request, register',
    ],
  ]);
}

function commandList(commands: readonly Command[]): string {
  return section(
    'Commands',
    commands.map(command => [synopsis(command), command.summary]),
  );
}

function firstExamples(commands: readonly Command[]): string[] {
  return commands.flatMap(command => command.examples.slice(0, 1));
}

function synopsis({ name, positionals = [] }: Command): string {
  return [name, ...positionals].join(' ');
}

function usage({ name, positionals = [], rest }: Command): string {
  return [name, ...positionals, '[options]', ...(rest === undefined ? [] : [`-- ${rest}`])].join(' ');
}

function optionSection(title: string, options: Options): string {
  return section(
    title,
    Object.entries(options).map(([name, { short, value, summary }]) => [
      `${short === undefined ? '' : `-${short}, `}--${name}${value === undefined ? '' : ` ${value}`}`,
      summary,
    ]),
  );
}

function exitCodes(): string {
  return section(
    'Exit codes',
    EXIT_MEANINGS.map(([code, meaning]) => [String(code), meaning]),
  );
}

function examples(lines: readonly string[]): string {
  return section(
    'Examples',
    lines.map(line => [`kvm-arm64 ${line}`]),
  );
}

function section(title: string, rows: readonly (readonly string[])[]): string {
  return `${heading(title)}\n${table(rows).replaceAll(/^/gm, '  ')}`;
}

function heading(title: string): string {
  return styleText('bold', `${title}:`);
}
