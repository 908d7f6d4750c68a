/** Has a vCPU make a call in a guest of a few words: at any backend. */
import { KVM_EXIT, KVM_RUN_SIZE } from '#lib/abi/exits.js';
import { losePatience } from '#lib/patience.js';
import { isInterrupted, type Prepare, X } from './play.ts';

/** Nothing is there: the store after the call leaves the guest. */
const DEVICE = 0x0900_0000n;
const A64 = { hvc: 0xd400_0002, smc: 0xd400_0003, rest: [0xb900_013f, 0x17ff_fffe] }; // str wzr, [x9]; b .-8
const A32 = { hvc: 0xe140_0070, smc: 0xe160_0070, rest: [0xe589_8000, 0xeaff_fffc] }; // str r8, [r9]; b .-8

/** @param patience - how long a call may take, in milliseconds, before it is taken for one that waits */
export const enterWithin =
  (patience: number): Prepare =>
  (memory, { is32Bit, conduit = 'hvc', immediate = 0 }) => {
    const { rest, ...set } = is32Bit ? A32 : A64;
    memory.set(new Uint8Array(Uint32Array.of(set[conduit] | (immediate << 5), ...rest).buffer));
    const bytes = new Uint8Array(KVM_RUN_SIZE);
    return async vcpu => {
      vcpu.setOneReg(X[9]!, DEVICE);
      const result = await new Promise<number>((resolve, reject) => {
        const stop = losePatience(patience, () => vcpu.kick());
        const begun = vcpu.start(bytes, done => {
          stop();
          resolve(done);
        });
        if (begun < 0) reject(new Error(`KVM_RUN: errno ${-begun}`));
      });
      if (isInterrupted(result)) return 'blocks';
      if (result < 0) throw new Error(`KVM_RUN: errno ${-result}`);
      return new DataView(bytes.buffer).getUint32(8, true) === KVM_EXIT.KVM_EXIT_MMIO ? 'resumed' : bytes;
    };
  };
