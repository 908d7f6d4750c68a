/** Interrupt controllers: the order that kernels want, attributes, lines, eventfds. Values are those of any host. */
import assert from 'node:assert/strict';
import { KVM_ARM_VCPU_CTRL, KVM_DEV_ARM_VGIC_GRP, KVM_VGIC_ADDR_TYPE } from '#lib/abi/device-attributes.js';
import { KVM_IOCTL } from '#lib/abi/ioctls.js';
import type { Kvm } from '#lib/kvm.js';
import type { Suite } from '#lib/testing.js';
import type { Vcpu } from '#lib/vcpu.js';
import type { Vm } from '#lib/vm.js';
import { Machine } from '../guests/machine.ts';
import { kernelOf } from './kernel.ts';
import { refuses, withKvm } from './suite.ts';

const GROUP = KVM_DEV_ARM_VGIC_GRP;
const PMU = KVM_ARM_VCPU_CTRL.KVM_ARM_VCPU_PMU_V3_CTRL;
const TIMER = KVM_ARM_VCPU_CTRL.KVM_ARM_VCPU_TIMER_CTRL;
const [DISTRIBUTOR, REDISTRIBUTORS] = [0x0800_0000, 0x080a_0000];
const versionOf = (kvm: Kvm) => (kvm.createVm().canCreateDevice('ARM_VGIC_V3') ? 3 : 2);

function addVcpus(kvm: Kvm, count: number): Vcpu[] {
  const vm = kvm.createVm();
  return Array.from({ length: count }, (_, id) => {
    const vcpu = vm.createVcpu(id);
    vcpu.init();
    return vcpu;
  });
}

/** Whether it can be entered. */
function enters(vcpu: Vcpu): void {
  vcpu.kick();
  assert.equal(vcpu.runSync().reason, 'INTR');
}

function isAlive(vm: Vm): boolean {
  try {
    vm.checkExtension('ONE_REG');
    return true;
  } catch (error) {
    assert.equal((error as { code?: string }).code, 'EIO');
    return false;
  }
}

const notReady = (message: RegExp) => ({ code: 'ERR_GIC_NOT_READY', message });

export const gic: Suite = ({ describe, it, open }) => {
  describe('createGic()', () => {
    it('makes the newest that the host has, once', () => {
      withKvm(open, kvm => {
        const [vcpu] = addVcpus(kvm, 1);
        const { vm } = vcpu!;
        assert.equal(vm.gic, undefined);
        const made = vm.createGic();
        assert.equal(made.version, versionOf(kvm));
        assert.equal(vm.gic, made);
        refuses(() => vm.createGic(), 'EEXIST');
        assert.equal(vm.gic, made);
        made.init();
        assert.equal(made.initialized, true);
        enters(vcpu!);
      });
    });

    it('refuses frames over each other, and makes nothing', () => {
      withKvm(open, kvm => {
        const { vm } = addVcpus(kvm, 2)[0]!;
        const over = { code: 'ERR_OUT_OF_RANGE' };
        if (versionOf(kvm) === 3) {
          assert.throws(() => vm.createGic({ redistributors: DISTRIBUTOR - 0x2_0000 }), over);
          const regions = [
            { base: REDISTRIBUTORS, count: 2 },
            { base: REDISTRIBUTORS + 0x2_0000, count: 1 },
          ];
          assert.throws(() => vm.createGic({ redistributors: regions }), over);
        } else assert.throws(() => vm.createGic({ cpuInterface: DISTRIBUTOR - 0x1000 }), over);
        assert.throws(() => vm.createGic({ distributor: 0x10 }), over);
        assert.throws(() => vm.createGic({ irqs: 70 }), over);
        assert.throws(() => vm.createGic({ irqs: 1024 }), over);
        vm.createGic();
      });
    });

    it('wants a place within the addresses of the VM, and makes nothing', () => {
      withKvm(open, kvm => {
        const { vm } = addVcpus(kvm, 1)[0]!;
        refuses(() => vm.createGic({ distributor: 1n << 40n }), 'E2BIG');
        if (versionOf(kvm) === 3)
          assert.throws(() => vm.createGic({ redistributors: (1n << 40n) - 0x1_0000n }), {
            code: 'E2BIG',
            hint: /redistributors would be from 0xffffff0000 to 0x10000010000, beyond the 40 bits/,
          });
        // The VM has been given none, and can still be.
        assert.equal(vm.gic, undefined);
        vm.createGic().init();
        enters(vm.vcpus[0]!);
      });
    });

    it('knows how many interrupts are wanted', () => {
      withKvm(open, kvm => {
        const { vm } = addVcpus(kvm, 1)[0]!;
        const made = vm.createGic({ irqs: 96 });
        made.init();
        assert.equal(made.getU32(GROUP.KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0), 96);
        // GICD_TYPER.ITLinesNumber: 32 * (N + 1) interrupts
        assert.equal(made.getU32(GROUP.KVM_DEV_ARM_VGIC_GRP_DIST_REGS, 4) & 0x1f, 2);
        refuses(() => made.setU32(GROUP.KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, 64), 'EBUSY');
      });
    });
  });

  describe('the order', () => {
    it('a GIC that is nowhere when a vCPU first runs is ENXIO, and the end of the VM from Linux 6.1 on: EIO', context => {
      withKvm(open, kvm => {
        const [vcpu, other] = addVcpus(kvm, 2);
        const { vm } = vcpu!;
        const device = vm.createDevice(versionOf(kvm) === 3 ? 'ARM_VGIC_V3' : 'ARM_VGIC_V2');
        refuses(() => vcpu!.runSync(), 'ENXIO');
        if (!kernelOf(kvm, context).diesOfVgic) {
          enters(vcpu!);
          return;
        }
        for (const call of [
          () => vcpu!.runSync(),
          () => other!.runSync(),
          () => other!.getOneReg('PC'),
          () => other!.setMpState('RUNNABLE'),
          () => vm.createVcpu(2),
          () => vm.preferredTarget(),
          () => device.getU32(GROUP.KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0),
        ])
          refuses(call, 'EIO');
      });
    });

    it('a GICv3 that is not initialised does not run, and can still be', () => {
      withKvm(open, kvm => {
        const [vcpu] = addVcpus(kvm, 1);
        const made = vcpu!.vm.createGic();
        if (made.version === 3)
          assert.throws(() => vcpu!.runSync(), notReady(/not initialised.*gic\.init\(\)/));
        made.init();
        enters(vcpu!);
      });
    });

    it('vCPUs come before init()', () => {
      withKvm(open, kvm => {
        const vm = kvm.createVm();
        const made = vm.createGic();
        assert.throws(() => made.init(), notReady(/no vCPU/));
        const vcpu = vm.createVcpu(0);
        vcpu.init();
        made.init();
        refuses(() => vm.createVcpu(1), 'EBUSY');
        enters(vcpu);
      });
    });

    it('each vCPU wants a redistributor', () => {
      withKvm(open, kvm => {
        if (versionOf(kvm) !== 3) return;
        const vcpus = addVcpus(kvm, 3);
        const { vm } = vcpus[0]!;
        const made = vm.createGic({ redistributors: [{ base: REDISTRIBUTORS, count: 2 }] });
        assert.throws(() => made.init(), notReady(/2 redistributors for 3 vCPUs/));
        const several = addVcpus(kvm, 3);
        several[0]!.vm
          .createGic({
            redistributors: [
              { base: REDISTRIBUTORS, count: 2 },
              { base: REDISTRIBUTORS + 0x10_0000, count: 1 },
            ],
          })
          .init();
        for (const vcpu of several) enters(vcpu);
      });
    });

    it('what the first run finds unusable is the end of the VM, unless the kernel is an old one', () => {
      for (const isPlaced of [false, true]) {
        withKvm(open, kvm => {
          const [vcpu] = addVcpus(kvm, 1);
          const { vm } = vcpu!;
          const isV3 = versionOf(kvm) === 3;
          const device = vm.createDevice(isV3 ? 'ARM_VGIC_V3' : 'ARM_VGIC_V2');
          const addr = GROUP.KVM_DEV_ARM_VGIC_GRP_ADDR;
          if (isPlaced) {
            // Of a GICv2 over each other.
            device.setU64(addr, isV3 ? 2 : 0, BigInt(DISTRIBUTOR));
            device.setU64(addr, isV3 ? 3 : 1, BigInt(isV3 ? REDISTRIBUTORS : DISTRIBUTOR));
          }
          refuses(() => vcpu!.runSync(), isPlaced ? (isV3 ? 'EBUSY' : 'EINVAL') : 'ENXIO');
          if (isAlive(vm)) return;
          const all = [
            () => vm.checkExtension('ONE_REG'),
            () => vm.createVcpu(1),
            () => vm.addMemory({ guestPhysAddr: 0, size: 65536 }),
            () => vcpu!.getOneReg('PC'),
            () => vcpu!.runSync(),
            () => vcpu!.getTimerIrqs(),
            () => device.getU64(addr, 0),
          ];
          for (const call of all) refuses(call, 'EIO');
          assert.equal(kvm.apiVersion(), 12);
        });
      }
    });

    it('timers want interrupts of their own', () => {
      withKvm(open, kvm => {
        const [vcpu] = addVcpus(kvm, 1);
        const { vm } = vcpu!;
        vm.createGic().init();
        vcpu!.setTimerIrqs({ virtual: 20, physical: 21 });
        vcpu!.setDeviceAttr(TIMER, 1, Uint8Array.of(20, 0, 0, 0));
        refuses(() => vcpu!.runSync(), 'EINVAL');
        assert.ok(isAlive(vm));
      });
    });

    it('a PMU comes behind', () => {
      withKvm(open, kvm => {
        const vm = kvm.createVm();
        const [vcpu, other] = [vm.createVcpu(0), vm.createVcpu(1)];
        for (const each of [vcpu, other]) each.init({ features: ['PSCI_0_2', 'PMU_V3'] });
        const made = vm.createGic();
        assert.throws(() => vcpu.initPmu({ irq: 23 }), notReady(/not initialised/));
        made.init();
        assert.throws(() => vcpu.initPmu(), { code: 'ENXIO', hint: /^With a GIC the PMU needs an irq/ });
        vcpu.initPmu({ irq: 23 });
        refuses(() => vcpu.initPmu({ irq: 23 }), 'EBUSY');
        enters(vcpu);
        // Where a PMU can be chosen (SET_PMU), it and its filter are fixed once a vCPU has run.
        const filter = () => other.setDeviceAttr(PMU, 2, Uint8Array.of(0, 0, 1, 0, 1, 0, 0, 0));
        if (other.hasDeviceAttr(PMU, 3)) refuses(filter, 'EBUSY');
        else filter();
      });
    });
  });

  describe('the timers', () => {
    it('have the PPIs that they are given', () => {
      withKvm(open, kvm => {
        const [vcpu, other] = addVcpus(kvm, 2);
        const { vm } = vcpu!;
        const made = vm.createGic();
        vcpu!.setTimerIrqs({ virtual: 20 });
        assert.deepEqual(other!.getTimerIrqs(), { virtual: 20, physical: 30 });
        assert.throws(() => vcpu!.setTimerIrqs({ physical: 15 }), { code: 'ERR_OUT_OF_RANGE' });
        // kvm_arm_timer_set_attr(), arch/arm64/kvm/arch_timer.c: PPIs are 16 to 31
        refuses(() => vcpu!.setDeviceAttr(TIMER, 1, Uint8Array.of(15, 0, 0, 0)), 'EINVAL');
        refuses(() => vcpu!.setDeviceAttr(TIMER, 1, Uint8Array.of(32, 0, 0, 0)), 'EINVAL');
        // What is detached has no bytes: zero.
        const detached = Uint8Array.of(21, 0, 0, 0);
        structuredClone(detached.buffer, { transfer: [detached.buffer] });
        refuses(() => vcpu!.setDeviceAttr(TIMER, 1, detached), 'EINVAL');
        made.init();
        enters(vcpu!);
        refuses(() => vcpu!.setTimerIrqs({ virtual: 21 }), 'EBUSY');
      });
    });
  });

  describe('attributes', () => {
    it('hold the state', () => {
      withKvm(open, kvm => {
        const { vm } = addVcpus(kvm, 1)[0]!;
        const made = vm.createGic();
        made.init();
        const enable = 0x104; // GICD_ISENABLER1
        made.setU32(GROUP.KVM_DEV_ARM_VGIC_GRP_DIST_REGS, enable, 0x8000_0001);
        assert.equal(made.getU32(GROUP.KVM_DEV_ARM_VGIC_GRP_DIST_REGS, enable), 0x8000_0001);
        if (made.version === 3) {
          const pmr = 0xc230; // ICC_PMR_EL1: op0 3, CRn 4, CRm 6
          made.setU64(GROUP.KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS, pmr, 0xf8n);
          assert.equal(made.getU64(GROUP.KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS, pmr), 0xf8n);
        } else {
          made.setU32(GROUP.KVM_DEV_ARM_VGIC_GRP_CPU_REGS, 4, 0x1f); // GICC_PMR: five bits (vgic-mmio-v2.c)
          assert.equal(made.getU32(GROUP.KVM_DEV_ARM_VGIC_GRP_CPU_REGS, 4), 0x1f);
        }
        assert.equal(made.hasDeviceAttr(GROUP.KVM_DEV_ARM_VGIC_GRP_DIST_REGS, 0), true);
        assert.equal(made.hasDeviceAttr(77, 0), false);
        refuses(() => made.getU32(77, 0), 'ENXIO');
      });
    });

    it('refuse what the kernel refuses', () => {
      withKvm(open, kvm => {
        const { vm } = addVcpus(kvm, 1)[0]!;
        const isV3 = versionOf(kvm) === 3;
        const device = vm.createDevice(isV3 ? 'ARM_VGIC_V3' : 'ARM_VGIC_V2');
        const {
          KVM_DEV_ARM_VGIC_GRP_ADDR: addr,
          KVM_DEV_ARM_VGIC_GRP_NR_IRQS: nrIrqs,
          KVM_DEV_ARM_VGIC_GRP_CTRL: ctrl,
          KVM_DEV_ARM_VGIC_GRP_DIST_REGS: dist,
        } = GROUP;
        for (const count of [32, 100, 1024]) refuses(() => device.setU32(nrIrqs, 0, count), 'EINVAL');
        device.setU32(nrIrqs, 0, 64);
        refuses(() => device.setU32(nrIrqs, 0, 64), 'EBUSY');
        const [own, foreign] = isV3 ? [2, 0] : [0, 2];
        assert.equal(device.getU64(addr, own), 0xffff_ffff_ffff_ffffn); // VGIC_ADDR_UNDEF
        assert.equal(device.hasDeviceAttr(addr, foreign), false);
        refuses(() => device.setU64(addr, foreign, 0n), 'ENXIO');
        refuses(() => device.setU64(addr, own, 0x0800_0800n), 'EINVAL');
        refuses(() => device.setU64(addr, own, 1n << 40n), 'E2BIG');
        refuses(() => device.setDeviceAttr(ctrl, 9), 'ENXIO');
        refuses(() => device.getDeviceAttr(ctrl, 0, 4), 'ENXIO');
        // GICD_CTLR: a GICv2 is initialised by being asked
        if (isV3) refuses(() => device.getU32(dist, 0), 'EBUSY');
        else assert.equal(device.getU32(dist, 0), 0);
        device.setDeviceAttr(ctrl, 0);
        const elsewhere = isV3 ? GROUP.KVM_DEV_ARM_VGIC_GRP_REDIST_REGS : dist;
        refuses(() => device.getU32(elsewhere, 5n << 32n), 'EINVAL'); // no such vCPU
        refuses(() => device.setU32(dist, 8, 0), 'EINVAL'); // GICD_IIDR of another product
        assert.equal(device.hasDeviceAttr(dist, 0x108), false); // interrupts 64 and up
        assert.equal(device.getU32(dist, 0x108), 0);
        device.setU32(dist, 0x108, 1);
      });
    });

    it('of a GICv3 know its redistributors, system registers and levels', () => {
      withKvm(open, kvm => {
        if (versionOf(kvm) !== 3) return;
        const { vm } = addVcpus(kvm, 2)[0]!;
        const device = vm.createDevice('ARM_VGIC_V3');
        const {
          KVM_DEV_ARM_VGIC_GRP_ADDR: addr,
          KVM_DEV_ARM_VGIC_GRP_CTRL: ctrl,
          KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS: sysregs,
          KVM_DEV_ARM_VGIC_GRP_LEVEL_INFO: level,
        } = GROUP;
        const region = KVM_VGIC_ADDR_TYPE.KVM_VGIC_V3_ADDR_TYPE_REDIST_REGION;
        const value = (index: number, base: number, count: number) =>
          (BigInt(count) << 52n) | BigInt(base) | BigInt(index);
        const set = (...args: [number, number, number]) => device.setU64(addr, region, value(...args));
        refuses(() => set(0, REDISTRIBUTORS, 0), 'EINVAL');
        refuses(() => set(1, REDISTRIBUTORS, 1), 'EINVAL'); // the first is 0
        set(0, REDISTRIBUTORS, 1);
        refuses(() => set(2, REDISTRIBUTORS + 0x10_0000, 1), 'EINVAL');
        refuses(() => set(1, REDISTRIBUTORS + 0x1_0000, 1), 'EINVAL'); // over the first
        refuses(
          () => device.setU64(addr, KVM_VGIC_ADDR_TYPE.KVM_VGIC_V3_ADDR_TYPE_REDIST, 0x900_0000n),
          'EINVAL',
        );
        set(1, REDISTRIBUTORS + 0x10_0000, 1);
        device.setDeviceAttr(ctrl, 0);
        const [sre, ctlr, ap0r1] = [0xc665, 0xc664, 0xc645];
        refuses(() => device.setU64(sysregs, sre, 6n), 'EINVAL');
        const control = device.getU64(sysregs, ctlr);
        refuses(() => device.setU64(sysregs, ctlr, control | 0x700n), 'EINVAL'); // 8 bits of priorities
        refuses(() => device.getU64(sysregs, ap0r1), 'EINVAL'); // for more than 5
        assert.equal(device.hasDeviceAttr(sysregs, 0xc660), false); // ICC_IAR1_EL1
        refuses(() => device.getU32(level, 33), 'EINVAL');
        assert.equal(device.hasDeviceAttr(level, 0x400), false);
        vm.setIrqLine({ type: 'ppi', id: 20, vcpu: 1, level: true });
        assert.equal(device.getU32(level, 1n << 32n), 0x10_0000);
        assert.equal(device.getU32(level, 0), 0);
        // GICR_ISPENDR0: what is latched, which a level is not (Documentation/virt/kvm/devices/arm-vgic-v3.rst)
        assert.equal(device.getU32(GROUP.KVM_DEV_ARM_VGIC_GRP_REDIST_REGS, (1n << 32n) | 0x1_0200n), 0);
      });
    });

    it('tell where it lies', () => {
      withKvm(open, kvm => {
        const { vm } = addVcpus(kvm, 1)[0]!;
        const made = vm.createGic();
        const type =
          made.version === 3
            ? KVM_VGIC_ADDR_TYPE.KVM_VGIC_V3_ADDR_TYPE_DIST
            : KVM_VGIC_ADDR_TYPE.KVM_VGIC_V2_ADDR_TYPE_DIST;
        assert.equal(made.getU64(GROUP.KVM_DEV_ARM_VGIC_GRP_ADDR, type), BigInt(DISTRIBUTOR));
        refuses(() => made.setU64(GROUP.KVM_DEV_ARM_VGIC_GRP_ADDR, type, 0n), 'EEXIST');
      });
    });

    it('of a device that was made by itself', () => {
      withKvm(open, kvm => {
        const { vm } = addVcpus(kvm, 1)[0]!;
        const type = versionOf(kvm) === 3 ? 'ARM_VGIC_V3' : 'ARM_VGIC_V2';
        assert.equal(vm.canCreateDevice(type), true);
        const device = vm.createDevice(type);
        assert.equal(vm.gic, undefined);
        assert.equal(device.hasDeviceAttr(GROUP.KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0), true);
        refuses(() => vm.createDevice(type), 'EEXIST');
        refuses(() => vm.createDevice(0x7fff_ffff), 'ENODEV');
        assert.equal(vm.canCreateDevice(0x7fff_ffff), false);
      });
    });
  });

  describe('the old ways to make a GICv2', () => {
    it('are for hosts that have one', () => {
      withKvm(open, kvm => {
        const { vm } = addVcpus(kvm, 1)[0]!;
        const irqchip = () => vm.ioctl(KVM_IOCTL.KVM_CREATE_IRQCHIP);
        const place = (type: number, base: number) =>
          vm.ioctl(
            KVM_IOCTL.KVM_ARM_SET_DEVICE_ADDR,
            new Uint8Array(BigUint64Array.of(BigInt(type), BigInt(base)).buffer),
          );
        refuses(() => place(0, DISTRIBUTOR), 'ENODEV');
        if (versionOf(kvm) === 3) {
          refuses(irqchip, 'ENODEV');
          return;
        }
        irqchip();
        refuses(irqchip, 'EEXIST');
        refuses(() => place(2, DISTRIBUTOR), 'ENODEV');
        refuses(() => place(0x1_0000, DISTRIBUTOR), 'ENODEV');
        refuses(() => place(0, DISTRIBUTOR + 1), 'EINVAL');
        place(0, DISTRIBUTOR);
        refuses(() => place(0, DISTRIBUTOR), 'EEXIST');
        place(1, DISTRIBUTOR + 0x1_0000);
        enters(vm.vcpus[0]!);
      });
    });
  });

  describe('messages', () => {
    it('want an ITS', () => {
      withKvm(open, kvm => {
        const { vm } = addVcpus(kvm, 1)[0]!;
        const msi = { address: 0x808_0040n, data: 1, deviceId: 8 };
        refuses(() => vm.signalMsi(msi), 'EINVAL');
        vm.createGic().init();
        refuses(() => vm.signalMsi(msi), 'ENODEV');
      });
    });
  });

  describe('lines', () => {
    it('without a GIC are the inputs of vCPUs', () => {
      withKvm(open, kvm => {
        const { vm } = addVcpus(kvm, 1)[0]!;
        vm.setIrqLine({ type: 'cpu', id: 'irq', vcpu: 0, level: true });
        vm.setIrqLine({ type: 'cpu', id: 'irq', vcpu: 0, level: false });
        refuses(() => vm.setIrqLine({ type: 'cpu', id: 'irq', vcpu: 1, level: true }), 'EINVAL');
        refuses(() => vm.setIrqLine({ type: 'spi', id: 32, level: true }), 'ENXIO');
        refuses(() => vm.setIrqLine({ type: 'ppi', id: 20, vcpu: 0, level: true }), 'ENXIO');
      });
    });

    it('with one are its interrupts', () => {
      withKvm(open, kvm => {
        const { vm } = addVcpus(kvm, 1)[0]!;
        const made = vm.createGic({ irqs: 64 });
        made.init();
        vm.setIrqLine({ type: 'spi', id: 63, level: true });
        vm.setIrqLine({ type: 'ppi', id: 20, vcpu: 0, level: true });
        vm.setIrqLine({ type: 'spi', id: 63, level: false });
        // GICD_ISPENDR1: edge-triggered until the guest says otherwise (VGIC_CONFIG_EDGE, include/kvm/arm_vgic.h)
        assert.equal(made.getU32(GROUP.KVM_DEV_ARM_VGIC_GRP_DIST_REGS, 0x204), 0x8000_0000);
        refuses(() => vm.setIrqLine({ type: 'spi', id: 64, level: true }), 'EINVAL');
        refuses(() => vm.setIrqLine({ type: 'ppi', id: 20, vcpu: 1, level: true }), 'EINVAL');
        refuses(() => vm.setIrqLine({ type: 'cpu', id: 'irq', vcpu: 0, level: true }), 'ENXIO');
        const other = addVcpus(kvm, 1)[0]!.vm;
        const late = other.createGic();
        // A GICv2 is initialised by its first line.
        if (late.version === 3)
          refuses(() => other.setIrqLine({ type: 'spi', id: 33, level: true }), 'EBUSY');
        else other.setIrqLine({ type: 'spi', id: 33, level: true });
        assert.throws(() => vm.setIrqLine({ type: 'spi', id: 31, level: true }), {
          code: 'ERR_INVALID_ARG_VALUE',
        });
      });
    });
  });

  describe('eventfds', () => {
    it('raise interrupts', () => {
      const machine = new Machine(open(), 'interrupts', { gic: true });
      const { vm } = machine;
      const event = vm.kvm.createEventFd();
      vm.assignIrqFd(event, 8); // SPI 40
      refuses(() => vm.assignIrqFd(event, 9), 'EBUSY');
      machine.run(); // raise
      event.signal();
      machine.run(); // lower
      vm.setIrqLine({ type: 'spi', id: 40, level: false });
      machine.runToOff();
      assert.deepEqual(machine.reports, [27n, 1n, 40n]);
      vm.deassignIrqFd(event, 8);
      vm.kvm.close();
    });

    it('want a GIC that is initialised', () => {
      withKvm(open, kvm => {
        const { vm } = addVcpus(kvm, 1)[0]!;
        refuses(() => vm.assignIrqFd(kvm.createEventFd(), 0), 'EAGAIN');
      });
    });

    it('lead where the routing says', () => {
      const machine = new Machine(open(), 'interrupts', { gic: true });
      const { vm } = machine;
      const event = vm.kvm.createEventFd();
      vm.setGsiRouting([{ gsi: 3, pin: 8 }]);
      refuses(() => vm.setGsiRouting([{ gsi: 3, pin: 1024 }]), 'EINVAL');
      refuses(() => vm.setGsiRouting([{ gsi: 4096, pin: 1 }]), 'EINVAL');
      refuses(
        () =>
          vm.setGsiRouting([
            { gsi: 3, pin: 8 },
            { gsi: 3, pin: 9 },
          ]),
        'EINVAL',
      );
      vm.assignIrqFd(event, 3);
      machine.run();
      event.signal();
      machine.run();
      vm.setIrqLine({ type: 'spi', id: 40, level: false });
      machine.runToOff();
      assert.deepEqual(machine.reports, [27n, 1n, 40n]);
      vm.kvm.close();
    });
  });
};
