/**
 * Traces: calls with the answers of a real kernel, kept as compressed text. Replaying one needs no kernel.
 *
 * @packageDocumentation
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib';
import { decodeRegisterId } from '../abi/register-id.ts';
import type { KvmHandle } from '../backend.ts';
import type { HostProfile, ProfileConfiguration, WriteRule } from '../emulator/profile.ts';
import { isSpecial } from '../emulator/registers/special-registers.ts';
import { type Call, formatCall, parseCall } from './calls.ts';
import {
  allCapabilities,
  everyDigitOf,
  everyDigitUnlocked,
  everyFeature,
  exceptions,
  foreignCoprocessors,
  psciVersions,
  sequences,
  smallFilters,
  upheaval,
} from './generate.ts';
import { type Answer, abridge, runCalls } from './run-calls.ts';
import { featureSets, Sequence } from './sequence.ts';

/** A sequence with its answers, abridged. */
export interface TracedSequence {
  readonly calls: readonly Call[];
  readonly answers: readonly Answer[];
}

/** Answers that a host does not give any more. */
export interface Departure {
  readonly calls: readonly Call[];
  readonly recorded: Answer;
  readonly now: Answer;
}

/** How often all registers are written, each time with other values and by turns with features of each configuration. */
const UPHEAVALS = 24;

/** Calls that wander, beside those that go through everything. */
const WANDERING_CALLS = 16_000;

/** `struct kvm_regs`. */
const PSTATE_OFFSET = 264;

/** What a trace is made of: every digit of every rule, all registers with all features, every capability, and chance. */
export function* traceSequences(profile: HostProfile): Generator<readonly Call[]> {
  let seed = 0;
  const make = (shape: (s: Sequence) => void, features?: number) => {
    const sequence = new Sequence(profile, seed++, features === undefined ? undefined : BigInt(features));
    shape(sequence);
    return sequence.finish();
  };
  for (const configuration of profile.configurations) {
    const { writes = {} } = configuration;
    const features = configuration.features.at(-1);
    for (const { id, write } of profile.registers) {
      const isDue = id in writes || (isRuled(profile, id, write) && homeOf(profile, id) === configuration);
      if (isDue) yield make(s => everyDigitOf(BigInt(`0x${id}`), s), features);
    }
  }
  for (const { id, unlocked } of profile.registers) {
    if (unlocked !== undefined) yield make(s => everyDigitUnlocked(BigInt(`0x${id}`), s));
  }
  const { length } = profile.configurations;
  for (let i = 0; i < UPHEAVALS; i++) {
    const { features } = profile.configurations[i % length]!;
    yield make(upheaval, features[Math.floor(i / length) % features.length]);
  }
  for (const features of featureSets(profile).slice(-2)) yield make(foreignCoprocessors, features);
  for (const { features } of profile.configurations) yield make(exceptions, features[0]);
  yield make(everyFeature);
  yield make(smallFilters);
  yield make(psciVersions);
  yield make(allCapabilities);
  for (const { calls } of sequences(profile, 1, WANDERING_CALLS)) yield calls;
}

/** Of the feature sets that have a register the last, which has the most. */
function homeOf({ configurations }: HostProfile, id: string): ProfileConfiguration | undefined {
  return configurations.findLast(({ absent }) => !absent?.includes(id));
}

/** Whether every digit of a register may matter: not where nothing or anything is accepted. */
function isRuled(profile: HostProfile, id: string, write: WriteRule | undefined): boolean {
  return write === undefined ? isSpecial(BigInt(`0x${id}`), profile) && !isGeneral(id) : write !== 'fixed';
}

/** A general-purpose or FP register: all are alike, and upheavals write them. */
function isGeneral(id: string): boolean {
  const fields = decodeRegisterId(BigInt(`0x${id}`));
  return fields.kind === 'core' && fields.offset !== PSTATE_OFFSET;
}

/** Runs the sequences of a trace. */
export function recordTrace(open: () => KvmHandle, profile: HostProfile): string {
  let text = '';
  for (const calls of traceSequences(profile)) {
    const answers = runCalls(open, calls).map(abridge);
    text += calls.map((call, i) => `${formatCall(call)}\t${answers[i]}\n`).join('');
    text += '\n';
  }
  return text;
}

/** Reads what {@link recordTrace} gives. */
export function parseTrace(text: string): TracedSequence[] {
  return text
    .split('\n\n')
    .filter(sequence => sequence !== '')
    .map(sequence => {
      const lines = sequence.split('\n').map(line => line.split('\t'));
      return {
        calls: lines.map(([call]) => parseCall(call!)),
        answers: lines.map(([, answer]) => answer!),
      };
    });
}

/** The first answer of a host that is not the recorded one, sequence by sequence. */
export function* departures(open: () => KvmHandle, trace: readonly TracedSequence[]): Generator<Departure> {
  for (const { calls, answers } of trace) {
    const now = runCalls(open, calls).map(abridge);
    const first = now.findIndex((answer, i) => answer !== answers[i]);
    if (first >= 0) yield { calls: calls.slice(0, first + 1), recorded: answers[first]!, now: now[first]! };
  }
}

function traceFile(host: string): string {
  return fileURLToPath(new URL(`../../../test/traces/${host}.br`, import.meta.url));
}

/** Keeps the trace of a host in this checkout. */
export function writeTrace(host: string, text: string): void {
  const bytes = Buffer.from(text);
  const params = { [constants.BROTLI_PARAM_LGWIN]: 24, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
  writeFileSync(traceFile(host), brotliCompressSync(bytes, { params }));
}

/** The trace of a host in this checkout. */
export function readTrace(host: string): TracedSequence[] {
  return parseTrace(brotliDecompressSync(readFileSync(traceFile(host))).toString());
}
