/**
 * Runs the probing guest on this machine's KVM and prints the table. By hand, as in the lab:
 * `kvm-arm64 lab run --kernel 6.12 --cpu max -- node test/guests/system-registers/record.ts > FILE`.
 */
import { Kvm, type VcpuFeature } from 'kvm-arm64';
import { type Answers, probe, RAM, RAM_SIZE } from './probe.ts';

const CANDIDATES: readonly (readonly VcpuFeature[])[] = [
  ['PMU_V3'],
  ['PTRAUTH_ADDRESS', 'PTRAUTH_GENERIC'],
  ['SVE'],
];

const kvm = Kvm.open({ backend: 'native' });

function vcpuWith(features: readonly VcpuFeature[]) {
  const vm = kvm.createVm();
  const vcpu = vm.createVcpu(0);
  vcpu.init({ features: ['PSCI_0_2', ...features] });
  if (features.includes('SVE')) vcpu.finalize('SVE');
  if (features.includes('PMU_V3')) vcpu.setDeviceAttr(0, 1);
  return { vm, vcpu };
}

function answers(features: readonly VcpuFeature[]): Answers {
  const { vm, vcpu } = vcpuWith(features);
  const { bytes } = vm.addMemory({ guestPhysAddr: BigInt(RAM), size: RAM_SIZE });
  return probe({
    ram: bytes,
    set(name, value) {
      try {
        vcpu.setOneReg(name, value);
      } catch (error) {
        if ((error as { code?: string }).code !== 'ENOENT') throw error;
      }
    },
    run(pc) {
      vcpu.setOneReg('PC', BigInt(pc));
      for (;;) {
        const exit = vcpu.runSync();
        if (exit.reason === 'MMIO') return;
        if (exit.reason !== 'INTR') throw new Error(`unexpected exit: ${JSON.stringify(exit, String)}`);
      }
    },
  });
}

const accepted = CANDIDATES.filter(features => {
  try {
    vcpuWith(features);
    return true;
  } catch (error) {
    console.error(`${features}: ${error}`);
    return false;
  }
}).flat();
const plain = answers([]);
const full = answers(accepted);
/** What a vCPU with the features answers otherwise; null: UNDEFINED all over. */
const differing = Object.fromEntries(
  [...new Set([...Object.keys(plain), ...Object.keys(full)])]
    .filter(key => plain[key] !== full[key])
    .sort()
    .map(key => [key, full[key] ?? null]),
);
console.log(
  JSON.stringify({ features: accepted, plain, differing }).replaceAll(/,(?="[0-9a-f]{4}")/g, ',\n'),
);
