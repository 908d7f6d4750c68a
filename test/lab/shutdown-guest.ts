/**
 * Runs on a real kernel: programs whose vCPUs would never end by themselves, each ended in another way. Prints a JSON line
 * for each: how it ended, and how long that took.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { Kvm, KvmError, type Vcpu } from 'kvm-arm64/native';

const SELF = fileURLToPath(import.meta.url);
const RAM = 0x4000_0000;

/** Each way is gone more than once: a machine of which others take the CPU for seconds does not do so each time. */
const ROUNDS = 2;

/** Ways to end what runs, within the process that goes on; and ways to end that. */
const WITHIN = ['close', 'abort', 'terminate'] as const;
const WHOLE = ['exit', 'uncaught', 'SIGTERM'] as const;
type Way = (typeof WITHIN)[number] | (typeof WHOLE)[number];

/** Guests that never end: one keeps its CPU, of which an emulated machine has few; one waits in the kernel. */
const GUESTS = {
  loops: [0x14000000], // b .
  waits: [0xd503207f, 0x17ffffff], // wfi; b .-4
} as const;

function vcpuOf(kvm: Kvm, guest: keyof typeof GUESTS): Vcpu {
  const vm = kvm.createVm();
  const { bytes } = vm.addMemory({ guestPhysAddr: RAM, size: 65_536 });
  bytes.set(new Uint8Array(Uint32Array.from(GUESTS[guest]).buffer));
  const vcpu = vm.createVcpu(0);
  vcpu.init();
  vcpu.setOneReg('PC', BigInt(RAM));
  return vcpu;
}

/** A thread that runs them: in run(), or in runSync(), out of which nothing takes it but its end. */
async function startWorker(how: 'run' | 'runSync'): Promise<Worker> {
  const worker = new Worker(SELF, { workerData: how });
  await once(worker, 'message');
  return worker;
}

const holds = () => ({
  fds: readdirSync('/proc/self/fd').length,
  threads: readdirSync('/proc/self/task').length,
});

/** Ends what runs, and answers what came of each run. */
async function endWithin(way: Way): Promise<{ ms: number; ends: unknown[] }> {
  const kvm = Kvm.open();
  const controller = new AbortController();
  const vcpus = [vcpuOf(kvm, 'waits'), vcpuOf(kvm, 'loops')];
  const workers = way === 'terminate' ? [await startWorker('run'), await startWorker('runSync')] : [];
  const runs = Promise.allSettled(vcpus.map(vcpu => vcpu.run({ signal: controller.signal })));
  await setTimeout(100);
  const start = performance.now();
  if (way === 'close') for (const { vm } of vcpus) vm.close();
  else if (way === 'abort') controller.abort();
  const codes = await Promise.all(workers.map(worker => worker.terminate()));
  if (way !== 'terminate') await runs;
  const ms = performance.now() - start;
  if (way === 'terminate') for (const vcpu of vcpus) vcpu.kick();
  const ends = (await runs).map(run => {
    if (run.status === 'fulfilled') return run.value.reason;
    return run.reason instanceof KvmError ? run.reason.code : run.reason.name;
  });
  kvm.close();
  return { ms, ends: [...codes, ...ends] };
}

/** The child's part. */
async function main(way: Way): Promise<void> {
  if ((WITHIN as readonly string[]).includes(way)) {
    await endWithin(way); // what Node makes once stays
    await setTimeout(200);
    const before = holds();
    const { ms, ends } = await endWithin(way);
    await setTimeout(200);
    const after = holds();
    const left = { fds: after.fds - before.fds, threads: after.threads - before.threads };
    console.log(JSON.stringify({ way, ms: Math.round(ms), ends, left }));
    return;
  }
  await startWorker('run');
  await startWorker('runSync');
  const kvm = Kvm.open();
  for (const guest of ['waits', 'loops'] as const) void vcpuOf(kvm, guest).run();
  await setTimeout(100);
  process.stdout.write('running');
  if (way === 'exit') process.exit(7);
  if (way === 'uncaught')
    setImmediate(() => {
      throw new Error('meant');
    });
}

/** Ends a child, and says how long after its word that took. */
async function endChild(way: Way): Promise<void> {
  const child = spawn(process.execPath, [SELF, way], { stdio: ['ignore', 'pipe', 'ignore'] });
  let start = 0;
  let printed = '';
  child.stdout.on('data', bytes => {
    printed += bytes;
    if (printed !== 'running') return;
    start = performance.now();
    if (way === 'SIGTERM') child.kill(way);
  });
  const [code, signal] = await once(child, 'close');
  if (start === 0) process.stdout.write(printed);
  else
    console.log(JSON.stringify({ way, ms: Math.round(performance.now() - start), ends: [signal ?? code] }));
}

if (!isMainThread) {
  const vcpu = vcpuOf(Kvm.open(), 'waits');
  parentPort!.postMessage('ready');
  if (workerData === 'runSync') vcpu.runSync();
  else await vcpu.run();
} else if (process.argv[2] !== undefined) await main(process.argv[2] as Way);
else
  for (const way of [...WITHIN, ...WHOLE]) for (let round = 0; round < ROUNDS; round++) await endChild(way);
