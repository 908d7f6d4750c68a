/** Interrupt controllers: the order that kernels want, attributes, lines, eventfds. Values are those of any host. */
import assert from 'node:assert/strict';
import { KVM_ARM_VCPU_CTRL, KVM_DEV_ARM_VGIC_GRP, KVM_VGIC_ADDR_TYPE } from '#lib/abi/device-attributes.js';
import type { Kvm } from '#lib/kvm.js';
import type { Suite } from '#lib/testing.js';
import type { Vcpu } from '#lib/vcpu.js';
import { Machine } from '../guests/machine.ts';
import { refuses, withKvm } from './suite.ts';

const GROUP = KVM_DEV_ARM_VGIC_GRP;
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

    it('wants a place within the addresses of the VM', () => {
      withKvm(open, kvm => {
        const { vm } = addVcpus(kvm, 1)[0]!;
        refuses(() => vm.createGic({ distributor: 1n << 40n }), 'E2BIG');
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

    it('a PMU comes behind', () => {
      withKvm(open, kvm => {
        const vm = kvm.createVm();
        const vcpu = vm.createVcpu(0);
        vcpu.init({ features: ['PSCI_0_2', 'PMU_V3'] });
        const made = vm.createGic();
        assert.throws(() => vcpu.initPmu({ irq: 23 }), notReady(/not initialised/));
        made.init();
        vcpu.initPmu({ irq: 23 });
        refuses(() => vcpu.initPmu({ irq: 23 }), 'EBUSY');
        enters(vcpu);
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
