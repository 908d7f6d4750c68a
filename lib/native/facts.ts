/**
 * What can be seen of this machine's KVM. Gathering never throws and judges nothing: `verdict.ts` does.
 *
 * @packageDocumentation
 */
import { closeSync, openSync } from 'node:fs';
import { KVM_CAP } from '../abi/capabilities.ts';
import { errnoName } from '../abi/errno.ts';
import { KVM_IOCTL } from '../abi/ioctls.ts';
import { type Addon, type Attempt, loadAddon } from './addon.ts';

/** The addon, as far as it could be loaded. */
export interface AddonFacts {
  readonly available: boolean;
  /** The file that it was loaded from. */
  readonly path: string | undefined;
  /** The files that it was not loaded from, and why. */
  readonly attempts: readonly Attempt[];
}

/** A system call on the device that failed. */
export interface DeviceFault {
  readonly syscall: 'open' | 'ioctl';
  /** The errno's name, `'EACCES'`. */
  readonly code: string;
}

/** The KVM device, as far as it could be asked; only the addon can ask more than `open`. */
export interface DeviceFacts {
  readonly path: string;
  readonly exists: boolean;
  readonly fault: DeviceFault | undefined;
  readonly apiVersion: number | undefined;
  /** Whether it has `KVM_CAP_ARM_PSCI_0_2`: every arm64 kernel does, no other one. */
  readonly isArm: boolean | undefined;
}

/** Everything that the verdict is made of. */
export interface Facts {
  readonly platform: string;
  /** That of the Node binary: an emulated arm64 Node on x86 says `arm64`. */
  readonly arch: string;
  readonly addon: AddonFacts;
  readonly device: DeviceFacts;
}

/** Looks at the device, with the addon where there is one. */
export function gatherFacts(path: string): Facts {
  const { addon, path: addonPath, attempts } = loadAddon();
  return {
    platform: process.platform,
    arch: process.arch,
    addon: { available: addon !== undefined, path: addonPath, attempts },
    device: lookAt(path, addon),
  };
}

function lookAt(path: string, addon: Addon | undefined): DeviceFacts {
  const code = openFault(path);
  const device: DeviceFacts = {
    path,
    exists: code !== 'ENOENT' && code !== 'ENOTDIR',
    fault: code === undefined ? undefined : { syscall: 'open', code },
    apiVersion: undefined,
    isArm: undefined,
  };
  if (code !== undefined || addon === undefined) return device;
  const fd = addon.open(path);
  if (typeof fd === 'number') return { ...device, fault: { syscall: 'open', code: errnoName(-fd) } };
  try {
    const apiVersion = addon.ioctl(fd, KVM_IOCTL.KVM_GET_API_VERSION, 0n);
    if (apiVersion < 0) return { ...device, fault: { syscall: 'ioctl', code: errnoName(-apiVersion) } };
    // 1 from arm64 kernels 5.10 to 7.3, also under pKVM. KVM_CAP_ONE_REG, DEVICE_CTRL, VCPU_EVENTS and MP_STATE
    // are no sign of Arm: x86 has them, too.
    const isArm = addon.ioctl(fd, KVM_IOCTL.KVM_CHECK_EXTENSION, BigInt(KVM_CAP.KVM_CAP_ARM_PSCI_0_2)) >= 1;
    return { ...device, apiVersion, isArm };
  } finally {
    addon.close(fd);
  }
}

/** Why the device cannot be opened for reading and writing; Node can tell that without the addon. */
function openFault(path: string): string | undefined {
  try {
    closeSync(openSync(path, 'r+'));
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'EIO';
  }
}
