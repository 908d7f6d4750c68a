/** A machine with one of the programs of this folder in its memory: what a guest prints and reports, and how it ends. */
import assert from 'node:assert/strict';
import type { Exit, MmioExit, SystemEventExit } from '#lib/abi/exits.js';
import type { Kvm } from '#lib/kvm.js';
import type { GuestMemory } from '#lib/memory.js';
import { losePatience, startWatchdog, watched } from '#lib/patience.js';
import type { Vcpu, VcpuInitOptions } from '#lib/vcpu.js';
import type { Vm } from '#lib/vm.js';
import programs from './programs.json' with { type: 'json' };

/** Where memory, the console, the word for reports, and a case's own device are: `guest.inc`. */
export const RAM = 0x4000_0000n;
const CONSOLE = 0x0900_0000n;
const REPORT = 0x0900_0008n;
export const DEVICE = 0x0900_1000n;

/** 256 KiB: pages 0 to 0x3f. */
const RAM_SIZE = 0x4_0000;

export interface MachineOptions {
  /** Default: 1. All but the first are off, and turned on by the guest. */
  readonly cpus?: number;
  /** Default: `['PSCI_0_2']`. */
  readonly features?: NonNullable<VcpuInitOptions['features']>;
  readonly logDirtyPages?: boolean;
  /** An interrupt controller, whose version X0 of the first vCPU has. */
  readonly gic?: boolean;
  /** Instead of `init()`, of the first vCPU. */
  readonly init?: (vcpu: Vcpu) => void;
  /** What the VM needs before it has vCPUs. */
  readonly prepare?: (vm: Vm) => void;
}

/** The exit must be of this kind. */
export function expectExit<R extends Exit['reason']>(exit: Exit | undefined, reason: R) {
  if (exit?.reason !== reason) assert.fail(`expected ${reason}, but it was ${describeExit(exit)}`);
  return exit as Extract<Exit, { reason: R }>;
}

/** The registers must be these. */
export function expectRegisters(vcpu: Vcpu, registers: Readonly<Record<string, bigint>>): void {
  const found = Object.keys(registers).map(name => [name, vcpu.getOneReg(name)] as const);
  assert.deepEqual(Object.fromEntries(found), registers);
}

/** What the end of a machine leaves in its vCPU, which is stopped (`kvm_prepare_system_event`, psci.c). */
export const ENDED = { X0: 2n ** 64n - 6n, X1: 0n, X2: 0n, X3: 0n };

function describeExit(exit: Exit | undefined): string {
  return JSON.stringify(exit, (_, value) => (typeof value === 'bigint' ? `0x${value.toString(16)}` : value));
}

export class Machine {
  vm: Vm;
  ram: GuestMemory;
  vcpus: readonly Vcpu[];
  /** What the guest has printed. */
  text = '';
  /** What it has reported. */
  readonly reports: bigint[] = [];
  /** How often {@link runOn} lost its patience. */
  kicks = 0;

  constructor(kvm: Kvm, program: keyof typeof programs, options: MachineOptions = {}) {
    const { cpus = 1, features = ['PSCI_0_2'], logDirtyPages = false, gic = false, init, prepare } = options;
    if (kvm.backend === 'native') startWatchdog();
    this.vm = kvm.createVm();
    prepare?.(this.vm);
    const words = programs[program].flatMap(line => line.split(' ').map(word => Number.parseInt(word, 16)));
    this.ram = this.vm.addMemory({ guestPhysAddr: RAM, size: RAM_SIZE, logDirtyPages });
    this.ram.bytes.set(new Uint8Array(Uint32Array.from(words).buffer));
    this.vcpus = Array.from({ length: cpus }, (_, id) => {
      const vcpu = this.vm.createVcpu(id);
      if (init !== undefined && id === 0) init(vcpu);
      else vcpu.init({ features: id === 0 ? features : [...features, 'POWER_OFF'] });
      return vcpu;
    });
    this.vcpu.setOneReg('PC', RAM);
    if (gic) {
      const { version } = this.vm.createGic();
      this.vm.gic!.init();
      this.vcpu.setOneReg('X0', BigInt(version));
    }
  }

  /** The guest goes on in another VM, to which it was restored. */
  moveTo(vm: Vm): void {
    this.vm = vm;
    this.ram = vm.memory[0]!;
    this.vcpus = vm.vcpus;
  }

  /** The first vCPU. */
  get vcpu(): Vcpu {
    return this.vcpus[0]!;
  }

  /** Memory as little-endian words and bytes, from {@link RAM} on. */
  get view(): DataView {
    const { buffer, byteOffset, length } = this.ram.bytes;
    return new DataView(buffer, byteOffset, length);
  }

  /** Runs the first vCPU until it leaves its guest for anything but to print or report. */
  run(): Exit {
    let exit = this.#enter();
    while (this.#takes(exit)) exit = this.#enter();
    return exit;
  }

  /**
   * Of a kernel's guest that waits for its timer QEMU loses the interrupt now and then, for good: CNTV_CTL and CNTV_CVAL say
   * that it is due, LEVEL_INFO that its line is low. Seen on 6.1 in one of some 500 VMs, and on 6.18 once the machine below
   * had stood still for seconds; the guest has it when it is entered again.
   */
  #enter(): Exit {
    for (;;) {
      const { result: exit, isCut } = watched(() => this.vcpu.runSync());
      if (exit.reason !== 'INTR' || !isCut) return exit;
    }
  }

  /** As {@link run}, on a thread of its own, with a kick for a guest that has not left after so many milliseconds. */
  async runOn(patience: number | undefined): Promise<Exit> {
    const next = async () => {
      const stop =
        patience === undefined
          ? undefined
          : losePatience(patience, () => {
              this.kicks++;
              this.vcpu.kick();
            });
      return this.vcpu.run().finally(stop);
    };
    let exit = await next();
    while (this.#takes(exit)) exit = await next();
    return exit;
  }

  /** Runs it until the guest reports, as it must; returns what it reports. */
  nextReport(): bigint {
    const before = this.reports.length;
    while (this.reports.length === before) {
      const exit = this.#enter();
      // A kick that came after an exit ends the next run.
      if (exit.reason !== 'INTR' && !this.#takes(exit))
        assert.fail(`expected a report, but it was ${describeExit(exit)}`);
    }
    return this.reports.at(-1)!;
  }

  /** Runs it until the guest turns the machine off, as it must. */
  runToOff(): void {
    expectShutdown(this.run());
  }

  /** Runs all vCPUs at once until the guest turns the machine off, as it must. */
  async runAllToOff(): Promise<void> {
    const ends = await Promise.all(this.vcpus.map(vcpu => this.#runBeside(vcpu)));
    const [end, ...more] = ends.filter(exit => exit.reason !== 'INTR');
    assert.deepEqual(more, []);
    expectShutdown(end);
  }

  /** Runs a vCPU until it is kicked, or leaves its guest for good: then it kicks the others. */
  async #runBeside(vcpu: Vcpu): Promise<Exit> {
    let exit = await vcpu.run();
    while (this.#takes(exit)) exit = await vcpu.run();
    if (exit.reason !== 'INTR') for (const other of this.vcpus) if (other !== vcpu) other.kick();
    return exit;
  }

  /** Whether it was for the console or the reports. */
  #takes(exit: Exit): exit is MmioExit {
    if (exit.reason !== 'MMIO' || !exit.isWrite) return false;
    const { physAddr, data } = exit;
    if (physAddr === CONSOLE && data.length === 1) this.text += String.fromCharCode(data[0]!);
    else if (physAddr === REPORT && data.length === 8) this.reports.push(Buffer.from(data).readBigUInt64LE());
    else return false;
    return true;
  }
}

function expectShutdown(exit: Exit | undefined): asserts exit is SystemEventExit {
  assert.equal(expectExit(exit, 'SYSTEM_EVENT').type, 'SHUTDOWN');
}
