/**
 * Lists the PSCI versions that this host lets a guest have, selects one, and shows what a wrong choice gets.
 *
 *     node dist/examples/select-psci.js [VERSION]
 */
import { Kvm, KvmError, type PsciVersion } from 'kvm-arm64';

const kvm = Kvm.open();
console.log(`${kvm.backend} KVM: ${kvm.host} (${kvm.reason})`);

const accepted = kvm.supportedPsciVersions();
console.log(`PSCI versions that this host accepts: ${accepted.join(', ')}`);

const vm = kvm.createVm();
const first = vm.createVcpu(0);
const second = vm.createVcpu(1);
first.init();
second.init();
console.log(`A guest would find ${first.psciVersion}, the newest`);

const choice = (process.argv[2] ?? '1.0') as PsciVersion;
try {
  first.setPsciVersion(choice);
  console.log(`Selected ${first.psciVersion}; it holds for the whole VM: vCPU 1 has ${second.psciVersion}`);
} catch (error) {
  explain(error);
  process.exitCode = 1;
}

console.log('What wrong choices get:');
attempt(() => first.setPsciVersion('1.7'));
attempt(() => first.setPsciVersion('newest' as PsciVersion));
attempt(() => vm.createVcpu(2).setPsciVersion('1.0'));
kvm.close();

function attempt(choose: () => void): void {
  try {
    choose();
  } catch (error) {
    explain(error);
  }
}

function explain(error: unknown): void {
  if (!(error instanceof KvmError || error instanceof TypeError)) throw error;
  console.log(`  ${error.name}: ${error.message}`);
}
