/**
 * What the kernel does with a caller's buffer: it reads and writes the length that it expects. As in the addon, a
 * shorter buffer is read as if zeros followed, and only its own bytes are written. One that is detached has none, and
 * no view can be made on it.
 *
 * @packageDocumentation
 */

/** `copy_from_user` of a struct. */
export function readStruct(data: Uint8Array, size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  if (data.length > 0) bytes.set(data.subarray(0, size));
  return bytes;
}

/** `copy_to_user` of a value; little-endian, as every machine is that Node runs on. */
export function writeStruct(data: Uint8Array, value: Int32Array | Uint32Array | BigUint64Array): void {
  const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  if (data.length > 0) data.set(bytes.subarray(0, data.length));
}
