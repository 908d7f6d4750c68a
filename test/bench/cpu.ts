/** How fast the emulated CPU is: `node dist/test/bench/cpu.js`. User time, since other work may share the machine. */
import { Kvm } from 'kvm-arm64/emulator';
import { Cpu } from '#lib/emulator/cpu/cpu.js';
import { Machine } from '#lib/emulator/cpu/machine.js';
import { Ram } from '#lib/emulator/cpu/memory.js';
import { SP } from '#lib/emulator/cpu/state.js';
import { CALLS, CALLS_LENGTH, LOOP, mixed } from './kernels.ts';

const INSTRUCTIONS = 20_000_000;
const ROUNDS = 5;
const GUEST_INSTRUCTIONS = 17_000_000;
const DATA = 0x10_000;

function measure(name: string, words: readonly number[]): void {
  const ram = new Ram(0, new SharedArrayBuffer(0x20_000), 0, 0x20_000);
  ram.u32.set(words);
  const machine = new Machine({
    memory: { ram: page => (page < 0x20 ? ram : undefined) },
    hasFeature: () => true,
  });
  const cpu = new Cpu(machine, { read: () => 'undefined', write: () => 'undefined' });
  cpu.setX(19, BigInt(DATA));
  cpu.setX(20, 1n << 60n);
  cpu.setX(SP, BigInt(2 * DATA));
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage();
    cpu.run(INSTRUCTIONS);
    best = Math.min(best, process.cpuUsage(before).user);
  }
  console.log(`${name}: ${(INSTRUCTIONS / best).toFixed(1)} million instructions/s (aim: 40 or more)`);
}

measure('loop kernel', LOOP);
measure('mixed kernel', mixed());
measure('calls and copies', CALLS);

/** As many instructions as a kvm-unit-test has, through KVM_RUN, from the first one on. */
function runGuest(): void {
  using kvm = Kvm.open();
  const vm = kvm.createVm();
  const base = 0x4000_0000n;
  const ram = vm.addMemory({ guestPhysAddr: base, size: 0x20_000 });
  ram.bytes.set(new Uint8Array(Uint32Array.from(CALLS).buffer));
  const vcpu = vm.createVcpu(0);
  vcpu.init();
  vcpu.setRegs([
    ['PC', base],
    ['X19', base + BigInt(DATA)],
    ['X20', BigInt(Math.floor(GUEST_INSTRUCTIONS / CALLS_LENGTH))],
    ['SP_EL1', base + BigInt(2 * DATA)],
  ]);
  const before = process.cpuUsage();
  const { reason } = vcpu.runSync();
  const seconds = process.cpuUsage(before).user / 1e6;
  if (reason !== 'SYSTEM_EVENT') throw new Error(`the guest left for ${reason}`);
  console.log(
    `${GUEST_INSTRUCTIONS / 1e6} million instructions by runSync(): ${seconds.toFixed(2)} s (aim: below 1)`,
  );
}

runGuest();
