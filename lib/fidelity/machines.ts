/**
 * Which of QEMU's machines a host was recorded on.
 *
 * @packageDocumentation
 */

/** The pointer authentication of `pauth-impdef` costs QEMU a tenth of the architected one. */
const CPUS: Readonly<Record<string, string>> = {
  'linux-6.12-neoverse-n1': 'neoverse-n1',
  'linux-6.12-max': 'max,sve=off,pauth-impdef=on',
  'linux-6.12-max-sve': 'max,pauth-impdef=on',
};

/** The CPU model; undefined for a host that the lab does not have. */
export function cpuOf(host: string): string | undefined {
  return CPUS[host];
}
