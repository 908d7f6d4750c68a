/** Whole VMs: saved, in files, and restored; what cannot be is said before anything is touched. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Kvm, Vm } from '#lib/emulator.js';
import {
  decodeState,
  encodeState,
  preCopy,
  restoreVm,
  restoreVmFromFile,
  saveVm,
  saveVmToFile,
} from '#lib/state.js';
import { open } from './open.ts';

const RAM = 0x4000_0000n;
const folder = mkdtempSync(join(tmpdir(), 'kvm-arm64-vm-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A VM with a vCPU, a MiB of memory of which some pages are written, and a read-only page. */
function makeVm(kvm: Kvm): Vm {
  const vm = kvm.createVm();
  vm.createVcpu(0).init();
  const { bytes } = vm.addMemory({ guestPhysAddr: RAM, size: 2 ** 20, logDirtyPages: true });
  for (const page of [0, 1, 2, 7, 100, 255]) bytes.fill((page % 255) + 1, page * 4096 + 9, page * 4096 + 99);
  vm.addMemory({ guestPhysAddr: 0, size: 4096, readOnly: true }).bytes.fill(0xab);
  return vm;
}

const memoryOf = (vm: Vm) =>
  vm.memory.map(({ guestPhysAddr, size, readOnly, logDirtyPages, bytes }) => ({
    ...{ guestPhysAddr, size, readOnly, logDirtyPages },
    sha256: createHash('sha256').update(bytes).digest('hex'),
  }));

describe('saveVm', () => {
  it('leaves pages of zeros out', () => {
    const { memory } = saveVm(makeVm(open('linux-6.12-max')));
    expect(memory?.map(({ pages }) => pages.map(({ length }) => length))).toEqual([[6 * 4096], [4096]]);
    expect(memory?.[0]).toMatchObject({ guestPhysAddr: RAM, size: 2 ** 20, complete: true, readOnly: false });
    expect([...memory![0]!.bitmap.subarray(0, 2)]).toEqual([0b1000_0111, 0]);
  });

  it('keeps what it took when the guest goes on', () => {
    const vm = makeVm(open('linux-6.12-max'));
    const { memory } = saveVm(vm);
    vm.memory[0]!.bytes.fill(0xff);
    expect(memory![0]!.pages[0]![9]).toBe(1);
  });

  it('takes no memory, or dirty pages alone, where that is asked for', () => {
    const vm = makeVm(open('linux-6.12-max'));
    expect(saveVm(vm, { memory: 'none' }).memory).toBeUndefined();
    expect(saveVm(vm, { memory: 'dirty' }).memory).toMatchObject([
      { complete: false, pages: [{ length: 0 }] },
      { complete: false, pages: [{ length: 0 }] },
    ]);
    expect(() => saveVm(vm, { memory: 'some' as never })).toThrow(TypeError);
  });

  it('wants a dirty log for that', () => {
    const vm = open('linux-6.12-max').createVm();
    vm.addMemory({ guestPhysAddr: RAM, size: 4096 });
    expect(() => saveVm(vm, { memory: 'dirty' })).toThrow(expect.objectContaining({ code: 'ENOENT' }));
  });
});

describe('restoreVm', () => {
  it('makes the same again: memory, settings, vCPUs', () => {
    const vm = makeVm(open('linux-6.12-max'));
    vm.enableCap('ARM_SYSTEM_SUSPEND');
    vm.vcpus[0]!.setOneReg('X7', 7n);
    const { vm: restored, plan } = restoreVm(open('linux-6.12-max'), decodeState(encodeState(saveVm(vm))));
    expect(plan).toMatchObject({ verdict: 'identical', findings: [] });
    expect(memoryOf(restored)).toEqual(memoryOf(vm));
    expect(restored.enabledCaps).toEqual(vm.enabledCaps);
    expect(restored.ipaBits).toBe(40);
    expect(restored.vcpus.map(vcpu => [vcpu.id, vcpu.getOneReg('X7')])).toEqual([[0, 7n]]);
  });

  it('has addresses as wide as they were', () => {
    const vm = open('linux-6.12-max').createVm({ ipaBits: 36 });
    vm.addMemory({ guestPhysAddr: 2n ** 35n, size: 4096 });
    expect(restoreVm(open('linux-6.12-max'), saveVm(vm)).vm.ipaBits).toBe(36);
  });

  it('says beforehand which setting the host lacks', () => {
    const vm = open('linux-6.12-max').createVm({ ipaBits: 48 });
    vm.enableCap('ARM_SYSTEM_SUSPEND'); // Linux 5.18+
    vm.createVcpu(0).init();
    const destination = open('linux-5.10-cortex-a57'); // 44 bits
    expect(() => restoreVm(destination, saveVm(vm))).toThrow(
      expect.objectContaining({
        code: 'ERR_WILL_NOT_LOAD',
        plan: expect.objectContaining({
          loads: false,
          findings: expect.arrayContaining([
            expect.objectContaining({
              what: 'VM',
              name: '48 bits of guest physical addresses',
              code: 'EINVAL',
            }),
          ]),
        }),
      }),
    );
    const narrow = open('linux-6.12-max').createVm();
    narrow.enableCap('ARM_SYSTEM_SUSPEND');
    narrow.createVcpu(0).init();
    expect(() => restoreVm(destination, saveVm(narrow))).toThrow(/KVM_CAP_ARM_SYSTEM_SUSPEND/);
  });

  it('wants what was written since an earlier state to come behind that', () => {
    const vm = makeVm(open('linux-6.12-max'));
    const all = saveVm(vm);
    const dirty = saveVm(vm, { memory: 'dirty' });
    const kvm = open('linux-6.12-max');
    expect(() => restoreVm(kvm, dirty)).toThrow(expect.objectContaining({ code: 'ERR_INCOMPLETE_STATE' }));
    const { vm: restored } = restoreVm(kvm, all);
    expect(restoreVm(restored, dirty).vm).toBe(restored);
    expect(memoryOf(restored)).toEqual(memoryOf(vm));
  });

  it('zeroes what an earlier state had, where the later one is complete', () => {
    const vm = makeVm(open('linux-6.12-max'));
    const { vm: restored } = restoreVm(open('linux-6.12-max'), saveVm(vm));
    vm.memory[0]!.bytes.fill(0, 0, 4096);
    restoreVm(restored, saveVm(vm));
    expect(memoryOf(restored)).toEqual(memoryOf(vm));
  });

  it('closes a VM that it could not finish', () => {
    const kvm = open('linux-6.12-max');
    const target = kvm.createVm();
    target.addMemory({ guestPhysAddr: RAM + 4096n, size: 4096 });
    const state = saveVm(makeVm(kvm));
    expect(() => restoreVm(target, state)).toThrow(expect.objectContaining({ code: 'EEXIST' }));
    expect(target.closed).toBe(true);
    expect(() => restoreVm({} as never, state)).toThrow(TypeError);
  });
});

describe('a file of a VM', () => {
  it('has the bytes of encodeState(), and gives the VM again', async () => {
    const vm = makeVm(open('linux-6.12-max'));
    const file = join(folder, 'whole.state');
    const length = await saveVmToFile(vm, file);
    const bytes = readFileSync(file);
    expect(length).toBe(bytes.length);
    const streamed = decodeState(bytes);
    expect(Buffer.compare(encodeState(streamed), bytes)).toBe(0);
    const { vm: restored } = await restoreVmFromFile(open('linux-6.12-max'), file);
    expect(memoryOf(restored)).toEqual(memoryOf(vm));
    expect(readdirSync(folder)).toEqual(['whole.state']); // no .part
  });

  it('has pages at multiples of 4096', async () => {
    const vm = makeVm(open('linux-6.12-max'));
    const file = join(folder, 'mapped.state');
    await saveVmToFile(vm, file);
    const bytes = readFileSync(file);
    expect(bytes.indexOf(Buffer.alloc(4096, 0xab)) % 4096).toBe(0);
  });

  it('with more pieces than one readv() takes', async () => {
    const kvm = open('linux-6.12-max');
    const vm = kvm.createVm();
    const { bytes } = vm.addMemory({ guestPhysAddr: RAM, size: 16 * 2 ** 20 });
    for (let page = 0; page < 4096; page += 2) bytes[page * 4096 + (page % 4096)] = (page % 251) + 1;
    const file = join(folder, 'pieces.state');
    await saveVmToFile(vm, file);
    const { vm: restored } = await restoreVmFromFile(kvm, file);
    expect(Buffer.compare(restored.memory[0]!.bytes, bytes)).toBe(0);
  });

  it('that is damaged leaves no VM', async () => {
    const vm = makeVm(open('linux-6.12-max'));
    const file = join(folder, 'damaged.state');
    await saveVmToFile(vm, file);
    const bytes = readFileSync(file);
    bytes[bytes.indexOf(Buffer.alloc(4096, 0xab)) + 17] = 0;
    writeFileSync(file, bytes);
    const kvm = open('linux-6.12-max');
    const target = kvm.createVm();
    await expect(restoreVmFromFile(target, file)).rejects.toMatchObject({
      code: 'ERR_BAD_STATE',
      message: expect.stringContaining('the checksum of the section is wrong'),
    });
    expect(target.closed).toBe(true);
    await expect(restoreVmFromFile(kvm, join(folder, 'none.state'))).rejects.toMatchObject({
      code: 'ENOENT',
    });
  });

  it('that cannot be written is not there', async () => {
    const vm = makeVm(open('linux-6.12-max'));
    await expect(saveVmToFile(vm, join(folder, 'none', 'x.state'))).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(saveVmToFile(vm, folder)).rejects.toMatchObject({ code: 'EISDIR' });
    expect(readdirSync(folder).filter(name => name.endsWith('.part'))).toEqual([]);
  });
});

describe('preCopy', () => {
  it('ends with a small round, and logs what is written', async () => {
    const vm = makeVm(open('linux-6.12-max'));
    const rounds: number[] = [];
    for await (const { memory, vcpus } of preCopy(vm, { smallEnough: 4096 })) {
      expect(vcpus).toEqual([]);
      rounds.push(memory!.flatMap(({ pages }) => pages).reduce((sum, { length }) => sum + length, 0));
    }
    expect(rounds).toEqual([7 * 4096, 0]);
    expect(vm.memory.map(({ logDirtyPages }) => logDirtyPages)).toEqual([true, false]);
    await expect(preCopy(vm, { smallEnough: -1 }).next()).rejects.toThrow(RangeError);
  });
});
