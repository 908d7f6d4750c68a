/** Why `Cpu.run` came back. */

/** The access of a guest to an address without RAM, with a syndrome that describes it in full. */
export interface MmioExit {
  readonly reason: 'mmio';
  readonly address: number;
  readonly size: 1 | 2 | 4 | 8;
  /** What is written; undefined for a read, whose value `Cpu.completeMmio` takes. */
  readonly data: bigint | undefined;
}

export type Exit =
  | { readonly reason: 'budget' }
  /** The CPU waits: for an interrupt, or (`wfe`) for an event as well. */
  | { readonly reason: 'wfi' | 'wfe' | 'yield' }
  /** A call with its 16-bit immediate. The PC is past it. */
  | { readonly reason: 'hvc' | 'smc'; readonly immediate: number }
  | MmioExit
  /**
   * An access to an address without RAM that no syndrome describes: of several registers, with write-back, to fetch an
   * instruction. The PC is at it.
   */
  | {
      readonly reason: 'no-syndrome';
      readonly address: number;
      readonly virtualAddress: bigint;
      readonly kind: 'read' | 'write' | 'execute';
    }
  /** A debug exception that is not the guest's (`Debug.toHost`): its syndrome, as from a lower level. The PC is at its instruction. */
  | { readonly reason: 'debug'; readonly esr: bigint; readonly far: bigint | undefined };

/** Thrown to leave the interpreter. */
export class Leave {
  readonly exit: Exit;

  constructor(exit: Exit) {
    this.exit = exit;
  }
}
