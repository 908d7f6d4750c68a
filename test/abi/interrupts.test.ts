/** Bytes at the offsets that uapi.test.ts holds to the headers. */
import { Buffer } from 'node:buffer';
import { describe, expect, test } from 'vitest';
import {
  encodeGsiRoute,
  encodeGsiRouting,
  encodeIoeventfd,
  encodeIrq,
  encodeIrqfd,
  encodeIrqLevel,
  encodeMsi,
} from '#lib/abi/interrupts.js';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const zeros = (count: number) => '00'.repeat(count);
const outOfRange = expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' });

describe('struct kvm_irq_level', () => {
  // Documentation/virt/kvm/api.rst 4.25: vcpu2_index 31:28, irq_type 27:24, vcpu_index 23:16, irq_id 15:0.
  test.each([
    [1, 0, 32, 0x0100_0020],
    [2, 3, 27, 0x0203_001b],
    [0, 0xff, 1, 0x00ff_0001],
    [2, 0x123, 16, 0x1223_0010],
    [2, 0xfff, 31, 0xf2ff_001f],
  ])('type %i, vCPU %i, interrupt %i is 0x%s', (type, vcpu, id, irq) => {
    expect(encodeIrq(type, vcpu, id)).toBe(irq);
  });

  test('is the line and its level', () => {
    expect(hex(encodeIrqLevel(0xf2ff_001f, 1))).toBe('1f00fff201000000');
  });

  test.each([
    [16, 0, 0],
    [0, 0x1000, 0],
    [0, 0, 0x1_0000],
    [0, -1, 0],
  ])('type %i, vCPU %i, interrupt %i does not fit', (type, vcpu, id) => {
    expect(() => encodeIrq(type, vcpu, id)).toThrow(outOfRange);
  });
});

describe('struct kvm_msi', () => {
  test('has the device id with its flag', () => {
    const address = 0x0000_0001_0808_0040n;
    expect(hex(encodeMsi({ address, data: 5 }))).toBe(`400008080100000005000000${zeros(20)}`);
    expect(hex(encodeMsi({ address, data: 5, deviceId: 0x10 }))).toBe(
      `400008080100000005000000${'01000000'}${'10000000'}${zeros(12)}`,
    );
  });

  test('has an address of 64 bits', () => {
    expect(() => encodeMsi({ address: 1n << 64n, data: 0 })).toThrow(outOfRange);
  });
});

describe('struct kvm_irq_routing', () => {
  const pin = encodeGsiRoute({ gsi: 3, pin: 7 });
  const msi = encodeGsiRoute({ gsi: 4, msi: { address: 0x808_0040n, data: 9, deviceId: 2 } });

  test('has a pin of the one interrupt controller, or a message', () => {
    expect(hex(pin)).toBe(`0300000001000000${zeros(12)}07000000${zeros(24)}`);
    expect(hex(msi)).toBe(`040000000200000001000000${zeros(4)}40000808000000000900000002000000${zeros(16)}`);
  });

  test('says how many entries follow', () => {
    const entries = Buffer.concat([pin, msi]);
    expect(hex(encodeGsiRouting(entries))).toBe(`02000000${zeros(4)}${hex(entries)}`);
  });
});

describe('eventfds', () => {
  test('struct kvm_irqfd', () => {
    expect(hex(encodeIrqfd(17, 3, 2, 18))).toBe(`11000000030000000200000012000000${zeros(16)}`);
    expect(hex(encodeIrqfd(17, 3, 0, -1))).toBe(`110000000300000000000000ffffffff${zeros(16)}`);
  });

  test('struct kvm_ioeventfd', () => {
    expect(hex(encodeIoeventfd(17, 0x1_0900_1000n, 4, 1, 0xabcdn))).toBe(
      `cdab000000000000${'0010000901000000'}${'04000000'}${'11000000'}${'01000000'}${zeros(36)}`,
    );
  });
});
