import { afterAll, beforeAll, expect, test } from 'vitest';
import { KVM_IOCTL } from '#lib/abi/ioctls.js';
import type { Fd } from '#lib/native/addon.js';
import { addon, must, openKvm, withX86Kvm } from './support.ts';

const EINVAL = -22;

/** x86 has ONE_REG since 6.18: `KVM_X86_REG_MSR(index)` of its asm/kvm.h. */
const msr = (index: bigint) => 0x2030_0002_0000_0000n | index;
const STAR = msr(0xc000_0081n);
const LSTAR = msr(0xc000_0082n);
const PSCI_VERSION = 0x6030_0000_0014_0000n;

withX86Kvm('registers of an x86 vCPU', () => {
  let vcpu: Fd;
  let hasOneReg: boolean;
  const opened: Fd[] = [];

  beforeAll(() => {
    const kvm = openKvm();
    const vm = must(addon.create(kvm, KVM_IOCTL.KVM_CREATE_VM, 0n));
    vcpu = must(addon.create(vm, KVM_IOCTL.KVM_CREATE_VCPU, 0n));
    hasOneReg = addon.ioctl(kvm, KVM_IOCTL.KVM_CHECK_EXTENSION, 70n) === 1;
    opened.push(kvm, vm, vcpu);
  });
  afterAll(() => {
    for (const fd of opened) addon.close(fd);
  });

  test('the id of an Arm register is EINVAL', () => {
    expect(addon.getOneReg(vcpu, PSCI_VERSION)).toBe(EINVAL);
    expect(addon.setOneReg(vcpu, PSCI_VERSION, 0x10000n)).toBe(EINVAL);
  });

  test.each(Array.from({ length: 16 }, (_, code) => code))('width code %i is survived', code => {
    const id = 0x6000_0000_0014_0000n | (BigInt(code) << 52n);
    const top = (1n << BigInt(8 * 2 ** code)) - 1n;
    expect(addon.getOneReg(vcpu, id)).toBe(EINVAL);
    expect(addon.setOneReg(vcpu, id, top)).toBe(EINVAL);
    expect(() => addon.setOneReg(vcpu, id, top + 1n)).toThrow(RangeError);
    expect(() => addon.setOneReg(vcpu, id, -1n)).toThrow(RangeError);
    const words = new BigUint64Array(Math.max(1, 2 ** code / 8)).fill(1n);
    const status = new Int32Array(1);
    expect(addon.getRegs(vcpu, new BigUint64Array([id]), words, status)).toBe(1);
    expect([...status]).toEqual([EINVAL]);
    expect(words.every(word => word === 0n)).toBe(true);
    expect(addon.setRegs(vcpu, new BigUint64Array([id]), words, status)).toBe(1);
    expect(() => addon.getRegs(vcpu, new BigUint64Array([id]), words.subarray(1), status)).toThrow(
      RangeError,
    );
  });

  test('the list is empty, or holds what the shadow stack has', () => {
    const list = addon.getRegList(vcpu);
    if (!hasOneReg) expect(list).toBe(EINVAL);
    else expect((list as BigUint64Array).length).toBeLessThanOrEqual(1);
  });

  test('all 64 bits of a value come back, unsigned', ctx => {
    if (!hasOneReg) ctx.skip('this kernel has no ONE_REG on x86 (before 6.18)');
    for (const value of [0n, 1n, 0x8000_0000_0000_0000n, 0xffff_ffff_ffff_ffffn]) {
      expect(addon.setOneReg(vcpu, STAR, value)).toBe(0);
      expect(addon.getOneReg(vcpu, STAR)).toBe(value);
    }
  });

  test('a batch goes on after a failure, and says which one failed', ctx => {
    if (!hasOneReg) ctx.skip('this kernel has no ONE_REG on x86 (before 6.18)');
    const ids = new BigUint64Array([STAR, PSCI_VERSION, LSTAR]);
    const status = new Int32Array(3).fill(99);
    expect(addon.setRegs(vcpu, ids, new BigUint64Array([0x1234n, 5n, 0x5678n]), status)).toBe(1);
    expect([...status]).toEqual([0, EINVAL, 0]);

    const words = new BigUint64Array(4).fill(7n);
    expect(addon.getRegs(vcpu, ids, words, status.fill(99))).toBe(1);
    expect([...status]).toEqual([0, EINVAL, 0]);
    expect([...words]).toEqual([0x1234n, 0n, 0x5678n, 7n]);
  });

  test('a batch of none fails for none', () => {
    expect(addon.getRegs(vcpu, new BigUint64Array(0), new BigUint64Array(0), new Int32Array(0))).toBe(0);
  });
});
