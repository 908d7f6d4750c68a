/**
 * Copies the registers of one vCPU to another VM's, and says by name what did not go over.
 *
 *     node dist/examples/copy-vcpu.js
 */
import { Kvm } from 'kvm-arm64';

const kvm = Kvm.open();
const source = kvm.createVm().createVcpu(0);
source.init();
source.setPsciVersion('1.0');
source.setOneReg('PC', 0x4008_0000n);
source.setOneReg('X0', 0x4000_0000n);

const target = kvm.createVm().createVcpu(0);
target.init();
const written = target.setRegs(source.getRegs());
for (let i = 0; i < written.length; i++) {
  const error = written.errorAt(i);
  if (error !== undefined) console.log(error.message);
}
console.log(`${written.length - written.failed} of ${written.length} registers copied`);
console.log(`PSCI ${target.psciVersion}, PC 0x${target.getOneReg('PC').toString(16)}`);
kvm.close();
