/**
 * The package in several workers at once, each with a VM of its own that nobody closes: prints what each selected, and
 * ends with everything open. Its argument is the backend.
 */
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { Kvm, type OpenOptions, type PsciVersion } from 'kvm-arm64';

const VERSIONS: readonly PsciVersion[] = ['0.2', '1.0', '1.1', '0.2'];

interface Task {
  readonly backend: OpenOptions['backend'];
  readonly version: PsciVersion;
}

function select({ backend, version }: Task): string {
  const kvm = Kvm.open({ backend });
  const vcpu = kvm.createVm().createVcpu(0);
  vcpu.init();
  vcpu.setPsciVersion(version);
  for (let i = 0; i < 10; i++) vcpu.getRegs();
  return `${kvm.backend} ${vcpu.psciVersion}`;
}

if (isMainThread) {
  const backend = process.argv[2];
  const answers = VERSIONS.map(
    version =>
      new Promise(resolve => {
        const worker = new Worker(fileURLToPath(import.meta.url), { workerData: { backend, version } });
        worker.once('message', resolve);
        worker.once('error', resolve);
      }),
  );
  console.log(JSON.stringify(await Promise.all(answers)));
  process.exit(0);
} else {
  parentPort?.postMessage(select(workerData as Task));
  // Stays until the process ends, with its descriptors.
  setInterval(() => {}, 1000);
}
