/**
 * KVM_RUN of an emulated vCPU (`kvm_arch_vcpu_ioctl_run`, arch/arm64/kvm/arm.c; exits as in handle_exit.c and mmio.c).
 *
 * @packageDocumentation
 */
import { ERRNO } from '../../abi/errno.ts';
import { KVM_EXIT, KVM_SYSTEM_EVENT } from '../../abi/exits.ts';
import { KVM_MP_STATE } from '../../abi/mp-state.ts';
import { CORE_PSTATE } from '../../abi/register-id.ts';
import { KVM_ARM_VCPU } from '../../abi/vcpu-features.ts';
import type { Result } from '../../backend.ts';
import { guestCall } from '../calls/guest-call.ts';
import { Cpu } from '../cpu/cpu.ts';
import { classOf, EC } from '../cpu/exceptions.ts';
import type { MmioExit } from '../cpu/exits.ts';
import { enterException } from '../exceptions.ts';
import { applyPendingReset } from '../init.ts';
import { notEmulated } from '../ioctl.ts';
import { hasFeature } from '../registers/register-access.ts';
import type { Runner, VcpuState } from '../state.ts';
import { ExitArea } from './exit-area.ts';
import { firstRun } from './first-run.ts';
import { enterWithGic, findFrame, leaveWithGic, loadGic } from './guest-gic.ts';
import { GuestRegisters } from './guest-registers.ts';
import { machineOf } from './machine.ts';
import { loadRegisters, storeRegisters } from './registers.ts';
import type { Runnable, Scheduler } from './scheduler.ts';

const { KVM_MP_STATE_STOPPED, KVM_MP_STATE_SUSPENDED } = KVM_MP_STATE;

/** PSTATE.nRW and PSTATE.M[3:2] of EL2: what the emulated CPU has not. */
const PSTATE_AARCH32 = 1n << 4n;
const PSTATE_EL2 = 1n << 3n;

/** ESR_ELx.ISS of a data abort: what of it KVM_EXIT_ARM_NISV tells (`kvm_vcpu_dabt_iss_nisv_sanitized`). */
const ISS_WNR = 1n << 6n;
/** Bits of `s.regs.device_irq_level` (asm/kvm.h). */
const KVM_ARM_DEV_EL1_VTIMER = 1n;
const KVM_ARM_DEV_EL1_PTIMER = 2n;
const KVM_ARM_DEV_PMU = 4n;

/** A translation fault at level 1. */
const FSC_TRANSLATION_1 = 0x05n;

/** The CPU of a vCPU, and what is between it and its program. */
export class VcpuRunner implements Runner, Runnable {
  readonly id: number;
  readonly #vcpu: VcpuState;
  readonly #cpu: Cpu;
  readonly #registers: GuestRegisters;
  readonly #scheduler: Scheduler;
  #area = new ExitArea(new Uint8Array());
  /** The CPU has the registers; the ioctls' copies of them are old. */
  #loaded = false;
  /** For an interrupt: it has executed WFI. */
  #waits = false;
  /** PSTATE.SS of the guest, while a debugger has it. */
  #ownStep = false;

  constructor(vcpu: VcpuState) {
    const { machine, scheduler } = machineOf(vcpu);
    this.id = vcpu.id;
    this.#vcpu = vcpu;
    this.#registers = new GuestRegisters(vcpu);
    this.#cpu = new Cpu(machine, this.#registers);
    this.#scheduler = scheduler;
  }

  run(bytes: Uint8Array): Result {
    return this.#begin(bytes) ?? this.#leave(this.#scheduler.runSync(this));
  }

  start(bytes: Uint8Array, done: (result: Result) => void): Result {
    const result = this.#begin(bytes);
    if (result !== undefined) {
      setImmediate(() => done(result));
      return 0;
    }
    this.#vcpu.isRunning = true;
    this.#scheduler.start(this, outcome => {
      this.#vcpu.isRunning = false;
      done(this.#leave(outcome));
    });
    return 0;
  }

  /** What comes before the guest is entered: a result where that is all. */
  #begin(bytes: Uint8Array): Result | undefined {
    const vcpu = this.#vcpu;
    if (!this.#area.isOver(bytes)) this.#area = new ExitArea(bytes);
    checkEmulated(vcpu);
    if (!vcpu.hasRun) {
      const { virtual, physical } = this.#registers;
      const refusal = firstRun(vcpu, [virtual, physical]);
      if (refusal < 0) return refusal;
    }
    if (vcpu.gic !== undefined) loadGic(vcpu.gic);
    vcpu.vm.machine!.suspectMemory();
    // Each entry of a guest that is stepped begins with its registers.
    if (vcpu.guestDebug?.singleStep) this.settle();
    if (this.#cpu.pendingMmio !== undefined) {
      this.#load();
      this.#cpu.completeMmio(this.#area.mmioData);
      this.#stepAnew();
    }
    if (!vcpu.kicked) return undefined;
    // immediate_exit: the last reason stays.
    vcpu.kicked = false;
    return -ERRNO.EINTR;
  }

  #leave(result: Result): Result {
    const { gic } = this.#vcpu;
    if (gic !== undefined) leaveWithGic(gic);
    return result;
  }

  step(budget: number): Result | 'ran' | 'waits' {
    const result = this.#step(budget);
    // `kvm_timer_update_run`: whatever the reason, the program finds the lines as they are.
    if (typeof result === 'number' && this.#vcpu.gic === undefined) this.#linesChanged();
    return result;
  }

  #step(budget: number): Result | 'ran' | 'waits' {
    const vcpu = this.#vcpu;
    const { clock } = vcpu.vm;
    if (vcpu.kicked) {
      vcpu.kicked = false;
      this.#waits = false;
      this.#area.exit(KVM_EXIT.KVM_EXIT_INTR);
      return -ERRNO.EINTR;
    }
    if (vcpu.mpState === KVM_MP_STATE_STOPPED) return 'waits';
    if (vcpu.pendingReset !== undefined) {
      this.forget();
      applyPendingReset(vcpu);
    }
    const { pmu } = this.#registers;
    pmu.moveLine();
    if (vcpu.gic !== undefined) enterWithGic(vcpu.gic);
    else if (!this.#sleepsOn && this.#linesChanged()) {
      this.#waits = false;
      this.#area.exit(KVM_EXIT.KVM_EXIT_INTR);
      return -ERRNO.EINTR;
    }
    this.#load();
    if (this.#waits && !this.#cpu.interrupted && !this.#hasPending) return 'waits';
    this.#waits = false;
    if (vcpu.mpState === KVM_MP_STATE_SUSPENDED) return this.#suspended();
    const ticks = this.ticksToWake();
    const toTimer = ticks === undefined ? budget : Math.min(budget, clock.instructionsFor(ticks));
    const exit = clock.run(this.#cpu, pmu.limit(toTimer, this.#cpu));
    pmu.advance(this.#cpu);
    pmu.moveLine();
    switch (exit.reason) {
      case 'budget':
      case 'wfe':
      case 'yield':
        return 'ran';
      case 'wfi':
        this.#waits = true;
        this.#stepAnew();
        return 'ran';
      case 'mmio':
        return this.#mmio(exit);
      case 'no-syndrome':
        if (!vcpu.vm.nisvToUser) return -ERRNO.ENOSYS;
        this.#area.armNisv(FSC_TRANSLATION_1 | (exit.kind === 'write' ? ISS_WNR : 0n), exit.address);
        return 0;
      case 'hvc':
      case 'smc':
        return this.#call(exit.reason, exit.immediate);
      case 'debug':
        return this.#debugged(exit.esr, exit.far);
    }
  }

  /** A suspended vCPU waits as in WFI; the program says when it is to go on (`kvm_vcpu_suspend`, arm.c). */
  #suspended(): Result | 'waits' {
    if (!this.#cpu.interrupted) return 'waits';
    this.#area.exit(KVM_EXIT.KVM_EXIT_SYSTEM_EVENT, view => {
      view.setUint32(32, KVM_SYSTEM_EVENT.KVM_SYSTEM_EVENT_WAKEUP, true);
      view.setUint32(36, 0, true);
    });
    return 0;
  }

  /** The guest is entered again: to some kernels, a step that begins. */
  #stepAnew(): void {
    const { guestDebug, vm } = this.#vcpu;
    if (guestDebug?.singleStep && !vm.host.profile.behaviours.stepKept) this.#cpu.state.singleStep = true;
  }

  #call(conduit: 'hvc' | 'smc', immediate: number): Result | 'ran' {
    const cpu = this.#cpu;
    // Other vCPUs and the profile's rules read the caller's registers where the ioctls have them.
    storeRegisters(this.#vcpu, cpu);
    const outcome = guestCall(this.#vcpu, conduit, immediate, {
      get: n => cpu.x(n),
      set: (n, value) => cpu.setX(n, value),
    });
    if (outcome.kind === 'wait') this.#waits = true;
    if (outcome.kind !== 'exit') {
      this.#stepAnew();
      return 'ran';
    }
    this.#area.exit(outcome.reason, outcome.fill);
    return 0;
  }

  /** A step that has its exit is over (`kvm_handle_guest_debug`, handle_exit.c). */
  #debugged(esr: bigint, far: bigint | undefined): Result {
    const { stepKept, debugTellsHigh } = this.#vcpu.vm.host.profile.behaviours;
    this.#area.debug(esr, far, debugTellsHigh);
    if (stepKept && classOf(esr) === EC.stepLower) this.#cpu.state.singleStep = true;
    return 0;
  }

  #mmio({ address, size, data }: MmioExit): Result | 'ran' {
    const { gic, vm } = this.#vcpu;
    const frame = gic && findFrame(gic.gic, address, size);
    if (frame !== undefined) {
      this.#cpu.completeMmio(data === undefined ? frame.read(gic!) : frame.write(gic!, data));
      this.#stepAnew();
      return 'ran';
    }
    if (data !== undefined && vm.ioEventFds.takesWrite(BigInt(address), size, data)) {
      this.#cpu.completeMmio();
      this.#stepAnew();
      return 'ran';
    }
    this.#area.mmio(address, size, data);
    return 0;
  }

  /** It waits, and not for its timers (`timersEndWaits`). */
  get #sleepsOn(): boolean {
    return this.#waits && !this.#vcpu.vm.host.profile.behaviours.timersEndWaits;
  }

  /**
   * Whether the GIC has something for a vCPU that waits (`kvm_arch_vcpu_runnable`, arm.c), or a timer has fired, which its
   * interrupt need not be enabled for (`kvm_vcpu_check_block`, virt/kvm/kvm_main.c).
   */
  get #hasPending(): boolean {
    const { gic } = this.#vcpu;
    return gic?.hasPending === true || (gic !== undefined && this.#timerLines !== 0n);
  }

  /** `s.regs.device_irq_level` */
  get #lines(): bigint {
    return this.#timerLines | (this.#registers.pmu.line ? KVM_ARM_DEV_PMU : 0n);
  }

  get #timerLines(): bigint {
    const { virtual, physical } = this.#registers;
    return (virtual.fires ? KVM_ARM_DEV_EL1_VTIMER : 0n) | (physical.fires ? KVM_ARM_DEV_EL1_PTIMER : 0n);
  }

  /** Whether the program, which is the interrupt controller, is to be told (`kvm_timer_should_notify_user`). */
  #linesChanged(): boolean {
    const lines = this.#lines;
    if (this.#area.deviceIrqLevel === lines) return false;
    this.#area.deviceIrqLevel = lines;
    return true;
  }

  ticksToWake(): bigint | undefined {
    if (this.#vcpu.mpState === KVM_MP_STATE_STOPPED) return undefined;
    const { virtual, physical } = this.#registers;
    const [first, second] = [virtual.ticksToGo, physical.ticksToGo];
    return first !== undefined && (second === undefined || first < second) ? first : second;
  }

  stopWaiting(): void {
    this.#waits = false;
  }

  wake(): void {
    this.#scheduler.wake();
  }

  inputsChanged(): void {
    if (this.#loaded) {
      this.#cpu.setIrq(this.#vcpu.irq);
      this.#cpu.setFiq(this.#vcpu.fiq);
    }
    this.#scheduler.wake();
  }

  settle(): void {
    if (!this.#loaded) return;
    this.#putStep();
    this.#registers.pmu.advance(this.#cpu);
    const { serror } = this.#cpu;
    storeRegisters(this.#vcpu, this.#cpu);
    this.#vcpu.serror = serror;
    this.#loaded = false;
  }

  #load(): void {
    if (this.#loaded) return;
    const vcpu = this.#vcpu;
    if (vcpu.abortPending) {
      vcpu.abortPending = false;
      enterException(vcpu, 'sync');
    }
    loadRegisters(vcpu, this.#cpu);
    this.#registers.enter(this.#cpu);
    this.#cpu.setSerror(vcpu.serror);
    this.#cpu.setIrq(vcpu.irq);
    this.#cpu.setFiq(vcpu.fiq);
    this.#cpu.setDebug(this.#registers.debug);
    this.#loadStep();
    this.#loaded = true;
  }

  /** PSTATE.SS is the debugger's while it steps (`kvm_vcpu_load_debug`, debug.c). */
  #loadStep(): void {
    const { guestDebug, stepPending } = this.#vcpu;
    if (!guestDebug?.singleStep) return;
    const { state } = this.#cpu;
    this.#ownStep = state.singleStep;
    state.singleStep = !stepPending;
  }

  /** And the guest's again (`kvm_vcpu_put_debug`): some kernels leave it as it is. */
  #putStep(): void {
    const { guestDebug, vm } = this.#vcpu;
    if (!guestDebug?.singleStep || !vm.host.profile.behaviours.stepKept) return;
    const { state } = this.#cpu;
    this.#vcpu.stepPending = !state.singleStep;
    state.singleStep = this.#ownStep;
  }

  forget(): void {
    // The timers' interrupts begin anew (`kvm_timer_vcpu_reset`, arch_timer.c).
    this.#vcpu.gic?.resetTimers();
    this.#cpu.pendingMmio = undefined;
    this.#waits = false;
    this.#loaded = false;
  }

  abandon(): void {
    this.#vcpu.isRunning = false;
    this.#scheduler.abandon(this);
  }
}

/** @throws KvmError `ERR_NOT_EMULATED` for a guest of an exception level or instruction set that the CPU has not */
function checkEmulated(vcpu: VcpuState): void {
  const pstate = vcpu.cells[vcpu.configuration!.registers.get(CORE_PSTATE)!.cell]!;
  const is32Bit = hasFeature(vcpu, KVM_ARM_VCPU.KVM_ARM_VCPU_EL1_32BIT) || (pstate & PSTATE_AARCH32) !== 0n;
  if (is32Bit || (pstate & PSTATE_EL2) !== 0n) throw notEmulated('KVM_RUN');
}
