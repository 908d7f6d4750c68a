/**
 * Two hosts side by side: what becomes of a new vCPU that moves from one to the other.
 *
 * @packageDocumentation
 */
import { checkOptions, invalidType } from '../abi/argument.ts';
import { featureMask, VCPU_FEATURE_CAPABILITY, type VcpuFeature } from '../abi/vcpu-features.ts';
import type { Kvm } from '../kvm.ts';
import { checkKvm } from '../snapshot/arguments.ts';
import { acceptedFeatures, featureNames, onReadyScratch } from '../snapshot/features.ts';
import { type Finding, VERDICTS, type Verdict } from '../snapshot/finding.ts';
import { planRestore } from '../snapshot/plan-restore.ts';
import { saveVcpu, type VcpuState } from '../snapshot/vcpu-state.ts';

/** Options of {@link compareHosts} and `baseline`. */
export interface FeatureOptions {
  /**
   * The vCPU features that are wanted, of which those are taken that all hosts have. Default: {@link WANTED_FEATURES}, or
   * the single one of 32-bit arm.
   */
  readonly features?: readonly (VcpuFeature | number)[] | undefined;
}

/** What a guest usually gets where its host has it. */
export const WANTED_FEATURES = ['PSCI_0_2', 'PMU_V3', 'SVE', 'PTRAUTH_ADDRESS', 'PTRAUTH_GENERIC'] as const;

/** How a destination looks from a source. */
export interface HostComparison {
  readonly source: string;
  readonly destination: string;
  readonly verdict: Verdict;
  /** The features of the vCPU that was compared: those among the wanted that both hosts have. */
  readonly features: readonly string[];
  readonly findings: readonly Finding[];
}

/**
 * Compares two hosts in one direction: whether what runs on the first loads on the second. Both are asked on scratch VMs,
 * so that it works on live hosts and recorded ones, in any mix.
 *
 * @example
 * ```ts
 * const source = Kvm.open({ host: 'linux-6.18-max' });
 * const { verdict, findings } = compareHosts(source, Kvm.open({ host: 'linux-6.12-max' }));
 * findings.find(({ name }) => name === 'KVM_REG_ARM_PSCI_VERSION')?.remedy?.text;
 * // 'pin PSCI to 1.1 before the guest starts'
 * ```
 */
export function compareHosts(source: Kvm, destination: Kvm, options: FeatureOptions = {}): HostComparison {
  checkKvm('source', source);
  checkKvm('destination', destination);
  checkFeatures(options);
  const { features } = options;
  const here = featuresOn(source, features);
  const there = featuresOn(destination, features);
  const isSameArchitecture = source.architecture === destination.architecture;
  const common = isSameArchitecture ? here & there : here;
  const plan = planRestore(newVcpu(source, common), destination, { source });
  const findings: readonly Finding[] = isSameArchitecture
    ? [...featureFindings(source, here, there), ...plan.findings]
    : plan.findings;
  return {
    source: source.host,
    destination: destination.host,
    verdict: worse(plan.verdict, verdictOfFeatures(here, there)),
    features: featureNames(source, common),
    findings,
  };
}

export function checkFeatures(options: FeatureOptions): void {
  checkOptions('options', options, ['features']);
  const { features } = options;
  if (features !== undefined && !Array.isArray(features))
    throw invalidType('features', 'an array of feature names or bit numbers', features);
}

/** A feature that only the source has is one to leave out: no reason why other guests should not move. */
function verdictOfFeatures(here: bigint, there: bigint): Verdict {
  if ((here & ~there) !== 0n) return 'compatible';
  return here === there ? 'identical' : 'superset';
}

function worse(a: Verdict, b: Verdict): Verdict {
  return VERDICTS.indexOf(a) > VERDICTS.indexOf(b) ? a : b;
}

/** The features that a host has among those that are wanted. */
export function featuresOn(kvm: Kvm, features: FeatureOptions['features']): bigint {
  const wanted =
    features ??
    (kvm.architecture === 'arm64'
      ? // By capability: before Linux 5.2 their bits were free for other things.
        WANTED_FEATURES.filter(name => kvm.checkExtension(VCPU_FEATURE_CAPABILITY[name]!) > 0)
      : ['PSCI_0_2' as const]);
  return acceptedFeatures(kvm, featureMask(wanted, kvm.architecture));
}

/** The state of a vCPU that has not run. */
export function newVcpu(kvm: Kvm, featureBits: bigint): VcpuState {
  return onReadyScratch(kvm, featureBits, saveVcpu);
}

/** Features of one side alone: what was compared has none of them. */
function featureFindings(kvm: Kvm, here: bigint, there: bigint): Finding[] {
  const about = { what: 'feature', vcpu: 0, fields: [], guestNotices: true } as const;
  return [
    ...featureNames(kvm, here & ~there).map(name => ({
      ...about,
      effect: 'lacked' as const,
      name,
      remedy: {
        action: 'leave out',
        on: 'source',
        text: `initialise the vCPU without ${name}, as was done to compare`,
      } as const,
    })),
    ...featureNames(kvm, there & ~here).map(name => ({ ...about, effect: 'added' as const, name })),
  ];
}
