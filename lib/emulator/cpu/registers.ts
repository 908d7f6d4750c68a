/** A CPU's registers as the host sees them: no level, no traps. For state that is copied in before a run and out after. */
import type { Cpu } from './cpu.ts';

interface Access {
  readonly get: (cpu: Cpu) => bigint;
  readonly set: (cpu: Cpu, value: bigint) => void;
}

const stackPointer = (level: 0 | 1): Access => ({
  get: cpu => cpu.state.getSp(level),
  set: (cpu, value) => cpu.state.setSp(level, value),
});

const BY_NAME: Readonly<Record<string, Access>> = {
  ...Object.fromEntries(
    Array.from({ length: 31 }, (_, n): [string, Access] => [
      `X${n}`,
      { get: cpu => cpu.x(n), set: (cpu, value) => cpu.setX(n, value) },
    ]),
  ),
  ...Object.fromEntries(
    Array.from({ length: 32 }, (_, n): [string, Access] => [
      `V${n}`,
      {
        get: ({ state: { v } }) => (v[2 * n + 1]! << 64n) | v[2 * n]!,
        set: ({ state: { v } }, value) => {
          v[2 * n] = value;
          v[2 * n + 1] = value >> 64n;
        },
      },
    ]),
  ),
  SP_EL0: stackPointer(0),
  SP_EL1: stackPointer(1),
  PC: { get: cpu => cpu.getPc(), set: (cpu, value) => cpu.setPc(value) },
  PSTATE: {
    get: cpu => cpu.state.pstate,
    set: (cpu, value) => {
      cpu.state.pstate = value;
      cpu.contextChanged();
    },
  },
  ELR_EL1: {
    get: cpu => cpu.state.hot.elr,
    set: (cpu, value) => {
      cpu.state.hot.elr = value;
    },
  },
  SPSR_EL1: {
    get: cpu => cpu.state.hot.spsr,
    set: (cpu, value) => {
      cpu.state.hot.spsr = value;
    },
  },
  FPCR: {
    get: cpu => cpu.state.fpcr,
    set: (cpu, value) => {
      cpu.state.fpcr = value;
    },
  },
  FPSR: {
    get: cpu => cpu.state.fpsr,
    set: (cpu, value) => {
      cpu.state.fpsr = value;
    },
  },
};

const access = (name: string): Access => {
  const found = BY_NAME[name];
  if (found === undefined) throw new RangeError(`no register ${name}: X0-X30, V0-V31, PC, PSTATE, SP_EL0 …`);
  return found;
};

/** A core register by name: X0-X30, SP_EL0, SP_EL1, PC, PSTATE, ELR_EL1, SPSR_EL1, V0-V31, FPCR, FPSR. */
export const getRegister = (cpu: Cpu, name: string): bigint => access(name).get(cpu);

export const setRegister = (cpu: Cpu, name: string, value: bigint): void => access(name).set(cpu, value);
