/**
 * Runs on a real kernel: VMs with four running vCPUs each, made, run and closed in a row. Prints what the process holds
 * after some of them and after all, as JSON lines.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Kvm } from 'kvm-arm64/native';
import { pingPong } from '../bench/ping-pong.ts';

const VMS = Number(process.argv[2]);
const CPUS = 4;

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

/** Memory of guests is given back once nothing in JavaScript can see it. */
async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) {
    collect();
    await setTimeout(10);
  }
}

const holds = () => ({
  fds: readdirSync('/proc/self/fd').length,
  threads: readdirSync('/proc/self/task').length,
  maps: readFileSync('/proc/self/maps', 'utf8').split('\n').length,
  rss: process.memoryUsage().rss,
});

const kvm = Kvm.open();
for (let n = 1; n <= VMS; n++) {
  const vcpus = pingPong(kvm, CPUS);
  const exits = await Promise.all(vcpus.map(vcpu => vcpu.run()));
  if (exits.some(({ reason }) => reason !== 'MMIO')) throw new Error('a guest left for something else');
  // Each of them runs when its VM is closed.
  const runs = Promise.allSettled(vcpus.map(vcpu => vcpu.run()));
  vcpus[0]!.vm.close();
  await runs;
  if (n !== VMS / 10 && n !== VMS) continue;
  await settle();
  console.log(JSON.stringify(holds()));
}
kvm.close();
