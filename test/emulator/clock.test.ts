/** What the emulated CPU's time is, how vCPUs take turns, and what becomes of a guest that waits for nothing. */
import { createHash } from 'node:crypto';
import { Kvm } from 'kvm-arm64/emulator';
import { expect, it } from 'vitest';

const RAM = 0x4000_0000n;
const WFI = 0xd503207f;
const BRANCH_TO_ITSELF = 0x14000000;

function load(code: readonly number[], options: Parameters<typeof Kvm.open>[0] = {}, cpus = 1) {
  const vm = Kvm.open(options).createVm();
  const ram = vm.addMemory({ guestPhysAddr: RAM, size: 65536 });
  ram.bytes.set(new Uint8Array(Uint32Array.from(code).buffer));
  const vcpus = Array.from({ length: cpus }, (_, id) => {
    const vcpu = vm.createVcpu(id);
    vcpu.init();
    vcpu.setOneReg('PC', RAM);
    return vcpu;
  });
  return { vm, ram, vcpus, vcpu: vcpus[0]! };
}

/**
 * Counts in memory what it shares with its sisters, a hundred thousand times, and tells:
 * movz x1, #0x4000, lsl #16; movz x2, #0x8000; add x1, x1, x2; movz x3, #0x86a0; movk x3, #1, lsl #16;
 * 1: ldr x4, [x1]; add x4, x4, #1; str x4, [x1]; sub x3, x3, #1; cbnz x3, 1b; mrs x5, cntvct_el0; movz x6, #0x900, lsl #16;
 * str x5, [x6]
 */
const RACE = [
  0xd2a80001, 0xd2900002, 0x8b020021, 0xd290d403, 0xf2a00023, 0xf9400024, 0x91000484, 0xf9000024, 0xd1000463,
  0xb5ffff83, 0xd53be045, 0xd2a12006, 0xf90000c5,
];

async function race(): Promise<string> {
  const { vm, ram, vcpus } = load(RACE, {}, 4);
  const exits = await Promise.all(vcpus.map(vcpu => vcpu.run()));
  const times = exits.map(exit => (exit.reason === 'MMIO' ? [...exit.data] : exit.reason));
  const registers = vcpus.map(vcpu => [...vcpu.getRegs(vcpu.getRegList()).words]);
  const memory = createHash('sha256').update(ram.bytes).digest('hex');
  const counted = new DataView(ram.bytes.buffer).getBigUint64(0x8000, true);
  vm.close();
  // They do run at once: some counts are lost.
  expect(counted).toBeGreaterThan(100_000n);
  expect(counted).toBeLessThan(400_000n);
  return JSON.stringify([times, registers, memory], (_, value) =>
    typeof value === 'bigint' ? String(value) : value,
  );
}

it('four vCPUs race the same way each time: time, registers and memory', async () => {
  expect(await race()).toBe(await race());
});

it('virtual time passes with instructions and system calls alone', async () => {
  const { vcpu } = load([BRANCH_TO_ITSELF]);
  const before = vcpu.getOneReg('TIMER_CNT');
  await new Promise(resolve => setTimeout(resolve, 20));
  // A millisecond is 62500 ticks of this host's counter.
  expect(vcpu.getOneReg('TIMER_CNT') - before).toBeLessThan(100n);
});

it('a turn of a loop that yields takes a microsecond', () => {
  // movz x0, #1000; 1: yield; sub x0, x0, #1; cbnz x0, 1b; movz x6, #0x900, lsl #16; str x0, [x6]
  const { vcpu } = load([0xd2807d00, 0xd503203f, 0xd1000400, 0xb5ffffc0, 0xd2a12006, 0xf90000c0]);
  const before = vcpu.getOneReg('TIMER_CNT');
  expect(vcpu.runSync().reason).toBe('MMIO');
  // A thousand of them, and three instructions in each: 1030 us of 62.5 ticks.
  expect(Number(vcpu.getOneReg('TIMER_CNT') - before)).toBeCloseTo(1030 * 62.5, -2);
});

it("with the host's clock it is the time that passes", async () => {
  const { vcpu } = load([BRANCH_TO_ITSELF], { clock: 'host' });
  const before = vcpu.getOneReg('TIMER_CNT');
  await new Promise(resolve => setTimeout(resolve, 20));
  expect(vcpu.getOneReg('TIMER_CNT') - before).toBeGreaterThan(1_000_000n);
});

it('a clock that is none is refused', () => {
  expect(() => Kvm.open({ clock: 'sundial' as never })).toThrowError(
    expect.objectContaining({
      code: 'ERR_INVALID_ARG_VALUE',
      message: expect.stringContaining('virtual, host'),
    }),
  );
});

it('a guest that waits for nothing: runSync() says so, run() waits for a kick', async () => {
  const { vcpu } = load([WFI, BRANCH_TO_ITSELF]);
  expect(() => vcpu.runSync()).toThrowError(expect.objectContaining({ code: 'ERR_WAITS_FOREVER' }));
  const running = vcpu.run();
  setTimeout(() => vcpu.kick(), 20);
  expect(await running).toEqual({ reason: 'INTR' });
  expect(vcpu.getOneReg('PC')).toBe(RAM + 4n);
});

it('code that the program changes between runs is the code that runs', () => {
  // movz x0, #1; movz x6, #0x900, lsl #16; str x0, [x6]; b to the beginning
  const { ram, vcpu } = load([0xd2800020, 0xd2a12006, 0xf90000c0, 0x17fffffd]);
  const told = () => {
    const exit = vcpu.runSync();
    return exit.reason === 'MMIO' ? exit.data[0] : exit.reason;
  };
  expect(told()).toBe(1);
  new DataView(ram.bytes.buffer).setUint32(0, 0xd2800040, true); // movz x0, #2
  expect(told()).toBe(2);
});
