/** What the emulated host costs: `node dist/test/bench/emulated.js`. */
import { Kvm } from 'kvm-arm64/emulator';
import { measure } from 'mitata';
import { exitOnce, nanosecondsOfRun, pingPong } from './ping-pong.ts';

const kvm = Kvm.open();
const vcpu = kvm.createVm().createVcpu(0);
vcpu.init();
const SCTLR_EL1 = 0x6030_0000_0013_c080n;

/** Nanoseconds, median. */
async function median(operation: () => unknown): Promise<number> {
  return (await measure(operation)).p50;
}

const getOneReg = await median(() => vcpu.getOneReg(SCTLR_EL1));
const getRegs = await median(() => vcpu.getRegs());
const startVcpu = await median(() => {
  const vm = kvm.createVm();
  const first = vm.createVcpu(0);
  first.init();
  first.getRegList();
  vm.close();
});

console.log(`emulated getOneReg: ${(1e3 / getOneReg).toFixed(1)} million/s (aim: 3 or more)`);
console.log(`emulated VM + vCPU + init + list: ${(startVcpu / 1e3).toFixed(0)} µs (aim: 200 at most)`);
console.log(`emulated getRegs of all registers: ${(getRegs / 1e3).toFixed(0)} µs`);
const player = pingPong(kvm)[0]!;
const runSync = await median(() => exitOnce(player));
const run = await nanosecondsOfRun(player, 20_000);
console.log(
  `emulated exits for MMIO: ${(1e6 / runSync).toFixed(0)} thousand/s by runSync(), ${(1e6 / run).toFixed(0)} by run()`,
);
kvm.close();
