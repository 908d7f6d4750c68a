/**
 * The host's counter, of which a guest's is behind by an offset. Virtual by default: it counts what guests execute, so
 * that a program which does the same again finds the same again, bit for bit, on any machine.
 *
 * @packageDocumentation
 */
import type { Cpu } from './cpu/cpu.ts';
import type { Exit } from './cpu/exits.ts';
import type { Clock } from './state.ts';

/** What an instruction takes. As fast as a small core, and fine enough for every counter that hosts have. */
const NANOSECONDS_PER_INSTRUCTION = 10;
const NANOSECONDS = 1e9;

/**
 * Instructions' worth of time that YIELD and WFE take: a microsecond, though a machine is quicker. Who says so waits, and a
 * guest's loop that lets a tenth of a second go by is not a million turns of an interpreter then.
 */
const PAUSE = 100;

/** A host that has been up for a while: a guest that sets its counter forward finds no negative time. */
const UPTIME = 1n << 36n;

/** Whose time a VM has. */
export const CLOCKS = ['virtual', 'host'] as const;
export type ClockKind = (typeof CLOCKS)[number];

export function makeClock(kind: ClockKind, counterHz: number): Clock {
  return kind === 'virtual' ? new VirtualClock(counterHz) : new HostClock(counterHz);
}

/** Time that only guests and system calls make pass. */
class VirtualClock implements Clock {
  readonly #ticksPerInstruction: number;
  /** Instructions that time has passed for. */
  #passed = 0;
  /** Who is executing, and how many it may. */
  #running: { readonly cpu: Cpu; readonly budget: number } | undefined;

  constructor(counterHz: number) {
    this.#ticksPerInstruction = (counterHz * NANOSECONDS_PER_INSTRUCTION) / NANOSECONDS;
  }

  now(): bigint {
    const inSlice = this.#running === undefined ? 0 : this.#running.budget - this.#running.cpu.remaining;
    return UPTIME + BigInt(Math.floor((this.#passed + inSlice) * this.#ticksPerInstruction));
  }

  pass(): void {
    this.#passed++;
  }

  run(cpu: Cpu, budget: number): Exit {
    this.#running = { cpu, budget };
    try {
      const exit = cpu.run(budget);
      if (exit.reason === 'yield' || exit.reason === 'wfe') this.#passed += PAUSE;
      return exit;
    } finally {
      this.#running = undefined;
      this.#passed += budget - cpu.remaining;
    }
  }

  instructionsFor(ticks: bigint): number {
    return Math.ceil(Number(ticks) / this.#ticksPerInstruction);
  }

  sleep(ticks: bigint): number {
    this.#passed += this.instructionsFor(ticks);
    return 0;
  }
}

/** The machine's own monotonic clock. */
class HostClock implements Clock {
  readonly #hz: number;

  constructor(counterHz: number) {
    this.#hz = counterHz;
  }

  now(): bigint {
    return BigInt.asUintN(64, (process.hrtime.bigint() * BigInt(this.#hz)) / BigInt(NANOSECONDS));
  }

  pass(): void {}

  run(cpu: Cpu, budget: number): Exit {
    return cpu.run(budget);
  }

  instructionsFor(ticks: bigint): number {
    return Math.ceil(((Number(ticks) / this.#hz) * NANOSECONDS) / NANOSECONDS_PER_INSTRUCTION);
  }

  sleep(ticks: bigint): number {
    return Math.ceil((Number(ticks) / this.#hz) * 1000);
  }
}
