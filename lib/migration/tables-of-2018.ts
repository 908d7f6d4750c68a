/**
 * The two tables of the discussion on kvmarm in February 2018 (the answer to "[PATCH v3 08/18] arm/arm64: KVM: Add PSCI
 * version selection API"): "old" is a kernel from before, "new" one with the proposal, "compat" a new one whose userspace
 * asked for PSCI 0.2.
 *
 * @packageDocumentation
 */
import { parsePsciVersion } from '../abi/psci.ts';
import { psciVersionId } from '../abi/register-id.ts';
import { featureMask } from '../abi/vcpu-features.ts';
import type { Kvm } from '../kvm.ts';
import { RegisterBatch } from '../register-batch.ts';
import type { End, Setup } from './migrate.ts';
import { type MigrationTable, move } from './move.ts';

/** KVM_ARM_VCPU_FORCE_PSCI_0_2 of the answer. */
const FORCE_PSCI_0_2 = 4;

const PLAIN: Setup = { featureBits: featureMask(['PSCI_0_2']), registers: RegisterBatch.from([]), omit: [] };

type Role = 'old' | 'new' | 'compat';

interface Approach {
  readonly title: string;
  /** The host that is new. */
  readonly host: string;
  /** What userspace does on a new one to have PSCI 0.2. */
  readonly compat: Setup;
}

const OLD = 'linux-4.14';

const APPROACHES: readonly Approach[] = [
  {
    title: 'sysreg approach',
    host: 'psci-firmware-register-v3',
    compat: {
      ...PLAIN,
      registers: RegisterBatch.from([[psciVersionId('arm64'), parsePsciVersion('0.2')]]),
    },
  },
  {
    title: 'vcpu feature approach',
    host: 'psci-feature-bit',
    compat: { ...PLAIN, featureBits: featureMask(['PSCI_0_2', FORCE_PSCI_0_2]) },
  },
];

const MIGRATIONS: readonly (readonly [from: Role, to: Role])[] = [
  ['new', 'new'],
  ['old', 'new'],
  ['new', 'old'],
  ['compat', 'old'],
  ['old', 'compat'],
];

/** How many lines there are. */
export const MOVES_OF_2018 = APPROACHES.length * MIGRATIONS.length;

/**
 * The tables of 2018, each line a migration that was executed.
 *
 * @param open - opens a host by name; the caller closes it
 * @param onMove - called before each
 */
export function tablesOf2018(open: (host: string) => Kvm, onMove: () => void): MigrationTable[] {
  const old: End = { kvm: open(OLD), setup: PLAIN };
  return APPROACHES.map(({ title, host, compat }) => {
    const kvm = open(host);
    const ends: Readonly<Record<Role, End>> = {
      old,
      new: { kvm, setup: PLAIN },
      compat: { kvm, setup: compat },
    };
    const moves = MIGRATIONS.map(([from, to]) => {
      onMove();
      const change = from === 'compat' || to === 'compat';
      return move(`${from} -> ${to}`, change, ends[from], ends[to]);
    });
    return { title: `2018: ${title} (${host}; old: ${OLD})`, moves };
  });
}
