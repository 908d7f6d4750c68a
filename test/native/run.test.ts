import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { MmioExit } from '#lib/abi/exits.js';
import { Kvm } from '#lib/kvm.js';
import { dirtyPages } from '#lib/memory.js';
import { openNative } from '#lib/native/system.js';
import type { Vcpu } from '#lib/vcpu.js';
import type { Vm } from '#lib/vm.js';
import { load, SPIN } from './fixtures/x86-guest.mjs';
import { addon, must, withX86Kvm } from './support.ts';

// KVM_EXIT_HLT (linux/kvm.h)
const HLT = 5;
/** mov al,0x42; mov [0x1000],al; mov al,[0x1001]; mov [0x1002],al; hlt */
const ECHO = [0xb0, 0x42, 0xa2, 0x00, 0x10, 0xa0, 0x01, 0x10, 0xa2, 0x02, 0x10, 0xf4];

withX86Kvm('KVM_RUN on an x86 KVM', () => {
  let vm: Vm;
  let vcpu: Vcpu;
  beforeEach(() => {
    vm = new Kvm(must(openNative(addon, '/dev/kvm')), 'a test').createVm();
    vcpu = vm.createVcpu(0);
  });
  afterEach(() => vm.kvm.close());

  const mmio = (exit: object, physAddr: bigint, isWrite: boolean): MmioExit => {
    expect(exit).toMatchObject({ reason: 'MMIO', physAddr, isWrite });
    return exit as MmioExit;
  };

  test.each([
    ['runSync', () => vcpu.runSync()],
    ['run', () => vcpu.run()],
  ])('%s: writes and reads without memory are exits, and the next run completes them', async (_, run) => {
    load(vm, ECHO);
    expect([...mmio(await run(), 0x1000n, true).data]).toEqual([0x42]);
    mmio(await run(), 0x1001n, false).data[0] = 0x99;
    expect([...mmio(await run(), 0x1002n, true).data]).toEqual([0x99]);
    expect(await run()).toMatchObject({ reason: 'OTHER', number: HLT });
  });

  test('the two can take turns', async () => {
    load(vm, ECHO);
    mmio(vcpu.runSync(), 0x1000n, true);
    mmio(await vcpu.run(), 0x1001n, false).data[0] = 7;
    expect([...mmio(vcpu.runSync(), 0x1002n, true).data]).toEqual([7]);
  });

  test('the guest has the bytes of its memory, and its writes are logged', () => {
    const ram = vm.addMemory({ guestPhysAddr: 0, size: 0x1_0000, logDirtyPages: true });
    ram.bytes[0x1001] = 0x77;
    load(vm, ECHO);
    expect(vcpu.runSync()).toMatchObject({ reason: 'OTHER', number: HLT });
    expect([...ram.bytes.subarray(0x1000, 0x1003)]).toEqual([0x42, 0x77, 0x77]);
    expect([...dirtyPages(ram.getDirtyLog())]).toEqual([1]);
    expect([...dirtyPages(ram.getDirtyLog())]).toEqual([]);
  });

  test('a write to read-only memory is an exit, and a read is none', () => {
    const rom = vm.addMemory({ guestPhysAddr: 0, size: 0x1_0000, readOnly: true });
    rom.bytes[0x1001] = 0x55;
    load(vm, ECHO);
    mmio(vcpu.runSync(), 0x1000n, true);
    expect([...mmio(vcpu.runSync(), 0x1002n, true).data]).toEqual([0x55]);
    expect(rom.bytes[0x1000]).toBe(0);
  });

  test('a kick before it has the next run come out at once, and only that', () => {
    load(vm, ECHO);
    vcpu.kick();
    expect(vcpu.runSync()).toEqual({ reason: 'INTR' });
    mmio(vcpu.runSync(), 0x1000n, true);
  });

  describe('while it runs on its own thread', () => {
    test('the event loop goes on, and a kick ends it', async () => {
      load(vm, SPIN);
      const running = vcpu.run();
      await new Promise(resolve => setTimeout(resolve, 20));
      expect(vcpu.running).toBe(true);
      vcpu.kick();
      expect(await running).toEqual({ reason: 'INTR' });
      expect(vcpu.running).toBe(false);
      const again = vcpu.run();
      vcpu.kick();
      expect(await again).toEqual({ reason: 'INTR' });
    });

    test('touching it throws at once', async () => {
      load(vm, SPIN);
      const running = vcpu.run();
      const refused = expect.objectContaining({ code: 'ERR_VCPU_RUNNING' });
      expect(() => vcpu.getMpState()).toThrow(refused);
      expect(() => vcpu.runSync()).toThrow(refused);
      expect(() => vcpu.ioctl(0xae99)).toThrow(refused);
      await expect(vcpu.run()).rejects.toEqual(refused);
      vcpu.kick();
      await running;
      expect(vcpu.getMpState()).toBe('RUNNABLE');
    });

    test('the addon itself refuses a second run', async () => {
      const kvm = must(openNative(addon, '/dev/kvm'));
      const handle = must(must(kvm.createVm(0n)).createVcpu(0));
      const bytes = new Uint8Array(312);
      const done = new Promise(resolve => expect(handle.start(bytes, resolve)).toBe(0));
      expect(handle.start(bytes, () => {})).toBe(-16);
      expect(handle.run(bytes)).toBe(-16);
      handle.kick();
      await done;
      handle.close();
      expect([handle.start(bytes, () => {}), handle.run(bytes), handle.kick()]).toEqual([-9, -9, -9]);
    });

    test('closing the VM ends it', async () => {
      load(vm, SPIN);
      const running = vcpu.run();
      vm.close();
      await expect(running).rejects.toMatchObject({ code: 'ERR_CLOSED' });
      await expect(vcpu.run()).rejects.toMatchObject({ code: 'ERR_CLOSED' });
    });

    test('its signal ends it, with the signal’s reason', async () => {
      load(vm, SPIN);
      const controller = new AbortController();
      const running = vcpu.run({ signal: controller.signal });
      controller.abort(new Error('enough'));
      await expect(running).rejects.toThrow('enough');
      await expect(vcpu.run({ signal: controller.signal })).rejects.toThrow('enough');
      await expect(vcpu.run({ signal: AbortSignal.timeout(10) })).rejects.toMatchObject({
        name: 'TimeoutError',
      });
    });

    test('an exit that came before the signal is not lost', async () => {
      load(vm, ECHO);
      const controller = new AbortController();
      const running = vcpu.run({ signal: controller.signal });
      // The event loop stands still while the guest comes out.
      const until = Date.now() + 100;
      while (Date.now() < until);
      controller.abort();
      mmio(await running, 0x1000n, true);
    });

    test('other vCPUs run, too', async () => {
      load(vm, SPIN);
      const vcpus = [1, 2, 3].map(id => vm.createVcpu(id));
      const running = [vcpu, ...vcpus].map(one => one.run());
      for (const one of [vcpu, ...vcpus]) one.kick();
      expect(await Promise.all(running)).toEqual(new Array(4).fill({ reason: 'INTR' }));
    });
  });
});
