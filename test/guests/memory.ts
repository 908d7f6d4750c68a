/** Memory: a guest's own translation, and the account of what it wrote. */
import assert from 'node:assert/strict';
import { dirtyPages } from '#lib/memory.js';
import type { Suite } from '#lib/testing.js';
import { ENDED, expectRegisters, Machine, RAM } from './machine.ts';

export const memory: Suite = ({ describe, it, open }) => {
  describe('a guest with the MMU on', () => {
    // ESR_EL1 (Arm ARM, D24.2): EC 0x25 data or 0x21 instruction abort from EL1, IL, WnR in bit 6, DFSC: translation
    // fault 0b0001LL, access flag 0b0010LL, permission 0b0011LL, with the level in LL.
    it('repairs its page faults', () => {
      const machine = new Machine(open(), 'page-fault');
      const pages = 0x1_4000;
      machine.ram.bytes[pages + 0x2001] = 0x5a;
      machine.runToOff();
      assert.deepEqual(machine.reports, [
        ...[0x9600_0007n, 0x8000_0010n, 0x1122_3344_5566_7788n],
        ...[0x9600_004fn, 0x8000_1008n, 0xabcdn],
        ...[0x9600_000bn, 0x8000_2001n, 0x5an],
        ...[0x8600_0007n, 0x8000_3000n, 42n],
        ...[0x8600_000fn, 0x8000_4000n, 42n],
        ...[0x9600_0005n, 0x10_0000_0018n, 0xffff_ffff_ffff_ffffn],
      ]);
      expectRegisters(machine.vcpu, {
        ...ENDED,
        ...{ X19: 0x8000_0000n, X20: 0x8000_4000n, PC: RAM + 0x124n, PSTATE: 0x3c5n },
        ...{ ESR_EL1: 0x9600_0005n, FAR_EL1: 0x10_0000_0018n },
      });
    });
  });

  describe('the dirty log', () => {
    it('has the pages that a guest has written since it was asked last', () => {
      const machine = new Machine(open(), 'dirty', { logDirtyPages: true });
      const dirtied = () => [...dirtyPages(machine.ram.getDirtyLog())];
      const first = machine.nextReport();
      assert.equal(first, RAM + 0x1_0000n);
      assert.deepEqual(dirtied(), [0x10, 0x12]);
      machine.nextReport();
      assert.deepEqual(dirtied(), [0x14, 0x15]);
      machine.nextReport();
      assert.deepEqual(dirtied(), []);
      machine.runToOff();
      assert.deepEqual(dirtied(), [0x10, 0x3f]);
      expectRegisters(machine.vcpu, { ...ENDED, X19: first, X20: RAM + 0x3_f000n, PC: RAM + 0x50n });
    });
  });
};
