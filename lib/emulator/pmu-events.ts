/**
 * The events that a PMU can be asked to count, by number (DDI 0487), as far as the emulated one knows them.
 *
 * @packageDocumentation
 */
import type { CpuGap } from './cpu/a64/gaps.ts';
import type { HostProfile } from './profile.ts';

export const PMU_EVENT = { SW_INCR: 0x00, INST_RETIRED: 0x08, CPU_CYCLES: 0x11, CHAIN: 0x1e } as const;

/** Those of which there are none: the emulated CPU never waits for anything (STALL_FRONTEND, STALL_BACKEND, STALL). */
const NEVER = [0x23, 0x24, 0x3c];

const EXACT: ReadonlySet<number> = new Set([...Object.values(PMU_EVENT), ...NEVER]);

const GAP: CpuGap = {
  feature: 'PMU',
  kind: 'system',
  instructions: [],
  effect: `events other than ${Object.keys(PMU_EVENT).join(', ')} and those of stalls count nothing`,
};

/** The common event that a bit of PMCEID0_EL0 or PMCEID1_EL0 stands for: those from 0x4000 on are in the upper half. */
export const eventOfPmceid = (half: number, bit: number): number =>
  (bit < 32 ? 0 : 0x4000) + 32 * half + (bit & 31);

/** That a host's PMU claims (PMCEID<n>_EL0) common events which are not counted; undefined where it claims none. */
export function pmuGap({ pmceid }: HostProfile): CpuGap | undefined {
  const claims = (pmceid ?? []).flatMap((mask, half) =>
    Array.from({ length: 64 }, (_, bit) => bit)
      .filter(bit => ((BigInt(`0x${mask}`) >> BigInt(bit)) & 1n) === 1n)
      .map(bit => eventOfPmceid(half, bit)),
  );
  return claims.every(event => EXACT.has(event)) ? undefined : GAP;
}
