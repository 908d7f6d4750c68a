/** Registers a suite with a test runner, once for each host. */
import { checkOptions } from '../abi/argument.ts';
import { startLab } from '../lab.ts';
import { type CollectedCase, casesOf, collect, type Group } from './collect.ts';
import { isRequired, type KnownHost, knownHost, type TestHost } from './hosts.ts';
import { GUEST, inMachine } from './in-machine.ts';
import { loadSuite } from './load-suite.ts';

/** Two functions of vitest or of node:test. */
export interface TestRunner {
  describe(title: string, body: () => void): unknown;
  it(
    title: string,
    options: { skip: boolean; timeout: number },
    body: (context: { skip(reason: string): unknown }) => Promise<void>,
  ): unknown;
}

/** What to run, and where. */
export interface TestOptions extends TestRunner {
  /**
   * Address of the suite's file, which exports a {@link Suite} by the name `suite`. Node itself imports it, here and in
   * the lab: JavaScript, or TypeScript where this Node runs that (from 22.18; that of the lab does).
   */
  readonly suite: URL | string;
  /** Each becomes a group of tests. */
  readonly hosts: readonly TestHost[];
  /** Milliseconds after which a case fails that has no time limit of its own. Default: 30000. */
  readonly timeout?: number | undefined;
  /** What of the project goes into the lab: package.json, and all that the suite imports. Default: everything. */
  readonly parts?: readonly string[] | undefined;
}

/** Runs a case; resolves to the reason where it skips itself. */
type Run = (one: CollectedCase) => Promise<string | undefined>;

/** The runner has a time limit, too. Ours comes first, with a better message; beyond this, timers fire at once. */
const LONGEST = 2 ** 31 - 1;

/**
 * Runs a suite on each host, as tests of the runner that calls this.
 *
 * The cases of an emulated host and of this machine's KVM run in this process. For a machine of the lab one boot runs
 * all cases, and each test is the verdict of one; what the case prints is printed by its test. A case that hangs or
 * brings the machine down fails alone: the machine is booted again for those after it, up to twice.
 *
 * A host that is not there is skipped, with the reason in the title of its group; or fails, where the environment's
 * `KVM_ARM64_REQUIRE` lists its kind: `lab`, `host` for this machine's KVM, or `lab,host`.
 *
 * @throws KvmError `ERR_BAD_PROFILE` for a host to emulate that is none
 * @example
 * ```ts
 * import { describe, it } from 'vitest'; // or node:test
 * import { testOnHosts } from 'kvm-arm64/testing';
 *
 * await testOnHosts({
 *   describe,
 *   it,
 *   suite: new URL('./psci.suite.js', import.meta.url),
 *   hosts: ['linux-6.12-neoverse-n1', { kernel: '6.18', cpu: 'max' }, 'native'],
 * });
 * ```
 */
export async function testOnHosts(options: TestOptions): Promise<void> {
  checkOptions('options', options, ['describe', 'it', 'suite', 'hosts', 'timeout', 'parts']);
  const { describe, it, hosts, timeout = 30_000 } = options;
  const suite = await loadSuite(options.suite);
  for (const host of hosts.map(knownHost)) {
    const { title, missing } = host;
    const group = collect(suite, host.open, timeout);
    if (missing === undefined) {
      const run = runOn(host, group, options, timeout);
      describe(title, () => register(options, group, run));
    } else if (isRequired(missing.tier)) {
      describe(title, () => {
        it('is there, as KVM_ARM64_REQUIRE asks', { skip: false, timeout }, async () => {
          throw new Error(missing.reason);
        });
      });
    } else {
      describe(`${title} (skipped: ${missing.reason})`, () => register(options, group, undefined));
    }
  }
}

function runOn(host: KnownHost, group: Group, { suite, parts }: TestOptions, timeout: number): Run {
  const { machine } = host;
  if (machine === undefined) return one => one.run();
  // The machine's own time limit is that of its cases.
  const start = (args: readonly string[]) =>
    startLab({ ...machine, script: GUEST, args, parts, timeoutMs: LONGEST });
  return inMachine(casesOf(group), [String(suite), String(timeout)], start);
}

/** Makes tests of the cases; without `run`, skipped ones. */
function register(runner: TestRunner, { children }: Group, run: Run | undefined): void {
  for (const child of children) {
    if ('children' in child) {
      runner.describe(child.title, () => register(runner, child, run));
      continue;
    }
    const reason = child.skip === undefined ? '' : ` (skipped: ${child.skip})`;
    const skip = run === undefined || child.skip !== undefined;
    runner.it(`${child.title}${reason}`, { skip, timeout: LONGEST }, async context => {
      const skipped = await run?.(child);
      if (skipped !== undefined) context.skip(skipped);
    });
  }
}
