/**
 * From the words of the command line to a command and its options. What is wrong is said in one line, with the
 * word that was probably meant.
 *
 * @packageDocumentation
 */
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { didYouMean } from '../abi/nearest.ts';
import type { Command, Option, Options } from './command.ts';
import { COMMANDS, optionsOf } from './commands.ts';
import { UsageError } from './usage-error.ts';

/** What the command line asks for. */
export interface Invocation {
  /** Absent only where `help` or `version` is among the options. */
  readonly command: Command | undefined;
  /** The first word of several commands (`lab`), where it is all there is. */
  readonly group: string | undefined;
  readonly options: ReadonlyMap<string, string>;
  readonly positionals: readonly string[];
  /** What follows `--`, where the command takes that. */
  readonly rest: readonly string[];
}

const ALL_OPTIONS: Options = Object.assign({}, ...COMMANDS.map(optionsOf));

interface OptionToken {
  readonly name: string;
  readonly rawName: string;
  readonly value: string | undefined;
  readonly inlineValue: boolean | undefined;
}

/**
 * Parses the arguments of the program.
 *
 * @throws UsageError
 */
export function parse(args: readonly string[]): Invocation {
  // A first look, with the options of all commands, tells words from values; then each option is held against
  // those of the command that was found. Node's own strict mode knows neither commands nor near words.
  const [own, rest] = atTerminator(args);
  const { tokens } = parseArgs({
    args: own,
    options: parseArgsOptions(),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const words = tokens.flatMap(token => (token.kind === 'positional' ? [token.value] : []));
  const command = findCommand(words);
  // Before a wrong command is: the value of an option that nobody knows looks like one.
  const options = new Map(
    tokens.flatMap(token => (token.kind === 'option' ? [readOption(token, command)] : [])),
  );
  const wantsNoCommand = options.has('help') || options.has('version');
  const [group, ...others] = words;
  if (command === undefined) {
    const isKnown = group === undefined || (groupOf(group).length > 0 && others.length === 0);
    if (!(isKnown && wantsNoCommand)) throw noCommand(group);
    return { command, group, options, positionals: [], rest: [] };
  }
  if (wantsNoCommand) return { command, group: undefined, options, positionals: [], rest: [] };
  const positionals = words.slice(command.name.split(' ').length);
  checkPositionals(command, positionals);
  checkRest(command, rest);
  return { command, group: undefined, options, positionals, rest };
}

/** The commands of two words that begin with this one. */
export function groupOf(word: string): Command[] {
  return COMMANDS.filter(({ name }) => name.startsWith(`${word} `));
}

/** The words before and after the first `--`. */
export function atTerminator(args: readonly string[]): [before: string[], after: string[]] {
  const at = args.indexOf('--');
  return at < 0 ? [[...args], []] : [args.slice(0, at), args.slice(at + 1)];
}

function parseArgsOptions(): NonNullable<ParseArgsConfig['options']> {
  return Object.fromEntries(
    Object.entries(ALL_OPTIONS).map(([name, { value, short }]) => [
      name,
      { type: value === undefined ? 'boolean' : 'string', ...(short === undefined ? {} : { short }) },
    ]),
  );
}

/** The command with the longest name that the words begin with. */
function findCommand(words: readonly string[]): Command | undefined {
  return COMMANDS.filter(({ name }) => name.split(' ').every((word, i) => word === words[i]))
    .sort((a, b) => b.name.length - a.name.length)
    .at(0);
}

function noCommand(word: string | undefined): UsageError {
  const names = namesOf(COMMANDS);
  if (word === undefined)
    return new UsageError(`a command is missing: ${names.join(', ')}; see kvm-arm64 --help`);
  const group = namesOf(groupOf(word));
  if (group.length > 0)
    return new UsageError(`${word} is one of ${group.join(', ')}; see kvm-arm64 ${word} --help`);
  const near = didYouMean(word, names);
  return new UsageError(`there is no command ${JSON.stringify(word)}${near}; see kvm-arm64 --help`);
}

function namesOf(commands: readonly Command[]): string[] {
  return commands.map(({ name }) => name);
}

function readOption(token: OptionToken, command: Command | undefined): [name: string, value: string] {
  const options = command === undefined ? ALL_OPTIONS : optionsOf(command);
  const option = Object.hasOwn(options, token.name) ? options[token.name] : undefined;
  if (option === undefined) {
    // One that other commands have is meant as it stands.
    const near = Object.hasOwn(ALL_OPTIONS, token.name)
      ? ''
      : didYouMean(
          token.rawName,
          Object.keys(options).map(name => `--${name}`),
        );
    const [subject, program] =
      command === undefined
        ? ['there is', 'kvm-arm64']
        : [`${command.name} has`, `kvm-arm64 ${command.name}`];
    throw new UsageError(
      `${subject} no option ${JSON.stringify(token.rawName)}${near}; see ${program} --help`,
    );
  }
  return [token.name, readValue(token, option)];
}

function readValue({ rawName, value, inlineValue }: OptionToken, option: Option): string {
  if (option.value === undefined) {
    if (value !== undefined) throw new UsageError(`${rawName} takes no value; got ${JSON.stringify(value)}`);
    return '';
  }
  const wanted = option.choices?.join(', ') ?? option.value;
  // `--filter --json` is more likely a forgotten value than a value that looks like an option.
  if (value === undefined || (!inlineValue && value.startsWith('-'))) {
    throw new UsageError(`${rawName} needs a value: ${wanted}`);
  }
  if (option.choices?.includes(value) === false) {
    const near = didYouMean(value, option.choices);
    throw new UsageError(`${rawName} takes one of ${wanted}; got ${JSON.stringify(value)}${near}`);
  }
  return value;
}

function checkPositionals({ name, positionals: names = [] }: Command, given: readonly string[]): void {
  const missing = names.slice(given.length).filter(wanted => !wanted.startsWith('['));
  if (missing.length > 0)
    throw new UsageError(`${name} needs ${missing.join(' ')}; see kvm-arm64 ${name} --help`);
  const surplus = names.at(-1)?.includes('...') ? undefined : given[names.length];
  if (surplus === undefined) return;
  const subcommands = namesOf(groupOf(name)).map(full => full.slice(name.length + 1));
  const near = didYouMean(surplus, subcommands);
  throw new UsageError(
    `${name} takes no argument ${JSON.stringify(surplus)}${near}; see kvm-arm64 ${name} --help`,
  );
}

function checkRest({ name, rest: wanted }: Command, given: readonly string[]): void {
  const see = `see kvm-arm64 ${name} --help`;
  if (wanted === undefined && given.length > 0)
    throw new UsageError(`${name} takes nothing after --, got ${JSON.stringify(given[0])}; ${see}`);
  if (wanted !== undefined && given.length === 0) throw new UsageError(`${name} needs -- ${wanted}; ${see}`);
}
