/** What the CPUs of a virtual machine share. */
import { CodeCache } from './code.ts';
import type { Cpu } from './cpu.ts';
import type { PhysicalMemory } from './memory.ts';

export interface MachineOptions {
  readonly memory: PhysicalMemory;
  /**
   * Whether the CPUs have an optional feature, by the names of `features.ts`. What they lack is UNDEFINED.
   */
  readonly hasFeature: (feature: string) => boolean;
  /** ID_AA64MMFR0_EL1.PARange in bits. */
  readonly physicalBits?: number;
  /** What stage 2 translates: an address beyond it is an address size fault. */
  readonly ipaBits?: number;
  /** The surroundings answer a read that left with its bytes alone: its sign is lost. */
  readonly cutsSignedReads?: boolean;
  /** Bits of RNDR and RNDRRS (FEAT_RNG). Default: the same in each run. */
  readonly random?: () => bigint;
  /** Told of an instruction that the CPU has (by its features) and this interpreter lacks, before it is UNDEFINED. */
  readonly onGap?: (mnemonic: string, feature: string, word: number) => void;
}

/** Numbers without a pattern (splitmix64), the same ones each time. */
function sameNumbers(): () => bigint {
  let state = 0n;
  return () => {
    state = BigInt.asUintN(64, state + 0x9e37_79b9_7f4a_7c15n);
    const mixed = BigInt.asUintN(64, (state ^ (state >> 30n)) * 0xbf58_476d_1ce4_e5b9n);
    return mixed ^ (mixed >> 32n);
  };
}

export class Machine {
  readonly memory: PhysicalMemory;
  readonly code: CodeCache;
  readonly cpus: Cpu[] = [];
  readonly hasFeature: (feature: string) => boolean;
  readonly physicalBits: number;
  readonly ipaBits: number;
  readonly cutsSignedReads: boolean;
  readonly random: NonNullable<MachineOptions['random']>;
  readonly onGap: NonNullable<MachineOptions['onGap']>;

  constructor({
    memory,
    hasFeature,
    physicalBits = 48,
    ipaBits = 40,
    cutsSignedReads = false,
    random = sameNumbers(),
    onGap = () => {},
  }: MachineOptions) {
    this.memory = memory;
    this.random = random;
    // Stores to what has become code must be seen.
    this.code = new CodeCache(memory, hasFeature, () => this.forgetWritable());
    this.hasFeature = hasFeature;
    this.physicalBits = physicalBits;
    this.ipaBits = ipaBits;
    this.cutsSignedReads = cutsSignedReads;
    this.onGap = onGap;
  }

  /** A log of dirty pages begins anew: `PhysicalMemory` is asked again before a page is written. */
  forgetWritable(): void {
    for (const cpu of this.cpus) cpu.forgetWritable();
  }

  /** The memory map has changed: nothing that was looked up is good any more. */
  forgetMemory(): void {
    this.code.clear();
    for (const cpu of this.cpus) cpu.flushTlb();
  }

  /** The host may have written to any guest memory: code is compared before it runs again. */
  suspectMemory(): void {
    this.code.epoch++;
  }

  /** The host has written to guest memory, by physical address. */
  written(address: number, bytes: number): void {
    this.code.written(address, bytes);
  }
}
