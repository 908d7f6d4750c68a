/** Runs in the guest: opens KVM in ways that only an ARM host can show, and prints what came of each as JSON. */
import { Kvm, type KvmError, type OpenOptions } from 'kvm-arm64';

const NOBODY = 65534;

function outcome(options: OpenOptions = {}) {
  try {
    const kvm = Kvm.open(options);
    const { backend, host, reason } = kvm;
    kvm.close();
    return { backend, host, reason };
  } catch (error) {
    const { code, hint, message } = error as KvmError;
    return { code, hint, message };
  }
}

const asRoot = {
  auto: outcome(),
  native: outcome({ backend: 'native' }),
  noDevice: outcome({ path: '/dev/no-such-kvm' }),
  noDeviceNative: outcome({ backend: 'native', path: '/dev/no-such-kvm' }),
  notKvm: outcome({ path: '/dev/null' }),
  folder: outcome({ path: '/dev' }),
  emulated: outcome({ backend: 'emulated' }),
};
process.setuid?.(NOBODY);
console.log(
  JSON.stringify({
    ...asRoot,
    noPermission: outcome(),
    noPermissionEmulated: outcome({ backend: 'emulated' }),
  }),
);
