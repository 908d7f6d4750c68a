import { describe, expect, test } from 'vitest';
import { openNative } from '#lib/native/system.js';
import { addon, fixture, must, withX86Kvm } from './support.ts';

/** Memory of 64 KiB pages. */
function pages(count: number): Uint8Array {
  // TypeScript has the types of WebAssembly in its library for browsers only.
  const { WebAssembly } = globalThis as unknown as {
    WebAssembly: { Memory: new (options: object) => { buffer: ArrayBuffer } };
  };
  return new Uint8Array(new WebAssembly.Memory({ initial: count, maximum: count, shared: true }).buffer);
}

const [EEXIST, ENOENT, EINVAL] = [-17, -2, -22];
const NONE = new Uint8Array(0);

withX86Kvm('memory slots on an x86 KVM', () => {
  const inVm = (body: (vm: ReturnType<typeof openVm>) => void) => () => {
    const vm = openVm();
    body(vm);
    vm.close();
  };
  function openVm() {
    const kvm = must(openNative(addon, '/dev/kvm'));
    const vm = must(kvm.createVm(0n));
    kvm.close();
    return vm;
  }

  test(
    'are made, moved, and deleted',
    inVm(vm => {
      const [a, b] = [pages(4), pages(4)];
      expect(vm.setUserMemoryRegion(0, 0, 0n, a)).toBe(0);
      expect(vm.setUserMemoryRegion(1, 0, 0x2_0000n, b)).toBe(EEXIST);
      expect(vm.setUserMemoryRegion(1, 2, 0x4_0000n, b)).toBe(0);
      expect(vm.setUserMemoryRegion(0, 0, 0x10_0000n, a)).toBe(0);
      expect(vm.setUserMemoryRegion(2, 0, 0n, a)).toBe(0);
      expect(vm.setUserMemoryRegion(2, 0, 0n, NONE)).toBe(0);
      expect(vm.setUserMemoryRegion(2, 0, 0n, NONE)).toBe(EINVAL);
    }),
  );

  test(
    'must be of whole pages, and stay the memory that they are',
    inVm(vm => {
      const a = pages(1);
      expect(vm.setUserMemoryRegion(0, 0, 0n, a.subarray(1))).toBe(EINVAL);
      expect(vm.setUserMemoryRegion(0, 0, 1n, a)).toBe(EINVAL);
      expect(vm.setUserMemoryRegion(0, 0, 0n, a)).toBe(0);
      expect(vm.setUserMemoryRegion(0, 0, 0n, pages(1))).toBe(EINVAL);
    }),
  );

  test(
    'have a dirty log where that is asked for, of up to 4 GiB',
    inVm(vm => {
      const large = pages(65536);
      const bitmap = new Uint8Array(131072);
      expect(vm.setUserMemoryRegion(0, 0, 0n, large)).toBe(0);
      expect(vm.getDirtyLog(0, bitmap)).toBe(ENOENT);
      expect(vm.setUserMemoryRegion(0, 1, 0n, large)).toBe(0);
      expect(vm.getDirtyLog(0, bitmap)).toBe(0);
      expect(vm.clearDirtyLog(0, 0, 64, bitmap)).toBe(0);
      expect(vm.clearDirtyLog(0, 1, 64, bitmap)).toBe(EINVAL);
      // Too short for what the kernel writes: it meets the guard page.
      expect(vm.getDirtyLog(0, bitmap.subarray(0, 8))).toBe(-14);
    }),
  );

  describe('memory of one thread, which could be freed under the guest', () => {
    test.each([
      ['of JavaScript', () => new Uint8Array(65536)],
      ['of a Buffer', () => Buffer.alloc(65536)],
    ])('%s is refused', (_, make) => {
      inVm(vm => {
        expect(() => vm.setUserMemoryRegion(0, 0, 0n, make())).toThrow(
          'bytes must be a Uint8Array on shared memory',
        );
      })();
    });
  });

  test('is kept while the VM or a vCPU of it lives, and then no longer', async () => {
    const { code, stderr, stdout } = await fixture('memory', [], ['--expose-gc']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({ whileVm: 3, deleted: 2, whileVcpu: 2, after: 0 });
  });
});
