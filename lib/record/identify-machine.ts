/**
 * What the machine is that a profile is recorded on, from what its kernel tells without KVM.
 *
 * @packageDocumentation
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A machine, for the name and the provenance of a profile. */
export interface Machine {
  /** `neoverse-n1`; `part-0xd99` for one that is unknown here. */
  readonly cpu: string;
  /** The board or the cloud's machine, by its own name; `QEMU` for one of its. */
  readonly board: string;
}

/** CPUs by implementer and part, bits 31:24 and 15:4 of MIDR_EL1 (arch/arm64/include/asm/cputype.h). */
const CPUS: Readonly<Record<string, string>> = {
  '41d03': 'cortex-a53',
  '41d05': 'cortex-a55',
  '41d07': 'cortex-a57',
  '41d08': 'cortex-a72',
  '41d09': 'cortex-a73',
  '41d0a': 'cortex-a75',
  '41d0b': 'cortex-a76',
  '41d0c': 'neoverse-n1',
  '41d40': 'neoverse-v1',
  '41d49': 'neoverse-n2',
  '41d4f': 'neoverse-v2',
  '46001': 'a64fx',
  '48d01': 'tsv110',
  c0ac3: 'ampere1',
  c0ac4: 'ampere1a',
  // QEMU's `max` says that it is nobody's, and part 'Q' (target/arm/tcg/cpu64.c).
  '00051': 'max',
};

const MIDR = 'sys/devices/system/cpu/cpu0/regs/identification/midr_el1';
const DEVICE_TREE_MODEL = 'proc/device-tree/model';
const DMI = 'sys/devices/virtual/dmi/id';

/** The model of QEMU's board `virt` (hw/arm/virt.c). */
const QEMU_MODEL = 'linux,dummy-virt';

/**
 * Looks what this machine is.
 *
 * @param root - the folder of `/proc` and `/sys`
 */
export function identifyMachine(root = '/'): Machine {
  const read = (file: string): string => {
    try {
      return readFileSync(join(root, file), 'utf8').replaceAll('\0', '').trim();
    } catch {
      return ''; // a kernel without ACPI has no DMI, one without device tree no model
    }
  };
  const midr = BigInt(read(MIDR) || 0);
  const key = [midr >> 24n, (midr >> 4n) & 0xfffn]
    .map((part, i) => part.toString(16).padStart(2 + i, '0'))
    .join('');
  const cpu = CPUS[key] ?? `part-0x${key.slice(2)}`;
  const names = [
    read(DEVICE_TREE_MODEL),
    `${read(`${DMI}/sys_vendor`)} ${read(`${DMI}/product_name`)}`.trim(),
  ];
  const isQemu = names.some(name => name === QEMU_MODEL || name.startsWith('QEMU'));
  return { cpu, board: isQemu ? 'QEMU' : names.find(name => name !== '') || 'unknown board' };
}
