/**
 * Reads all registers of a new vCPU in one call and prints those whose name begins with a word, by default the
 * firmware registers.
 *
 *     node dist/examples/read-registers.js [PREFIX]
 */
import { formatRegister, Kvm, registerBits } from 'kvm-arm64';

const prefix = process.argv[2] ?? 'KVM_REG_ARM_SMCCC';

const kvm = Kvm.open();
const vcpu = kvm.createVm().createVcpu(0);
vcpu.init();

const batch = vcpu.getRegs();
console.log(`${kvm.host}: ${batch.length} registers, ${batch.failed} of them unreadable`);
for (const [id, value] of batch) {
  const name = formatRegister(id);
  if (name.startsWith(prefix)) console.log(`${name} (${registerBits(id)} bits) = 0x${value.toString(16)}`);
}
kvm.close();
