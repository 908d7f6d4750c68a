/** vcpu_width_config: vCPUs of one VM are all 32-bit or all 64-bit, made and initialised in turn or one after another. */
import type { Kvm } from '#lib/kvm.js';
import type { CaseContext, Suite } from '#lib/testing.js';
import { kernelOf } from '../contract/kernel.ts';
import { refused } from '../contract/suite.ts';

const INIT = 'KVM_ARM_VCPU_INIT';
type Width = 32 | 64;
const features = (width: Width) => ({ features: width === 32 ? (['EL1_32BIT'] as const) : [] });

/** The first and the second init of a VM with two vCPUs. */
function inits(kvm: Kvm, widths: readonly [Width, Width], isInTurn: boolean): [() => void, () => void] {
  const vm = kvm.createVm();
  const first = vm.createVcpu(0);
  if (isInTurn)
    return [() => first.init(features(widths[0])), () => vm.createVcpu(1).init(features(widths[1]))];
  const second = vm.createVcpu(1);
  return [() => first.init(features(widths[0])), () => second.init(features(widths[1]))];
}

function has32Bit(kvm: Kvm, context: CaseContext): Kvm {
  if (kvm.checkExtension('ARM_EL1_32BIT') === 0) context.skip('the CPU has no AArch32 at EL1');
  return kvm;
}

export const vcpuWidth: Suite = ({ describe, it, open }) => {
  for (const isInTurn of [true, false]) {
    describe(
      isInTurn ? 'vCPUs that are made and initialised in turn' : 'vCPUs that are all made first',
      () => {
        it('can be of 64 bits', () => {
          for (const init of inits(open(), [64, 64], isInTurn)) init();
        });

        it('can be of 32 bits', context => {
          const kvm = has32Bit(open(), context);
          const [first, second] = inits(kvm, [32, 32], isInTurn);
          // `vcpu_allowed_register_width()` of 5.10 takes a vCPU that is not initialised for one of 64 bits.
          if (!isInTurn && kernelOf(kvm, context).bitmaps === 0) {
            refused('EINVAL', INIT, first);
            return;
          }
          first();
          second();
        });

        it('cannot be of both: EINVAL', context => {
          const kvm = has32Bit(open(), context);
          for (const widths of [
            [64, 32],
            [32, 64],
          ] as const) {
            const [first, second] = inits(kvm, widths, isInTurn);
            if (!isInTurn && widths[0] === 32 && kernelOf(kvm, context).bitmaps === 0) {
              refused('EINVAL', INIT, first);
              continue;
            }
            first();
            refused('EINVAL', INIT, second);
          }
        });
      },
    );
  }
};
