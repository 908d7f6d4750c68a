/**
 * A virtual CPU: its features, its registers, and the PSCI version that its guest finds.
 *
 * @packageDocumentation
 */
import { checkOptions, checkUnsigned, invalidType } from './abi/argument.ts';
import { type MpState, mpStateName, mpStateNumber } from './abi/mp-state.ts';
import { formatPsciVersion, type PsciVersion, parsePsciVersion } from './abi/psci.ts';
import { psciVersionId } from './abi/register-id.ts';
import { formatRegister } from './abi/register-names.ts';
import {
  decodeVcpuEvents,
  encodeVcpuEvents,
  encodeVcpuInit,
  STRUCT_SIZE,
  type VcpuEvents,
  type VcpuInit,
} from './abi/structs.ts';
import { featureBit, featureMask, VCPU_FEATURE_CAPABILITY, type VcpuFeature } from './abi/vcpu-features.ts';
import type { VcpuHandle } from './backend.ts';
import { ioctlError, type KvmError } from './errors.ts';
import { type GuestDebugOptions, guestDebug } from './guest-debug.ts';
import { hintFor } from './hints.ts';
import {
  checkRegisterValue,
  type Register,
  RegisterBatch,
  toRegisterId,
  toRegisterIds,
} from './register-batch.ts';
import { RunnableVcpu } from './vcpu-run.ts';
import type { Vm } from './vm.ts';

/** Options of {@link Vcpu.init}. */
export interface VcpuInitOptions {
  /** `KVM_ARM_TARGET_*`. Default: the VM's preferred target. */
  target?: number | undefined;
  /** Names, with or without `KVM_ARM_VCPU_`, or bit numbers. Default: `['PSCI_0_2']`. */
  features?: readonly (VcpuFeature | number)[] | undefined;
}

/** What `setVcpuEvents()` takes for a member that is not given. */
const NO_EVENTS: VcpuEvents = {
  serrorPending: false,
  serrorHasEsr: false,
  extDabtPending: false,
  serrorEsr: 0n,
};

/** What a vCPU without the feature PSCI_0_2 reads (`kvm_psci_version`, include/kvm/arm_psci.h). */
const KVM_ARM_PSCI_0_1 = 1n;

/** A vCPU of a VM, made by {@link Vm.createVcpu}. */
export class Vcpu extends RunnableVcpu {
  readonly vm: Vm;
  /** The id that it was created with. */
  readonly id: number;
  #initializedWith: VcpuInit | undefined;

  /** @internal Use {@link Vm.createVcpu}. */
  constructor(handle: VcpuHandle, vm: Vm, id: number) {
    super('Vcpu', 'vcpu', handle, vm);
    this.vm = vm;
    this.id = id;
  }

  /**
   * `KVM_ARM_VCPU_INIT`: sets features and resets the vCPU. May be called again, with the same features, to reset it.
   *
   * @throws KvmError EINVAL: the host lacks a feature or the target, features that exclude each other, or others than
   * those of the VM's first vCPU or of an earlier init; ENOENT: a feature bit that this kernel does not know
   * @example
   * ```ts
   * vcpu.init(); // the preferred target, with PSCI 0.2 or later
   * ```
   */
  init(options: VcpuInitOptions = {}): void {
    const { handle } = this;
    checkOptions('options', options, ['target', 'features']);
    const { target = this.vm.preferredTarget().target, features = ['PSCI_0_2' as const] } = options;
    checkUnsigned('target', target, 0xffff_ffff);
    if (!Array.isArray(features))
      throw invalidType('features', 'an array of feature names or bit numbers', features);
    const bits = featureMask(features as readonly (VcpuFeature | number)[], this.vm.kvm.architecture);
    const result = handle.armVcpuInit(encodeVcpuInit(target, bits));
    if (result < 0) {
      const hint = hintFor('KVM_ARM_VCPU_INIT', result, { lacking: this.#lacking(bits) });
      throw ioctlError('KVM_ARM_VCPU_INIT', result, { hint });
    }
    this.#initializedWith = { target, featureBits: bits };
  }

  /** Target and features of the last {@link init}, as the kernel does not tell them; undefined before. Kept after close. */
  get initializedWith(): VcpuInit | undefined {
    return this.#initializedWith;
  }

  /**
   * `KVM_ARM_VCPU_FINALIZE`: settles a feature that needs it (`'SVE'`), before registers are listed or the vCPU runs.
   *
   * @throws KvmError ENOEXEC: not initialised; EINVAL: not a feature to finalize, or not of this vCPU; EPERM: done already
   */
  finalize(feature: VcpuFeature | number): void {
    this.check('KVM_ARM_VCPU_FINALIZE', this.handle.armVcpuFinalize(featureBit(feature)));
  }

  /**
   * `KVM_GET_REG_LIST`: the ids of all registers that the kernel lists for this vCPU, in its order.
   *
   * @throws KvmError ENOEXEC: not initialised; EPERM: a feature is not finalized
   */
  getRegList(): BigUint64Array {
    const list = this.handle.getRegList();
    if (typeof list === 'number') throw this.#error('KVM_GET_REG_LIST', list);
    return list;
  }

  /**
   * `KVM_GET_ONE_REG`.
   *
   * @param register - id, or name as {@link formatRegister} gives it
   * @returns its value, unsigned, of the width that the id encodes (32 to 2048 bits)
   * @throws KvmError with `register`: ENOENT: this vCPU has no such register; EINVAL: malformed id, or a core register
   * of another width; ENOEXEC: not initialised; EPERM: SVE not finalized
   * @example
   * ```ts
   * vcpu.getOneReg('SCTLR_EL1'); // 0xc50078n
   * ```
   */
  getOneReg(register: Register): bigint {
    const id = toRegisterId(register);
    const value = this.handle.getOneReg(id);
    if (typeof value === 'number') throw this.#error('KVM_GET_ONE_REG', value, id);
    return value;
  }

  /**
   * `KVM_SET_ONE_REG`.
   *
   * @throws KvmError with `register`, as {@link getOneReg}, and EINVAL: a value that the host does not let the
   * register have; EBUSY: too late, a vCPU has run
   */
  setOneReg(register: Register, value: bigint): void {
    const id = toRegisterId(register);
    checkRegisterValue(id, value);
    const result = this.handle.setOneReg(id, value);
    if (result < 0) throw this.#error('KVM_SET_ONE_REG', result, id);
  }

  /**
   * Reads many registers in one call below the language boundary. A register that cannot be read fails alone: see
   * {@link RegisterBatch.status}.
   *
   * @param registers - default: all that the kernel lists
   */
  getRegs(registers: Iterable<Register> = this.getRegList()): RegisterBatch {
    const { handle } = this;
    const batch = new RegisterBatch(toRegisterIds(registers), 'KVM_GET_ONE_REG');
    this.check('KVM_GET_ONE_REG', handle.getRegs(batch.ids, batch.words, batch.status));
    return batch;
  }

  /**
   * Writes many registers in one call, in the order given, going on after one that fails.
   *
   * @param registers - pairs of register and value, or a batch from {@link getRegs}; what a batch could not read is
   * left out
   * @returns the registers that were written, with the status of their writing
   */
  setRegs(registers: RegisterBatch | Iterable<readonly [Register, bigint]>): RegisterBatch {
    const { handle } = this;
    const given = registers instanceof RegisterBatch ? registers : RegisterBatch.from(registers);
    const batch = given.failed > 0 ? RegisterBatch.from(given) : given;
    const status = new Int32Array(batch.length);
    this.check('KVM_SET_ONE_REG', handle.setRegs(batch.ids, batch.words, status));
    return new RegisterBatch(batch.ids, 'KVM_SET_ONE_REG', batch.words, status);
  }

  /**
   * The PSCI version that this vCPU's guest finds (`KVM_REG_ARM_PSCI_VERSION`): what was set, else the newest that the
   * host knows; `'0.1'` on a vCPU without the feature `PSCI_0_2`.
   *
   * @throws KvmError ENOEXEC: not initialised; ENOENT: a kernel before 4.17, which has no such register
   */
  get psciVersion(): PsciVersion {
    return formatPsciVersion(this.getOneReg(this.#psciRegister));
  }

  /**
   * Selects the PSCI version that the guest finds.
   *
   * It holds for the **whole VM**: every vCPU that has the feature `PSCI_0_2` reads and answers it from now on. The
   * kernel takes it at any time, after the guest has run, too; set it before the first run, or the guest sees its
   * firmware change. `init()` does not undo it.
   *
   * @param version - `'1.0'`; any `major.minor` is passed on, those that a later kernel brings as well
   * @throws TypeError for what is no version; KvmError EINVAL with the host's versions in `hint` for one that the host
   * does not accept on this vCPU; ENOEXEC: not initialised
   * @example
   * ```ts
   * vcpu.setPsciVersion('1.0');
   * vcpu.psciVersion; // '1.0'
   * ```
   */
  setPsciVersion(version: PsciVersion): void {
    this.setOneReg(this.#psciRegister, parsePsciVersion(version));
  }

  /**
   * `KVM_SET_GUEST_DEBUG`: the guest comes out with the reason `DEBUG` after each instruction, or at breakpoints and
   * watchpoints, which stand in for its own. What it does by itself with debug registers goes on being kept for it.
   *
   * @param options - what to watch; undefined: nothing any more
   * @throws KvmError EINVAL: not on this host; RangeError: more points than the host has
   * @example
   * ```ts
   * vcpu.setGuestDebug({ breakpoints: [0x4000_0010n] });
   * vcpu.runSync().reason; // 'DEBUG'
   * ```
   */
  setGuestDebug(options?: GuestDebugOptions): void {
    const { handle } = this;
    this.check(
      'KVM_SET_GUEST_DEBUG',
      handle.setGuestDebug(guestDebug(options, cap => this.vm.checkExtension(cap))),
    );
  }

  /** `KVM_GET_MP_STATE`: whether the vCPU would run. A state without a name is given as its number. */
  getMpState(): MpState | number {
    return mpStateName(this.check('KVM_GET_MP_STATE', this.handle.getMpState()));
  }

  /**
   * `KVM_SET_MP_STATE`.
   *
   * @throws KvmError EINVAL: not a state of arm64
   */
  setMpState(state: MpState | number): void {
    const { handle } = this;
    this.check('KVM_SET_MP_STATE', handle.setMpState(mpStateNumber(state)));
  }

  /** `KVM_GET_VCPU_EVENTS`: a pending SError. */
  getVcpuEvents(): VcpuEvents {
    const events = new Uint8Array(STRUCT_SIZE.kvm_vcpu_events);
    this.check('KVM_GET_VCPU_EVENTS', this.handle.getVcpuEvents(events));
    return decodeVcpuEvents(events);
  }

  /**
   * `KVM_SET_VCPU_EVENTS`: makes an SError or an external data abort pending.
   *
   * @throws KvmError EINVAL: a syndrome that the host cannot inject
   */
  setVcpuEvents(events: Partial<VcpuEvents>): void {
    const { handle } = this;
    checkOptions('events', events, ['serrorPending', 'serrorHasEsr', 'extDabtPending', 'serrorEsr']);
    this.check('KVM_SET_VCPU_EVENTS', handle.setVcpuEvents(encodeVcpuEvents({ ...NO_EVENTS, ...events })));
  }

  #error(request: string, errno: number, id?: bigint): KvmError {
    const hint = hintFor(request, errno, {
      architecture: this.vm.kvm.architecture,
      register: id,
      psci:
        id === this.#psciRegister
          ? { hasFeature: () => this.#hasPsci(), accepted: () => this.#acceptedPsciVersions() }
          : undefined,
    });
    return ioctlError(request, errno, {
      hint,
      register: id === undefined ? undefined : { id, name: formatRegister(id) },
    });
  }

  /** The features among these that the host has no capability for, and does not take by themselves for something else. */
  #lacking(features: bigint): string[] {
    if (this.vm.kvm.architecture !== 'arm64') return []; // there features have no capabilities
    return Object.entries(VCPU_FEATURE_CAPABILITY)
      .map(([name, cap]) => ({ name, cap, bit: featureMask([name as VcpuFeature]) }))
      .filter(({ bit }) => (features & bit) !== 0n)
      .filter(({ cap }) => cap !== undefined && this.vm.checkExtension(cap) === 0)
      .filter(({ bit }) => !this.#isTakenElsewhere(bit))
      .map(({ name }) => name);
  }

  /** Whether a vCPU of another VM can be initialised with these features. For an error message only, as below. */
  #isTakenElsewhere(features: bigint): boolean {
    const { target } = this.vm.preferredTarget();
    try {
      const vm = this.vm.kvm.createVm();
      try {
        return vm.createVcpu(0).handle.armVcpuInit(encodeVcpuInit(target, features)) === 0;
      } finally {
        vm.close();
      }
    } catch {
      return false;
    }
  }

  /** Asked of the kernel: an init by `ioctl()` sets features, too. */
  #hasPsci(): boolean {
    const version = this.handle.getOneReg(this.#psciRegister);
    return typeof version === 'bigint' && version !== KVM_ARM_PSCI_0_1;
  }

  get #psciRegister(): bigint {
    return psciVersionId(this.vm.kvm.architecture);
  }

  /** For an error message only: whatever goes wrong here must not hide the error that is being explained. */
  #acceptedPsciVersions(): string | undefined {
    try {
      return this.vm.kvm.supportedPsciVersions().join(', ');
    } catch {
      return undefined;
    }
  }
}
