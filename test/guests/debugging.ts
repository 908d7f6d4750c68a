/** A debugger's view of a guest. */
import assert from 'node:assert/strict';
import type { DebugExit } from '#lib/abi/exits.js';
import type { Suite } from '#lib/testing.js';
import { kernelOf } from '../contract/kernel.ts';
import { expectExit, Machine, RAM } from './machine.ts';

/** Exception classes of ESR_EL2 (Arm ARM, D24.2.40), from lower ELs. */
const EC = { step: 0x32n, breakpoint: 0x30n, watchpoint: 0x34n, brk: 0x3cn } as const;

const classOf = ({ hsr }: DebugExit) => (hsr >> 26n) & 0x3fn;

export const debugging: Suite = ({ describe, it, open }) => {
  describe('a debugger', () => {
    it('steps a guest by one instruction', () => {
      const { vcpu } = new Machine(open(), 'debugging');
      vcpu.setGuestDebug({ singleStep: true });
      for (let n = 1n; n <= 4n; n++) {
        assert.equal(classOf(expectExit(vcpu.runSync(), 'DEBUG')), EC.step);
        assert.equal(vcpu.getOneReg('PC'), RAM + 4n * n);
      }
      assert.deepEqual([vcpu.getOneReg('X19'), vcpu.getOneReg('X20')], [1n, 3n]);
    });

    it('stops it at a breakpoint, before the instruction', () => {
      const { vcpu } = new Machine(open(), 'debugging');
      vcpu.setGuestDebug({ breakpoints: [RAM + 8n] });
      for (let n = 0; n < 2; n++) {
        assert.equal(classOf(expectExit(vcpu.runSync(), 'DEBUG')), EC.breakpoint);
        assert.equal(vcpu.getOneReg('PC'), RAM + 8n); // it is met again
      }
      assert.deepEqual([vcpu.getOneReg('X19'), vcpu.getOneReg('X20')], [1n, 2n]);
    });

    it('stops it at an access that is watched', () => {
      const machine = new Machine(open(), 'debugging');
      const { vcpu } = machine;
      vcpu.setGuestDebug({ watchpoints: [{ address: RAM + 0x1_0008n, size: 8, access: 'write' }] });
      const exit = expectExit(vcpu.runSync(), 'DEBUG');
      assert.equal(classOf(exit), EC.watchpoint);
      assert.equal(exit.far, RAM + 0x1_0008n);
      assert.equal(machine.view.getBigUint64(0x1_0008, true), 0n);
      vcpu.setGuestDebug();
      machine.runToOff();
      assert.equal(machine.view.getBigUint64(0x1_0008, true), 3n);
    });

    it('is told of more points than the host has, which would never be met', () => {
      const { vcpu } = new Machine(open(), 'debugging');
      for (const [name, cap] of [
        ['breakpoints', 'GUEST_DEBUG_HW_BPS'],
        ['watchpoints', 'GUEST_DEBUG_HW_WPS'],
      ] as const) {
        const most = vcpu.vm.checkExtension(cap);
        const points = (count: number) =>
          Array.from({ length: count }, (_, i) => (name === 'breakpoints' ? 4 * i : { address: 8 * i }));
        vcpu.setGuestDebug({ [name]: points(most) });
        const message = new RegExp(`${name}\\.length must be at most ${most} on this host; got ${most + 1}`);
        assert.throws(() => vcpu.setGuestDebug({ [name]: points(most + 1) }), {
          name: 'RangeError',
          message,
        });
      }
    });

    it('takes its BRK instructions', () => {
      const machine = new Machine(open(), 'debugging');
      const { vcpu } = machine;
      machine.view.setUint32(8, 0xd4200020, true); // brk #1
      vcpu.setGuestDebug({ softwareBreakpoints: true });
      const exit = expectExit(vcpu.runSync(), 'DEBUG');
      assert.equal(classOf(exit), EC.brk);
      assert.equal(exit.hsr & 0xffffn, 1n);
      assert.equal(vcpu.getOneReg('PC'), RAM + 8n);
    });

    it('takes them whatever it asked for', () => {
      // `kvm_handle_guest_debug` does not look at USE_SW_BP.
      const machine = new Machine(open(), 'debugging');
      machine.view.setUint32(8, 0xd4200020, true); // brk #1
      machine.vcpu.setGuestDebug({ softwareBreakpoints: false });
      assert.equal(classOf(expectExit(machine.vcpu.runSync(), 'DEBUG')), EC.brk);
    });

    it('is not met beside what it watches, nor by the other kind of access', () => {
      const address = RAM + 0x1_0008n;
      for (const [watchpoints, meets] of [
        [[{ address, size: 4, access: 'read' }], 0x14n], // the load
        [[{ address, size: 4, access: 'write' }], 0x18n], // the store
        [[{ address: address + 7n, size: 1 }], 0x14n],
        [[{ address: address - 1n, size: 1 }], undefined],
        [[{ address: address + 8n, size: 8 }], undefined],
        [[{ address: RAM + 0x1_0000n, size: 16 }], 0x14n],
        [[{ address: RAM + 0x1_0010n, size: 16 }], undefined],
      ] as const) {
        const machine = new Machine(open(), 'debugging');
        machine.vcpu.setGuestDebug({ watchpoints });
        if (meets === undefined) {
          machine.runToOff();
          continue;
        }
        const exit = expectExit(machine.vcpu.runSync(), 'DEBUG');
        assert.deepEqual([classOf(exit), machine.vcpu.getOneReg('PC')], [EC.watchpoint, RAM + meets]);
        assert.equal((exit.hsr >> 6n) & 1n, meets === 0x18n ? 1n : 0n); // WnR
      }
    });

    it('steps over a breakpoint, and is stopped by one that it steps onto', () => {
      const { vcpu } = new Machine(open(), 'debugging');
      vcpu.setGuestDebug({ singleStep: true, breakpoints: [RAM + 4n] });
      const met = Array.from({ length: 2 }, () => [
        classOf(expectExit(vcpu.runSync(), 'DEBUG')),
        vcpu.getOneReg('PC'),
      ]);
      assert.deepEqual(met, [
        [EC.step, RAM + 4n],
        [EC.breakpoint, RAM + 4n],
      ]);
      vcpu.setGuestDebug({ singleStep: true });
      assert.equal(classOf(expectExit(vcpu.runSync(), 'DEBUG')), EC.step);
      assert.equal(vcpu.getOneReg('PC'), RAM + 8n);
    });

    it('steps over what KVM does for the guest', context => {
      const kvm = open();
      const { vcpu } = new Machine(kvm, 'stepping');
      vcpu.setGuestDebug({ singleStep: true });
      const { stepsByEntry } = kernelOf(kvm, context);
      const seen: string[] = [];
      for (let exit = vcpu.runSync(); exit.reason !== 'SYSTEM_EVENT'; exit = vcpu.runSync()) {
        const at = (vcpu.getOneReg('PC') - RAM).toString(16);
        // PSTATE.SS is not the guest's.
        if (stepsByEntry) assert.ok(exit.reason === 'DEBUG' || exit.reason === 'MMIO');
        else assert.equal((vcpu.getOneReg('PSTATE') >> 21n) & 1n, 0n);
        // ISV: whether the syndrome says what was stepped, which it does not after an exception.
        seen.push(
          exit.reason === 'DEBUG' ? `${at}${(exit.hsr >> 24n) & 1n ? '' : ' -'}` : `${exit.reason} ${at}`,
        );
      }
      // What three kernels of the lab gave. Linux 5.10 begins a step with each entry, and so runs on over the call at 14, ID
      // registers (not MIDR_EL1), and the device: `kvm_arm_setup_debug`, arch/arm64/kvm/debug.c.
      const emulated = stepsByEntry
        ? ['14', '1c', '24', '28', '2c', '30', 'MMIO 30', '38', 'MMIO 38', '40']
        : [
            '14',
            '18 -',
            '1c',
            '20 -',
            '24',
            '28',
            '2c',
            '30',
            'MMIO 30',
            '34 -',
            '38',
            'MMIO 38',
            '3c -',
            '40',
          ];
      const svc = ['a00 -', '5c', '60', '64', '68', '78', '44', '48'];
      const udf = ['a00 -', '5c', '60', '64', '68', '6c', '70', '74', '78', '4c', '50', '54'];
      assert.deepEqual(seen, ['4', '8', 'c', '10', ...emulated, ...svc, ...udf]);
    });

    it("meets the guest's own breakpoints where it brings none, before Linux 6.14", context => {
      const kvm = open();
      const machine = new Machine(kvm, 'debugging');
      const { vcpu } = machine;
      vcpu.setRegs([
        ['DBGBVR0_EL1', RAM + 8n],
        ['DBGBCR0_EL1', 0x1e3n], // BAS, EL1, E
        ['MDSCR_EL1', 1n << 15n], // MDE
      ]);
      vcpu.setGuestDebug({});
      // setup_external_mdscr(), arch/arm64/kvm/debug.c of 6.14, takes MDE from them.
      if (kernelOf(kvm, context).debuggerMeetsGuest) {
        assert.equal(classOf(expectExit(machine.run(), 'DEBUG')), EC.breakpoint);
        assert.equal(vcpu.getOneReg('PC'), RAM + 8n);
      } else machine.runToOff();
      assert.equal(vcpu.getOneReg('MDSCR_EL1'), 1n << 15n);
    });
  });

  describe('a guest that debugs itself', () => {
    it('takes BRK, breakpoints, watchpoints and steps at EL1', context => {
      const kvm = open();
      const machine = new Machine(kvm, 'self-debug');
      machine.runToOff();
      const brk = [0xf200_002an, 0x20n];
      const breakpoint = [0xc600_0022n, 0xe4n];
      const watchpoints = [
        [0xd600_0022n, 0x64n, 2n], // the first watched byte of eight
        [0xd600_0062n, 0x6cn, 3n], // a write
      ];
      const steps = [
        [0xce00_0022n, 0x88n], // pending at once
        [0xcf00_0022n, 0x8cn],
        [0xcf00_0062n, 0x90n], // of a load-exclusive
      ];
      const ofUser = [0xcb00_0022n];
      const locked = kernelOf(kvm, context).hasOsLock ? [] : breakpoint;
      assert.deepEqual(machine.reports, [brk, breakpoint, ...watchpoints, ...steps, locked, ofUser].flat());
    });
  });
};
