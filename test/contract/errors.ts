/** The shape of errors, which must not tell the backends apart. */
import assert from 'node:assert/strict';
import { KvmError } from '#lib/errors.js';
import type { Suite } from '#lib/testing.js';
import { kernelOf } from './kernel.ts';
import { PSCI_VERSION } from './registers.ts';
import { refused, withKvm, withNewVcpu, withVcpu, withVm } from './suite.ts';

type Code = Parameters<typeof refused>[0];

/** All that a KvmError tells beside its stack. */
function tell(error: KvmError): unknown {
  const { name, message, code, errno, syscall, request, register, hint, path, cause } = error;
  return { name, message, code, errno, syscall, request, register, hint, path, cause };
}

const NONE = { register: undefined, hint: undefined, path: undefined, cause: undefined };

export const errors: Suite = ({ describe, it, open }) => {
  describe('a KvmError', () => {
    it('of a request tells errno, request and what it most likely means', () => {
      withVm(open, vm => {
        vm.createVcpu(3);
        assert.deepEqual(tell(refused('EEXIST', 'KVM_CREATE_VCPU', () => vm.createVcpu(3))), {
          ...NONE,
          name: 'KvmError',
          message:
            'EEXIST: file already exists, ioctl KVM_CREATE_VCPU. The VM has a vCPU 3 already; one that was closed keeps its id until the VM is closed',
          code: 'EEXIST',
          errno: -17,
          syscall: 'ioctl',
          request: 'KVM_CREATE_VCPU',
          hint: 'The VM has a vCPU 3 already; one that was closed keeps its id until the VM is closed',
        });
      });
    });

    it('of a register tells which', () => {
      withVcpu(open, ['PSCI_0_2'], vcpu => {
        const error = refused('EINVAL', 'KVM_SET_ONE_REG', () => vcpu.setPsciVersion('1.7'), PSCI_VERSION);
        assert.deepEqual(tell(error), {
          ...NONE,
          name: 'KvmError',
          message:
            'EINVAL: invalid argument, ioctl KVM_SET_ONE_REG (KVM_REG_ARM_PSCI_VERSION). ' +
            'This host accepts 0.2, 1.0, 1.1',
          code: 'EINVAL',
          errno: -22,
          syscall: 'ioctl',
          request: 'KVM_SET_ONE_REG',
          register: { id: PSCI_VERSION, name: 'KVM_REG_ARM_PSCI_VERSION' },
          hint: 'This host accepts 0.2, 1.0, 1.1',
        });
      });
    });

    it('of what interrupts a guest, or is told by one, says what stands in the way', () => {
      withVcpu(open, ['PSCI_0_2'], vcpu => {
        const { vm } = vcpu;
        const event = vm.kvm.createEventFd();
        const hinted = (code: Code, hint: RegExp, request: string, call: () => unknown) =>
          assert.match(refused(code, request, call).hint ?? '', hint);
        vm.createGic().init();
        const line = { type: 'spi', id: 256, level: true } as const;
        hinted('EINVAL', /no such interrupt: it has 256/, 'KVM_IRQ_LINE', () => vm.setIrqLine(line));
        vm.assignIoEventFd(event, { physAddr: 0x900_0000, size: 4 });
        const again = { physAddr: 0x900_0000, size: 4 } as const;
        hinted('EEXIST', /Another eventfd/, 'KVM_IOEVENTFD', () => vm.assignIoEventFd(event, again));
        const last = { physAddr: (1n << 64n) - 4n, size: 8 } as const;
        hinted('EINVAL', /beyond 2\^64/, 'KVM_IOEVENTFD', () => vm.assignIoEventFd(event, last));
        const other = { physAddr: 0x900_0000, size: 2 } as const;
        hinted('ENOENT', /just these writes/, 'KVM_IOEVENTFD', () => vm.deassignIoEventFd(event, other));
        const routes = [{ gsi: 0, pin: 988 }];
        hinted('EINVAL', /pin is from 0 to 987/, 'KVM_SET_GSI_ROUTING', () => vm.setGsiRouting(routes));
        hinted('ENODEV', /no ITS/, 'KVM_SIGNAL_MSI', () => vm.signalMsi({ address: 0x808_0040n, data: 1 }));
      });
    });

    it('of an SMCCC filter says which ranges there can be', context => {
      withVcpu(open, ['PSCI_0_2'], ({ vm }) => {
        const set = (base: number, count: number) => () =>
          vm.setSmcccFilter([{ base, count, action: 'deny' }]);
        const hintOf = (code: Code, call: () => unknown) => refused(code, 'KVM_SET_DEVICE_ATTR', call).hint;
        if (!kernelOf(vm.kvm, context).filtersCalls) {
          // KVM_SET_DEVICE_ATTR of a VM is no request there (kvm_arch_vm_ioctl, arm.c).
          assert.match(hintOf('EINVAL', set(0x8600_0000, 1)) ?? '', /from Linux 6\.4/);
          return;
        }
        assert.match(hintOf('EEXIST', set(0x8000_0000, 1)) ?? '', /the kernel's own: 0x80000000/);
        assert.match(hintOf('EINVAL', set(0x8600_0000, 0)) ?? '', /has no function/);
      });
    });

    it('without a hint says what the system says', () => {
      withKvm(open, kvm => {
        // The default case of kvm_arch_vm_ioctl (arch/arm64/kvm/arm.c): no such request.
        const error = refused('EINVAL', '0xaeff', () => kvm.createVm().ioctl(0xaeff));
        assert.deepEqual(tell(error), {
          ...NONE,
          name: 'KvmError',
          message: 'EINVAL: invalid argument, ioctl 0xaeff',
          code: 'EINVAL',
          errno: -22,
          syscall: 'ioctl',
          request: '0xaeff',
        });
      });
    });

    it('of a closed object has no errno', () => {
      const kvm = open();
      kvm.close();
      assert.throws(
        () => kvm.apiVersion(),
        (error: unknown) => {
          assert.deepEqual(tell(error as KvmError), {
            ...NONE,
            name: 'KvmError',
            message: 'ERR_CLOSED: this Kvm has been closed',
            code: 'ERR_CLOSED',
            errno: undefined,
            syscall: undefined,
            request: undefined,
          });
          return true;
        },
      );
    });

    it('is an Error with a stack that names the caller, and prints as one', () => {
      withNewVcpu(open, vcpu => {
        const error = refused('ENOEXEC', 'KVM_GET_REG_LIST', function theCaller() {
          return vcpu.getRegList();
        });
        assert.ok(error instanceof Error && error instanceof KvmError);
        assert.match(error.stack ?? '', /theCaller/);
        assert.match(String(error), /^KvmError: ENOEXEC: exec format error, ioctl KVM_GET_REG_LIST\. /);
      });
    });

    it('leaves the object usable', () => {
      withVcpu(open, ['PSCI_0_2'], vcpu => {
        for (let i = 0; i < 3; i++) {
          refused('EINVAL', 'KVM_SET_ONE_REG', () => vcpu.setPsciVersion('1.7'), PSCI_VERSION);
          vcpu.setPsciVersion('1.0');
          assert.equal(vcpu.psciVersion, '1.0');
        }
      });
    });
  });
};
