/**
 * The registers that a CPU keeps for itself while its guest runs: where they lie between runs, and how they go in and out.
 *
 * @packageDocumentation
 */
import { coreRegId, decodeRegisterId, encodeRegisterId } from '../../abi/register-id.ts';
import type { Cpu } from '../cpu/cpu.ts';
import { getRegister, setRegister } from '../cpu/registers.ts';
import { getSystemRegister, setSystemRegister } from '../cpu/system-registers.ts';
import type { Configuration, VcpuState } from '../state.ts';

/** By their offsets in `struct kvm_regs`; the vector registers are below. */
const CORE: readonly (readonly [name: string, offset: number, bytes?: number])[] = [
  ...Array.from({ length: 31 }, (_, n) => [`X${n}`, 8 * n] as const),
  ['SP_EL0', 248],
  ['SP_EL1', 272],
  ['ELR_EL1', 280],
  ['SPSR_EL1', 288],
  ['FPSR', 848, 4],
  ['FPCR', 852, 4],
  // Last: it chooses the stack pointer in use, and translation depends on it.
  ['PSTATE', 264],
  ['PC', 256],
];

const vectorId = (n: number) => coreRegId(336 + 16 * n, 16);
/** Of a vCPU with SVE, whose vector registers are the low ends of these. */
const sveId = (n: number) =>
  encodeRegisterId({ kind: 'sve', arch: 'arm64', bytes: 256, register: 'z', n, slice: 0 });

interface Wire {
  readonly cell: number;
  get(cpu: Cpu): bigint;
  set(cpu: Cpu, value: bigint): void;
}

const wires = new WeakMap<Configuration, readonly Wire[]>();

/** @param cpu - any: which system registers a CPU keeps is the same for all */
function wiresOf(configuration: Configuration, cpu: Cpu): readonly Wire[] {
  let found = wires.get(configuration);
  if (found === undefined) {
    found = [...systemWires(configuration, cpu), ...vectorWires(configuration), ...coreWires(configuration)];
    wires.set(configuration, found);
  }
  return found;
}

function* systemWires({ registers }: Configuration, cpu: Cpu): Iterable<Wire> {
  for (const [id, { cell, scope }] of registers) {
    const fields = decodeRegisterId(id);
    if (fields.kind !== 'sysreg' || scope === 'vm') continue;
    const encoding = Number(id & 0xffffn);
    if (getSystemRegister(cpu, encoding) === undefined) continue;
    yield {
      cell,
      get: from => getSystemRegister(from, encoding)!,
      set: (to, value) => setSystemRegister(to, encoding, value),
    };
  }
}

function* vectorWires({ registers }: Configuration): Iterable<Wire> {
  for (let n = 0; n < 32; n++) {
    const access = registers.get(vectorId(n)) ?? registers.get(sveId(n));
    if (access === undefined) continue;
    yield {
      cell: access.cell,
      get: cpu => getRegister(cpu, `V${n}`),
      set: (cpu, value) => setRegister(cpu, `V${n}`, BigInt.asUintN(128, value)),
    };
  }
}

function* coreWires({ registers }: Configuration): Iterable<Wire> {
  for (const [name, offset, bytes] of CORE) {
    const access = registers.get(coreRegId(offset, bytes));
    if (access === undefined) continue;
    yield {
      cell: access.cell,
      get: cpu => getRegister(cpu, name),
      set: (cpu, value) => setRegister(cpu, name, value),
    };
  }
}

/** From where the ioctls have them into the CPU. */
export function loadRegisters(vcpu: VcpuState, cpu: Cpu): void {
  for (const { cell, set } of wiresOf(vcpu.configuration!, cpu)) set(cpu, vcpu.cells[cell]!);
}

/** And back. The upper part of a wider vector register goes with a change of its low end, as the architecture has it. */
export function storeRegisters(vcpu: VcpuState, cpu: Cpu): void {
  const { cells } = vcpu;
  for (const { cell, get } of wiresOf(vcpu.configuration!, cpu)) {
    const value = get(cpu);
    if (BigInt.asUintN(128, cells[cell]!) !== value) cells[cell] = value;
  }
}
