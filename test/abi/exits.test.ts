import { expect, test } from 'vitest';
import { ExitDecoder, KVM_EXIT, KVM_RUN_SIZE } from '#lib/abi/exits.js';

type Member = readonly [offset: number, size: 1 | 2 | 4 | 8, value: bigint];

/** `struct kvm_run` with these members. */
function run(reason: number, members: readonly Member[] = []): Uint8Array {
  const bytes = new Uint8Array(KVM_RUN_SIZE).fill(0xee, 32, 288);
  const all: readonly Member[] = [[8, 4, BigInt(reason)], ...members];
  for (const [offset, size, value] of all) {
    for (let i = 0; i < size; i++) bytes[offset + i] = Number((value >> BigInt(8 * i)) & 0xffn);
  }
  return bytes;
}

// Offsets as linux/kvm.h of 7.2 has them, compiled for arm64.
test.each<[string, Uint8Array, object]>([
  [
    'a write without memory',
    run(KVM_EXIT.KVM_EXIT_MMIO, [
      [32, 8, 0x9000000n],
      [40, 8, 0x1122334455667788n],
      [48, 4, 2n],
      [52, 1, 1n],
    ]),
    { reason: 'MMIO', physAddr: 0x9000000n, isWrite: true, data: Uint8Array.of(0x88, 0x77) },
  ],
  [
    'SYSTEM_OFF',
    run(KVM_EXIT.KVM_EXIT_SYSTEM_EVENT, [
      [32, 4, 1n],
      [36, 4, 1n],
      [40, 8, 0n],
    ]),
    { reason: 'SYSTEM_EVENT', type: 'SHUTDOWN', flags: 0n, data: [0n] },
  ],
  [
    'SYSTEM_RESET2',
    run(KVM_EXIT.KVM_EXIT_SYSTEM_EVENT, [
      [32, 4, 2n],
      [36, 4, 1n],
      [40, 8, 1n],
    ]),
    { reason: 'SYSTEM_EVENT', type: 'RESET', flags: 1n, data: [1n] },
  ],
  [
    'SYSTEM_SUSPEND, which has no data',
    run(KVM_EXIT.KVM_EXIT_SYSTEM_EVENT, [
      [32, 4, 5n],
      [36, 4, 0n],
    ]),
    { reason: 'SYSTEM_EVENT', type: 'SUSPEND', flags: 0n, data: [] },
  ],
  [
    'an event without a name, that claims more data than there is room for',
    run(KVM_EXIT.KVM_EXIT_SYSTEM_EVENT, [
      [32, 4, 99n],
      [36, 4, 17n],
    ]),
    {
      reason: 'SYSTEM_EVENT',
      type: 99,
      flags: 0xeeee_eeee_eeee_eeeen,
      data: new Array(16).fill(0xeeee_eeee_eeee_eeeen),
    },
  ],
  [
    'a forwarded SMC',
    run(KVM_EXIT.KVM_EXIT_HYPERCALL, [
      [32, 8, 0x84000000n],
      [96, 8, 1n],
    ]),
    { reason: 'HYPERCALL', nr: 0x84000000n, isSmc: true, is16Bit: false, flags: 1n },
  ],
  [
    'no valid syndrome',
    run(KVM_EXIT.KVM_EXIT_ARM_NISV, [
      [32, 8, 0x45n],
      [40, 8, 0x9000000n],
    ]),
    { reason: 'ARM_NISV', esrIss: 0x45n, faultIpa: 0x9000000n },
  ],
  [
    'a store of 64 bytes',
    run(KVM_EXIT.KVM_EXIT_ARM_LDST64B, [
      [32, 8, 0x35n],
      [40, 8, 0x9000000n],
    ]),
    { reason: 'ARM_LDST64B', esrIss: 0x35n, faultIpa: 0x9000000n },
  ],
  ['a signal', run(KVM_EXIT.KVM_EXIT_INTR), { reason: 'INTR' }],
  [
    'a debug exception with the syndrome’s upper half',
    run(KVM_EXIT.KVM_EXIT_DEBUG, [
      [14, 2, 1n],
      [32, 4, 0xf2000000n],
      [36, 4, 0x2n],
      [40, 8, 0x1000n],
    ]),
    { reason: 'DEBUG', hsr: 0x2_f200_0000n, far: 0x1000n },
  ],
  [
    'a debug exception of a kernel that does not tell it',
    run(KVM_EXIT.KVM_EXIT_DEBUG, [
      [32, 4, 0xf2000000n],
      [40, 8, 0x1000n],
    ]),
    { reason: 'DEBUG', hsr: 0xf200_0000n, far: 0x1000n },
  ],
  [
    'a CPU without the PMU',
    run(KVM_EXIT.KVM_EXIT_FAIL_ENTRY, [
      [32, 8, 1n],
      [40, 4, 3n],
    ]),
    { reason: 'FAIL_ENTRY', hardwareEntryFailureReason: 1n, cpu: 3 },
  ],
  [
    'an internal error',
    run(KVM_EXIT.KVM_EXIT_INTERNAL_ERROR, [
      [32, 4, 1n],
      [36, 4, 2n],
      [40, 8, 7n],
      [48, 8, 8n],
    ]),
    { reason: 'INTERNAL_ERROR', suberror: 1, data: [7n, 8n] },
  ],
  [
    'a memory fault',
    run(KVM_EXIT.KVM_EXIT_MEMORY_FAULT, [
      [32, 8, 8n],
      [40, 8, 0x4000n],
      [48, 8, 0x1000n],
    ]),
    { reason: 'MEMORY_FAULT', flags: 8n, gpa: 0x4000n, size: 0x1000n },
  ],
  ['a full ring', run(KVM_EXIT.KVM_EXIT_DIRTY_RING_FULL), { reason: 'DIRTY_RING_FULL' }],
  [
    'an external abort',
    run(KVM_EXIT.KVM_EXIT_ARM_SEA, [
      [32, 8, 1n],
      [40, 8, 2n],
      [48, 8, 3n],
      [56, 8, 4n],
    ]),
    { reason: 'ARM_SEA', flags: 1n, esr: 2n, gva: 3n, gpa: 4n },
  ],
  [
    'a reason that nobody knows, with its bytes',
    run(250),
    { reason: 'OTHER', number: 250, bytes: new Uint8Array(256).fill(0xee) },
  ],
])('%s', (_, bytes, exit) => {
  expect(new ExitDecoder(bytes).decode()).toEqual(exit);
});

test('what is written to the data of a read goes to the next run', () => {
  const bytes = run(KVM_EXIT.KVM_EXIT_MMIO, [
    [48, 4, 4n],
    [52, 1, 0n],
  ]);
  const exit = new ExitDecoder(bytes).decode();
  if (exit.reason !== 'MMIO') throw new Error(exit.reason);
  exit.data.set([1, 2, 3, 4]);
  expect([...bytes.subarray(40, 45)]).toEqual([1, 2, 3, 4, 0xee]);
});
