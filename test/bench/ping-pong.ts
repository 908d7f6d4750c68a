/** A guest that does nothing but read a device: what an exit of KVM_RUN costs. */
import type { Kvm } from '#lib/kvm.js';
import type { Vcpu } from '#lib/vcpu.js';

const RAM = 0x4000_0000n;

/** A VM whose vCPUs read a word from where nothing is, again and again. */
export function pingPong(kvm: Kvm, cpus = 1): readonly Vcpu[] {
  const vm = kvm.createVm();
  const { bytes } = vm.addMemory({ guestPhysAddr: RAM, size: 65536 });
  // ldr w0, [x1]; b .-4: X1 is zero
  bytes.set(new Uint8Array(Uint32Array.of(0xb940_0020, 0x17ff_ffff).buffer));
  return Array.from({ length: cpus }, (_, id) => {
    const vcpu = vm.createVcpu(id);
    vcpu.init();
    vcpu.setOneReg('PC', RAM);
    return vcpu;
  });
}

/** Lets the guest read once more. */
export function exitOnce(vcpu: Vcpu): void {
  const exit = vcpu.runSync();
  if (exit.reason !== 'MMIO') throw new Error(`the guest left for ${exit.reason}`);
  exit.data[0] = 0x60;
}

/** Nanoseconds of an exit through `run()`, on average. */
export async function nanosecondsOfRun(vcpu: Vcpu, exits: number): Promise<number> {
  const start = process.hrtime.bigint();
  for (let i = 0; i < exits; i++) {
    const exit = await vcpu.run();
    if (exit.reason !== 'MMIO') throw new Error(`the guest left for ${exit.reason}`);
    exit.data[0] = 0x60;
  }
  return Number(process.hrtime.bigint() - start) / exits;
}
