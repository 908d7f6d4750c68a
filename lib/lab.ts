/**
 * `kvm-arm64/lab`: Node programs on real arm64 kernels, in machines that QEMU emulates.
 *
 * @packageDocumentation
 */
export { LabError, type LabErrorCode } from './lab/error.ts';
export type { GuestFiles } from './lab/initrd.ts';
export type { KernelManifest, KernelOffer } from './lab/kernels.ts';
export type { MachineOptions } from './lab/machine.ts';
export { type LabOptions, type LabProcess, type LabResult, runInLab, startLab } from './lab/run.ts';
export { type SetupOptions, setup } from './lab/setup.ts';
export { type LabStatus, labStatus } from './lab/status.ts';
export type { LabExit } from './lab/watch.ts';
