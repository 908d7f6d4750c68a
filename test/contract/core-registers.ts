/** The core registers, struct kvm_regs (`get_core_reg`, `set_core_reg`, arch/arm64/kvm/guest.c). */
import assert from 'node:assert/strict';
import type { Suite } from '#lib/testing.js';
import { ELR_EL1, FPCR, FPSR, PC, PSTATE, SP, SP_EL1, SPSR, V, X } from './registers.ts';
import { refusesSet, sibling, stores, withVcpu } from './suite.ts';

const all = (count: number, id: (n: number) => bigint) => Array.from({ length: count }, (_, n) => id(n));

/** All of 64 bits but PSTATE, which has rules. */
const PLAIN = [...all(31, X), SP, PC, SP_EL1, ELR_EL1, ...all(5, SPSR)];

const ONES = (bits: bigint) => (1n << bits) - 1n;

/** Asks of each register that it holds what was written to it and to no other. */
function holdEachItsOwn(
  registers: readonly bigint[],
  value: (index: bigint) => bigint,
): Parameters<typeof withVcpu>[2] {
  return vcpu => {
    registers.forEach((id, i) => {
      vcpu.setOneReg(id, value(BigInt(i)));
    });
    registers.forEach((id, i) => {
      assert.equal(vcpu.getOneReg(id), value(BigInt(i)));
    });
  };
}

export const coreRegisters: Suite = ({ describe, it, open }) => {
  describe('core registers', () => {
    it('are 40 of 64 bits, with all their bits', () => {
      assert.equal(PLAIN.length, 40);
      withVcpu(
        open,
        [],
        holdEachItsOwn(PLAIN, i => 0xfedc_ba98_7654_3200n + i),
      );
      withVcpu(open, [], vcpu => {
        for (const id of PLAIN) for (const value of [ONES(64n), 1n << 63n, 0n]) stores(vcpu, id, value);
      });
    });

    it('are 32 vectors of 128 bits, with all their bits', () => {
      withVcpu(
        open,
        [],
        holdEachItsOwn(all(32, V), i => (0xfedc_ba98_7654_3210n << 64n) + (i << 70n) + i),
      );
      withVcpu(open, [], vcpu => {
        for (const value of [ONES(128n), 1n << 127n, 1n << 64n, ONES(64n), 0n]) stores(vcpu, V(7), value);
      });
    });

    it('are FPSR and FPCR, of 32 bits, with all their bits', () => {
      withVcpu(
        open,
        [],
        holdEachItsOwn([FPSR, FPCR], i => 0xffff_fffen + i),
      );
    });

    it("are each vCPU's own", () => {
      withVcpu(open, [], vcpu => {
        stores(vcpu, X(1), 1n);
        assert.equal(sibling(vcpu, 1, []).getOneReg(X(1)), 0n);
        assert.equal(vcpu.getOneReg(X(1)), 1n);
      });
    });

    it('go by their names as well', () => {
      withVcpu(open, [], vcpu => {
        vcpu.setOneReg('X7', 7n);
        vcpu.setOneReg('pc', 0x8000n);
        assert.equal(vcpu.getOneReg(X(7)), 7n);
        assert.equal(vcpu.getOneReg(PC), 0x8000n);
        assert.equal(vcpu.getOneReg('SP_EL0'), vcpu.getOneReg(SP));
      });
    });
  });

  // The mode is PSTATE 4:0 (PSR_AA32_MODE_MASK); the other 59 bits are stored as they are.
  describe('PSTATE', () => {
    it('takes the modes EL0t, EL1t and EL1h, with any other bits', () => {
      withVcpu(open, [], vcpu => {
        for (const mode of [0n, 4n, 5n]) {
          for (const rest of [0n, 0x3c0n, 0xffff_ffff_ffff_ffe0n]) stores(vcpu, PSTATE, rest | mode);
        }
      });
    });

    it('refuses EL2 without nested virtualization, EL3, and modes that are none: EINVAL', () => {
      withVcpu(open, [], vcpu => {
        for (const mode of [8n, 9n, 12n, 13n, 1n, 2n, 3n, 6n, 7n, 10n, 11n, 14n, 15n]) {
          refusesSet('EINVAL', vcpu, PSTATE, 0x3c0n | mode);
        }
        assert.equal(vcpu.getOneReg(PSTATE), 0x3c5n);
      });
    });

    it('refuses the privileged modes of AArch32 on a 64-bit vCPU, and those that are none: EINVAL', () => {
      withVcpu(open, [], vcpu => {
        // FIQ, IRQ, SVC, ABT, UND, SYS; then MON, HYP and the gaps between.
        for (const mode of [17, 18, 19, 23, 27, 31, 22, 26, 20, 21, 24, 25, 28, 29, 30]) {
          refusesSet('EINVAL', vcpu, PSTATE, BigInt(0x1c0 | mode));
        }
        assert.equal(vcpu.getOneReg(PSTATE), 0x3c5n);
      });
    });
  });

  describe('AArch32 user mode, which this CPU has', () => {
    const WIDE = 0x1234_5678_9abc_def0n;

    it('narrows X0 to X14 and PC to 32 bits, and nothing else', () => {
      withVcpu(open, [], vcpu => {
        const wide = [...all(31, X), SP, PC, SP_EL1, ELR_EL1, V(0)];
        for (const id of wide) vcpu.setOneReg(id, WIDE);
        stores(vcpu, PSTATE, 0x10n);
        for (const id of wide) {
          const isNarrow = id === PC || all(15, X).includes(id);
          assert.equal(vcpu.getOneReg(id), isNarrow ? 0x9abc_def0n : WIDE);
        }
      });
    });

    it('narrows after each further write of a core register', () => {
      withVcpu(open, [], vcpu => {
        vcpu.setOneReg(PSTATE, 0x10n);
        vcpu.setOneReg(X(14), WIDE);
        vcpu.setOneReg(X(15), WIDE);
        vcpu.setOneReg(PC, WIDE);
        assert.equal(vcpu.getOneReg(X(14)), 0x9abc_def0n);
        assert.equal(vcpu.getOneReg(X(15)), WIDE);
        assert.equal(vcpu.getOneReg(PC), 0x9abc_def0n);
      });
    });

    it('ends with a mode of AArch64, and what was cut off stays lost', () => {
      withVcpu(open, [], vcpu => {
        vcpu.setOneReg(X(0), WIDE);
        vcpu.setOneReg(PSTATE, 0x10n);
        vcpu.setOneReg(PSTATE, 0x3c5n);
        assert.equal(vcpu.getOneReg(X(0)), 0x9abc_def0n);
        stores(vcpu, X(0), WIDE);
      });
    });
  });
};
