/**
 * What the library costs over C on a real KVM: the same system calls from both, in turns, as a ratio of the best times:
 * what else the machine does only adds to one. The figures of a nested or emulated machine mean little; the ratio does.
 * Run by `npm run bench`, here and in the lab; its twin in C must lie beside it.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Kvm } from '#lib/kvm.js';
import { loadAddon } from '#lib/native/addon.js';
import { openNative } from '#lib/native/system.js';
import { saveVcpu } from '#lib/state.js';
import type { Vcpu } from '#lib/vcpu.js';
import { exitOnce, nanosecondsOfRun, pingPong } from './ping-pong.ts';

const ROUNDS = 15;
const ROUND_NS = 50_000_000n;
const ARM_PSCI_0_2 = 102;
const PSCI_VERSION = 0x6030_0000_0014_0000n;
const MSR_STAR = 0x2030_0002_c000_0081n;

/** The ratio that each operation should stay below. */
const AIMS: Readonly<Record<string, number>> = {
  checkExtension: 2,
  getOneReg: 2,
  getRegs: 1.1,
  saveVcpu: 1.2,
  setRegs: 1.2,
  runSync: 1.3,
};

/** Operations in a row, where not 100: those of many registers take milliseconds. */
const ROW: Readonly<Record<string, number>> = { getRegs: 1, saveVcpu: 1, setRegs: 1 };
const rowOf = (name: string) => ROW[name] ?? 100;

/** twin.c, compiled for this machine. */
const TWIN = fileURLToPath(new URL(`twin-${process.arch}`, import.meta.url));

/** The ids that twin.c reads. */
function prepare(vcpu: Vcpu): BigUint64Array {
  if (process.arch !== 'arm64') return new BigUint64Array(256).fill(MSR_STAR);
  vcpu.init();
  return BigUint64Array.of(PSCI_VERSION, ...vcpu.getRegList());
}

/** Nanoseconds of the operation, on average over so many in a row: the best row of a round. As in twin.c. */
function measure(operation: () => unknown, row: number): number {
  const start = process.hrtime.bigint();
  let best = Number.POSITIVE_INFINITY;
  let begin = start;
  do {
    for (let i = 0; i < row; i++) operation();
    const end = process.hrtime.bigint();
    best = Math.min(best, Number(end - begin) / row);
    begin = end;
  } while (begin - start < ROUND_NS);
  return best;
}

const best = (values: number[]) => Math.min(...values);

const { addon } = loadAddon();
const handle = addon === undefined ? 'no addon' : openNative(addon, '/dev/kvm');
if (typeof handle !== 'object') throw new Error(`/dev/kvm cannot be opened: ${handle}`);
// Kvm.open() refuses the KVM of an x86 machine, whose system calls cost the same.
const kvm = new Kvm(handle, 'benchmark');
const vcpu = kvm.createVm().createVcpu(0);
const ids = prepare(vcpu);
const first = ids[0]!;
// What a restore writes; what it does before that is `state.ts`.
const saved = vcpu.getRegs(ids);
const player = process.arch === 'arm64' ? pingPong(kvm)[0] : undefined;
const operations: Readonly<Record<string, () => unknown>> = {
  checkExtension: () => kvm.checkExtension(ARM_PSCI_0_2),
  getOneReg: () => vcpu.getOneReg(first),
  getRegs: () => vcpu.getRegs(ids),
  ...(process.arch === 'arm64' && {
    saveVcpu: () => saveVcpu(vcpu),
    setRegs: () => vcpu.setRegs(saved),
  }),
  ...(player && { runSync: () => exitOnce(player) }),
};

// In the lab a round is too short for V8 to optimise what it calls.
for (const [name, operation] of Object.entries(operations))
  for (let i = 0; i < 20; i++) measure(operation, rowOf(name));

const samples: Record<string, { c: number[]; node: number[] }> = {};
for (let round = 0; round < ROUNDS; round++) {
  const c = JSON.parse(execFileSync(TWIN, { encoding: 'utf8' })) as Record<string, number>;
  for (const [name, nanoseconds] of Object.entries(c)) {
    samples[name] ??= { c: [], node: [] };
    samples[name].c.push(nanoseconds);
    samples[name].node.push(measure(operations[name]!, rowOf(name)));
  }
}
for (const [name, { c, node }] of Object.entries(samples)) {
  const ratio = best(node) / best(c);
  const cells = [
    `C ${best(c).toFixed(0)} ns`,
    `Node ${best(node).toFixed(0)} ns`,
    `ratio ${ratio.toFixed(2)}`,
  ];
  console.log(`${name.padEnd(16)}${cells.map(cell => cell.padEnd(18)).join('')}aim ${AIMS[name]}`);
}
if (player) {
  const sync = best(samples['runSync']!.node);
  const run = await nanosecondsOfRun(player, 2000);
  console.log(
    `run(), on a thread of the vCPU's own: ${run.toFixed(0)} ns an exit, ${(run / sync).toFixed(2)} of runSync()`,
  );
}
kvm.close();
