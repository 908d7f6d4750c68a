import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { afterEach, expect, type TestContext, test } from 'vitest';
import { KVM_IOCTL } from '#lib/abi/ioctls.js';
import type { Fd } from '#lib/native/addon.js';
import { addon, must, openKvm, withAddon, withKvm, withX86Kvm } from './support.ts';

const EBADF = -9;
const ENOTTY = -25;
const EINVAL = -22;

const opened: Fd[] = [];
const keep = (fd: Fd): Fd => {
  opened.push(fd);
  return fd;
};
afterEach(() => {
  for (const fd of opened.splice(0)) addon.close(fd);
});

const newVm = () => keep(must(addon.create(keep(openKvm()), KVM_IOCTL.KVM_CREATE_VM, 0n)));
const newVcpu = () => keep(must(addon.create(newVm(), KVM_IOCTL.KVM_CREATE_VCPU, 0n)));

withAddon('open', () => {
  test.each([
    ['/dev/this-does-not-exist', -2], // ENOENT
    ['', -2],
    ['\ud800', -2], // half a surrogate pair becomes U+FFFD
    ['/etc/passwd/below-a-file', -20], // ENOTDIR
    ['/dev', -21], // EISDIR
    [`/${'x'.repeat(300)}`, -36], // ENAMETOOLONG: one component
    [`/${'x/'.repeat(3000)}`, -36], // the whole path
  ])('answers the errno for %j', (path, errno) => {
    expect(addon.open(path)).toBe(errno);
  });

  test('something that is not KVM opens, and answers ENOTTY', () => {
    const fd = keep(must(addon.open('/dev/null')));
    expect(addon.ioctl(fd, KVM_IOCTL.KVM_GET_API_VERSION, 0n)).toBe(ENOTTY);
    expect(addon.create(fd, KVM_IOCTL.KVM_CREATE_VM, 0n)).toBe(ENOTTY);
    expect(addon.getRegList(fd)).toBe(ENOTTY);
  });
});

withKvm('system and VM descriptors', () => {
  test('are closed on exec', () => {
    newVcpu();
    const links = readdirSync('/proc/self/fd').flatMap(fd => {
      try {
        const target = readlinkSync(`/proc/self/fd/${fd}`);
        return target.includes('kvm') ? [{ fd, target }] : [];
      } catch {
        return [];
      }
    });
    expect(links.map(link => link.target)).toEqual(
      expect.arrayContaining(['/dev/kvm', 'anon_inode:kvm-vm', 'anon_inode:kvm-vcpu:0']),
    );
    for (const { fd } of links) {
      const flags = Number.parseInt(
        /^flags:\s+([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))![1]!,
        8,
      );
      expect(flags & 0o2000000).toBe(0o2000000);
    }
  });

  test('speak version 12 of the API, the only one there ever was', () => {
    expect(addon.ioctl(keep(openKvm()), KVM_IOCTL.KVM_GET_API_VERSION, 0n)).toBe(12);
  });

  test('map at least a page for each vCPU', () => {
    const size = addon.ioctl(keep(openKvm()), KVM_IOCTL.KVM_GET_VCPU_MMAP_SIZE, 0n);
    expect(size).toBeGreaterThanOrEqual(4096);
    expect(size % 4096).toBe(0);
  });

  test('a second vCPU of the same number is EEXIST', () => {
    const vm = newVm();
    keep(must(addon.create(vm, KVM_IOCTL.KVM_CREATE_VCPU, 3n)));
    expect(addon.create(vm, KVM_IOCTL.KVM_CREATE_VCPU, 3n)).toBe(-17);
  });

  test('a vCPU outlives its closed VM', () => {
    const vm = newVm();
    const vcpu = keep(must(addon.create(vm, KVM_IOCTL.KVM_CREATE_VCPU, 0n)));
    addon.close(vm);
    expect(addon.ioctl(vcpu, KVM_IOCTL.KVM_GET_MP_STATE, new Uint8Array(4))).not.toBe(EBADF);
  });

  test('answer EBADF after close, which may be called again', () => {
    const vcpu = newVcpu();
    addon.close(vcpu);
    addon.close(vcpu);
    expect(addon.ioctl(vcpu, KVM_IOCTL.KVM_GET_API_VERSION, 0n)).toBe(EBADF);
    expect(addon.ioctl(vcpu, KVM_IOCTL.KVM_GET_MP_STATE, new Uint8Array(4))).toBe(EBADF);
    expect(addon.create(vcpu, KVM_IOCTL.KVM_CREATE_VCPU, 0n)).toBe(EBADF);
    expect(addon.getOneReg(vcpu, 0n)).toBe(EBADF);
    expect(addon.setOneReg(vcpu, 0n, 0n)).toBe(EBADF);
    expect(addon.getRegList(vcpu)).toBe(EBADF);
    const status = new Int32Array(1);
    expect(addon.getRegs(vcpu, new BigUint64Array(1), new BigUint64Array(1), status)).toBe(1);
    expect([...status]).toEqual([EBADF]);
  });
});

withX86Kvm('an x86 KVM', () => {
  test('makes VMs of type 0, and none of an IPA size', () => {
    const kvm = keep(openKvm());
    keep(must(addon.create(kvm, KVM_IOCTL.KVM_CREATE_VM, 0n)));
    expect(addon.create(kvm, KVM_IOCTL.KVM_CREATE_VM, 40n)).toBe(EINVAL);
    expect(addon.create(kvm, KVM_IOCTL.KVM_CREATE_VM, 0xffff_ffff_ffff_ffffn)).toBe(EINVAL);
  });

  test('knows none of the requests of Arm', () => {
    const vm = newVm();
    expect(addon.ioctl(vm, KVM_IOCTL.KVM_ARM_PREFERRED_TARGET, new Uint8Array(32))).toBe(ENOTTY);
    expect(addon.ioctl(vm, KVM_IOCTL.KVM_ARM_SET_COUNTER_OFFSET, new Uint8Array(16))).toBe(ENOTTY);
    expect(addon.ioctl(newVcpu(), KVM_IOCTL.KVM_ARM_VCPU_INIT, new Uint8Array(32))).toBe(EINVAL);
  });

  test('struct arguments are copied in and out', () => {
    const vcpu = newVcpu();
    const state = new Uint8Array([0xff, 0xff, 0xff, 0xff, 0xaa]);
    expect(addon.ioctl(vcpu, KVM_IOCTL.KVM_GET_MP_STATE, state)).toBe(0);
    expect([...state]).toEqual([0, 0, 0, 0, 0xaa]); // KVM_MP_STATE_RUNNABLE, and what follows untouched
    expect(addon.ioctl(vcpu, KVM_IOCTL.KVM_SET_MP_STATE, new Uint8Array([5, 0, 0, 0]))).toBe(EINVAL);
  });

  test('structs and pointees may be views on shared memory', () => {
    const vcpu = newVcpu();
    const state = new Uint8Array(new SharedArrayBuffer(8), 2, 4).fill(0xff);
    expect(addon.ioctl(vcpu, KVM_IOCTL.KVM_GET_MP_STATE, state)).toBe(0);
    expect([...state]).toEqual([0, 0, 0, 0]);
  });

  test('a pointee is read and written through the struct, which keeps no address', ctx => {
    const { vcpu, star } = vcpuWithOneReg(ctx);
    star.fill(0xbb, ADDR);
    const value = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(addon.ioctl(vcpu, KVM_IOCTL.KVM_SET_ONE_REG, star, value, ADDR)).toBe(0);
    const read = new Uint8Array(8).fill(0xff);
    expect(addon.ioctl(vcpu, KVM_IOCTL.KVM_GET_ONE_REG, star, read, ADDR)).toBe(0);
    expect([...read]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect([...star.subarray(ADDR)]).toEqual(new Array(8).fill(0xbb));
  });

  test('a kernel that writes more than the pointee has, writes nowhere else', ctx => {
    const { vcpu, star } = vcpuWithOneReg(ctx);
    expect(addon.ioctl(vcpu, KVM_IOCTL.KVM_SET_ONE_REG, star, new Uint8Array(8).fill(9), ADDR)).toBe(0);
    const memory = new Uint8Array(16).fill(0xcc);
    expect(addon.ioctl(vcpu, KVM_IOCTL.KVM_GET_ONE_REG, star, memory.subarray(0, 3), ADDR)).toBe(0);
    expect([...memory]).toEqual([9, 9, 9, ...new Array(13).fill(0xcc)]);
  });

  test('what follows a short pointee reads as zeros, whatever was there before', ctx => {
    const { vcpu, star } = vcpuWithOneReg(ctx);
    expect(addon.ioctl(vcpu, KVM_IOCTL.KVM_SET_ONE_REG, star, new Uint8Array(8).fill(1), ADDR)).toBe(0);
    expect(addon.ioctl(vcpu, KVM_IOCTL.KVM_GET_ONE_REG, star, new Uint8Array(1), ADDR)).toBe(0);
    expect(addon.ioctl(vcpu, KVM_IOCTL.KVM_SET_ONE_REG, star, new Uint8Array([7]), ADDR)).toBe(0);
    const read = new Uint8Array(8);
    expect(addon.ioctl(vcpu, KVM_IOCTL.KVM_GET_ONE_REG, star, read, ADDR)).toBe(0);
    expect([...read]).toEqual([7, 0, 0, 0, 0, 0, 0, 0]);
  });

  test('more than 8 KiB behind a struct is EFAULT', () => {
    // struct kvm_cpuid2: a count, padding, then entries of 40 bytes, 256 at most (KVM_MAX_CPUID_ENTRIES).
    const KVM_SET_CPUID2 = 0x4008_ae90;
    expect(addon.ioctl(newVcpu(), KVM_SET_CPUID2, new Uint8Array([0, 1, 0, 0, 0, 0, 0, 0]))).toBe(-14);
  });
});

/** Offset of `addr` in `struct kvm_one_reg`. */
const ADDR = 8;

/** A vCPU, and the `struct kvm_one_reg` of a register that holds any value: x86's MSR_STAR. */
function vcpuWithOneReg(ctx: TestContext) {
  const vcpu = newVcpu();
  const star = new Uint8Array(16);
  new DataView(star.buffer).setBigUint64(0, 0x2030_0002_c000_0081n, true);
  if (addon.getOneReg(vcpu, 0x2030_0002_c000_0081n) === EINVAL) {
    ctx.skip('this kernel has no ONE_REG on x86 (before 6.18)');
  }
  return { vcpu, star };
}
