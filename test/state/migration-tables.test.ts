/**
 * The two migration tables of the discussion on kvmarm, February 2018 (answer to "[PATCH v3 08/18] arm/arm64: KVM: Add
 * PSCI version selection API"), and those of today, each line a migration that was executed.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { Kvm } from '#lib/emulator.js';
import { isForetold, type Move } from '#lib/migration/move.js';
import { MOVES_OF_2018, tablesOf2018 } from '#lib/migration/tables-of-2018.js';
import { KERNELS_OF_TODAY, MOVES_OF_TODAY, tablesOfToday } from '#lib/migration/tables-of-today.js';
import { baseline } from '#lib/state.js';

const opened: Kvm[] = [];
afterAll(() => {
  for (const kvm of opened) kvm.close();
});
function open(host: string): Kvm {
  const kvm = Kvm.open({ host });
  opened.push(kvm);
  return kvm;
}

/** The first columns of the tables as they were posted. */
const POSTED = {
  sysreg: `
| new    -> new    |   NO      |  YES  |
| old    -> new    |   NO      |  YES  |
| new    -> old    |   NO      |  NO   |
| compat -> old    |   YES     |  NO*  |
| old    -> compat |   YES     |  YES  |`,
  feature: `
| new    -> new    |   NO      |  YES  |
| old    -> new    |   NO      |  YES  |
| new    -> old    |   NO      |  YES* |
| compat -> old    |   YES     |  YES  |
| old    -> compat |   YES     |  YES  |`,
};

const yes = (value: boolean) => (value ? 'YES' : 'NO');

/** A line as in the posting. */
function posted({ migration, userspaceChange, works, wanted }: Move): string {
  const [from = '', to = ''] = migration.split(' -> ');
  const cell = `${yes(works)}${works === wanted ? '' : '*'}`;
  return `| ${from.padEnd(6)} -> ${to.padEnd(6)} |   ${yes(userspaceChange).padEnd(8)}|  ${cell.padEnd(5)}|`;
}

describe('the tables of 2018, executed', () => {
  let begun = 0;
  const tables = tablesOf2018(open, () => begun++);

  it.each([
    [0, POSTED.sysreg],
    [1, POSTED.feature],
  ])('table %i is as it was posted, with the asterisk', (i, lines) => {
    expect(`\n${tables[i]!.moves.map(posted).join('\n')}`).toBe(lines);
  });

  it('the register fails at itself, and nothing else', () => {
    expect(tables[0]!.moves.map(({ refused }) => refused)).toEqual([
      [],
      [],
      ['KVM_REG_ARM_PSCI_VERSION ENOENT'],
      ['KVM_REG_ARM_PSCI_VERSION ENOENT'],
      [],
    ]);
  });

  // Notes of the posting: 1.0 is backward compatible; new to old is not safe for the guest kernel.
  it('the guest found these versions before and after', () => {
    expect(tables.map(({ moves }) => moves.map(({ found, foundThen }) => [found, foundThen]))).toEqual([
      [
        ['1.0', '1.0'],
        ['0.2', '1.0'],
        ['1.0', undefined],
        ['0.2', undefined],
        ['0.2', '0.2'],
      ],
      [
        ['1.0', '1.0'],
        ['0.2', '1.0'],
        ['1.0', '0.2'],
        ['0.2', '0.2'],
        ['0.2', '0.2'],
      ],
    ]);
  });

  it(`all ${MOVES_OF_2018} were foretold`, () => {
    expect(tables.flatMap(({ moves }) => moves).filter(isForetold)).toHaveLength(MOVES_OF_2018);
    expect(begun).toBe(MOVES_OF_2018);
  });

  it('the register carries the version along, on 32-bit arm, too, where its id is another', () => {
    const kvm = open('psci-firmware-register-v3-arm');
    const [from, to] = [kvm.createVm().createVcpu(0), kvm.createVm().createVcpu(0)];
    from.init();
    from.setPsciVersion('0.2');
    to.init();
    expect(to.setRegs(from.getRegs()).failed).toBe(0);
    expect(to.getOneReg(0x4030000000140000n)).toBe(2n);
  });
});

describe('the tables of today, executed', () => {
  const [unpinned, pinned] = tablesOfToday(open, () => {}).map(
    ({ moves }) => new Map(moves.map(move => [move.migration, move])),
  );

  it.each([
    // PSCI 1.3 came with 6.13, KVM_REG_ARM_VENDOR_HYP_BMAP_2 with 6.16.
    ['6.18', '6.12', ['KVM_REG_ARM_PSCI_VERSION EINVAL', 'KVM_REG_ARM_VENDOR_HYP_BMAP_2 ENOENT']],
    // These are conditional since 6.13 (reference, peers section 6, ask 1).
    ['6.12', '6.18', ['TCR2_EL1 ENOENT', 'PIRE0_EL1 ENOENT', 'PIR_EL1 ENOENT']],
  ])('Linux %s to %s fails, and pinned it works, with the version unchanged', (from, to, refused) => {
    const name = `linux-${from}-max -> linux-${to}-max`;
    expect(unpinned!.get(name)).toMatchObject({ works: false, refused });
    expect(pinned!.get(name)).toMatchObject({ works: true, wanted: true, found: '1.1', foundThen: '1.1' });
  });

  it('pinned migrations work where the baseline has no spoiler, and only there', () => {
    const hosts = KERNELS_OF_TODAY.map(open);
    for (const from of hosts) {
      for (const to of hosts.filter(other => other !== from)) {
        const { spoilers } = baseline([from, to], { features: ['PSCI_0_2'] });
        const loads =
          pinned!.get(`${from.host} -> ${to.host}`)!.works &&
          pinned!.get(`${to.host} -> ${from.host}`)!.works;
        expect(loads, `${from.host} and ${to.host}`).toBe(spoilers.length === 0);
      }
    }
  });

  it('no guest that arrived finds another version, as its register came along', () => {
    const arrived = [...unpinned!.values(), ...pinned!.values()].filter(({ works }) => works);
    expect(arrived.filter(({ found, foundThen }) => found !== foundThen)).toEqual([]);
    expect(arrived.length).toBeGreaterThan(MOVES_OF_TODAY / 4);
  });

  it(`all ${MOVES_OF_TODAY} were foretold`, () => {
    const moves = [...unpinned!.values(), ...pinned!.values()];
    expect(moves.filter(isForetold)).toHaveLength(MOVES_OF_TODAY);
  });
});
