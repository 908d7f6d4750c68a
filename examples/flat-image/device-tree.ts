/**
 * A flattened device tree from nodes and properties (Devicetree Specification v0.4, chapter 5).
 */

/** A property: none, text, several texts, or cells of 32 bits. */
export type PropertyValue = true | string | readonly string[] | readonly number[];

export interface DeviceTreeNode {
  readonly properties: Readonly<Record<string, PropertyValue>>;
  /** By name, with its unit address: `memory@40000000`. */
  readonly children?: Readonly<Record<string, DeviceTreeNode>>;
}

const FDT_MAGIC = 0xd00dfeed;
const VERSION = 17;
const LAST_COMPATIBLE_VERSION = 16;
const HEADER_SIZE = 40;
/** One entry of zeros ends the memory reservation block. */
const RESERVATIONS_SIZE = 16;

const FDT_BEGIN_NODE = 1;
const FDT_END_NODE = 2;
const FDT_PROP = 3;
const FDT_END = 9;

/** The two cells of a 64-bit number, the more significant first. */
export function cells64(value: bigint | number): [high: number, low: number] {
  const all = BigInt(value);
  return [Number(all >> 32n), Number(all & 0xffff_ffffn)];
}

/** The blob: header, memory reservations, structure, strings. */
export function flattenDeviceTree(root: DeviceTreeNode): Uint8Array {
  const strings = new Strings();
  const structure = Buffer.concat([...flattenNode('', root, strings), cells(FDT_END)]);
  const structureAt = HEADER_SIZE + RESERVATIONS_SIZE;
  const stringsAt = structureAt + structure.length;
  const totalSize = stringsAt + strings.bytes.length;
  const header = cells(
    FDT_MAGIC,
    totalSize,
    structureAt,
    stringsAt,
    HEADER_SIZE,
    VERSION,
    LAST_COMPATIBLE_VERSION,
    0, // the CPU that boots
    strings.bytes.length,
    structure.length,
  );
  return Buffer.concat([header, Buffer.alloc(RESERVATIONS_SIZE), structure, strings.bytes]);
}

function* flattenNode(name: string, node: DeviceTreeNode, strings: Strings): Generator<Buffer> {
  yield cells(FDT_BEGIN_NODE);
  yield padded(text(name));
  for (const [key, value] of Object.entries(node.properties)) {
    const bytes = encodeValue(value);
    yield cells(FDT_PROP, bytes.length, strings.offsetOf(key));
    yield padded(bytes);
  }
  for (const [childName, child] of Object.entries(node.children ?? {}))
    yield* flattenNode(childName, child, strings);
  yield cells(FDT_END_NODE);
}

function encodeValue(value: PropertyValue): Buffer {
  if (value === true) return Buffer.alloc(0);
  if (typeof value === 'string') return text(value);
  return Buffer.concat(value.map(item => (typeof item === 'string' ? text(item) : cells(item))));
}

/** The names of properties, each once; one that another ends with is a part of it. */
class Strings {
  bytes = Buffer.alloc(0);

  offsetOf(name: string): number {
    const wanted = text(name);
    const known = this.bytes.indexOf(wanted);
    if (known >= 0) return known;
    const offset = this.bytes.length;
    this.bytes = Buffer.concat([this.bytes, wanted]);
    return offset;
  }
}

function text(value: string): Buffer {
  return Buffer.from(`${value}\0`);
}

function cells(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [i, value] of values.entries()) bytes.writeUInt32BE(value, 4 * i);
  return bytes;
}

/** Everything in the structure block is at a multiple of four. */
function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
}
