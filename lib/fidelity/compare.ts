/**
 * The same calls on two backends: where the answers part, and the fewest calls that show it.
 *
 * @packageDocumentation
 */
import type { KvmHandle } from '../backend.ts';
import { type Call, formatCall } from './calls.ts';
import { type Answer, runCalls } from './run-calls.ts';

/** Opens each of the two. */
export interface Pair {
  /** What is right by definition. */
  readonly kernel: () => KvmHandle;
  readonly emulated: () => KvmHandle;
}

/** Calls of which the last is answered differently. */
export interface Difference {
  readonly calls: readonly string[];
  readonly kernel: readonly Answer[];
  readonly emulated: readonly Answer[];
}

/** Runs the calls on both, up to the first difference. */
export function compare({ kernel, emulated }: Pair, calls: readonly Call[]): readonly Answer[] | Difference {
  const expected = runCalls(kernel, calls);
  const actual = runCalls(emulated, calls);
  const first = expected.findIndex((answer, i) => answer !== actual[i]);
  if (first < 0) return expected;
  return {
    calls: calls.slice(0, first + 1).map(formatCall),
    kernel: expected.slice(0, first + 1),
    emulated: actual.slice(0, first + 1),
  };
}

/** Whether a comparison found a difference. */
export function isDifference(result: readonly Answer[] | Difference): result is Difference {
  return 'kernel' in result;
}

/**
 * Drops what a difference does not need: runs of calls, the longest first, then single ones. A call whose object is
 * gone answers nothing on either backend, so any selection of calls is a sequence again.
 */
export function shrink(pair: Pair, calls: readonly Call[]): Difference | undefined {
  let shortest = calls;
  let found: Difference | undefined;
  const stillDiffers = (candidate: readonly Call[]): boolean => {
    const result = compare(pair, candidate);
    if (!isDifference(result)) return false;
    shortest = candidate.slice(0, result.calls.length);
    found = result;
    return true;
  };
  if (!stillDiffers(calls)) return undefined;
  for (let length = shortest.length >> 1; length >= 1; length >>= 1) {
    for (let end = shortest.length - 1; end > 0; end -= length) {
      stillDiffers([...shortest.slice(0, Math.max(0, end - length)), ...shortest.slice(end)]);
    }
  }
  stillDiffers(nameRegister(shortest, found!));
  return found;
}

/** Asks for the one register that differs instead of the whole state. */
function nameRegister(calls: readonly Call[], { kernel, emulated }: Difference): readonly Call[] {
  const last = calls.at(-1)!;
  if (last.method !== 'state') return calls;
  const actual = emulated.at(-1)!.split(' ');
  const differing = kernel
    .at(-1)!
    .split(' ')
    .slice(1)
    .find(register => !actual.includes(register));
  if (differing === undefined) return calls;
  return [...calls.slice(0, -1), { ...last, method: 'getOneReg', args: [differing.split('=')[0]!] }];
}

/** A difference as a test: the kernel's answers, asked of the emulated host. */
export function formatTest(host: string, { calls, kernel }: Difference): string {
  const lines = calls.map((call, i) => `    [${quote(call)}, ${quote(kernel[i]!)}],`);
  return [
    `it('answers as the kernel does', () => {`,
    '  const trace: readonly (readonly [call: string, answer: string])[] = [',
    ...lines,
    '  ];',
    '  const calls = trace.map(([call]) => parseCall(call));',
    `  const answers = runCalls(() => openEmulated('${host}'), calls);`,
    '  expect(answers).toEqual(trace.map(([, answer]) => answer));',
    '});',
  ].join('\n');
}

function quote(text: string): string {
  return `'${text}'`;
}
