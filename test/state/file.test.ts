import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { KVM_DEV_ARM_VGIC_GRP } from '#lib/abi/device-attributes.js';
import { HOSTS, Kvm, KvmError } from '#lib/emulator.js';
import { decodeState, encodeState, type SavedState, saveVcpus, saveVm, stateToJson } from '#lib/state.js';

const opened: Kvm[] = [];
afterAll(() => {
  for (const kvm of opened.splice(0)) kvm.close();
});

function saved(host: string, count = 1): SavedState {
  const kvm = Kvm.open({ host });
  opened.push(kvm);
  const vm = kvm.createVm();
  const hasSve = kvm.checkExtension('ARM_SVE') > 0;
  const vcpus = Array.from({ length: count }, (_, id) => vm.createVcpu(id));
  for (const vcpu of vcpus) {
    vcpu.init({ features: hasSve ? ['PSCI_0_2', 'SVE'] : ['PSCI_0_2'] });
    if (hasSve) vcpu.finalize('SVE');
  }
  return saveVcpus(vcpus);
}

const STATE = saved('linux-6.12-neoverse-n1', 2);
const FILE = encodeState(STATE);

/** What the reader says; undefined where it reads. */
function fault(file: Uint8Array): string | undefined {
  try {
    decodeState(file);
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(KvmError);
    expect((error as KvmError).code).toBe('ERR_BAD_STATE');
    return (error as KvmError).message;
  }
}

/** A copy with changes, its checksums made right again: what an attacker would write. */
function forged(change: (view: DataView, file: Uint8Array) => void, file = FILE): Uint8Array {
  const copy = file.slice();
  const view = new DataView(copy.buffer);
  change(view, copy);
  const count = Math.min(view.getUint32(12, true), 10);
  for (let row = 32; row < 32 + 24 * count; row += 24) {
    const offset = Number(view.getBigUint64(row + 8, true));
    const length = Number(view.getBigUint64(row + 16, true));
    if (offset + length <= copy.length)
      view.setUint32(row + 4, crc32(copy.subarray(offset, offset + length)), true);
  }
  view.setUint32(24, 0, true);
  view.setUint32(24, crc32(copy.subarray(0, Math.min(32 + 24 * count, copy.length))), true);
  return copy;
}

/** A file with all kinds of sections: provenance, VM, vCPU, memory of 4 pages of which 2 are in it, pages. */
const WHOLE = wholeFile();
const sectionAt = (row: number) => Number(new DataView(WHOLE.buffer).getBigUint64(32 + 24 * row + 8, true));
const VM = sectionAt(1);
const MEMORY = sectionAt(3);

function wholeFile(): Uint8Array {
  const kvm = Kvm.open({ host: 'linux-6.12-max' });
  opened.push(kvm);
  const vm = kvm.createVm();
  vm.enableCap('ARM_SYSTEM_SUSPEND');
  vm.enableCap('ARM_NISV_TO_USER');
  vm.createVcpu(0).init();
  const { bytes } = vm.addMemory({ guestPhysAddr: 0x4000_0000, size: 0x4000 });
  bytes[5] = 1;
  bytes[0x1fff] = 2;
  return encodeState(saveVm(vm));
}

/** A file with all kinds of devices: two vCPUs with a GICv3, PPIs, filters, a PMU, and stolen time. */
const WITH_GIC = fileWithGic();

function fileWithGic(): Uint8Array {
  const kvm = Kvm.open({ host: 'linux-6.12-max' });
  opened.push(kvm);
  const vm = kvm.createVm();
  vm.setSmcccFilter([{ base: 0x8600_0000, count: 16, action: 'forward' }]);
  vm.addMemory({ guestPhysAddr: 0x4000_0000, size: 0x4000 });
  const vcpus = [0, 1].map(id => vm.createVcpu(id));
  for (const vcpu of vcpus) vcpu.init({ features: ['PSCI_0_2', 'PMU_V3'] });
  const gic = vm.createGic({ version: 3, irqs: 64 });
  vcpus[0]!.setTimerIrqs({ virtual: 20 });
  gic.init();
  vcpus[0]!.initPmu({ irq: 23, filter: [{ base: 0x11, count: 1, action: 'deny' }] });
  vcpus[0]!.setPvTime(0x4000_3000);
  gic.setU64(KVM_DEV_ARM_VGIC_GRP.KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS, (1n << 32n) | 0xc230n, 0xf8n);
  return encodeState(saveVm(vm));
}

/** Where the first section of a type lies. */
function sectionOf(file: Uint8Array, type: number): number {
  const view = new DataView(file.buffer);
  for (let row = 32; ; row += 24)
    if (view.getUint32(row, true) === type) return Number(view.getBigUint64(row + 8, true));
}

function gicAt(file: Uint8Array): number {
  return sectionOf(file, 6);
}

/** Where the first vCPU lies, and its ids. */
const VCPU = Number(new DataView(FILE.buffer).getBigUint64(32 + 24 + 8, true));
const IDS = VCPU + 112;

describe('a state file', () => {
  it.each(HOSTS)('%s: gives the state again, and the same bytes', host => {
    const state = saved(host);
    const file = encodeState(state);
    const read = decodeState(file);
    expect(stateToJson(read)).toEqual(stateToJson(state));
    expect(Buffer.compare(encodeState(read), file)).toBe(0);
  });

  it('can lie anywhere in a buffer', () => {
    const shifted = new Uint8Array(FILE.length + 3);
    shifted.set(FILE, 3);
    expect(stateToJson(decodeState(shifted.subarray(3)))).toEqual(stateToJson(STATE));
    expect(stateToJson(decodeState(Buffer.from(FILE)))).toEqual(stateToJson(STATE));
  });

  it('is small: the registers of a vCPU, their ids and little more', () => {
    const { ids, words } = STATE.vcpus[0]!.registers;
    expect(FILE.length).toBeLessThan(2 * (ids.byteLength + words.byteLength) + 1000);
  });

  it('shows itself as JSON', () => {
    const [vcpu] = stateToJson(STATE).vcpus;
    expect(vcpu).toMatchObject({
      id: 0,
      architecture: 'arm64',
      target: 5,
      features: ['PSCI_0_2'],
      mpState: 'RUNNABLE',
      events: { serrorPending: false },
    });
    expect(vcpu?.registers['KVM_REG_ARM_PSCI_VERSION']).toBe('0x10001');
    expect(vcpu?.registerList).toMatch(/^[0-9a-f]{64}$/);
    expect(stateToJson(STATE).vcpus[1]?.registerList).toBe(vcpu?.registerList);
  });

  it('is refused wherever it is cut off', () => {
    for (let length = 0; length < FILE.length; length += length < 200 ? 1 : 37)
      expect(fault(FILE.subarray(0, length)), `${length} bytes`).toMatch(/offset \d+$/);
    expect(fault(Buffer.concat([FILE, new Uint8Array(8)]))).toMatch(/announces \d+ bytes/);
  });

  it('is refused with any bit flipped', () => {
    const copy = FILE.slice();
    for (let bit = 0; bit < FILE.length * 8; bit += bit < 4096 ? 1 : 11) {
      copy[bit >> 3]! ^= 1 << (bit & 7);
      expect(fault(copy), `bit ${bit}`).toMatch(/offset \d+$/);
      copy[bit >> 3]! ^= 1 << (bit & 7);
    }
  });

  const le32 = (offset: number, value: number) => forged(view => view.setUint32(offset, value, true));
  const le64 = (offset: number, value: bigint) => forged(view => view.setBigUint64(offset, value, true));
  it.each([
    ['nothing', new Uint8Array(), 'it does not begin as one, at offset 0'],
    ['a text', new TextEncoder().encode('{"vcpus": []}'), 'it does not begin as one, at offset 0'],
    ['a version to come', le32(8, 3), 'version 3; this library reads versions 1 to 2, at offset 8'],
    ['no version', le32(8, 0), 'version 0; this library reads versions 1 to 2, at offset 8'],
    [
      'a newer version than it needs',
      le32(8, 2),
      'version 2, and its sections are of version 1, at offset 8',
    ],
    ['4 billion sections', le32(12, 0xffff_ffff), 'it announces 4294967295 sections'],
    ['4096 sections', le32(12, 4096), 'the table of 4096 sections does not fit, at offset 12'],
    ['no section', le32(12, 0), 'more behind the last section'],
    ['an exabyte', le64(16, 1n << 60n), 'it announces 1152921504606846976 bytes and has'],
    [
      'a section of 16 EiB',
      le64(32 + 16, 0xffff_ffff_ffff_fff8n),
      'the section announces 18446744073709551608 bytes',
    ],
    ['a section elsewhere', le64(32 + 24 + 8, 32n), 'the section begins at 32 instead of'],
    ['another first section', le32(32, 2), 'the first section is not the provenance'],
    ['an unknown section', le32(32 + 24, 9), 'section 1 is of the unknown type 9, at offset 56'],
    [
      '4 billion registers',
      le32(VCPU + 44, 0xffff_ffff),
      `it announces 4294967295 registers, for which there is no room, at offset ${VCPU + 44}`,
    ],
    ['one register less', le32(VCPU + 44, STATE.vcpus[0]!.registers.length - 1), 'offset'],
    ['an unknown architecture', le32(VCPU, 2), `an unknown architecture, at offset ${VCPU}`],
    ['the same vCPU twice', le32(VCPU + 4, 1), 'vCPU 1 is in it twice'],
    [
      'a byte of the events that nobody knows',
      le32(VCPU + 48 + 16, 1),
      `no such struct kvm_vcpu_events, at offset ${VCPU + 64}`,
    ],
    ['a register twice', le64(IDS + 8, 0x6030_0000_0010_0000n), `X0 is in it twice, at offset ${IDS + 8}`],
    [
      'a register of 32 KiB',
      le64(IDS, 0x60f0_0000_0010_0000n),
      `no register has the width of X0:u262144, at offset ${IDS}`,
    ],
    ['a wide register instead of a narrow one', le64(IDS, 0x6080_0000_0015_0000n), 'offset'],
    [
      'provenance that is no JSON',
      forged((_, file) => file.fill(0x7b, 104, 110)),
      'the provenance is not JSON, at offset 104',
    ],
  ])('%s is refused', (_, file, message) => {
    expect(fault(file)).toContain(message);
  });

  const leVm = (offset: number, value: number) =>
    forged(view => view.setUint32(VM + offset, value, true), WHOLE);
  const leMemory = (offset: number, value: bigint) =>
    forged(view => view.setBigUint64(MEMORY + offset, value, true), WHOLE);
  it.each([
    ['4 billion capabilities', leVm(4, 0xffff_ffff), `at offset ${VM + 4}`],
    ['no capability', leVm(4, 0), `0 capabilities are not what is there, at offset ${VM + 4}`],
    ['addresses of 256 bits', leVm(0, 256), `256 bits of address space, at offset ${VM}`],
    [
      'a capability twice',
      forged(view => view.setUint32(VM + 8 + 40, view.getUint32(VM + 8, true), true), WHOLE),
      `at offset ${VM + 48}`,
    ],
    [
      'a VM twice',
      forged(view => view.setUint32(32 + 24 * 2, 3, true), WHOLE),
      `the VM is in it twice, at offset ${32 + 24 * 2}`,
    ],
    [
      'memory of an exabyte',
      leMemory(8, 1n << 60n),
      `no region has ${1n << 60n} bytes, at offset ${MEMORY + 8}`,
    ],
    ['memory of 4 GiB in a small bit map', leMemory(8, 1n << 32n), 'the bit map is not one of 1048576 pages'],
    ['memory of no bytes', leMemory(8, 0n), 'no region has 0 bytes'],
    ['memory that begins within a page', leMemory(0, 1n), `no region begins there, at offset ${MEMORY}`],
    ['memory beyond all addresses', leMemory(0, 2n ** 64n - 4096n), 'no region begins there'],
    ['unknown flags', leMemory(16, 8n), `unknown flags 0x8, at offset ${MEMORY + 16}`],
    ['a number where none is', leMemory(16, 1n << 32n), `this must be 0, at offset ${MEMORY + 20}`],
    ['a page more in the bit map', leMemory(24, 0b1111n), '8192 bytes are not 4 pages'],
    ['a page beyond the region', leMemory(24, 0b11n | (1n << 63n)), 'page 63 is beyond the region'],
    [
      'memory without pages',
      forged(view => view.setUint32(32 + 24 * 4, 9, true), WHOLE),
      'the section begins at',
    ],
    [
      'pages without memory',
      forged(view => view.setUint32(32 + 24 * 3, 5, true), WHOLE),
      'the section begins at',
    ],
  ])('%s is refused', (_, file, message) => {
    expect(fault(file)).toContain(message);
  });

  const leGic = (offset: number, value: number, file = WITH_GIC) =>
    forged(view => view.setUint32(gicAt(file) + offset, value, true), file);
  const lePlace = (offset: number, value: bigint) =>
    forged(view => view.setBigUint64(gicAt(WITH_GIC) + offset, value, true), WITH_GIC);
  const leMore = (offset: number, value: number) =>
    forged(view => view.setUint32(sectionOf(WITH_GIC, 7) + offset, value, true), WITH_GIC);
  const leDevices = (offset: number, value: number) =>
    forged(view => view.setUint32(sectionOf(WITH_GIC, 8) + offset, value, true), WITH_GIC);
  it.each([
    [
      'an older version than it needs',
      forged(view => view.setUint32(8, 1, true), WITH_GIC),
      'are of version 2',
    ],
    ['a GICv4', leGic(0, 4), `no GIC is of version 4, at offset ${gicAt(WITH_GIC)}`],
    ['a GICv2 with registers of a GICv3', leGic(0, 2), 'unknown flags 0x3'],
    ['unknown flags of a GIC', leGic(4, 8), `unknown flags 0x8, at offset ${gicAt(WITH_GIC) + 4}`],
    ['70 interrupts', leGic(8, 70), 'no VM has such a GIC'],
    ['4 billion interrupts', leGic(8, 0xffff_ffff), 'no VM has such a GIC'],
    ['a maintenance interrupt that is no PPI', leGic(12, 40), '40 is no PPI'],
    ['a distributor that is not aligned', lePlace(16, 0x0800_0010n), 'no VM has such a GIC'],
    ['a distributor over the redistributors', lePlace(16, 0x080a_0000n), 'no VM has such a GIC'],
    [
      'a CPU interface of a GICv3',
      lePlace(24, 0x0801_0000n),
      `this must be 0, at offset ${gicAt(WITH_GIC) + 24}`,
    ],
    ['4 billion redistributors', leGic(32, 0xffff_ffff), 'it announces 4294967295 runs of redistributors'],
    ['4 billion registers of a GIC', leGic(36, 0xffff_ffff), '4294967295 of these are not what is there'],
    [
      'a GIC that is not initialised and has registers',
      leGic(4, 2),
      'it is not initialised, and has registers',
    ],
    ['a run with a count where none is', leGic(40 + 8, 1), 'it is not one run'],
    ['a register of another group', leGic(40 + 16, 9), 'a GICv3 has no attribute 0x8 in group 9'],
    ['a register that is no state', leGic(40 + 16 + 8, 4), 'a GICv3 has no attribute 0x4 in group 1'],
    [
      'a register of the GIC twice',
      forged(
        (_, bytes) => bytes.copyWithin(gicAt(WITH_GIC) + 80, gicAt(WITH_GIC) + 56, gicAt(WITH_GIC) + 80),
        WITH_GIC,
      ),
      `GICD_IIDR is in it twice, at offset ${gicAt(WITH_GIC) + 80}`,
    ],
    ['a register of 33 bits', leGic(40 + 16 + 20, 1), 'the value of GICD_IIDR is wider than the register'],
    ['five timers', leMore(0, 5), 'PPIs of 5 timers'],
    ['a timer with an SPI', leMore(8, 33), '33 is no PPI of a timer'],
    ['a PPI that is not told', leMore(0, 3), '26 is no PPI of a timer'],
    ['4 billion ranges of a filter', leMore(4, 0xffff_ffff), '4294967295 of these are not what is there'],
    ['an action of a filter that nobody knows', leMore(24 + 8, 3), 'no such struct kvm_smccc_filter'],
    ['no devices of a vCPU', leDevices(0, 0), 'impossible flags 0x0'],
    ['an interrupt without a PMU', leDevices(0, 6), 'impossible flags 0x6'],
    ['a PMU with an SGI', leDevices(4, 5), '5 is no interrupt of a PMU'],
    ['stolen time within a line', leDevices(8, 1), 'stolen time is not told at'],
    ['a PMU event that nobody knows', leDevices(24 + 4, 2), 'no such struct kvm_pmu_event_filter'],
    ['a GIC behind the vCPUs', forged(view => view.setUint32(32 + 24 * 3, 4, true), WITH_GIC), 'offset'],
  ])('%s is refused', (_, file, message) => {
    expect(fault(file)).toContain(message);
  });

  it('with devices gives the state again, shows it, and has version 2', () => {
    const state = decodeState(WITH_GIC);
    expect(Buffer.compare(encodeState(state), WITH_GIC)).toBe(0);
    expect(new DataView(WITH_GIC.buffer).getUint32(8, true)).toBe(2);
    const json = stateToJson(state);
    expect(json.gic).toMatchObject({
      version: 3,
      distributor: '0x8000000',
      redistributors: [{ base: '0x80a0000', count: 0 }],
      irqs: 64,
      initialized: true,
    });
    expect(json.gic?.registers).toMatchObject({
      'ICC_PMR_EL1 of CPU 1': '0xf8',
      GICD_ISENABLER1: '0x0',
      GICD_IROUTER40: '0x0',
    });
    expect(json.vm).toMatchObject({
      timerIrqs: [20, 30, 28, 26],
      smcccFilter: [{ base: '0x86000000', count: 16, action: 'forward' }],
    });
    expect(json.vcpus[0]).toMatchObject({
      pmu: { irq: 23, filter: [{ base: 0x11, count: 1, action: 'deny' }] },
      pvTime: '0x40003000',
    });
  });

  it('with a VM and memory is refused wherever it is cut off or a bit is flipped', () => {
    for (let length = 0; length < WHOLE.length; length += 41)
      expect(fault(WHOLE.subarray(0, length)), `${length} bytes`).toMatch(/offset \d+$/);
    const copy = WHOLE.slice();
    for (let bit = 0; bit < WHOLE.length * 8; bit += 41) {
      copy[bit >> 3]! ^= 1 << (bit & 7);
      expect(fault(copy), `bit ${bit}`).toMatch(/offset \d+$/);
      copy[bit >> 3]! ^= 1 << (bit & 7);
    }
  });

  it('with provenance of other fields is refused', () => {
    const odd = { ...STATE, provenance: { ...STATE.provenance, extra: 1 } };
    expect(fault(encodeState(odd))).toContain('the provenance has the unknown field "extra"');
    const { host, ...rest } = STATE.provenance;
    expect(host).toBe('linux-6.12-neoverse-n1');
    expect(fault(encodeState({ ...STATE, provenance: rest as SavedState['provenance'] }))).toContain(
      'provenance.host is no string',
    );
  });

  it.each([
    ['of forged bytes', FILE],
    ['of forged bytes, with memory', WHOLE],
    ['of forged bytes, with an interrupt controller', WITH_GIC],
  ])('%s is read in full or refused with a place: 5000 mutations', (_, original) => {
    let refused = 0;
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(
            fc.nat(original.length - 8),
            fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
            fc.constantFrom(1, 2, 4, 8),
          ),
          {
            minLength: 1,
            maxLength: 4,
          },
        ),
        changes => {
          const file = forged((view, bytes) => {
            for (const [offset, value, width] of changes)
              for (let i = 0; i < width; i++) bytes[offset + i] = Number((value >> BigInt(8 * i)) & 0xffn);
            void view;
          }, original);
          const message = fault(file);
          if (message !== undefined) {
            refused++;
            expect(message).toMatch(/offset \d+$/);
          } else expect(Buffer.compare(encodeState(decodeState(file)), file)).toBe(0);
        },
      ),
      { numRuns: 5000 },
    );
    expect(refused).toBeGreaterThan(500);
  });

  it('of any bytes is refused with a place', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), tail => {
        expect(fault(tail)).toMatch(/offset \d+$/);
        expect(fault(Buffer.concat([FILE.subarray(0, 12), tail]))).toMatch(/offset \d+$/);
      }),
      { numRuns: 1000 },
    );
  });

  it('wants bytes', () => {
    expect(() => decodeState('guest.state' as never)).toThrow(TypeError);
  });
});
