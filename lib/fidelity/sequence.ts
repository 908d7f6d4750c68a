/**
 * A sequence of calls in the making, with the names of the objects that it has so far.
 *
 * @packageDocumentation
 */
import { encodeVcpuInit } from '../abi/structs.ts';
import { featureMask, KVM_ARM_VCPU } from '../abi/vcpu-features.ts';
import type { HostProfile } from '../emulator/profile.ts';
import { type Call, hex, hexBytes } from './calls.ts';
import { Random } from './random.ts';
import { RegisterChoices } from './registers.ts';

/** Grows call by call. Whether a call succeeds is not known here: what it should make has a name either way. */
export class Sequence {
  readonly calls: Call[] = [];
  readonly profile: HostProfile;
  readonly random: Random;
  readonly registers: RegisterChoices;
  /** What most of its vCPUs are initialised with, so that VMs have more than one of them. */
  readonly features: bigint;
  readonly #vms: string[] = [];
  readonly #vcpus: string[] = [];

  constructor(profile: HostProfile, seed: number, features?: bigint) {
    this.profile = profile;
    this.random = new Random(seed);
    this.features = features ?? BigInt(this.random.pick(featureSets(profile)));
    this.registers = new RegisterChoices(profile, this.features, this.random);
  }

  call(on: string, method: string, ...args: (string | number | bigint)[]): void {
    this.calls.push({ on, method, args: args.map(arg => (typeof arg === 'string' ? arg : hex(arg))) });
  }

  createVm(type = 0n): string {
    const makes = `vm${this.#vms.length}`;
    this.calls.push({ on: 'kvm', method: 'createVm', args: [hex(type)], makes });
    this.#vms.push(makes);
    return makes;
  }

  /** Enables a capability, of whose arguments one counts. */
  enableCap(vm: string, cap: number, argument: bigint): void {
    const args = BigUint64Array.of(argument, 0n, 0n, 0n);
    this.call(vm, 'enableCap', cap, 0, hexBytes(new Uint8Array(args.buffer)));
  }

  createVcpu(vm: string, id: number): string {
    const makes = `vcpu${this.#vcpus.length}`;
    this.calls.push({ on: vm, method: 'createVcpu', args: [hex(id)], makes });
    this.#vcpus.push(makes);
    return makes;
  }

  init(vcpu: string, features = this.features, target = this.profile.targets.preferred): void {
    this.call(vcpu, 'armVcpuInit', hexBytes(encodeVcpuInit(target, features)));
  }

  /** Initialises a vCPU as usual, and finalizes it where its features ask for that. */
  makeReady(vcpu: string): void {
    this.init(vcpu);
    if ((this.features & SVE) !== 0n) this.call(vcpu, 'armVcpuFinalize', KVM_ARM_VCPU.KVM_ARM_VCPU_SVE);
  }

  /** A vCPU that can be used, in a VM of its own. */
  readyVcpu(): { readonly vm: string; readonly vcpu: string } {
    const vm = this.createVm();
    const vcpu = this.createVcpu(vm, 0);
    this.makeReady(vcpu);
    return { vm, vcpu };
  }

  /** One of the VMs, mostly of the latest. */
  vm(): string {
    return recent(this.#vms, this.random) ?? this.createVm();
  }

  vcpu(): string {
    return recent(this.#vcpus, this.random) ?? this.createVcpu(this.vm(), 0);
  }

  /** Reads the whole state of every vCPU: what it all has come to. */
  finish(): Call[] {
    for (const vcpu of this.#vcpus) this.call(vcpu, 'state');
    return this.calls;
  }
}

/** POWER_OFF as a bit. */
export const POWER_OFF = featureMask(['POWER_OFF']);

const SVE = featureMask(['SVE']);

/** Every set of features that a host accepts. */
export function featureSets({ configurations }: HostProfile): readonly number[] {
  return configurations.flatMap(({ features }) => features);
}

/** Objects beyond this many are left alone for the rest of a long sequence, so that the others get somewhere. */
const IN_USE = 6;

function recent(names: readonly string[], random: Random): string | undefined {
  return names.length === 0 ? undefined : random.pick(names.slice(-IN_USE));
}
