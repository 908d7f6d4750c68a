/** Guests that move between kernels and hosts, one step in each process: what travels is files. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatPsciVersion } from '#lib/abi/psci.js';
import type { Kvm } from '#lib/kvm.js';
import { arrive, depart, foretell, type Setup } from '#lib/migration/migrate.js';
import { KERNELS_OF_TODAY } from '#lib/migration/tables-of-today.js';
import { askGuest } from '#lib/migration/travelling-guest.js';
import { watched } from '#lib/patience.js';
import { RegisterBatch } from '#lib/register-batch.js';
import { applyBaseline, RestoreError, restoreVmFromFile, saveVmToFile } from '#lib/state.js';
import { Machine } from '../guests/machine.ts';

/** The hosts, and the kernels of the lab that they were recorded from. */
export const KERNELS = KERNELS_OF_TODAY.map(host => ({ host, kernel: /-(\d+\.\d+)-/.exec(host)![1]! }));

/** What one process gives another. */
export interface Job {
  /** The host that it is, or would be. */
  readonly host: string;
  /** How vCPUs are made, by a name that is in the files' names, too. */
  readonly setups: Readonly<Record<string, PlainSetup>>;
  /** Files to load, where that is the job: from which host, and by which setup. */
  readonly guests: readonly Travel[];
  readonly ticking: readonly Travel[];
}

export interface Travel {
  readonly from: string;
  readonly setup: string;
}

/** A {@link Setup} as JSON takes it. */
interface PlainSetup {
  readonly featureBits: string;
  readonly registers: readonly (readonly [string, string])[];
  readonly omit: readonly string[];
  readonly gic?: {
    readonly version: 2 | 3;
    readonly registers: readonly (readonly [number, string, string])[];
  };
}

export function plain({ featureBits, registers, omit, gic }: Setup): PlainSetup {
  return {
    featureBits: String(featureBits),
    registers: Array.from(registers, ([id, value]) => [String(id), String(value)] as const),
    omit: omit.map(String),
    ...(gic && {
      gic: {
        version: gic.version,
        registers: gic.registers.map(
          ({ group, attr, value }) => [group, String(attr), String(value)] as const,
        ),
      },
    }),
  };
}

export function setupOf({ featureBits, registers, omit, gic }: PlainSetup): Setup {
  return {
    featureBits: BigInt(featureBits),
    registers: RegisterBatch.from(registers.map(([id, value]) => [BigInt(id), BigInt(value)] as const)),
    omit: omit.map(BigInt),
    ...(gic && {
      gic: {
        version: gic.version,
        registers: gic.registers.map(([group, attr, value]) => ({
          group,
          attr: BigInt(attr),
          value: BigInt(value),
        })),
      },
    }),
  };
}

const fileOf = (folder: string, kind: string, { from, setup }: Travel) =>
  join(folder, `${from}.${setup}.${kind}.state`);

/** What was saved: what the guests had found, and how the saving went. */
export interface Saved {
  /** PSCI versions, by setup. */
  readonly found: Readonly<Record<string, string>>;
  readonly ticking: Readonly<Record<string, { readonly reports: readonly string[] } & Figures>>;
}

interface Figures {
  /** Milliseconds from the guest's last instruction to the end of the save, or from the file to the guest's next. */
  readonly ms: number;
  readonly bytes: number;
}

/** Saves a guest by each setup, and the ticking one. */
export async function saveAll(kvm: Kvm, { host, setups }: Job, folder: string): Promise<Saved> {
  const found: Record<string, string> = {};
  const ticking: Record<string, { reports: string[] } & Figures> = {};
  for (const [name, given] of Object.entries(setups)) {
    const setup = setupOf(given);
    const departure = depart({ kvm, setup });
    writeFileSync(fileOf(folder, 'guest', { from: host, setup: name }), departure.file);
    found[name] = formatPsciVersion(departure.found);
    const machine = new Machine(kvm, 'ticking', { gic: true, init: vcpu => applyBaseline(vcpu, setup) });
    applyBaseline(machine.vm.gic!, setup);
    for (let i = 0; i < 8; i++) machine.nextReport();
    const start = performance.now();
    const bytes = await saveVmToFile(machine.vm, fileOf(folder, 'ticking', { from: host, setup: name }));
    ticking[name] = { reports: machine.reports.map(String), ms: performance.now() - start, bytes };
    machine.vm.close();
  }
  return { found, ticking };
}

/** What became of them. */
export interface Loaded {
  readonly guests: readonly (Travel & {
    readonly refused: readonly string[];
    /** By a plan on this very host. */
    readonly foretold: readonly string[];
    readonly found: string | undefined;
  })[];
  readonly ticking: readonly (Travel & {
    /** Why not. */
    readonly error?: string;
    readonly reports: readonly string[];
    readonly ms: number;
  })[];
}

/** Loads them, whatever plans say, and the ticking one as plans say. */
export async function loadAll(kvm: Kvm, { guests, ticking, setups }: Job, folder: string): Promise<Loaded> {
  const loaded: { guests: Loaded['guests'][number][]; ticking: Loaded['ticking'][number][] } = {
    guests: [],
    ticking: [],
  };
  for (const travel of guests) {
    const file = readFileSync(fileOf(folder, 'guest', travel));
    const end = { kvm, setup: setupOf(setups[travel.setup]!) };
    const { refused, found } = arrive(file, end);
    loaded.guests.push({
      ...travel,
      refused,
      foretold: foretell(file, end),
      found: found === undefined ? undefined : formatPsciVersion(found),
    });
  }
  for (const travel of ticking) {
    const { omit } = setupOf(setups[travel.setup]!);
    loaded.ticking.push({ ...travel, ...(await goOn(kvm, fileOf(folder, 'ticking', travel), omit)) });
  }
  return loaded;
}

async function goOn(kvm: Kvm, file: string, omit: readonly bigint[]) {
  try {
    const start = performance.now();
    const { vm } = await restoreVmFromFile(kvm, file, { omit });
    const [vcpu] = vm.vcpus;
    const ask = () => watched(() => askGuest(vcpu!)).result;
    const reports = [ask()];
    const ms = performance.now() - start;
    while (reports.length < 8) reports.push(ask());
    vm.close();
    return { reports: reports.map(String), ms };
  } catch (error) {
    if (!(error instanceof RestoreError)) throw error;
    return { error: error.message, reports: [], ms: 0 };
  }
}

/** A plan by a recorded host, for a file of any. */
export function foretellOffline(kvm: Kvm, { setups }: Job, travel: Travel, folder: string): string[] {
  const file = readFileSync(fileOf(folder, 'guest', travel));
  return foretell(file, { kvm, setup: setupOf(setups[travel.setup]!) });
}
