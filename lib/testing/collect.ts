/** A suite's cases as data: to name them without running them, and to run one without a test framework. */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Kvm } from '../index.ts';
import type { Case, CaseContext, CaseOptions, Hook, Suite, SuiteTools } from './suite.ts';

/** A `describe`; the outermost one is the suite itself. */
export interface Group {
  readonly title: string;
  readonly children: (Group | CollectedCase)[];
}

/** An `it`. */
export interface CollectedCase {
  readonly title: string;
  /** The titles that lead to it: no two cases have the same. */
  readonly path: string;
  /** Why it is not to be run. */
  readonly skip: string | undefined;
  /** Milliseconds. */
  readonly timeout: number;
  /** Resolves to the reason where the case skips itself; rejects when it fails. */
  readonly run: () => Promise<string | undefined>;
}

/** Where a case belongs, innermost first. */
interface Scope extends Group {
  readonly outer: readonly Scope[];
  readonly before: Hook[];
  readonly after: Hook[];
}

/** What ends a case that skips itself. */
class Skip {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

const CONTEXT: CaseContext = {
  skip(reason) {
    throw new Skip(reason);
  },
};

/**
 * Calls a suite for its cases.
 *
 * @param openHost - opens KVM for a case
 * @param timeout - of a case that has none of its own
 */
export function collect(suite: Suite, openHost: () => Kvm, timeout: number): Group {
  const root = newScope('', []);
  let current: Scope | undefined = root;
  const paths = new Set<string>();
  const opened = new AsyncLocalStorage<Kvm[]>();

  const here = (what: string): Scope => {
    if (current === undefined) throw new Error(`${what}() is for a suite, and not for a case`);
    return current;
  };
  const tools: SuiteTools = {
    describe(title, body) {
      const outer = here('describe');
      current = newScope(title, [outer, ...outer.outer]);
      outer.children.push(current);
      const result: unknown = body();
      if (result instanceof Promise)
        throw new TypeError(`describe(${JSON.stringify(title)}) cannot be async`);
      current = outer;
    },
    it(title: string, ...rest: [Case] | [CaseOptions, Case]) {
      const scope = here('it');
      const body = rest.at(-1) as Case;
      const options: CaseOptions = rest.length === 1 ? {} : rest[0];
      const scopes = [scope, ...scope.outer];
      const path = JSON.stringify([...scopes.map(({ title }) => title).reverse(), title]);
      if (paths.has(path)) throw new Error(`two cases have the name ${path}`);
      paths.add(path);
      const limit = options.timeout ?? timeout;
      const run = () =>
        within(
          limit,
          opened.run([], () => runCase(scopes, body, opened.getStore()!)),
        );
      scope.children.push({ title, path, skip: options.skip, timeout: limit, run });
    },
    beforeEach(hook) {
      here('beforeEach').before.push(hook);
    },
    afterEach(hook) {
      here('afterEach').after.unshift(hook);
    },
    open() {
      const store = opened.getStore();
      if (store === undefined) throw new Error('open() is for a case and its hooks');
      const kvm = openHost();
      store.push(kvm);
      return kvm;
    },
  };
  suite(tools);
  current = undefined;
  if (paths.size === 0) throw new Error('the suite has no cases');
  return root;
}

/** The cases of a group and the groups in it, in order. */
export function casesOf(group: Group): CollectedCase[] {
  return group.children.flatMap(child => ('children' in child ? casesOf(child) : child));
}

function newScope(title: string, outer: readonly Scope[]): Scope {
  return { title, outer, children: [], before: [], after: [] };
}

/** Runs a case with its hooks, and closes what they opened; what was thrown first is how it went. */
async function runCase(
  scopes: readonly Scope[],
  body: Case,
  opened: readonly Kvm[],
): Promise<string | undefined> {
  const thrown: unknown[] = [];
  const attempt = async (step: () => void | Promise<void>) => {
    try {
      await step();
    } catch (error) {
      thrown.push(error);
    }
  };
  await attempt(async () => {
    for (const { before } of scopes.toReversed()) for (const hook of before) await hook();
    await body(CONTEXT);
  });
  for (const { after } of scopes) for (const hook of after) await attempt(hook);
  for (const kvm of opened) kvm.close();
  if (thrown.length === 0) return undefined;
  const [first] = thrown;
  if (first instanceof Skip) return first.reason;
  throw first;
}

async function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new Error(`the case took longer than ${milliseconds / 1000} s`);
    timer = setTimeout(reject, milliseconds, error);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
