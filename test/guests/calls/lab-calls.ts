/**
 * Runs on an ARM machine: makes every call of {@link file://./cases.ts} in a guest of its KVM, and prints what came of
 * each as JSON.
 */
import { KVM_EXIT, KVM_RUN_SIZE } from '#lib/abi/exits.js';
import { openDevice } from '#lib/native/open.js';
import { probe } from '#lib/native/probe.js';
import { CASES } from './cases.ts';
import { isInterrupted, type Prepare, play, X } from './play.ts';

/** Nothing is there: the store after the call leaves the guest. */
const DEVICE = 0x0900_0000n;
/** How long a call may take, in milliseconds, before it is taken for one that waits. */
const PATIENCE = 1500;

const A64 = { hvc: 0xd400_0002, smc: 0xd400_0003, rest: [0xb900_013f, 0x17ff_fffe] }; // str wzr, [x9]; b .-8
const A32 = { hvc: 0xe140_0070, smc: 0xe160_0070, rest: [0xe589_8000, 0xeaff_fffc] }; // str r8, [r9]; b .-8

const prepare: Prepare = (memory, { is32Bit, conduit = 'hvc', immediate = 0 }) => {
  const { rest, ...set } = is32Bit ? A32 : A64;
  memory.set(new Uint8Array(Uint32Array.of(set[conduit] | (immediate << 5), ...rest).buffer));
  const bytes = new Uint8Array(KVM_RUN_SIZE);
  return async vcpu => {
    vcpu.setOneReg(X[9]!, DEVICE);
    const result = await new Promise<number>((resolve, reject) => {
      const late = setTimeout(() => vcpu.kick(), PATIENCE);
      const begun = vcpu.start(bytes, done => {
        clearTimeout(late);
        resolve(done);
      });
      if (begun < 0) reject(new Error(`KVM_RUN: errno ${-begun}`));
    });
    if (isInterrupted(result)) return 'blocks';
    if (result < 0) throw new Error(`KVM_RUN: errno ${-result}`);
    return new DataView(bytes.buffer).getUint32(8, true) === KVM_EXIT.KVM_EXIT_MMIO ? 'resumed' : bytes;
  };
};

const kvm = openDevice(probe());
const answers: Record<string, string> = {};
for (const [name, one] of CASES) {
  const answer = await play(kvm, one, prepare);
  if (answer !== undefined) answers[name] = answer;
}
kvm.close();
process.stdout.write(JSON.stringify(answers));
process.exit();
