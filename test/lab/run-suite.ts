/** Guests of a few instructions on a real kernel: memory, KVM_RUN and exits through the public classes. */
import assert from 'node:assert/strict';
import type { Exit, MmioExit } from '#lib/abi/exits.js';
import type { Kvm } from '#lib/kvm.js';
import { dirtyPages, type GuestMemory } from '#lib/memory.js';
import type { Suite } from '#lib/testing.js';
import type { Vcpu } from '#lib/vcpu.js';

const RAM = 0x4000_0000n;
/** Nothing is there. */
const DEVICE = 0x0900_0000n;

interface Guest {
  readonly vcpu: Vcpu;
  readonly ram: GuestMemory;
}

/** A VM with this code at the beginning of its memory, and a vCPU that starts there. */
function load(kvm: Kvm, code: readonly number[], options: { logDirtyPages?: boolean } = {}): Guest {
  const vm = kvm.createVm();
  const ram = vm.addMemory({ guestPhysAddr: RAM, size: 65536, ...options });
  ram.bytes.set(new Uint8Array(Uint32Array.from(code).buffer));
  const vcpu = vm.createVcpu(0);
  vcpu.init();
  vcpu.setOneReg('PC', RAM);
  return { vcpu, ram };
}

function mmio(exit: Exit, offset: bigint, isWrite: boolean): MmioExit {
  if (exit.reason !== 'MMIO') assert.fail(`expected MMIO, but it was ${exit.reason}`);
  assert.deepEqual([exit.physAddr, exit.isWrite], [DEVICE + offset, isWrite]);
  return exit;
}

/** movz x1, #0x900, lsl #16 */
const X1_DEVICE = 0xd2a12001;
const HVC = 0xd4000002;
/** movz x0, #number; movk x0, #0x8400, lsl #16; hvc #0 */
const psci = (number: number) => [0xd2800000 | (number << 5), 0xf2b08000, HVC];

/**
 * Reads of 1, 2, 4 and 8 bytes, then writes of what they gave. Signed ones are in `test/guests`.
 */
const WIDTHS = [
  X1_DEVICE,
  0x39400020, // ldrb w0, [x1]
  0x79400422, // ldrh w2, [x1, #2]
  0xb9400423, // ldr w3, [x1, #4]
  0xf9400424, // ldr x4, [x1, #8]
  0x39000020, // strb w0, [x1]
  0xf9000422, // str x2, [x1, #8]
  0xb9000423, // str w3, [x1, #4]
  0xf9000424, // str x4, [x1, #8]
];

export const suite: Suite = ({ describe, it, open }) => {
  describe('a guest', () => {
    it('reads and writes devices, in any width', async () => {
      const { vcpu } = load(open(), WIDTHS);
      mmio(vcpu.runSync(), 0n, false).data.set([0xa5]);
      mmio(await vcpu.run(), 2n, false).data.set([0xfe, 0xff]);
      mmio(vcpu.runSync(), 4n, false).data.set([1, 2, 3, 4]);
      mmio(await vcpu.run(), 8n, false).data.set([1, 2, 3, 4, 5, 6, 7, 8]);
      assert.deepEqual([...mmio(vcpu.runSync(), 0n, true).data], [0xa5]);
      assert.deepEqual([...mmio(vcpu.runSync(), 8n, true).data], [0xfe, 0xff, 0, 0, 0, 0, 0, 0]);
      assert.deepEqual([...mmio(await vcpu.run(), 4n, true).data], [1, 2, 3, 4]);
      assert.deepEqual([...mmio(await vcpu.run(), 8n, true).data], [1, 2, 3, 4, 5, 6, 7, 8]);
      assert.deepEqual(
        [0, 2, 3].map(n => vcpu.getOneReg(`X${n}`)),
        [0xa5n, 0xfffen, 0x0403_0201n],
      );
    });

    it('finds the PSCI version that was selected, also when it changes between runs', () => {
      // PSCI_VERSION, which clears x1 to x3; str w0, [x1]; b to the beginning
      const { vcpu } = load(open(), [...psci(0), X1_DEVICE, 0xb9000020, 0x17fffffb]);
      const asked = () => {
        const { data } = mmio(vcpu.runSync(), 0n, true);
        return [data[2], data[0]];
      };
      const [newest] = vcpu.vm.kvm.supportedPsciVersions().slice(-1);
      assert.deepEqual(asked().join('.'), newest);
      for (const version of vcpu.vm.kvm.supportedPsciVersions()) {
        vcpu.setPsciVersion(version);
        assert.equal(asked().join('.'), version);
      }
    });

    it('ends, is reset, and is reset otherwise', () => {
      const kvm = open();
      // Before Linux 5.18 the kernel gave no data, and had no SYSTEM_RESET2.
      const hasData = kvm.checkExtension('SYSTEM_EVENT_DATA') > 0;
      const data = (flags: bigint) => ({ flags, data: hasData ? [flags] : [] });
      const end = (code: readonly number[]) => load(kvm, code).vcpu.runSync();
      assert.deepEqual(end(psci(8)), { reason: 'SYSTEM_EVENT', type: 'SHUTDOWN', ...data(0n) });
      assert.deepEqual(end(psci(9)), { reason: 'SYSTEM_EVENT', type: 'RESET', ...data(0n) });
      if (!hasData) return;
      const reset2 = [0xd2b00001, ...psci(0x12)];
      assert.deepEqual(end(reset2), { reason: 'SYSTEM_EVENT', type: 'RESET', ...data(1n) });
    });

    it('dirties pages', () => {
      // movz x1, #0x4000, lsl #16; str x1, [x1, #0x3000]; then off
      const { vcpu, ram } = load(open(), [0xd2a80001, 0xf9180021, ...psci(8)], { logDirtyPages: true });
      assert.equal(vcpu.runSync().reason, 'SYSTEM_EVENT');
      assert.equal(new DataView(ram.bytes.buffer).getBigUint64(0x3000, true), RAM);
      assert.deepEqual([...dirtyPages(ram.getDirtyLog())], [3]);
      assert.deepEqual([...dirtyPages(ram.getDirtyLog())], []);
    });

    it('that uses an instruction which KVM cannot decode on a device: ENOSYS, or an exit where that is enabled', () => {
      const kvm = open();
      const code = [X1_DEVICE, 0xa9400c22]; // ldp x2, x3, [x1]
      assert.throws(() => load(kvm, code).vcpu.runSync(), {
        code: 'ENOSYS',
        request: 'KVM_RUN',
        hint: /ARM_NISV_TO_USER/,
      });
      const { vcpu } = load(kvm, code);
      vcpu.vm.enableCap('ARM_NISV_TO_USER');
      const exit = vcpu.runSync();
      assert.ok(exit.reason === 'ARM_NISV' && exit.faultIpa === DEVICE);
    });

    it('that loops is kicked, aborted, and closed', async () => {
      const { vcpu } = load(open(), [0x14000000]); // b .
      const first = vcpu.run();
      assert.throws(() => vcpu.getOneReg('PC'), { code: 'ERR_VCPU_RUNNING' });
      vcpu.kick();
      assert.deepEqual(await first, { reason: 'INTR' });
      assert.equal(vcpu.getOneReg('PC'), RAM);
      await assert.rejects(vcpu.run({ signal: AbortSignal.timeout(50) }), { name: 'TimeoutError' });
      const last = vcpu.run();
      vcpu.vm.close();
      await assert.rejects(last, { code: 'ERR_CLOSED' });
    });

    it('that is not initialised does not run', async () => {
      const vcpu = open().createVm().createVcpu(0);
      assert.throws(() => vcpu.runSync(), { code: 'ENOEXEC', request: 'KVM_RUN' });
      await assert.rejects(vcpu.run(), { code: 'ENOEXEC', request: 'KVM_RUN' });
    });
  });
};
