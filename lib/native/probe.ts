/**
 * What this machine offers, and why not more.
 *
 * @packageDocumentation
 */
import { type Facts, gatherFacts } from './facts.ts';
import { judge, type Verdict } from './verdict.ts';

/** What to look at. */
export interface ProbeOptions {
  /** The KVM device; `/dev/kvm` unless given. */
  readonly path?: string | undefined;
}

/** The facts about a machine and the judgement on them. */
export interface Probe extends Facts, Verdict {}

/**
 * Looks whether native KVM can be used here. Never throws; changes nothing.
 *
 * @example
 * ```ts
 * const { usable, reason, cure } = probe();
 * if (!usable) console.log(reason, cure);
 * ```
 */
export function probe(options: ProbeOptions = {}): Probe {
  const facts = gatherFacts(options?.path ?? '/dev/kvm');
  return { ...facts, ...judge(facts) };
}
