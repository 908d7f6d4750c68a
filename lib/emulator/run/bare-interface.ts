/**
 * What a vCPU without an interrupt controller finds of a GICv3's system registers. Linux 5.10 and 6.1 leave it the virtual
 * CPU interface of the hardware, of which nothing comes; from 6.12 on all but ICC_SRE_EL1 is taken away.
 *
 * @packageDocumentation
 */
import { encodingOf, type Refusal } from '../cpu/system-registers.ts';
import type { VcpuState } from '../state.ts';

/** What it reads at first, if it can be read, and the bits that a write changes, if it can be written. */
interface Register {
  readonly value?: bigint;
  readonly stored?: bigint;
}

const icc = (crm: number, op2: number) => encodingOf(3, 0, 12, crm, op2);
const SPURIOUS = { value: 0x3ffn };
const IGNORED = { stored: 0n };

const SRE: readonly (readonly [number, Register])[] = [[icc(12, 5), { value: 7n, stored: 0n }]];

/** With 5 bits of priority, 16 of interrupts, and binary points that stay. */
const INTERFACE: readonly (readonly [number, Register])[] = [
  ...SRE,
  [encodingOf(3, 0, 4, 6, 0), { value: 0n, stored: 0xf8n }], // ICC_PMR_EL1
  [icc(8, 0), SPURIOUS], // ICC_IAR0_EL1
  [icc(12, 0), SPURIOUS],
  [icc(8, 1), IGNORED], // ICC_EOIR0_EL1
  [icc(12, 1), IGNORED],
  [icc(8, 2), SPURIOUS], // ICC_HPPIR0_EL1
  [icc(12, 2), SPURIOUS],
  [icc(8, 3), { value: 2n, stored: 0n }], // ICC_BPR0_EL1
  [icc(12, 3), { value: 3n, stored: 0n }],
  [icc(8, 4), { value: 0n, stored: 0xffff_ffffn }], // ICC_AP0R0_EL1
  [icc(9, 0), { value: 0n, stored: 0xffff_ffffn }],
  [icc(11, 1), IGNORED], // ICC_DIR_EL1
  [icc(11, 3), { value: 0xffn }], // ICC_RPR_EL1
  [icc(12, 4), { value: 0x8c00n, stored: 3n }], // ICC_CTLR_EL1
  [icc(12, 6), { value: 0n, stored: 1n }], // ICC_IGRPEN0_EL1
  [icc(12, 7), { value: 0n, stored: 1n }],
];

const SGIS = [5, 6, 7].map(op2 => [icc(11, op2), IGNORED] as const);

const REGISTERS = {
  none: new Map<number, Register>(),
  sre: new Map<number, Register>(SRE),
  interface: new Map<number, Register>(INTERFACE),
  'interface and SGIs': new Map<number, Register>([...INTERFACE, ...SGIS]),
} as const;

/** The registers that the hardware has for one vCPU; undefined answers: there is no such register. */
export class BareInterface {
  readonly #registers: ReadonlyMap<number, Register>;
  readonly #values = new Map<number, bigint>();

  constructor({ vm }: VcpuState) {
    this.#registers = REGISTERS[vm.host.profile.behaviours.iccWithoutGic];
  }

  has(encoding: number): boolean {
    return this.#registers.has(encoding);
  }

  read(encoding: number): bigint | Refusal {
    return this.#values.get(encoding) ?? this.#registers.get(encoding)?.value ?? 'undefined';
  }

  write(encoding: number, value: bigint): Refusal | undefined {
    const { value: initial, stored } = this.#registers.get(encoding)!;
    if (stored === undefined) return 'undefined';
    if (initial !== undefined) this.#values.set(encoding, (initial & ~stored) | (value & stored));
    return undefined;
  }
}
