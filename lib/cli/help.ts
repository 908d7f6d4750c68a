/**
 * What `--help` prints, made from the same tables that the program runs on.
 *
 * @packageDocumentation
 */
import { styleText } from 'node:util';
import type { Command, Options } from './command.ts';
import { COMMANDS, COMMON_OPTIONS } from './commands.ts';
import { EXIT_MEANINGS } from './exit-codes.ts';
import { table } from './table.ts';

/** The help of a command, or of the program. */
export function help(command: Command | undefined): string {
  const sections = command === undefined ? programHelp() : commandHelp(command);
  return `${sections.join('\n\n')}\n`;
}

function programHelp(): string[] {
  return [
    'KVM on 64-bit Arm: that of this machine, or an emulated host.',
    `${heading('Usage')} kvm-arm64 COMMAND [options]`,
    section(
      'Commands',
      COMMANDS.map(command => [synopsis(command), command.summary]),
    ),
    optionSection('Options of every command', COMMON_OPTIONS),
    exitCodes(),
    examples([...COMMANDS.flatMap(command => command.examples.slice(0, 1)), 'regs --help']),
  ];
}

function commandHelp(command: Command): string[] {
  const { summary, details, options, json } = command;
  return [
    `${summary[0]!.toUpperCase()}${summary.slice(1)}.`,
    ...(details === undefined ? [] : [details]),
    `${heading('Usage')} kvm-arm64 ${usage(command)}`,
    ...(options === undefined ? [] : [optionSection('Options', options)]),
    optionSection('Options of every command', COMMON_OPTIONS),
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
