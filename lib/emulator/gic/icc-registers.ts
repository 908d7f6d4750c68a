/**
 * The system registers of a GICv3's CPU interface as its guest has them (IHI 0069H, 12.2; what KVM traps of them:
 * `access_gic_sgi` and `access_gic_sre`, arch/arm64/kvm/sys_regs.c).
 *
 * @packageDocumentation
 */
import { encodingOf } from '../cpu/system-registers.ts';
import type { CpuInterface } from './cpu-interface.ts';

export interface IccRegister {
  read?(cpu: CpuInterface): number;
  write?(cpu: CpuInterface, value: bigint): void;
}

const icc = (crm: number, op2: number) => encodingOf(3, 0, 12, crm, op2);
const CBPR = 1n << 0n;
const EOIMODE = 1n << 1n;
/** ICC_CTLR_EL1: what the hardware is. */
const HOST_BITS = ~(CBPR | EOIMODE);
const INTID = 0xff_ffffn;

const iar = (group: 0 | 1): IccRegister => ({ read: cpu => cpu.acknowledge(group) });
const eoir = (group: 0 | 1): IccRegister => ({
  write: (cpu, value) => cpu.end(Number(value & INTID), group),
});
const hppir = (group: 0 | 1): IccRegister => ({ read: cpu => cpu.highestPendingOf(group) });
const bpr = (group: 0 | 1): IccRegister => ({
  read: cpu => cpu.binaryPoint(group),
  write: (cpu, value) => cpu.setBinaryPoint(group, Number(value & 7n)),
});
const igrpen = (name: 'grpen0' | 'grpen1'): IccRegister => ({
  read: ({ vmcr }) => Number(vmcr[name]),
  write(cpu, value) {
    cpu.vmcr[name] = (value & 1n) === 1n;
    cpu.update();
  },
});
const ap = (group: 0 | 1, n: number): IccRegister => ({
  read: cpu => cpu.activePriorities[group][n]!,
  write(cpu, value) {
    cpu.activePriorities[group][n] = Number(value & 0xffff_ffffn);
    cpu.update();
  },
});

/** Bits of a priority mask that count. */
const priorityMask = ({ gic }: CpuInterface) => (0xff << (8 - gic.priorityBits)) & 0xff;

/** ICC_SGI1R_EL1: Aff3 in 55:48, IRM in 40, Aff2 in 39:32, INTID in 27:24, Aff1 in 23:16, the list of Aff0 in 15:0. */
const sgir = (mayBeGroup1: boolean): IccRegister => ({
  write(cpu, value) {
    const { gic } = cpu;
    const send = (target: CpuInterface): void => {
      const irq = target.privateIrqs[Number((value >> 24n) & 0xfn)]!;
      if (irq.group === 1 && !mayBeGroup1) return;
      irq.pendingLatch = true;
      gic.queue(irq);
    };
    if (((value >> 40n) & 1n) === 1n) {
      for (const target of gic.cpus) if (target !== cpu) send(target);
      return;
    }
    const field = (at: bigint) => (value >> at) & 0xffn;
    const affinity = (field(48n) << 32n) | (field(32n) << 16n) | (field(16n) << 8n);
    for (let aff0 = 0n; aff0 < 16n; aff0++) {
      const target = (value >> aff0) & 1n ? gic.byAffinity(affinity | aff0) : undefined;
      if (target !== undefined) send(target);
    }
  },
});

/** ICC_SRE_EL1: system registers alone, and no bypass. */
export const SRE = 7;

const REGISTERS: ReadonlyMap<number, IccRegister> = new Map<number, IccRegister>([
  [
    encodingOf(3, 0, 4, 6, 0),
    {
      read: ({ vmcr }) => vmcr.pmr,
      write(cpu, value) {
        cpu.vmcr.pmr = Number(value & 0xffn) & priorityMask(cpu);
        cpu.update();
      },
    },
  ],
  [icc(8, 0), iar(0)],
  [icc(8, 1), eoir(0)],
  [icc(8, 2), hppir(0)],
  [icc(8, 3), bpr(0)],
  ...[0, 1, 2, 3].map((n): [number, IccRegister] => [icc(8, 4 + n), ap(0, n)]),
  ...[0, 1, 2, 3].map((n): [number, IccRegister] => [icc(9, n), ap(1, n)]),
  [icc(11, 1), { write: (cpu, value) => cpu.deactivate(Number(value & INTID)) }],
  [icc(11, 3), { read: cpu => cpu.runningPriority }],
  [icc(11, 5), sgir(true)],
  [icc(11, 6), sgir(false)],
  [icc(11, 7), sgir(false)],
  [icc(12, 0), iar(1)],
  [icc(12, 1), eoir(1)],
  [icc(12, 2), hppir(1)],
  [icc(12, 3), bpr(1)],
  [
    icc(12, 4),
    {
      read: ({ vmcr, gic }) =>
        Number((gic.hostControl & HOST_BITS) | (vmcr.cbpr ? CBPR : 0n) | (vmcr.eoim ? EOIMODE : 0n)),
      write(cpu, value) {
        cpu.vmcr.cbpr = (value & CBPR) !== 0n;
        cpu.vmcr.eoim = (value & EOIMODE) !== 0n;
        cpu.update();
      },
    },
  ],
  [icc(12, 5), { read: () => SRE, write: () => {} }],
  [icc(12, 6), igrpen('grpen0')],
  [icc(12, 7), igrpen('grpen1')],
]);

/** ICC_AP0R1_EL1 and ICC_AP1R1_EL1, with their successors: for more than 5 bits of priorities. */
const isHigherAp = (encoding: number): boolean =>
  (encoding > icc(8, 4) && encoding <= icc(8, 7)) || (encoding > icc(9, 0) && encoding <= icc(9, 3));

/** How many registers of active priorities there are for so many bits of priorities, less one. */
export const lastActivePriorities = (bits: number): number => (bits >= 7 ? 3 : bits === 6 ? 1 : 0);

/** A register of the CPU interface by its encoding; undefined for all others, and on a GICv2. */
export function findIcc({ gic }: CpuInterface, encoding: number): IccRegister | undefined {
  if (gic.model !== 3) return undefined;
  if (isHigherAp(encoding) && (encoding & 3) > lastActivePriorities(gic.priorityBits)) return undefined;
  return REGISTERS.get(encoding);
}
