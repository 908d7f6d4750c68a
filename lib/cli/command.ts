/**
 * What a command is: a row of the table in `commands.ts`, in a file of its own.
 *
 * @packageDocumentation
 */
import type { Kvm } from '../index.ts';

/** An option `--name`. */
export interface Option {
  readonly summary: string;
  /** What stands for its value in the help; absent for a flag. */
  readonly value?: string;
  /** The only values that it takes. */
  readonly choices?: readonly string[];
  /** `h` for `-h`. */
  readonly short?: string;
}

/** Options by name. */
export type Options = Readonly<Record<string, Option>>;

/** What a command finds when it runs. */
export interface Context {
  /** The options that were given, by name; a flag has the value `''`. */
  readonly options: ReadonlyMap<string, string>;
  /** At most as many as the command has names for. */
  readonly positionals: readonly string[];
  /** What follows `--`. */
  readonly rest: readonly string[];
  /**
   * KVM as `HOST_OPTIONS` or the environment ask for it, opened at the first call. It is closed, with the VMs made on it,
   * when the command is done; the backend that answers is reported without the command's doing.
   *
   * @throws KvmError `ERR_BACKEND_UNAVAILABLE`
   */
  open(): Kvm;
}

/** What a command has to say. */
export interface Report {
  /** For `--json`: the fields of {@link Command.json}. */
  readonly data: Readonly<Record<string, unknown>>;
  /** For people. */
  readonly text: string;
  /** Default: 0. */
  readonly exitCode?: number;
}

/** The exit code of a command whose output is that of another program, and complete. */
export type Passed = number;

/** A command. */
export interface Command {
  /** One word, or two (`psci set`). */
  readonly name: string;
  /** Names of the arguments; in brackets one that need not be given; the last may end in `...`, for any number. */
  readonly positionals?: readonly string[];
  /** What must follow `--`; absent for a command that takes nothing there. */
  readonly rest?: string;
  /** Half a sentence, for the list of commands. */
  readonly summary: string;
  /** Sentences, for the command's own help. */
  readonly details?: string;
  /** Beside those that `optionsOf` adds. */
  readonly options?: Options;
  /**
   * The fields of its JSON document, beside `backend` and `host`, and what they hold. Absent where the output is that
   * of another program: then there is no `--json`.
   */
  readonly json?: Readonly<Record<string, string>>;
  /** What follows `kvm-arm64 `. */
  readonly examples: readonly string[];
  run(context: Context): Report | Promise<Report | Passed>;
}
