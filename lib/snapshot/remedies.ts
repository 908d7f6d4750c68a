/**
 * What would make findings go away. A value is proposed only where the hosts that are at hand took it on a scratch VM.
 *
 * @packageDocumentation
 */
import { formatPsciVersion, parsePsciVersion } from '../abi/psci.ts';
import { fieldValue, registerFields } from '../abi/register-fields.ts';
import { decodeRegisterId, psciVersionId } from '../abi/register-id.ts';
import type { Kvm } from '../kvm.ts';
import type { Vcpu } from '../vcpu.ts';
import { acceptedFeatures, bitsOf, onReadyScratch, onScratch } from './features.ts';
import { differingFields, type Finding, type Remedy } from './finding.ts';
import { phaseOf } from './phases.ts';

/** A register of a finding. */
type RegisterFinding = Finding & { readonly id: bigint };

/** The findings, with a remedy where there is one. */
export function addRemedies(
  findings: readonly Finding[],
  featureBits: bigint,
  destination: Kvm,
  source: Kvm | undefined,
): Finding[] {
  if (findings.length === 0 || findings[0]!.what === 'architecture') return [...findings];
  const there = trialOn(destination, featureBits);
  const here = source && trialOn(source, featureBits);
  return findings.map(finding => {
    const remedy = remedyFor(finding, destination, there, here);
    return remedy === undefined ? finding : { ...finding, remedy };
  });
}

/** Whether a host takes a value, and then has it. */
export type Trial = (id: bigint, value: bigint) => boolean;

/** Tries values on a host, each on a vCPU of its own. */
export function trialOn(kvm: Kvm, featureBits: bigint): Trial {
  const features = acceptedFeatures(kvm, featureBits);
  return (id, value) => {
    const take = (vcpu: Vcpu) => {
      const refused = vcpu.setRegs([[id, value]]).failed > 0;
      return !refused && vcpu.getRegs([id]).valueAt(0) === value;
    };
    if (phaseOf(id) !== 'vector lengths') return onReadyScratch(kvm, features, take);
    return onScratch(kvm, vcpu => {
      vcpu.init({ features: bitsOf(features) });
      return take(vcpu);
    });
  };
}

function remedyFor(
  finding: Finding,
  destination: Kvm,
  there: Trial,
  here: Trial | undefined,
): Remedy | undefined {
  const { what, effect, name, id } = finding;
  if (what === 'feature')
    return { action: 'leave out', on: 'source', text: `initialise the vCPU without ${name}` };
  if (id === undefined) return undefined;
  const register: RegisterFinding = { ...finding, id };
  if (effect === 'lacked') return forLacked(register, here);
  return effect === 'added' ? forAdded(register, there) : forValue(register, destination, there, here);
}

/** What the guest cannot have used need not be there; nor what can be made 0. */
function forLacked({ id, name, guestNotices }: RegisterFinding, here: Trial | undefined): Remedy | undefined {
  if (!guestNotices) {
    const text = `leave ${name} out: the guest has nothing in it`;
    return { action: 'omit', on: 'source', text };
  }
  if (phaseOf(id) === 'counters') {
    const text = `leave ${name} out: the guest finds that clock as the destination has it`;
    return { action: 'omit', on: 'source', text };
  }
  if (decodeRegisterId(id).kind !== 'firmware-bitmap' || here?.(id, 0n) === false) return undefined;
  const text = `clear ${name} (write 0) before the first run, then leave it out`;
  return { action: 'write', on: 'source', value: 0n, text };
}

/** What the destination adds can be switched off there, if at all. */
function forAdded({ id, name, guestNotices }: RegisterFinding, there: Trial): Remedy | undefined {
  if (!guestNotices) return undefined;
  // A kernel without the register offers its guests 0.2 (before Linux 4.16; virt/kvm/arm/psci.c).
  const value = isPsci(id) ? parsePsciVersion('0.2') : 0n;
  if (!there(id, value)) return undefined;
  return {
    action: 'write',
    on: 'destination',
    value,
    text: isPsci(id)
      ? 'pin PSCI to 0.2 on the destination, if the source is a kernel before 4.16'
      : `write 0 to ${name} on the destination before the first run`,
  };
}

/** A value that both sides take. */
function forValue(
  { id, name, source = 0n, destination: present = 0n }: RegisterFinding,
  destination: Kvm,
  there: Trial,
  here: Trial | undefined,
): Remedy | undefined {
  const kind = phaseOf(id);
  if (kind === 'state' || kind === 'counters') return undefined;
  const candidates = isPsci(id)
    ? destination
        .supportedPsciVersions()
        .map(parsePsciVersion)
        .reverse()
        .filter(version => version < source)
    : [lesser(id, [source, present]), present];
  const value = candidates.find(
    candidate => candidate !== source && there(id, candidate) && here?.(id, candidate) !== false,
  );
  if (value === undefined) return undefined;
  return { action: 'write', on: 'source', value, text: textOf(id, name, source, value, here !== undefined) };
}

function textOf(id: bigint, name: string, from: bigint, to: bigint, isTried: boolean): string {
  const proviso = isTried ? '' : ', if the source kernel allows';
  if (isPsci(id)) return `pin PSCI to ${formatPsciVersion(to)} before the guest starts`;
  const fields = differingFields(id, from, to).map(
    field => `${field.name} ${field.source.toString(16)} to ${field.destination.toString(16)}`,
  );
  const change = fields.length > 0 ? ` (${fields.join(', ')})` : '';
  return `write 0x${to.toString(16)} to ${name}${change} before the first run${proviso}`;
}

/** Field by field the least of some values: what all of them promise. */
export function lesser(id: bigint, values: readonly bigint[]): bigint {
  if (decodeRegisterId(id).kind === 'sve') return commonLengths(values);
  return registerFields(id).reduce((result, field) => {
    const least = values.map(value => fieldValue(field, value)).reduce((a, b) => (a < b ? a : b));
    return result | (least << BigInt(field.shift));
  }, 0n);
}

/** The vector lengths up to the greatest one to which all have the same: a host can hide only the greater ones. */
function commonLengths(values: readonly bigint[]): bigint {
  const all = values.reduce((a, b) => a & b);
  const any = values.reduce((a, b) => a | b);
  let common = 0n;
  for (let bit = 0n; any >> bit !== 0n && ((all ^ any) >> bit) % 2n === 0n; bit++)
    common |= all & (1n << bit);
  return common;
}

/** Whether it is the PSCI version. */
export function isPsci(id: bigint): boolean {
  return id === psciVersionId('arm64') || id === psciVersionId('arm');
}
