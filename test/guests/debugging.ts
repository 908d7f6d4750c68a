/** A debugger's view of a guest. */
import assert from 'node:assert/strict';
import type { DebugExit } from '#lib/abi/exits.js';
import type { Suite } from '#lib/testing.js';
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
  });
};
