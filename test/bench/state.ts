/** What saved states cost, and comparing hosts: `node dist/test/bench/state.js`. Registers against C are in `native.ts`. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kvm, type Vcpu } from 'kvm-arm64';
import {
  baseline,
  compareHosts,
  encodeState,
  planRestore,
  restoreVcpu,
  restoreVmFromFile,
  saveVcpu,
  saveVcpus,
  saveVm,
  saveVmToFile,
} from 'kvm-arm64/state';
import { loadHost } from '#lib/emulator/load-host.js';
import { RECORDED_HOSTS } from '#lib/emulator/profile.js';

const MIB = 2 ** 20;
const MEMORY = 256 * MIB;
const ROUNDS = 7;
const FLEET = 1000;

/** Of rounds in turns: other work may share the machine. */
const best = (values: number[]) => Math.min(...values);

async function seconds(action: () => unknown): Promise<number> {
  const start = performance.now();
  await action();
  return (performance.now() - start) / 1000;
}

/** Seconds of this process's own: what it computes, whatever else goes on. */
function ownSeconds(action: () => unknown): number {
  const before = process.cpuUsage();
  action();
  return process.cpuUsage(before).user / 1e6;
}

/** Of a VM of its own, which does not keep it. */
function newVcpu(kvm: Kvm): Vcpu {
  const vcpu = kvm.createVm().createVcpu(0);
  vcpu.init();
  return vcpu;
}

/** File sizes. */
function sizes(kvm: Kvm): void {
  const vcpu = newVcpu(kvm);
  const { vm } = vcpu;
  const { registers } = saveVcpu(vcpu);
  const one = encodeState(saveVcpus([vcpu])).length;
  console.log(`state file of a vCPU (${registers.length} registers): ${one} bytes`);
  vm.createGic().init();
  const whole = encodeState(saveVm(vm)).length;
  console.log(`with its VM and a GICv${vm.gic!.version} of 256 interrupts: ${whole} bytes`);
  vcpu.vm.close();
}

/** One vCPU put elsewhere: the plan, and all of it. */
async function restoring(kvm: Kvm): Promise<void> {
  const source = newVcpu(kvm);
  const state = saveVcpu(source);
  source.vm.close();
  const [plans, restores]: [number[], number[]] = [[], []];
  for (let round = 0; round < 10 * ROUNDS; round++) {
    plans.push(await seconds(() => planRestore(state, kvm)));
    const vm = kvm.createVm();
    restores.push(await seconds(() => restoreVcpu(vm.createVcpu(0), state)));
    vm.close();
  }
  const ms = (values: number[]) => `${(1000 * best(values)).toFixed(1)} ms`;
  console.log(`plan of a vCPU: ${ms(plans)}; restoreVcpu(), which plans: ${ms(restores)}`);
}

/** Guest memory to a file and back, beside a copy of that file. */
async function memory(kvm: Kvm): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'kvm-arm64-bench-'));
  try {
    const vcpu = newVcpu(kvm);
    const { vm } = vcpu;
    const { bytes } = vm.addMemory({ guestPhysAddr: 0x4000_0000, size: MEMORY });
    for (let at = 0; at < MEMORY; at += 512) bytes[at] = (at >> 9) & 0xff || 1;
    const file = join(folder, 'vm.state');
    const times: Record<'save' | 'restore' | 'copy', number[]> = { save: [], restore: [], copy: [] };
    for (let round = 0; round < ROUNDS; round++) {
      times.save.push(await seconds(() => saveVmToFile(vm, file)));
      times.copy.push(await seconds(() => copyFileSync(file, join(folder, 'copy'))));
      times.restore.push(
        await seconds(async () => {
          (await restoreVmFromFile(kvm, file)).vm.close();
        }),
      );
    }
    const speed = (values: number[]) => MEMORY / MIB / best(values);
    const copy = speed(times.copy);
    console.log(`copy of the file: ${copy.toFixed(0)} MiB/s`);
    for (const name of ['save', 'restore'] as const) {
      const share = (100 * speed(times[name])) / copy;
      console.log(
        `${name} of 256 MiB: ${speed(times[name]).toFixed(0)} MiB/s, ${share.toFixed(0)} % of it (aim: 70 % or more)`,
      );
    }
    vcpu.vm.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Many hosts, each the variant of a recorded one: another revision of its CPU. */
function fleet(): void {
  const hosts = Array.from({ length: FLEET }, (_, i) => {
    const name = RECORDED_HOSTS[i % RECORDED_HOSTS.length]!;
    const profile = loadHost(name);
    return Kvm.open({ host: { ...profile, name: `${name}-${i}` } });
  });
  const [first] = hosts;
  let loads = 0;
  const comparing = ownSeconds(() => {
    for (const host of hosts) if (compareHosts(first!, host).verdict !== 'incompatible') loads++;
  });
  console.log(`${FLEET} hosts compared with one: ${comparing.toFixed(1)} s of computing (${loads} load)`);
  let spoilers = 0;
  const common = ownSeconds(() => {
    spoilers = new Set(baseline(hosts).spoilers.map(({ host }) => host)).size;
  });
  console.log(`baseline of ${FLEET} hosts: ${common.toFixed(1)} s of computing (${spoilers} spoil it)`);
  for (const kvm of hosts) kvm.close();
}

const kvm = Kvm.open();
sizes(kvm);
await restoring(kvm);
await memory(kvm);
if (kvm.backend === 'emulated') fleet();
kvm.close();
