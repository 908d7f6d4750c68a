import { afterAll, beforeAll, expect, test } from 'vitest';
import type { KvmHandle, VcpuHandle, VmHandle } from '#lib/backend.js';
import { openNative } from '#lib/native/system.js';
import { addon, must, withAddon, withX86Kvm } from './support.ts';

const EBADF = -9;
const EINVAL = -22;
const ENOTTY = -25;

withAddon('openNative', () => {
  test.each([
    ['/dev/this-does-not-exist', -2],
    ['/dev', -21],
  ])('answers the errno of open for %s', (path, errno) => {
    expect(openNative(addon, path)).toBe(errno);
  });

  test('names its path as the host', () => {
    const kvm = must(openNative(addon, '/dev/null'));
    expect([kvm.backend, kvm.host]).toEqual(['native', '/dev/null']);
    expect(kvm.getApiVersion()).toBe(ENOTTY);
    kvm.close();
  });
});

withX86Kvm('the seam on an x86 KVM', () => {
  let kvm: KvmHandle;
  let vm: VmHandle;
  let vcpu: VcpuHandle;
  beforeAll(() => {
    kvm = must(openNative(addon, '/dev/kvm'));
    vm = must(kvm.createVm(0n));
    vcpu = must(vm.createVcpu(0));
  });
  afterAll(() => {
    for (const handle of [vcpu, vm, kvm]) handle.close();
  });

  // What an x86 kernel answers to each, by its source; ENOTTY is a request that it does not know.
  const CALLS: [name: string, call: () => unknown, answer: unknown][] = [
    ['getApiVersion', () => kvm.getApiVersion(), 12],
    ['checkExtension of ARM_PSCI_0_2', () => kvm.checkExtension(102), 0],
    ['checkExtension of USER_MEMORY', () => kvm.checkExtension(3), 1],
    ['checkExtension of an unknown one', () => kvm.checkExtension(0xffff_ffff), 0],
    ['createVm with IPA bits', () => kvm.createVm(48n), EINVAL],
    ['ioctl of an integer', () => kvm.ioctl(0xae00, 0n), 12],
    ['vm.checkExtension', () => vm.checkExtension(102), 0],
    ['vm.enableCap of ARM_MTE', () => vm.enableCap(205, 0, new BigUint64Array(4)), EINVAL],
    ['createVcpu of the same number', () => vm.createVcpu(0), -17],
    ['armPreferredTarget', () => vm.armPreferredTarget(new Uint8Array(32)), ENOTTY],
    ['armGetRegWritableMasks', () => vm.armGetRegWritableMasks(0, new BigUint64Array(192)), ENOTTY],
    ['armSetCounterOffset', () => vm.armSetCounterOffset(new Uint8Array(16)), ENOTTY],
    ['vm.hasDeviceAttr', () => vm.hasDeviceAttr(0, 0n), ENOTTY],
    ['vm.setDeviceAttr', () => vm.setDeviceAttr(0, 0n, new Uint8Array(8)), ENOTTY],
    ['armVcpuInit', () => vcpu.armVcpuInit(new Uint8Array(32)), EINVAL],
    ['armVcpuFinalize', () => vcpu.armVcpuFinalize(4), EINVAL],
    ['getOneReg', () => vcpu.getOneReg(0x6030_0000_0014_0000n), EINVAL],
    ['setOneReg', () => vcpu.setOneReg(0x6030_0000_0014_0000n, 2n), EINVAL],
    ['getMpState', () => vcpu.getMpState(), 0],
    ['setMpState of STOPPED', () => vcpu.setMpState(5), EINVAL],
    ['setMpState of RUNNABLE', () => vcpu.setMpState(0), 0],
    ['vcpu.hasDeviceAttr of the TSC offset', () => vcpu.hasDeviceAttr(0, 0n), 0],
    ['vcpu.hasDeviceAttr of another', () => vcpu.hasDeviceAttr(0, 1n), -6],
    ['vcpu.getDeviceAttr', () => vcpu.getDeviceAttr(0, 0n, new Uint8Array(8)), 0],
    ['getVcpuEvents', () => vcpu.getVcpuEvents(new Uint8Array(64)), 0],
  ];
  test.each(CALLS)('%s', (_, call, answer) => {
    expect(call()).toBe(answer);
  });

  test('a size of the vCPU mapping', () => {
    expect(kvm.getVcpuMmapSize() % 4096).toBe(0);
  });

  test('events come back as they were', () => {
    const events = new Uint8Array(64);
    expect(vcpu.getVcpuEvents(events)).toBe(0);
    expect(vcpu.setVcpuEvents(events)).toBe(0);
  });

  test('every method answers EBADF after close', () => {
    const closedVm = must(kvm.createVm(0n));
    const closed = must(closedVm.createVcpu(0));
    closed.close();
    closedVm.close();
    const four = new BigUint64Array(4);
    const answers = [
      closedVm.checkExtension(1),
      closedVm.enableCap(1, 0, four),
      closedVm.createVcpu(1),
      closedVm.armPreferredTarget(new Uint8Array(32)),
      closedVm.armGetRegWritableMasks(0, four),
      closedVm.armSetCounterOffset(new Uint8Array(16)),
      closedVm.hasDeviceAttr(0, 0n),
      closedVm.getDeviceAttr(0, 0n, new Uint8Array(1)),
      closedVm.setDeviceAttr(0, 0n, new Uint8Array(1)),
      closedVm.ioctl(0xae03, 0n),
      closed.armVcpuInit(new Uint8Array(32)),
      closed.armVcpuFinalize(4),
      closed.getRegList(),
      closed.getOneReg(0n),
      closed.setOneReg(0n, 0n),
      closed.getMpState(),
      closed.setMpState(0),
      closed.getVcpuEvents(new Uint8Array(64)),
      closed.setVcpuEvents(new Uint8Array(64)),
    ];
    expect(answers).toEqual(new Array(answers.length).fill(EBADF));
  });
});
