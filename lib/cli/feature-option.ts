/**
 * The option that names vCPU features.
 *
 * @packageDocumentation
 */
import type { VcpuFeature } from '../abi/vcpu-features.ts';

/** Features by name or bit number, with commas. */
function parseFeatures(list: string): (VcpuFeature | number)[] {
  if (list === '') return [];
  return list.split(',').map(text => (/^\d+$/.test(text) ? Number(text) : (text as VcpuFeature)));
}

/** The value of `--features`; undefined where it was not given. */
export function featuresGiven(options: ReadonlyMap<string, string>): (VcpuFeature | number)[] | undefined {
  const list = options.get('features');
  return list === undefined ? undefined : parseFeatures(list);
}
