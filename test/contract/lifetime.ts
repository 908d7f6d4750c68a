/** What closing means for a Kvm, a VM and a vCPU, and for what belongs to them. */
import assert from 'node:assert/strict';
import { KVM_IOCTL } from '#lib/abi/ioctls.js';
import { KvmError } from '#lib/errors.js';
import type { Kvm } from '#lib/kvm.js';
import type { Suite } from '#lib/testing.js';
import type { Vcpu } from '#lib/vcpu.js';
import type { Vm } from '#lib/vm.js';
import { withKvm } from './suite.ts';

/** A use of each public member with arguments that an open object accepts. */
type Uses<T> = Readonly<Record<string, (object: T) => unknown>>;

const SHARED: Uses<Kvm | Vm | Vcpu> = {
  ioctl: object => object.ioctl(KVM_IOCTL.KVM_GET_API_VERSION),
};

const ATTRIBUTES: Uses<Vm | Vcpu> = {
  hasDeviceAttr: object => object.hasDeviceAttr(0, 0),
  getDeviceAttr: object => object.getDeviceAttr(0, 0, 4),
  setDeviceAttr: object => object.setDeviceAttr(0, 0),
};

const KVM: Uses<Kvm> = {
  ...SHARED,
  apiVersion: kvm => kvm.apiVersion(),
  checkExtension: kvm => kvm.checkExtension(0),
  vcpuMmapSize: kvm => kvm.vcpuMmapSize(),
  createVm: kvm => kvm.createVm(),
  createEventFd: kvm => kvm.createEventFd(),
  supportedPsciVersions: kvm => kvm.supportedPsciVersions(),
};

const VM: Uses<Vm> = {
  ...SHARED,
  ...ATTRIBUTES,
  checkExtension: vm => vm.checkExtension(0),
  enableCap: vm => vm.enableCap('ARM_SYSTEM_SUSPEND'),
  preferredTarget: vm => vm.preferredTarget(),
  createVcpu: vm => vm.createVcpu(7),
  addMemory: vm => vm.addMemory({ guestPhysAddr: 0, size: 65536 }),
  createGic: vm => vm.createGic(),
  createDevice: vm => vm.createDevice('ARM_VGIC_V3'),
  canCreateDevice: vm => vm.canCreateDevice('ARM_VGIC_V3'),
  setSmcccFilter: vm => vm.setSmcccFilter([]),
  setIrqLine: vm => vm.setIrqLine({ type: 'spi', id: 32, level: true }),
  signalMsi: vm => vm.signalMsi({ address: 0n, data: 0 }),
  setGsiRouting: vm => vm.setGsiRouting([]),
  assignIrqFd: vm => vm.assignIrqFd(undefined as never, 0),
  deassignIrqFd: vm => vm.deassignIrqFd(undefined as never, 0),
  assignIoEventFd: vm => vm.assignIoEventFd(undefined as never, { physAddr: 0 }),
  deassignIoEventFd: vm => vm.deassignIoEventFd(undefined as never, { physAddr: 0 }),
  getRegWritableMasks: vm => vm.getRegWritableMasks(),
  setCounterOffset: vm => vm.setCounterOffset(0n),
};

const VCPU: Uses<Vcpu> = {
  ...SHARED,
  ...ATTRIBUTES,
  init: vcpu => vcpu.init(),
  finalize: vcpu => vcpu.finalize('SVE'),
  getRegList: vcpu => vcpu.getRegList(),
  getOneReg: vcpu => vcpu.getOneReg('PC'),
  setOneReg: vcpu => vcpu.setOneReg('PC', 0n),
  getRegs: vcpu => vcpu.getRegs(['PC']),
  setRegs: vcpu => vcpu.setRegs([['PC', 0n]]),
  runSync: vcpu => vcpu.runSync(),
  completeMmio: vcpu => vcpu.completeMmio(),
  kick: vcpu => vcpu.kick(),
  setGuestDebug: vcpu => vcpu.setGuestDebug(),
  initPmu: vcpu => vcpu.initPmu(),
  getTimerIrqs: vcpu => vcpu.getTimerIrqs(),
  setTimerIrqs: vcpu => vcpu.setTimerIrqs({ virtual: 20 }),
  getPvTime: vcpu => vcpu.getPvTime(),
  setPvTime: vcpu => vcpu.setPvTime(0n),
  psciVersion: vcpu => vcpu.psciVersion,
  setPsciVersion: vcpu => vcpu.setPsciVersion('1.0'),
  getMpState: vcpu => vcpu.getMpState(),
  setMpState: vcpu => vcpu.setMpState('RUNNABLE'),
  getVcpuEvents: vcpu => vcpu.getVcpuEvents(),
  setVcpuEvents: vcpu => vcpu.setVcpuEvents({}),
};

/**
 * Members that a closed object has as an open one does; `handle`, `check` and `children` are for subclasses, and the promise of
 * `run` has a case of its own.
 */
const ALWAYS = new Set<string | symbol>([
  'constructor',
  'close',
  'closed',
  'initializedWith',
  'running',
  'run',
  Symbol.dispose,
  'vcpus',
  'memory',
  'enabledCaps',
  'gic',
  'smcccFilter',
  'pmu',
  'deviceTypes',
  'handle',
  'check',
  'children',
]);

/** The members of an object's classes. */
function membersOf(object: object): (string | symbol)[] {
  const members: (string | symbol)[] = [];
  for (let at = Object.getPrototypeOf(object); at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    members.push(...Reflect.ownKeys(at));
  }
  return [...new Set(members)];
}

/** Every member must be in the table, so that none that comes later is forgotten, and must throw. */
function assertClosed<T extends object>(what: string, object: T, uses: Uses<T>): void {
  const names = membersOf(object).filter(member => !ALWAYS.has(member));
  assert.deepEqual([...names].sort(), Object.keys(uses).sort());
  for (const [name, use] of Object.entries(uses)) {
    assert.throws(
      () => use(object),
      (error: unknown) => {
        assert.ok(error instanceof KvmError, `${what}.${name} threw ${String(error)}`);
        assert.equal(error.code, 'ERR_CLOSED', `${what}.${name}`);
        assert.match(error.message, new RegExp(`this ${what} has been closed`));
        assert.equal(error.errno, undefined);
        return true;
      },
      `${what}.${name}`,
    );
  }
}

/** A Kvm with a VM and a vCPU. */
function openAll(open: () => Kvm): { kvm: Kvm; vm: Vm; vcpu: Vcpu } {
  const kvm = open();
  const vm = kvm.createVm();
  const vcpu = vm.createVcpu(0);
  vcpu.init();
  return { kvm, vm, vcpu };
}

const closedStates = (...objects: readonly { closed: boolean }[]) => objects.map(({ closed }) => closed);

export const lifetime: Suite = ({ describe, it, open }) => {
  describe('after close()', () => {
    it('every member of a Kvm, a VM and a vCPU throws ERR_CLOSED', () => {
      const { kvm, vm, vcpu } = openAll(open);
      vcpu.close();
      assertClosed('Vcpu', vcpu, VCPU);
      vm.close();
      assertClosed('Vm', vm, VM);
      kvm.close();
      assertClosed('Kvm', kvm, KVM);
    });

    it('a run is rejected', async () => {
      const { kvm, vcpu } = openAll(open);
      kvm.close();
      await assert.rejects(vcpu.run(), { code: 'ERR_CLOSED' });
      assert.equal(vcpu.running, false);
    });

    it('what an object is can still be asked', () => {
      const { kvm, vm, vcpu } = openAll(open);
      kvm.close();
      assert.match(kvm.backend, /^(native|emulated)$/);
      assert.equal(typeof kvm.host, 'string');
      assert.equal(vm.kvm, kvm);
      assert.equal(vcpu.vm, vm);
      assert.equal(vcpu.id, 0);
    });

    it('closing again does nothing, in any order', () => {
      const { kvm, vm, vcpu } = openAll(open);
      for (const object of [vm, vcpu, vm, kvm, kvm, vm, vcpu]) object.close();
      assert.deepEqual(closedStates(kvm, vm, vcpu), [true, true, true]);
    });
  });

  describe('close()', () => {
    it('of a Kvm closes its VMs and their vCPUs', () => {
      const { kvm, vm, vcpu } = openAll(open);
      const other = kvm.createVm();
      kvm.close();
      assert.deepEqual(closedStates(kvm, vm, vcpu, other), [true, true, true, true]);
      assertClosed('Vm', vm, VM);
      assertClosed('Vcpu', vcpu, VCPU);
    });

    it('of a VM closes its vCPUs, and leaves its Kvm and other VMs', () => {
      const { kvm, vm, vcpu } = openAll(open);
      const other = kvm.createVm();
      const otherVcpu = other.createVcpu(0);
      vm.close();
      assert.deepEqual(closedStates(kvm, vm, vcpu, other, otherVcpu), [false, true, true, false, false]);
      assertClosed('Vcpu', vcpu, VCPU);
      otherVcpu.init();
      assert.equal(otherVcpu.psciVersion, '1.1');
      kvm.close();
    });

    it('of a vCPU leaves its VM and the other vCPUs', () => {
      const { kvm, vm, vcpu } = openAll(open);
      const other = vm.createVcpu(1);
      vcpu.close();
      other.init();
      assert.deepEqual(closedStates(kvm, vm, vcpu, other), [false, false, true, false]);
      kvm.close();
    });

    it('leaves other Kvms', () => {
      const { kvm, vm } = openAll(open);
      open().close();
      assert.equal(vm.preferredTarget().target, 5);
      kvm.close();
    });

    it('is Symbol.dispose, too', () => {
      const { kvm, vm, vcpu } = openAll(open);
      vcpu[Symbol.dispose]();
      assert.deepEqual(closedStates(kvm, vm, vcpu), [false, false, true]);
      kvm[Symbol.dispose]();
      kvm[Symbol.dispose]();
      assert.deepEqual(closedStates(kvm, vm, vcpu), [true, true, true]);
    });

    it('gives back what it held: hundreds of VMs, one after the other', () => {
      withKvm(open, kvm => {
        for (let i = 0; i < 300; i++) {
          const vm = kvm.createVm();
          vm.createVcpu(0);
          vm.close();
        }
      });
    });
  });
};
