/** Registers of the emulated host: what is written is read, in a batch as one by one, and a refusal changes nothing. */

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Kvm, KvmError, registerBits, type Vcpu } from '#lib/index.js';
import { anyRegisterId } from '../abi/ids.ts';

let kvm: Kvm;
let vcpu: Vcpu;

const FEATURES = ['PSCI_0_2', 'PMU_V3'] as const;

function newVcpu(): Vcpu {
  const made = kvm.createVm().createVcpu(0);
  made.init({ features: FEATURES });
  return made;
}

beforeAll(() => {
  kvm = Kvm.open({ backend: 'emulated' });
  vcpu = newVcpu();
});
afterAll(() => kvm.close());

/** Registers that hold all bits of their width: core registers, and system registers without a set_user (sys_regs.c). */
const PLAIN = [
  ...[
    'X0',
    'X15',
    'X30',
    'SP',
    'PC',
    'SP_EL1',
    'ELR_EL1',
    'SPSR_EL1',
    'SPSR_FIQ',
    'V0',
    'V31',
    'FPSR',
    'FPCR',
  ],
  ...['SCTLR_EL1', 'TTBR0_EL1', 'TCR_EL1', 'VBAR_EL1', 'TPIDR_EL0', 'MAIR_EL1', 'DBGBVR3_EL1', 'MDSCR_EL1'],
  ...['MPIDR_EL1', 'CNTV_CVAL_EL0', 'CNTP_CVAL_EL0', 'PMCCNTR_EL0', 'PMEVTYPER3_EL0', 'DACR32_EL2'],
];

const widthOf = (name: string) => (/^V\d/.test(name) ? 128 : /^FP[SC]R$/.test(name) ? 32 : 64);
const ofWidth = (bits: number) => fc.bigInt({ min: 0n, max: (1n << BigInt(bits)) - 1n });

/** The counters go on, and with them the timers' conditions. */
const RUNNING = ['CNTVCT_EL0', 'CNTPCT_EL0', 'CNTV_CTL_EL0', 'CNTP_CTL_EL0'];

/** All values, but of what runs. */
function stateOf(of: Vcpu): Map<bigint, bigint> {
  const state = new Map(of.getRegs());
  for (const id of of.getRegs(RUNNING).ids) state.delete(id);
  return state;
}

/** An id that is listed, or any other. */
const anyId = fc.oneof(
  { arbitrary: fc.nat({ max: 332 }).map(index => listed()[index]!), weight: 3 },
  anyRegisterId,
);

let list: BigUint64Array | undefined;

function listed(): BigUint64Array {
  list ??= vcpu.getRegList();
  return list;
}

/** A value for an id: small, a single bit, or any. */
const valueFor = (id: bigint) => {
  const bits = Math.min(registerBits(id), 2048);
  return fc.oneof(
    ofWidth(Math.min(bits, 5)),
    fc.nat({ max: bits - 1 }).map(bit => 1n << BigInt(bit)),
    ofWidth(bits),
  );
};

const anyWrite = anyId.chain(id => valueFor(id).map(value => [id, value] as const));

/** 0, or the errno of a call that the kernel would refuse. */
function statusOf(call: () => unknown): number {
  try {
    call();
    return 0;
  } catch (error) {
    if (!(error instanceof KvmError) || error.errno === undefined) throw error;
    return error.errno;
  }
}

describe('a plain register', () => {
  for (const name of PLAIN) {
    it(`${name} reads what was written`, () => {
      fc.assert(
        fc.property(ofWidth(widthOf(name)), value => {
          vcpu.setOneReg(name, value);
          expect(vcpu.getOneReg(name)).toBe(value);
        }),
      );
    });
  }
});

describe('a batch', () => {
  it('reads what one call after the other reads', () => {
    fc.assert(
      fc.property(fc.array(anyId), ids => {
        const batch = vcpu.getRegs(ids);
        ids.forEach((id, i) => {
          const status = statusOf(() => vcpu.getOneReg(id));
          expect(batch.status[i]).toBe(status);
          if (stateOf(vcpu).has(id)) expect(batch.valueAt(i)).toBe(vcpu.getOneReg(id));
          if (status < 0) expect(batch.valueAt(i)).toBe(0n);
        });
      }),
    );
  });

  it('writes what one call after the other writes, with the same outcome for each', () => {
    fc.assert(
      fc.property(fc.array(anyWrite, { maxLength: 30 }), writes => {
        const [one, other] = [newVcpu(), newVcpu()];
        const statuses = writes.map(([id, value]) => statusOf(() => one.setOneReg(id, value)));
        expect([...other.setRegs(writes).status]).toEqual(statuses);
        expect(stateOf(other)).toEqual(stateOf(one));
        one.vm.close();
        other.vm.close();
      }),
    );
  });
});

describe('a write', () => {
  it('that is refused changes nothing, whatever was written before', () => {
    const fresh = newVcpu();
    fc.assert(
      fc.property(anyWrite, ([id, value]) => {
        const before = stateOf(fresh);
        const status = statusOf(() => fresh.setOneReg(id, value));
        if (status < 0) expect(stateOf(fresh)).toEqual(before);
      }),
      { numRuns: 1000 },
    );
  });

  it('that is accepted is accepted again, and changes nothing more', () => {
    const fresh = newVcpu();
    fc.assert(
      fc.property(anyWrite, ([id, value]) => {
        if (statusOf(() => fresh.setOneReg(id, value)) < 0) return;
        const after = stateOf(fresh);
        fresh.setOneReg(id, value);
        expect(stateOf(fresh)).toEqual(after);
      }),
      { numRuns: 1000 },
    );
  });
});
