/**
 * Which of the lab's machines a host was recorded on.
 *
 * @packageDocumentation
 */

/** The lab's kernel and CPU: a host's name is `linux-KERNEL-CPU`. */
export function machineOf(host: string): { readonly kernel: string; readonly cpu: string } {
  const [, kernel, cpu] = /^linux-([\d.]+)-(.+)$/.exec(host) ?? [];
  if (kernel === undefined || cpu === undefined)
    throw new Error(`${host} names no kernel and CPU of the lab`);
  return { kernel, cpu };
}
