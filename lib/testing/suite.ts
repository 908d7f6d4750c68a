/**
 * What a suite of tests is written against: functions like those of vitest and node:test, and a way to open KVM.
 * Nothing in it knows a runner or a host, so that the same file is judged on each.
 */
import type { Kvm } from '../index.ts';

/**
 * A suite: registers its cases when it is called, and does nothing else then. It is called here for the names of the
 * cases and, for a host of the lab, once more in the guest to run them there; it must register the same each time.
 *
 * @example
 * ```ts
 * export const suite: Suite = ({ describe, it, open }) => {
 *   describe('PSCI', () => {
 *     it('is offered in version 1.0', () => assert.ok(open().supportedPsciVersions().includes('1.0')));
 *   });
 * };
 * ```
 */
export type Suite = (tools: SuiteTools) => void;

/** What a suite gets. */
export interface SuiteTools {
  /** A group of cases and of further groups. */
  describe(title: string, body: () => void): void;
  /** A case. No two of a group have the same title. */
  it(title: string, body: Case): void;
  it(title: string, options: CaseOptions, body: Case): void;
  /** Runs before each case of this group and the groups in it; those of outer groups first. */
  beforeEach(hook: Hook): void;
  /** Runs after each case, whether it failed or not; the last one first. */
  afterEach(hook: Hook): void;
  /** KVM of the host under test, for a case and its hooks. It is closed after the case, if the case does not. */
  open(): Kvm;
}

/** A test: it fails when it throws, or rejects. */
export type Case = (context: CaseContext) => void | Promise<void>;

/** Something to run before or after cases. */
export type Hook = () => void | Promise<void>;

/** What a case gets when it runs. */
export interface CaseContext {
  /** Ends the case as skipped: for what shows only on the host. */
  skip(reason: string): never;
}

/** What a case may say of itself. */
export interface CaseOptions {
  /** Why it is not run, on any host. Its title says it. */
  readonly skip?: string | undefined;
  /** Milliseconds after which it fails. Default: that of `testOnHosts()`. */
  readonly timeout?: number | undefined;
}
