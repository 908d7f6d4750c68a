/**
 * An exception that the kernel makes a vCPU take: the old state goes where the guest's handler finds it, and the vCPU
 * goes on at the handler (arch/arm64/kvm/hyp/exception.c).
 *
 * @packageDocumentation
 */
import { CORE_PSTATE, coreRegId, sysRegId } from '../abi/register-id.ts';
import type { VcpuState } from './state.ts';

/** Byte offsets in `struct kvm_regs`. */
const PC = coreRegId(256);
const ELR_EL1 = coreRegId(280);
const SPSR_EL1 = coreRegId(288);
const SCTLR_EL1 = sysRegId(3, 0, 1, 0, 0);
const VBAR_EL1 = sysRegId(3, 0, 12, 0, 0);

/** Bits of PSTATE that an exception leaves alone: NZCV, DIT and PAN. */
const KEPT = 0xf140_0000n;
const PAN = 1n << 22n;
const DAIF = 0x3c0n;
const SSBS = 1n << 12n;
const MODE_MASK = 0x1fn;
const EL1H = 5n;

/** SCTLR_EL1.SPAN: PAN stays as it is. SCTLR_EL1.DSSBS: what SSBS becomes. */
const SPAN = 1n << 23n;
const DSSBS = 1n << 44n;

/** Where in the table of vectors the handlers are, by the mode that the exception comes from. */
const VECTORS: Readonly<Record<number, bigint>> = { 4: 0n, 5: 0x200n };
const LOWER_AARCH64 = 0x400n;
const LOWER_AARCH32 = 0x600n;
const MODE32_BIT = 0x10n;

/** Of those, the handler of each type of exception. */
const TYPE = { sync: 0n, serror: 0x180n } as const;

/** Reads and writes a vCPU's own registers by id. */
function fileOf({ cells, configuration }: VcpuState) {
  const cell = (id: bigint) => configuration!.registers.get(id)!.cell;
  return {
    get: (id: bigint) => cells[cell(id)]!,
    set(id: bigint, value: bigint) {
      cells[cell(id)] = value;
    },
  };
}

/** To EL1, AArch64 (`enter_exception64`). */
export function enterException(vcpu: VcpuState, type: keyof typeof TYPE): void {
  const registers = fileOf(vcpu);
  const old = registers.get(CORE_PSTATE);
  const mode = old & MODE_MASK;
  const lower = (mode & MODE32_BIT) === 0n ? LOWER_AARCH64 : LOWER_AARCH32;
  const sctlr = registers.get(SCTLR_EL1);
  const vector = (VECTORS[Number(mode)] ?? lower) + TYPE[type];

  registers.set(ELR_EL1, registers.get(PC));
  registers.set(SPSR_EL1, old);
  registers.set(PC, BigInt.asUintN(64, registers.get(VBAR_EL1) + vector));
  registers.set(
    CORE_PSTATE,
    (old & KEPT) | ((sctlr & SPAN) === 0n ? PAN : 0n) | ((sctlr & DSSBS) === 0n ? 0n : SSBS) | DAIF | EL1H,
  );
}

/** SPSR_abt in `struct kvm_regs`, and the X register that is R14_abt. */
const SPSR_ABT = coreRegId(296);
const LR_ABT = coreRegId(8 * 20);

/** Bits of CPSR that an exception leaves alone: NZCV, Q, DIT, PAN, GE, A and F. */
const KEPT_32 = 0xf94f_0140n;
const MODE_ABT = 0x17n;
const CPSR = { SSBS: 1n << 23n, PAN: 1n << 22n, E: 1n << 9n, A: 1n << 8n, I: 1n << 7n, T: 1n << 5n };
const CPSR_DIT = 1n << 24n;
/** SPSR has DIT in bit 21. */
const SPSR_DIT = 1n << 21n;

/** Bits of SCTLR, and what they make of CPSR. */
const SCTLR_32 = { DSSBS: 1n << 31n, TE: 1n << 30n, EE: 1n << 25n, SPAN: 1n << 23n, V: 1n << 13n };
const HIGH_VECTORS = 0xffff_0000n;
const DATA_ABORT_VECTOR = 0x10n;
/** How far the link register is behind the instruction. */
const DATA_ABORT_RETURN = 8n;

/** A data abort to AArch32's abort mode (`prepare_fault32`, arch/arm64/kvm/aarch32.c of Linux 5.10). */
export function enterDataAbort32(vcpu: VcpuState): void {
  const registers = fileOf(vcpu);
  const old = registers.get(CORE_PSTATE);
  const sctlr = registers.get(SCTLR_EL1);
  const has = (bit: bigint) => (sctlr & bit) !== 0n;
  const base = has(SCTLR_32.V) ? HIGH_VECTORS : registers.get(VBAR_EL1);
  registers.set(SPSR_ABT, (old & ~(CPSR_DIT | SPSR_DIT)) | ((old & CPSR_DIT) === 0n ? 0n : SPSR_DIT));
  registers.set(LR_ABT, BigInt.asUintN(64, registers.get(PC) + DATA_ABORT_RETURN));
  registers.set(PC, BigInt.asUintN(32, base + DATA_ABORT_VECTOR));
  registers.set(
    CORE_PSTATE,
    (old & KEPT_32) |
      (has(SCTLR_32.DSSBS) ? CPSR.SSBS : 0n) |
      (has(SCTLR_32.SPAN) ? 0n : CPSR.PAN) |
      (has(SCTLR_32.EE) ? CPSR.E : 0n) |
      (has(SCTLR_32.TE) ? CPSR.T : 0n) |
      CPSR.A |
      CPSR.I |
      MODE_ABT,
  );
}
