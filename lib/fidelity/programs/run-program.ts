/**
 * Runs programs on a vCPU of any backend, and writes down what becomes of each: its exits, and every register and byte
 * that it leaves otherwise than it found it.
 *
 * @packageDocumentation
 */
import { ERRNO, errnoName } from '../../abi/errno.ts';
import { KVM_EXIT, KVM_RUN_SIZE } from '../../abi/exits.ts';
import { wordOffsets } from '../../abi/register-id.ts';
import { formatRegister, parseRegister } from '../../abi/register-names.ts';
import { decodeVcpuInit, encodeVcpuInit, STRUCT_SIZE } from '../../abi/structs.ts';
import { featureMask } from '../../abi/vcpu-features.ts';
import type { KvmHandle, VcpuHandle, VmHandle } from '../../backend.ts';
import { allocate } from '../../memory.ts';
import {
  DEFAULTS,
  END,
  MAX_WORDS,
  pristine,
  RAM,
  RAM_SIZE,
  PSTATE as RESET_PSTATE,
  START,
  VECTOR_EXITS,
  VECTORS_SIZE,
} from './ground.ts';
import {
  comparedPart,
  comparedValue,
  ENDLESS,
  type ExceptionExit,
  isCompared,
  wordAt,
} from './not-compared.ts';
import type { Program } from './program.ts';
import { ramByte } from './values.ts';

/** After so many exits a program is left alone. */
const MAX_EXITS = 12;

type Five = [bigint, bigint, bigint, bigint, bigint];

const [PC, PSTATE, SPSR, ESR] = ['PC', 'PSTATE', 'SPSR_EL1', 'ESR_EL1'].map(parseRegister) as Five;
const EXCEPTION_REGISTERS = [ESR, ...['ELR_EL1', 'SPSR_EL1', 'FAR_EL1', 'PSTATE'].map(parseRegister)];
const [TIMER_CTL, TIMER_CVAL, TIMER_CNT] = ['CTL', 'CVAL', 'CNT'].map(part =>
  parseRegister(`KVM_REG_ARM_TIMER_${part}`),
) as Five;

/** PSTATE.IL: what KVM_RUN would be refused no entry for, but the guest the next instruction. */
const ILLEGAL = 1n << 20n;
const EC_SVC = 0x15n;

/** What became of a program. */
export interface Outcome {
  /** In words, but for exceptions. */
  readonly exits: readonly (string | ExceptionExit)[];
  /** `X3=1f`, `memory+120=ff00`: what is not as it was before. */
  readonly changes: readonly string[];
}

/** The outcome as a line, exit by exit, and then the changes. */
export function formatOutcome({ exits, changes }: Outcome): string {
  return [...exits.map(formatExit), changes.join(' ')].join('; ');
}

const formatExit = (exit: string | ExceptionExit): string =>
  typeof exit === 'string'
    ? exit
    : Object.entries(exit)
        .map(([name, value]) => `${name}=${value.toString(16)}`)
        .join(' ');

function must<T>(result: T | number, what: string): T {
  if (typeof result === 'number' && result < 0) throw new Error(`${what}: ${errnoName(-result)}`);
  return result as T;
}

/** A VM of one vCPU, for one program after the other. */
export class Ground {
  readonly #vm: VmHandle;
  readonly #vcpu: VcpuHandle;
  readonly #ram = allocate(RAM_SIZE);
  readonly #pristine = pristine();
  readonly #run = new Uint8Array(KVM_RUN_SIZE);
  readonly #view = new DataView(this.#run.buffer);
  readonly #watchdog: bigint;

  readonly #ids: BigUint64Array;
  readonly #starts: Uint32Array;
  /** Index by id. */
  readonly #places: ReadonlyMap<bigint, number>;
  /** What the registers have between programs, what they have now, and what the next program wants. */
  readonly #base: BigUint64Array;
  readonly #now: BigUint64Array;
  readonly #wanted: BigUint64Array;
  readonly #status: Int32Array;
  /** The last program was stopped by the timer. */
  #hasFired = false;

  /** @param watchdog - ticks of the counter, after which a program that does not end is stopped */
  constructor(kvm: KvmHandle, watchdog: bigint) {
    this.#watchdog = watchdog;
    this.#vm = must(kvm.createVm(0n), 'KVM_CREATE_VM') as VmHandle;
    must(this.#vm.setUserMemoryRegion(0, 0, BigInt(RAM), this.#ram), 'KVM_SET_USER_MEMORY_REGION');
    this.#vcpu = must(this.#vm.createVcpu(0), 'KVM_CREATE_VCPU') as VcpuHandle;
    const init = new Uint8Array(STRUCT_SIZE.kvm_vcpu_init);
    must(this.#vm.armPreferredTarget(init), 'KVM_ARM_PREFERRED_TARGET');
    const { target } = decodeVcpuInit(init);
    must(this.#vcpu.armVcpuInit(encodeVcpuInit(target, featureMask(['PSCI_0_2']))), 'KVM_ARM_VCPU_INIT');
    const ids = must(this.#vcpu.getRegList(), 'KVM_GET_REG_LIST') as BigUint64Array;
    this.#ids = ids.filter(isCompared);
    this.#starts = wordOffsets(this.#ids);
    this.#places = new Map(Array.from(this.#ids, (id, index) => [id, index]));
    const words = this.#starts[this.#ids.length]!;
    this.#now = new BigUint64Array(words);
    this.#wanted = new BigUint64Array(words);
    this.#status = new Int32Array(this.#ids.length);
    this.#ram.set(this.#pristine);
    // The first run settles what the vCPU is: a kernel then takes the interrupt controller from ID registers.
    for (const [id, value] of DEFAULTS) this.#set(id, value);
    this.#set(PC, BigInt(START));
    if (this.#continue([], [])) throw new Error('a program without instructions does not end');
    this.#read();
    this.#base = this.#now.slice();
    for (const [id, value] of DEFAULTS) this.#put(this.#base, id, value);
  }

  close(): void {
    this.#vcpu.close();
    this.#vm.close();
  }

  run({ registers, words }: Program): Outcome {
    if (words.length > MAX_WORDS) throw new Error(`a program of ${words.length} words`);
    this.#prepare(registers, words);
    const exits: (string | ExceptionExit)[] = [];
    while (exits.length < MAX_EXITS && this.#continue(exits, words));
    this.#read();
    const outcome = { exits, changes: [...this.#changedRegisters(), ...this.#changedMemory(words)] };
    this.#ram.set(this.#pristine);
    return outcome;
  }

  #get(id: bigint): bigint {
    return must(this.#vcpu.getOneReg(id), 'KVM_GET_ONE_REG') as bigint;
  }

  #set(id: bigint, value: bigint): void {
    must(this.#vcpu.setOneReg(id, value), `KVM_SET_ONE_REG of ${formatRegister(id)}`);
  }

  #read(): void {
    this.#vcpu.getRegs(this.#ids, this.#now, this.#status);
  }

  #put(values: BigUint64Array, id: bigint, value: bigint): void {
    const index = this.#places.get(id);
    if (index === undefined) throw new Error(`no register ${formatRegister(id)}`);
    for (let at = this.#starts[index]!, rest = value; at < this.#starts[index + 1]!; at++, rest >>= 64n)
      values[at] = BigInt.asUintN(64, rest);
  }

  /** Gives the vCPU what the program begins with, as far as it has not got it. */
  #prepare(registers: Program['registers'], words: readonly number[]): void {
    const code = new Uint32Array(this.#ram.buffer, this.#ram.byteOffset + START - RAM, words.length);
    code.set(words);
    this.#wanted.set(this.#base);
    for (const [id, value] of registers) this.#put(this.#wanted, id, value);
    const pc = this.#places.get(PC)!;
    const due: bigint[] = [];
    const values: bigint[] = [];
    for (const [index, id] of this.#ids.entries()) {
      const [start, end] = [this.#starts[index]!, this.#starts[index + 1]!];
      let isDue = false;
      for (let at = start; at < end; at++) isDue ||= this.#wanted[at] !== this.#now[at];
      if (!isDue || index === pc) continue;
      due.push(id);
      for (let at = start; at < end; at++) values.push(this.#wanted[at]!);
    }
    const status = new Int32Array(due.length);
    this.#vcpu.setRegs(BigUint64Array.from(due), BigUint64Array.from(values), status);
    const refused = status.findIndex(result => result < 0);
    if (refused >= 0)
      throw new Error(`KVM_SET_ONE_REG of ${formatRegister(due[refused]!)}: ${errnoName(-status[refused]!)}`);
    this.#set(PC, BigInt(START));
    this.#wanted[this.#starts[pc]!] = BigInt(START);
    this.#set(TIMER_CVAL, this.#get(TIMER_CNT) + this.#watchdog);
    this.#set(TIMER_CTL, 1n);
  }

  /** Runs to the next exit. @returns whether the program goes on */
  #continue(exits: Outcome['exits'][number][], words: readonly number[]): boolean {
    const result = this.#vcpu.run(this.#run);
    if (result === -ERRNO.EINTR) {
      // The timer's line, which the last program had raised, has fallen: that is told before anything runs.
      this.#hasFired = !this.#hasFired;
      if (this.#hasFired) exits.push(ENDLESS);
      return !this.#hasFired;
    }
    if (result < 0) {
      exits.push(`${errnoName(-result)} at ${this.#get(PC).toString(16)}`);
      return false;
    }
    const view = this.#view;
    const reason = view.getUint32(8, true);
    if (reason !== KVM_EXIT.KVM_EXIT_MMIO) {
      exits.push(`exit ${reason} ${Buffer.from(this.#run.subarray(32, 64)).toString('hex')}`);
      return false;
    }
    const address = Number(view.getBigUint64(32, true));
    if (address === END) {
      this.#completeAccess();
      return false;
    }
    if (address >= VECTOR_EXITS && address < VECTOR_EXITS + VECTORS_SIZE) {
      this.#completeAccess();
      return this.#exception(exits, address - VECTOR_EXITS, words);
    }
    const size = view.getUint32(48, true);
    const isWrite = view.getUint8(52) === 1;
    const data = this.#run.subarray(40, 40 + size);
    // Of QEMU's syndromes none says that the sign is to be extended (do_gpr_ld, target/arm/translate-a64.c).
    if (!isWrite) for (let n = 0; n < size; n++) data[n] = ramByte(address - RAM + n) & 0x7f;
    exits.push(
      `${isWrite ? 'writes' : 'reads'} ${address.toString(16)} ${Buffer.from(data).toString('hex')}`,
    );
    this.#completeAccess();
    return true;
  }

  /** Ends the access without memory that the vCPU left for, and executes nothing after it. */
  #completeAccess(): void {
    this.#vcpu.kick();
    this.#vcpu.run(this.#run);
  }

  /** Goes on after the instruction that raised it, if that is one of the program's. */
  #exception(exits: Outcome['exits'][number][], vector: number, words: readonly number[]): boolean {
    const [esr, elr, spsr, far, pstate] = EXCEPTION_REGISTERS.map(id => this.#get(id)) as Five;
    const word = wordAt(words, elr);
    const found = { vector, esr, elr, spsr, far, pstate };
    const exit = comparedPart(found, word);
    exits.push(exit);
    // So that the program cannot read what is not compared.
    if (exit.esr !== esr) this.#set(ESR, exit.esr);
    if (exit.spsr !== spsr) this.#set(SPSR, exit.spsr);
    // SVC, after which ELR_EL1 is.
    const after = esr >> 26n === EC_SVC ? elr : elr + 4n;
    if (wordAt(words, after - 4n) === undefined) {
      this.#set(PSTATE, exit.pstate);
      return false;
    }
    this.#set(PC, after);
    this.#set(PSTATE, (spsr & 0x1fn) < 6n ? spsr & ~ILLEGAL : RESET_PSTATE);
    return true;
  }

  *#changedRegisters(): Generator<string> {
    for (const [index, id] of this.#ids.entries()) {
      const [was, is] = [this.#wanted, this.#now].map(values =>
        comparedValue(id, this.#value(values, index)),
      );
      if (is !== was) yield `${formatRegister(id)}=${is!.toString(16)}`;
    }
  }

  #value(words: BigUint64Array, index: number): bigint {
    let value = 0n;
    for (let at = this.#starts[index + 1]! - 1; at >= this.#starts[index]!; at--)
      value = (value << 64n) | words[at]!;
    return value;
  }

  *#changedMemory(words: readonly number[]): Generator<string> {
    const expected = this.#pristine.slice();
    new Uint32Array(expected.buffer, START - RAM, words.length).set(words);
    const ram = Buffer.from(this.#ram.buffer, this.#ram.byteOffset, RAM_SIZE);
    for (let block = 0; block < RAM_SIZE; block += 0x1000) {
      if (ram.compare(expected, block, block + 0x1000, block, block + 0x1000) === 0) continue;
      for (let at = block; at < block + 0x1000; at++) {
        if (ram[at] === expected[at]) continue;
        const first = at;
        while (at < RAM_SIZE && ram[at] !== expected[at]) at++;
        yield `memory+${first.toString(16)}=${ram.toString('hex', first, at)}`;
      }
    }
  }
}
