/** A machine with RAM at zero, and the few instruction words that the tests put together themselves. */
import { Cpu } from '#lib/emulator/cpu/cpu.js';
import { Machine, type MachineOptions } from '#lib/emulator/cpu/machine.js';
import { Ram } from '#lib/emulator/cpu/memory.js';
import { encodingOf, type SystemRegisters } from '#lib/emulator/cpu/system-registers.js';

export const RAM_SIZE = 0x20_0000;
export const VECTORS = 0x8000;
export const CODE = 0x1_0000;

export const NOP = 0xd503_201f;
export const WFI = 0xd503_207f;
export const WFE = 0xd503_205f;
export const SEV = 0xd503_209f;
export const YIELD = 0xd503_203f;
export const ERET = 0xd69f_03e0;
export const svc = (imm: number) => 0xd400_0001 | (imm << 5);
export const hvc = (imm: number) => 0xd400_0002 | (imm << 5);
export const smc = (imm: number) => 0xd400_0003 | (imm << 5);
export const brk = (imm: number) => 0xd420_0000 | (imm << 5);
export const movz = (d: number, imm: number) => 0xd280_0000 | (imm << 5) | d;
export const mrs = (t: number, encoding: number) => 0xd530_0000 | ((encoding & 0x7fff) << 5) | t;
export const msr = (encoding: number, t: number) => 0xd510_0000 | ((encoding & 0x7fff) << 5) | t;
export const sys = (encoding: number, t: number) => 0xd500_0000 | (encoding << 5) | t;
/** LDR and STR of X registers, without an offset. */
export const ldr = (t: number, n: number) => 0xf940_0000 | (n << 5) | t;
export const str = (t: number, n: number) => 0xf900_0000 | (n << 5) | t;

export const REGISTER = {
  SCTLR_EL1: encodingOf(3, 0, 1, 0, 0),
  CPACR_EL1: encodingOf(3, 0, 1, 0, 2),
  TTBR0_EL1: encodingOf(3, 0, 2, 0, 0),
  SP_EL0: encodingOf(3, 0, 4, 1, 0),
  CurrentEL: encodingOf(3, 0, 4, 2, 2),
  DAIF: encodingOf(3, 3, 4, 2, 1),
  CTR_EL0: encodingOf(3, 3, 0, 0, 1),
  CNTVCT_EL0: encodingOf(3, 3, 14, 0, 2),
  SCTLR_EL2: encodingOf(3, 4, 1, 0, 0),
  SCTLR_EL3: encodingOf(3, 6, 1, 0, 0),
  MIDR_EL1: encodingOf(3, 0, 0, 0, 0),
  PAN: encodingOf(3, 0, 4, 2, 3),
  FPCR: encodingOf(3, 3, 4, 4, 0),
} as const;

export interface World {
  readonly machine: Machine;
  readonly cpu: Cpu;
  readonly ram: Ram;
  /** Puts words at an address. */
  put(address: number, ...words: number[]): void;
  /** Runs words from CODE, one by one, so many of them. */
  run(words: readonly number[], budget?: number): ReturnType<Cpu['run']>;
}

export function world(
  options: Partial<MachineOptions> & { system?: SystemRegisters; cpus?: number } = {},
): World {
  const ram = new Ram(0, new SharedArrayBuffer(RAM_SIZE), 0, RAM_SIZE);
  const machine = new Machine({
    memory: { ram: page => (page < RAM_SIZE / 4096 ? ram : undefined) },
    hasFeature: () => true,
    ...options,
  });
  const system = options.system ?? { read: () => 'undefined', write: () => 'undefined' };
  const cpu = new Cpu(machine, system);
  cpu.state.hot.vbar = BigInt(VECTORS);
  const put = (address: number, ...words: number[]) => {
    ram.u32.set(words, address / 4);
    machine.written(address, 4 * words.length);
  };
  return {
    machine,
    cpu,
    ram,
    put,
    run: (words, budget = words.length) => {
      put(CODE, ...words);
      cpu.setPc(BigInt(CODE));
      return cpu.run(budget);
    },
  };
}

/** Puts the CPU at EL0. */
export function toUser({ cpu }: World): void {
  cpu.state.setLevel(0, 0);
  cpu.contextChanged();
}

/** Where an exception went, and what it says, after its first instruction has not run yet. */
export const taken = ({ cpu }: World) => ({
  offset: Number(cpu.getPc()) - VECTORS,
  ec: Number(cpu.state.hot.esr >> 26n),
  iss: Number(cpu.state.hot.esr & 0x1ff_ffffn),
  elr: Number(cpu.state.hot.elr) - CODE,
});
