/** The device tree blobs of examples/flat-image, against the specification and against Debian's compiler. */
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { cells64, type DeviceTreeNode, flattenDeviceTree } from '../../examples/flat-image/device-tree.ts';
import { LAYOUTS } from '../../examples/flat-image/layouts.ts';
import { type MachineFacts, machineTree } from '../../examples/flat-image/machine-tree.ts';

const noCompiler = spawnSync('dtc', ['--version']).status !== 0;
const unlessCompiler = noCompiler ? ' (skipped: no dtc on the PATH; Debian: device-tree-compiler)' : '';

function dtc(from: 'dts' | 'dtb', to: 'dts' | 'dtb', input: string | Uint8Array) {
  const { stdout, stderr } = spawnSync('dtc', ['-I', from, '-O', to], { input });
  return { stdout, stderr: stderr.toString() };
}

describe('a blob', () => {
  it('has the layout of the Devicetree Specification v0.4, 5.1 to 5.5', () => {
    const root: DeviceTreeNode = {
      properties: { ab: [1], b: true },
      children: { 'c@1': { properties: { ab: 'x' } } },
    };
    const words = [
      // 5.2: the magic, the size of all, where structure, strings and reservations are
      'd00dfeed 00000083 00000038 00000080 00000028',
      // version 17, compatible with 16, booted by CPU 0; the sizes of strings and structure
      '00000011 00000010 00000000 00000003 00000048',
      // 5.3: the reservations end
      '00000000 00000000 00000000 00000000',
      // 5.4: FDT_BEGIN_NODE, no name; FDT_PROP of 4 bytes, string 0; FDT_PROP of no bytes, string 1, which is a part of 0
      '00000001 00000000 00000003 00000004 00000000 00000001 00000003 00000000 00000001',
      // FDT_BEGIN_NODE "c@1"; FDT_PROP of 2 bytes, padded; FDT_END_NODE
      '00000001 63403100 00000003 00000002 00000000 78000000 00000002',
      // FDT_END_NODE, FDT_END
      '00000002 00000009',
    ];
    const strings = '616200'; // 5.5
    expect(Buffer.from(flattenDeviceTree(root)).toString('hex')).toBe(
      (words.join('') + strings).replaceAll(' ', ''),
    );
  });

  it('has 64-bit numbers as two cells, the more significant first', () => {
    expect(cells64(0x1_4000_0000)).toEqual([1, 0x4000_0000]);
    expect(cells64(0xff_00ff_ffffn)).toEqual([0xff, 0x00ff_ffff]);
  });

  it.skipIf(noCompiler)(`is what dtc makes of the same tree${unlessCompiler}`, () => {
    const source = `/dts-v1/;
      / {
        compatible = "a,b", "c";
        #address-cells = <2>;
        empty;
        node@140000000 { reg = <1 0x40000000 0 0x1000>; status = "okay"; inner { cells = <4294967295>; }; };
        chosen { bootargs = ""; };
      };`;
    const root: DeviceTreeNode = {
      properties: { compatible: ['a,b', 'c'], '#address-cells': [2], empty: true },
      children: {
        'node@140000000': {
          properties: { reg: [...cells64(0x1_4000_0000), ...cells64(0x1000)], status: 'okay' },
          children: { inner: { properties: { cells: [0xffff_ffff] } } },
        },
        chosen: { properties: { bootargs: '' } },
      },
    };
    expect(Buffer.from(flattenDeviceTree(root)).toString('hex')).toBe(
      dtc('dts', 'dtb', source).stdout.toString('hex'),
    );
  });
});

const FACTS: MachineFacts = {
  layout: LAYOUTS.qemu,
  memory: 0x1000_0000,
  mpidrs: [0x8000_0000n, 0x8000_0001n, 0x81_8000_0100n],
  gic: 3,
  psci: '1.1',
  timer: { virtual: 27, physical: 30 },
  pmu: 23,
  args: 'console=ttyAMA0',
  initrd: { start: 0x4fe0_0000, end: 0x4fe0_0100 },
};

describe("the machine's tree", () => {
  const variants: [string, Partial<MachineFacts>][] = [
    ['qemu, GICv3', {}],
    ['qemu, GICv2', { gic: 2 }],
    ['kvmtool, GICv3', { layout: LAYOUTS.kvmtool }],
    ['kvmtool, GICv2', { layout: LAYOUTS.kvmtool, gic: 2, psci: '0.2', pmu: undefined, initrd: undefined }],
  ];
  it.skipIf(noCompiler).each(variants)(`has nothing that dtc warns of: %s${unlessCompiler}`, (_, changes) => {
    const { stdout, stderr } = dtc('dtb', 'dts', flattenDeviceTree(machineTree({ ...FACTS, ...changes })));
    expect(stderr).toBe('');
    expect(stdout.toString()).toContain('enable-method = "psci";');
  });

  const node = (facts: MachineFacts, name: string) => machineTree(facts).children?.[name]?.properties;

  it('has the memory, the CPUs by affinity, and the console', () => {
    expect(node(FACTS, 'memory@40000000')?.['reg']).toEqual([0, 0x4000_0000, 0, 0x1000_0000]);
    const cpus = machineTree(FACTS).children?.['cpus']?.children ?? {};
    // Documentation/devicetree/bindings/arm/cpus.yaml: Aff3 in the first cell, Aff2 to Aff0 in the second
    expect(Object.entries(cpus).map(([name, cpu]) => [name, cpu.properties['reg']])).toEqual([
      ['cpu@0', [0, 0]],
      ['cpu@1', [0, 1]],
      ['cpu@8100000100', [0x81, 0x100]],
    ]);
    expect(node(FACTS, 'chosen')?.['stdout-path']).toBe('/pl011@9000000');
    expect(node({ ...FACTS, layout: LAYOUTS.kvmtool }, 'chosen')?.['stdout-path']).toBe('/serial@1000000');
  });

  it('says which PSCI functions may be called (bindings/arm/psci.yaml)', () => {
    expect(node(FACTS, 'psci')?.['compatible']).toEqual(['arm,psci-1.0', 'arm,psci-0.2']);
    expect(node({ ...FACTS, psci: '0.2' }, 'psci')?.['compatible']).toEqual(['arm,psci-0.2']);
  });

  it('has the timers as PPIs: secure, physical, virtual, hypervisor (bindings/timer/arm,arch_timer.yaml)', () => {
    expect(node(FACTS, 'timer')?.['interrupts']).toEqual([1, 13, 4, 1, 14, 4, 1, 11, 4, 1, 10, 4]);
    // at each of three CPUs of a GICv2
    expect(node({ ...FACTS, gic: 2 }, 'timer')?.['interrupts']).toEqual(
      [13, 14, 11, 10].flatMap(ppi => [1, ppi, 0x704]),
    );
  });

  it('has the frames of the GIC', () => {
    expect(node(FACTS, 'intc@8000000')).toMatchObject({
      compatible: 'arm,gic-v3',
      reg: [0, 0x800_0000, 0, 0x1_0000, 0, 0x80a_0000, 0, 0x6_0000],
    });
    expect(node({ ...FACTS, gic: 2 }, 'intc@8000000')).toMatchObject({
      compatible: 'arm,cortex-a15-gic',
      reg: [0, 0x800_0000, 0, 0x1000, 0, 0x801_0000, 0, 0x2000],
    });
    expect(machineTree({ ...FACTS, gic: undefined }).properties).not.toHaveProperty('interrupt-parent');
  });
});
