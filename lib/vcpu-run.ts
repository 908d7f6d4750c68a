/**
 * How a vCPU runs its guest, is taken out of it, and tells why it came out (`KVM_RUN`).
 *
 * @packageDocumentation
 */
import { checkOptions, invalidType } from './abi/argument.ts';
import { type Exit, ExitDecoder, KVM_EXIT, KVM_RUN_SIZE } from './abi/exits.ts';
import type { Result, VcpuHandle } from './backend.ts';
import { closedError, runningError } from './errors.ts';
import { VcpuAttributes } from './vcpu-attributes.ts';

/** Options of `vcpu.run()`. */
export interface RunOptions {
  /** Ends the run when it is aborted: it then rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

const EINTR = -4;
/** EFAULT and EHWPOISON. */
const FAULTS = [-14, -133];

/** A vCPU's descriptor with what it takes to run. */
export abstract class RunnableVcpu extends VcpuAttributes {
  /** Of `struct kvm_run`: what the last run left, and the answer for the next. */
  readonly #area = new Uint8Array(KVM_RUN_SIZE);
  #exits: ExitDecoder | undefined;
  /** The guest waits for what the program makes of its access: the last exit was for MMIO. */
  #owesMmio = false;
  /** Rejects the run that goes on. */
  #abandon: ((reason: unknown) => void) | undefined;

  /**
   * `KVM_RUN` on the calling thread, which waits until the vCPU leaves its guest. For a guest that may take its time,
   * {@link run} leaves the event loop free.
   *
   * @returns why the vCPU came out, told apart by `reason`. `INTR` is no failure: the guest goes on with the next run
   * @throws KvmError ENOEXEC: not initialised; EPERM: SVE not finalized; others as the kernel has them; `ERR_VCPU_RUNNING`
   * @example
   * ```ts
   * for (let exit = vcpu.runSync(); exit.reason === 'MMIO'; exit = vcpu.runSync()) {
   *   if (exit.isWrite) process.stdout.write(exit.data);
   *   else exit.data[0] = 0x60; // the next run gives it to the guest
   * }
   * ```
   */
  runSync(): Exit {
    const { handle } = this;
    this.vm.gic?.checkReady();
    return this.#exit(handle.run(this.#area));
  }

  /**
   * `KVM_RUN` on a thread of the vCPU's own, while the event loop goes on. Until it settles, whatever touches the vCPU
   * throws `ERR_VCPU_RUNNING`; {@link kick} and {@link close} end it. It keeps the process alive.
   *
   * @returns as {@link runSync}
   * @throws KvmError (the promise rejects) as {@link runSync}; `ERR_CLOSED` where it was closed meanwhile; the signal's
   * reason where it was aborted. An exit that came first is not lost: then that is the result
   * @example
   * ```ts
   * const exit = await vcpu.run({ signal: AbortSignal.timeout(1000) });
   * ```
   */
  async run(options: RunOptions = {}): Promise<Exit> {
    const { handle } = this;
    checkOptions('options', options, ['signal']);
    const { signal } = options;
    if (signal !== undefined && !(signal instanceof AbortSignal))
      throw invalidType('signal', 'an AbortSignal', signal);
    signal?.throwIfAborted();
    this.vm.gic?.checkReady();
    const kick = () => {
      if (!this.closed) this.kick();
    };
    signal?.addEventListener('abort', kick);
    try {
      const result = await new Promise<Result>((resolve, reject) => {
        this.check('KVM_RUN', handle.start(this.#area, resolve));
        this.#abandon = reject;
      });
      if (result === EINTR) signal?.throwIfAborted();
      return this.#exit(result);
    } finally {
      this.#abandon = undefined;
      signal?.removeEventListener('abort', kick);
    }
  }

  /** Whether a {@link run} goes on. */
  get running(): boolean {
    return this.#abandon !== undefined;
  }

  /** Takes the vCPU out of its guest: the run that goes on, or else the next one, ends with the reason `INTR`. */
  kick(): void {
    this.check('KVM_RUN', super.handle.kick());
  }

  /**
   * Completes the last exit, where that was for MMIO, without running the guest: what it read is then in its register, and
   * it stands behind the access. Otherwise the next run does so, and until then a part of the vCPU's state is in no
   * register. After any other exit this does nothing.
   *
   * @throws KvmError `ERR_VCPU_RUNNING`
   * @example
   * ```ts
   * const exit = vcpu.runSync();
   * if (exit.reason === 'MMIO' && !exit.isWrite) exit.data[0] = 0x60;
   * vcpu.completeMmio();
   * ```
   */
  completeMmio(): void {
    const { handle } = this;
    if (!this.#owesMmio) return;
    this.kick();
    this.#exit(handle.run(this.#area));
  }

  /** Ends a run that goes on, too; it rejects with `ERR_CLOSED`. */
  override close(): void {
    super.close();
    this.#abandon?.(closedError('Vcpu'));
  }

  protected override get handle(): VcpuHandle {
    const handle = super.handle;
    if (this.running) throw runningError();
    return handle;
  }

  #exit(result: Result): Exit {
    this.#owesMmio = false;
    if (result === EINTR) return { reason: 'INTR' };
    this.#exits ??= new ExitDecoder(this.#area);
    // The one exit with which KVM_RUN fails (api.rst 5). Errors before the guest was entered leave the last reason.
    const isFault = FAULTS.includes(result) && this.#exits.reason === KVM_EXIT.KVM_EXIT_MEMORY_FAULT;
    if (!isFault) this.check('KVM_RUN', result);
    const exit = this.#exits.decode();
    this.#owesMmio = exit.reason === 'MMIO';
    return exit;
  }
}
