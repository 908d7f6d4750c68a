/**
 * The registers of a GICv3's CPU interface as userspace has them (arch/arm64/kvm/vgic-sys-reg-v3.c).
 *
 * @packageDocumentation
 */
import { ERRNO } from '../../abi/errno.ts';
import type { Result } from '../../backend.ts';
import { encodingOf } from '../cpu/system-registers.ts';
import type { CpuInterface } from './cpu-interface.ts';
import { lastActivePriorities, SRE } from './icc-registers.ts';

interface IccAttribute {
  get(cpu: CpuInterface): bigint | Result;
  set(cpu: CpuInterface, value: bigint): Result;
}

/** A field of 3 bits, or 1, that the low end of the register is. */
const binaryPoint = (name: 'bpr' | 'abpr'): IccAttribute => ({
  get: ({ vmcr }) => BigInt(vmcr[name]),
  set({ vmcr }, value) {
    vmcr[name] = Number(value & 7n);
    return 0;
  },
});

const enable = (name: 'grpen0' | 'grpen1'): IccAttribute => ({
  get: ({ vmcr }) => BigInt(vmcr[name]),
  set({ vmcr }, value) {
    vmcr[name] = (value & 1n) === 1n;
    return 0;
  },
});

const activePriorities = (group: 0 | 1, n: number): IccAttribute => {
  const isThere = ({ priorityBits }: CpuInterface) => n <= lastActivePriorities(priorityBits);
  return {
    get: cpu => (isThere(cpu) ? BigInt(cpu.activePriorities[group][n]!) : -ERRNO.EINVAL),
    set(cpu, value) {
      if (!isThere(cpu)) return -ERRNO.EINVAL;
      cpu.activePriorities[group][n] = Number(value & 0xffff_ffffn);
      return 0;
    },
  };
};

/** ICC_CTLR_EL1: CBPR, EOImode, PRIbits, IDbits, SEIS, A3V. */
const CBPR = 1n;
const EOIMODE = 2n;
const PRIBITS = 8n;
const IDBITS = 11n;
const SEIS_AND_A3V = 0xc000n;

const control: IccAttribute = {
  get: ({ vmcr, priorityBits, idBits, gic }) =>
    (gic.hostControl & SEIS_AND_A3V) |
    (BigInt(priorityBits - 1) << PRIBITS) |
    (BigInt(idBits) << IDBITS) |
    (vmcr.cbpr ? CBPR : 0n) |
    (vmcr.eoim ? EOIMODE : 0n),
  /** Fewer bits than the host has can be restored; what comes before a fault stays. */
  set(cpu, value) {
    const priorityBits = Number((value >> PRIBITS) & 7n) + 1;
    if (priorityBits > cpu.priorityBits) return -ERRNO.EINVAL;
    cpu.priorityBits = priorityBits;
    const idBits = Number((value >> IDBITS) & 7n);
    if (idBits > cpu.idBits) return -ERRNO.EINVAL;
    cpu.idBits = idBits;
    if (((value ^ cpu.gic.hostControl) & SEIS_AND_A3V) !== 0n) return -ERRNO.EINVAL;
    cpu.vmcr.cbpr = (value & CBPR) !== 0n;
    cpu.vmcr.eoim = (value & EOIMODE) !== 0n;
    return 0;
  },
};

const icc = (crm: number, op2: number) => encodingOf(3, 0, 12, crm, op2);
const group0Point = binaryPoint('bpr');
const group1Point = binaryPoint('abpr');

const ATTRIBUTES: ReadonlyMap<number, IccAttribute> = new Map<number, IccAttribute>([
  [
    encodingOf(3, 0, 4, 6, 0),
    {
      get: ({ vmcr }) => BigInt(vmcr.pmr),
      set({ vmcr }, value) {
        vmcr.pmr = Number(value & 0xffn);
        return 0;
      },
    },
  ],
  [icc(8, 3), group0Point],
  ...[0, 1, 2, 3].map((n): [number, IccAttribute] => [icc(8, 4 + n), activePriorities(0, n)]),
  ...[0, 1, 2, 3].map((n): [number, IccAttribute] => [icc(9, n), activePriorities(1, n)]),
  [
    icc(12, 3),
    {
      get: cpu => (cpu.vmcr.cbpr ? BigInt(cpu.binaryPoint(1)) : group1Point.get(cpu)),
      set: (cpu, value) => (cpu.vmcr.cbpr ? 0 : group1Point.set(cpu, value)),
    },
  ],
  [icc(12, 4), control],
  [icc(12, 5), { get: () => BigInt(SRE), set: (_, value) => ((value & 1n) === 1n ? 0 : -ERRNO.EINVAL) }],
  [icc(12, 6), enable('grpen0')],
  [icc(12, 7), enable('grpen1')],
]);

/** The register's encoding is in 15:0, as in its id. */
const find = (attr: bigint) => ATTRIBUTES.get(Number(attr & 0xffffn));

function unknown({ gic }: CpuInterface): Result {
  return gic.profile.unknownRegister === 'ENXIO' ? -ERRNO.ENXIO : -ERRNO.ENOENT;
}

export function hasIcc(attr: bigint): boolean {
  return find(attr) !== undefined;
}

export function getIcc(cpu: CpuInterface, attr: bigint): bigint | Result {
  return find(attr)?.get(cpu) ?? unknown(cpu);
}

export function setIcc(cpu: CpuInterface, attr: bigint, value: bigint): Result {
  const result = find(attr)?.set(cpu, value) ?? unknown(cpu);
  cpu.update();
  return result;
}
