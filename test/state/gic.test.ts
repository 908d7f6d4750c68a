/**
 * Interrupt controllers in states, offline: what a plan says of them by name, what is put back, and what all of a fleet
 * take. That they go on where they were: `test/guests/moving.ts`.
 */
import { describe, expect, it } from 'vitest';
import { KVM_DEV_ARM_VGIC_GRP } from '#lib/abi/device-attributes.js';
import { findGicRegister } from '#lib/abi/gic-registers.js';
import { RECORDED_HOSTS } from '#lib/emulator/profile.js';
import type { Kvm, KvmError, Vm } from '#lib/emulator.js';
import {
  applyBaseline,
  baseline,
  decodeState,
  describeFinding,
  diffStates,
  encodeState,
  type GicState,
  planRestore,
  restoreVm,
  type SavedState,
  saveVm,
} from '#lib/state.js';
import { open } from './open.ts';

const { KVM_DEV_ARM_VGIC_GRP_DIST_REGS: DIST, KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS: SYSREGS } =
  KVM_DEV_ARM_VGIC_GRP;
const GICD_IIDR = 0x8;
const GICD_ISENABLER1 = 0x104;
const ICC_CTLR_EL1 = 0xc664; // S3_0_C12_C12_4

function makeVm(kvm: Kvm, version: 2 | 3, vcpus = 1): Vm {
  const vm = kvm.createVm();
  for (let id = 0; id < vcpus; id++) vm.createVcpu(id).init();
  vm.createGic({ version }).init();
  return vm;
}

const save = (vm: Vm) => saveVm(vm, { memory: 'none' });
const ofGic = (state: SavedState, kvm: Kvm, source?: Kvm) =>
  planRestore(state, kvm, { source }).findings.filter(({ what }) => what === 'GIC');

/** A state whose GIC has another value. */
function changed(state: SavedState, wanted: number, value: bigint): SavedState {
  const { gic } = state;
  const registers = gic!.registers.map(entry =>
    Number(entry.attr & 0xffff_ffffn) === wanted ? { ...entry, value } : entry,
  );
  return { ...state, gic: { ...gic!, registers } };
}

describe('the plan of an interrupt controller', () => {
  it('is silent where the host has the same', () => {
    const kvm = open('linux-6.12-max');
    expect(planRestore(save(makeVm(kvm, 3, 2)), kvm)).toMatchObject({ verdict: 'identical', findings: [] });
  });

  it.each([
    ['linux-6.12-max', 3, 'linux-6.12-cortex-a57', 2],
    ['linux-6.12-cortex-a57', 2, 'linux-6.12-max', 3],
  ] as const)('of %s: a GICv%i that %s lacks, which has GICv%i', (from, version, to, other) => {
    const source = open(from);
    const destination = open(to);
    expect(ofGic(save(makeVm(source, version)), destination)).toEqual([
      {
        what: 'GIC',
        effect: 'lacked',
        name: `GICv${version} (the host has GICv${other})`,
        fields: [],
        code: 'ENODEV',
        guestNotices: true,
        remedy: {
          action: 'make',
          on: 'source',
          text: `give the guest a GICv${other} from the start: createGic({ version: ${other} })`,
        },
      },
    ]);
    // The source has not the other one either.
    expect(ofGic(save(makeVm(source, version)), destination, source)[0]?.remedy).toBeUndefined();
  });

  // Linux 5.10 knows GICD_IIDR.Revision 2 alone (`vgic_mmio_uaccess_write_v3_misc`, vgic-mmio-v3.c); 6.1 has 3 by itself.
  it('of a revision that the destination refuses, which the source can leave', () => {
    const source = open('linux-6.12-max');
    const destination = open('linux-5.10-max');
    const vm = makeVm(source, 3);
    const [finding, ...more] = ofGic(save(vm), destination, source);
    expect(more).toEqual([]);
    expect(finding).toMatchObject({
      effect: 'refused',
      name: 'GICD_IIDR',
      code: 'EINVAL',
      fields: [{ name: 'Revision', source: 3n, destination: 2n }],
      remedy: { action: 'write', on: 'source', value: 0x4b00_243bn },
    });
    expect(describeFinding(finding!)).toBe(
      'GICD_IIDR: the destination refuses it (EINVAL): Revision 3, there 2',
    );
    expect(finding!.remedy!.text).toBe(
      'write 0x4b00243b to GICD_IIDR (Revision 3 to 2) behind gic.init(), before the first run',
    );
    vm.gic!.setU32(DIST, GICD_IIDR, Number(finding!.remedy!.value));
    expect(ofGic(save(vm), destination)).toEqual([]);
  });

  it('of another implementer, which nobody can be', () => {
    const kvm = open('linux-6.12-max');
    const [finding] = ofGic(changed(save(makeVm(kvm, 3)), GICD_IIDR, 0x4b00_3444n), kvm, kvm);
    expect(finding).toMatchObject({
      effect: 'refused',
      fields: [{ name: 'Implementer', source: 0x444n, destination: 0x43bn }],
    });
  });

  // More than the host has is EINVAL, fewer are taken (`set_gic_ctlr`, vgic-sys-reg-v3.c).
  it('of more priority bits than the destination has', () => {
    const kvm = open('linux-6.12-max');
    const state = save(makeVm(kvm, 3, 2));
    const value = state.gic!.registers.find(
      ({ group, attr }) => group === SYSREGS && attr === BigInt(ICC_CTLR_EL1),
    )!.value;
    const more = changed(state, ICC_CTLR_EL1, value + 0x200n);
    expect(ofGic(more, kvm)).toMatchObject(
      [0, 1].map(cpu => ({
        effect: 'refused',
        name: `ICC_CTLR_EL1 of CPU ${cpu}`,
        code: 'EINVAL',
        fields: [{ name: 'PRIbits', source: 6n, destination: 4n }],
      })),
    );
    expect(() => restoreVm(kvm, more)).toThrow(/ERR_WILL_NOT_LOAD.*ICC_CTLR_EL1 of CPU 0.*PRIbits/);
    expect(ofGic(changed(state, ICC_CTLR_EL1, value - 0x100n), kvm)).toEqual([]);
  });

  it('of a place beyond the addresses of the VM', () => {
    const kvm = open('linux-6.12-max');
    const state = save(makeVm(kvm, 3));
    const placement = { ...state.gic!.placement, distributor: 1n << 41n };
    const far = { ...state, gic: { ...state.gic!, placement } } as SavedState;
    expect(ofGic(far, kvm)).toMatchObject([{ effect: 'refused', name: 'GICv3', code: 'E2BIG' }]);
  });

  it('of more interrupts than the kernel takes', () => {
    const kvm = open('linux-6.12-max');
    const state = save(makeVm(kvm, 3));
    const many = { ...state, gic: { ...state.gic!, irqs: 1024 } };
    // VGIC_MAX_RESERVED is 1023 (include/kvm/arm_vgic.h).
    expect(ofGic(many, kvm)).toMatchObject([{ effect: 'refused', name: '1024 interrupts', code: 'EINVAL' }]);
  });
});

describe('predicted is what happened', () => {
  const names = RECORDED_HOSTS.flatMap(from => RECORDED_HOSTS.map(to => [from, to] as const));

  /** What a host refuses or keeps of a GIC that is copied by a loop which knows nothing of plans; undefined: it has no such GIC. */
  function copy({ placement, registers }: GicState, kvm: Kvm): string[] | undefined {
    const vm = kvm.createVm();
    vm.createVcpu(0).init();
    try {
      vm.createGic({ version: placement.version }).init();
    } catch {
      return undefined;
    }
    const gic = vm.gic!;
    const refused = registers.map(({ group, attr, value }) => {
      try {
        if (group === SYSREGS) gic.setU64(group, attr, value);
        else gic.setU32(group, attr, Number(value));
        return undefined;
      } catch (error) {
        return (error as KvmError).code;
      }
    });
    return registers.flatMap(({ group, attr, value }, i) => {
      const present = group === SYSREGS ? gic.getU64(group, attr) : BigInt(gic.getU32(group, attr));
      const outcome = refused[i] ?? (present === value ? undefined : 'changed');
      const { name } = findGicRegister(placement.version, group, attr)!;
      return outcome === undefined ? [] : [`${name} ${outcome}`];
    });
  }

  it(`in each of ${RECORDED_HOSTS.length ** 2} ordered pairs of recorded hosts`, () => {
    const count = { right: 0, loads: 0, lacked: 0 };
    for (const [from, to] of names) {
      const version = from.endsWith('cortex-a57') ? 2 : 3;
      const state = save(makeVm(open(from), version));
      const happened = copy(state.gic!, open(to));
      const findings = ofGic(state, open(to));
      const predicted =
        findings[0]?.code === 'ENODEV'
          ? undefined
          : findings.map(({ name, code = 'changed' }) => `${name.replace(/ of CPU 0$/, '')} ${code}`);
      expect(predicted, `${from} to ${to}`).toEqual(happened);
      count.right++;
      if (happened === undefined) count.lacked++;
      else if (happened.length === 0) count.loads++;
    }
    expect(count.lacked).toBeGreaterThan(0);
    expect(count.loads).toBeGreaterThan(RECORDED_HOSTS.length);
    console.log(
      `plans of GICs: ${count.right} of ${names.length}; ${count.loads} load, ${count.lacked} lack the version`,
    );
  });
});

describe('what is not in a state', () => {
  it('a device that was made by itself is refused by name', () => {
    const vm = open('linux-6.12-max').createVm();
    vm.createVcpu(0).init();
    vm.createDevice('ARM_VGIC_V3');
    expect(() => saveVm(vm)).toThrow(
      expect.objectContaining({
        code: 'ERR_CANNOT_SAVE',
        message: expect.stringContaining('KVM_DEV_TYPE_ARM_VGIC_V3'),
      }),
    );
  });
});

describe('a GIC that is restored', () => {
  it('has what was set, and nothing of what an earlier state had set', () => {
    const kvm = open('linux-6.12-max');
    const vm = makeVm(kvm, 3);
    const before = save(vm);
    vm.gic!.setU32(DIST, GICD_ISENABLER1, 0xff);
    const { vm: restored } = restoreVm(kvm, save(vm));
    expect(restored.gic!.getU32(DIST, GICD_ISENABLER1)).toBe(0xff);
    restoreVm(restored, before);
    expect(restored.gic!.getU32(DIST, GICD_ISENABLER1)).toBe(0);
  });

  it('lies where it lay, in several runs', () => {
    const kvm = open('linux-6.12-max');
    const vm = kvm.createVm();
    for (const id of [0, 1, 2]) vm.createVcpu(id).init();
    const redistributors = [
      { base: 0x0a00_0000n, count: 2 },
      { base: 0x0b00_0000n, count: 4 },
    ];
    vm.createGic({ version: 3, distributor: 0x0900_0000, redistributors, irqs: 128 }).init();
    const { vm: restored } = restoreVm(kvm, decodeState(encodeState(save(vm))));
    expect(restored.gic!.placement).toEqual({ version: 3, distributor: 0x0900_0000n, redistributors });
    expect(diffStates(save(vm), save(restored))).toEqual([]);
  });

  it('shows in what it differs from another', () => {
    const kvm = open('linux-6.12-max');
    const vm = makeVm(kvm, 3);
    const before = save(vm);
    vm.gic!.setU32(DIST, GICD_ISENABLER1, 0xff);
    vm.gic!.setU32(DIST, GICD_IIDR, 0x4b00_243b);
    expect(diffStates(before, save(vm))).toEqual([
      {
        name: 'GICD_IIDR',
        a: 0x4b00_343bn,
        b: 0x4b00_243bn,
        fields: [{ name: 'Revision', a: 3n, b: 2n }],
      },
      { name: 'GICD_ISENABLER1', a: 0n, b: 0xffn, fields: [] },
    ]);
  });
});

describe('the baseline of interrupt controllers', () => {
  it('has the revision that all take, and a GIC made so loads everywhere', () => {
    const hosts = ['linux-5.10-max', 'linux-6.12-max', 'linux-7.3-max'].map(open);
    const common = baseline(hosts, { features: ['PSCI_0_2'] });
    expect(common.gic).toMatchObject({ version: 3 });
    for (const kvm of hosts) {
      const vm = makeVm(kvm, 3, 2);
      applyBaseline(vm.gic!, common);
      expect(vm.gic!.getU32(DIST, GICD_IIDR)).toBe(0x4b00_243b);
      for (const other of hosts) expect(ofGic(save(vm), other), `${kvm.host} to ${other.host}`).toEqual([]);
    }
  });

  it('is absent where hosts have different ones', () => {
    const hosts = ['linux-6.12-cortex-a57', 'linux-6.12-max'].map(open);
    expect(baseline(hosts, { features: ['PSCI_0_2'] }).gic).toBeUndefined();
  });
});
