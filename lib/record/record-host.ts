/**
 * Records a host: asks a real KVM what it is and what it accepts, and writes down the answers as a profile that the
 * emulator then gives again. Everything is tried on scratch VMs, which are closed.
 *
 * @packageDocumentation
 */

import { KVM_CAP, MAX_CAPABILITY } from '../abi/capabilities.ts';
import { KVM_ARM_VCPU_CTRL, KVM_ARM_VCPU_PMU_V3 } from '../abi/device-attributes.ts';
import { ERRNO } from '../abi/errno.ts';
import { psciVersionCandidates } from '../abi/psci.ts';
import { KVM_REG_ARM_PSCI_VERSION, sysRegId } from '../abi/register-id.ts';
import { decodeVcpuInit, encodeVcpuInit, FEATURE_ID_RANGE_SIZE, STRUCT_SIZE } from '../abi/structs.ts';
import { featureMask, KVM_ARM_VCPU } from '../abi/vcpu-features.ts';
import { DEFAULT_IPA_BITS } from '../abi/vm-type.ts';
import type { KvmHandle, Result } from '../backend.ts';
import type { HostProfile } from '../emulator/profile.ts';
import { PMCR_EL0 } from '../emulator/registers/pmu-registers.ts';
import { isSpecial } from '../emulator/registers/special-registers.ts';
import { recordBehaviours } from './record-behaviours.ts';
import { recordGics } from './record-gics.ts';
import { recordRegisters } from './record-registers.ts';
import { MMIO_DATA, runGuest, STR_X0 } from './run-guest.ts';
import { expectValue, initialised, withVcpus } from './scratch.ts';

/** What tells a recording from others. */
export type Provenance = HostProfile['provenance'];

/**
 * Records a host in the present state of its kernel.
 *
 * @param kvm - an open KVM, native
 * @throws Error where the host answers something that a profile cannot hold
 */
export async function recordHost(
  kvm: KvmHandle,
  name: string,
  provenance: Omit<Provenance, 'midr'>,
): Promise<HostProfile> {
  const preferred = withVcpus(kvm, 0, ({ vm }) => {
    const init = new Uint8Array(STRUCT_SIZE.kvm_vcpu_init);
    vm.armPreferredTarget(init);
    return decodeVcpuInit(init).target;
  });
  const tryInit = (target: number, features: bigint): Result =>
    withVcpus(kvm, 1, ({ vcpus: [vcpu] }) => vcpu!.armVcpuInit(encodeVcpuInit(target, features)));
  const knownFeatures = range(64).find(bit => tryInit(preferred, 1n << BigInt(bit)) === -ERRNO.ENOENT) ?? 64;
  const accepted = range(1 << knownFeatures).filter(
    mask =>
      (mask & (1 << KVM_ARM_VCPU.KVM_ARM_VCPU_POWER_OFF)) === 0 && tryInit(preferred, BigInt(mask)) === 0,
  );
  const psci = recordPsci(kvm, preferred);
  const behaviours = await recordBehaviours({ kvm, target: preferred });
  const capabilities = answers(cap => kvm.checkExtension(cap));
  return {
    format: 'kvm-arm64-host',
    version: 1,
    name,
    provenance: { ...provenance, midr: readRegister(kvm, preferred, sysRegId(3, 0, 0, 0, 0)).toString(16) },
    apiVersion: kvm.getApiVersion(),
    vcpuMmapSize: kvm.getVcpuMmapSize(),
    capabilities,
    vmCapabilities: withVcpus(kvm, 0, ({ vm }) => {
      const ofVm = answers(cap => vm.checkExtension(cap), true);
      return Object.fromEntries(
        Object.entries(ofVm).filter(([cap, answer]) => answer !== (capabilities[cap] ?? 0)),
      );
    }),
    enableCaps: recordEnableCaps(kvm),
    ipaBits: recordIpaBits(kvm),
    targets: { preferred, accepted: recordTargets(kvm) },
    knownFeatures,
    psci,
    counterHz: recordCounterFrequency(kvm, preferred),
    mpStates: withVcpus(kvm, 1, ({ vcpus: [vcpu] }) =>
      range(32).filter(state => vcpu!.setMpState(state) === 0),
    ),
    ...recordGics(kvm, preferred),
    timerPpis: recordTimerPpis(kvm, preferred),
    ...recordPmu(kvm, preferred),
    writableMasks: recordWritableMasks(kvm),
    behaviours,
    ...recordRegisters(kvm, preferred, accepted, id => isSpecial(id, { behaviours, psci })),
  };
}

/** A target that is refused leaves a vCPU as it was: the kernel looks at it first (`kvm_vcpu_set_target`, arm.c). */
function recordTargets(kvm: KvmHandle, from = 0): number[] {
  const found = withVcpus(kvm, 1, ({ vcpus: [vcpu] }) =>
    range(64).find(target => target >= from && vcpu!.armVcpuInit(encodeVcpuInit(target, 0n)) === 0),
  );
  return found === undefined ? [] : [found, ...recordTargets(kvm, found + 1)];
}

function range(length: number): number[] {
  return Array.from({ length }, (_, i) => i);
}

function answers(ask: (cap: number) => Result, withZeros = false): Record<string, number> {
  return Object.fromEntries(
    range(MAX_CAPABILITY + 1)
      .map(cap => [cap, ask(cap)] as const)
      .filter(([, answer]) => withZeros || answer !== 0),
  );
}

/** Arguments of which one suits each capability: none, a flag, a page, the block sizes of 4K, 16K and 64K pages. */
const ARGUMENTS = [0n, 1n, 4096n, 65536n, 1n << 21n];

/** One VM for all: KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP needs the ring first, and nothing undoes another. */
function recordEnableCaps(kvm: KvmHandle): number[] {
  return withVcpus(kvm, 0, ({ vm }) =>
    range(MAX_CAPABILITY + 1).filter(cap =>
      ARGUMENTS.some(arg => vm.enableCap(cap, 0, BigUint64Array.of(arg, 0n, 0n, 0n)) === 0),
    ),
  );
}

function recordIpaBits(kvm: KvmHandle): HostProfile['ipaBits'] {
  const accepts = (bits: number): boolean => {
    const vm = kvm.createVm(BigInt(bits));
    if (typeof vm === 'number') return false;
    vm.close();
    return true;
  };
  const all = range(0x100).slice(1);
  return { min: all.find(accepts)!, max: all.findLast(accepts)!, default: DEFAULT_IPA_BITS };
}

function recordPsci(kvm: KvmHandle, target: number): HostProfile['psci'] {
  const candidates = psciVersionCandidates();
  const acceptedWith = (features: bigint) =>
    initialised(kvm, target, features, vcpu =>
      candidates.filter(version => vcpu.setOneReg(KVM_REG_ARM_PSCI_VERSION, version) === 0),
    );
  const psci = featureMask(['PSCI_0_2']);
  const hex = (value: bigint) => value.toString(16);
  return {
    withFeature: acceptedWith(psci).map(hex),
    withoutFeature: acceptedWith(0n).map(hex),
    latest: initialised(kvm, target, psci, vcpu =>
      hex(expectValue(vcpu.getOneReg(KVM_REG_ARM_PSCI_VERSION))),
    ),
  };
}

function readRegister(kvm: KvmHandle, target: number, id: bigint): bigint {
  return initialised(kvm, target, 0n, vcpu => expectValue(vcpu.getOneReg(id)));
}

/** KVM_REG_ARM_TIMER_CNT runs with the host's counter; the frequency itself is in no register that KVM shows. */
function recordCounterFrequency(kvm: KvmHandle, target: number): number {
  const timerCount = sysRegId(3, 3, 14, 3, 2);
  return initialised(kvm, target, 0n, vcpu => {
    const start = sampleCounter(() => expectValue(vcpu.getOneReg(timerCount)));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
    const end = sampleCounter(() => expectValue(vcpu.getOneReg(timerCount)));
    const hertz = (Number(end.count - start.count) * 1e9) / Number(end.time - start.time);
    return Math.round(hertz / 1e5) * 1e5;
  });
}

/** Reads counter and clock together: of many tries the one that took the least time. */
function sampleCounter(read: () => bigint): { readonly time: bigint; readonly count: bigint } {
  const tries = Array.from({ length: 100 }, () => {
    const before = process.hrtime.bigint();
    const count = read();
    const after = process.hrtime.bigint();
    return { took: after - before, time: (before + after) / 2n, count };
  });
  return tries.reduce((best, one) => (one.took < best.took ? one : best));
}

const { KVM_ARM_VCPU_PMU_V3_CTRL: PMU_CTRL, KVM_ARM_VCPU_TIMER_CTRL: TIMER_CTRL } = KVM_ARM_VCPU_CTRL;

function recordTimerPpis(kvm: KvmHandle, target: number): number[] {
  return initialised(kvm, target, 0n, vcpu => {
    const ppis: number[] = [];
    const data = new Uint8Array(4);
    while (vcpu.getDeviceAttr(TIMER_CTRL, BigInt(ppis.length), data) === 0) ppis.push(data[0]!);
    return ppis;
  });
}

const SET_PMU = BigInt(KVM_ARM_VCPU_PMU_V3.KVM_ARM_VCPU_PMU_V3_SET_PMU);

/** The kernel numbers its PMUs with its other counters of events, of which no machine has many. */
const PMU_NUMBERS = 256;

/** mrs x0, pmceid<n>_el0; str x0, [x2] */
const TELL_EVENTS = [0xd53b_9cc0, STR_X0, 0xd53b_9ce0, STR_X0];

function recordPmu(kvm: KvmHandle, target: number): Pick<HostProfile, 'pmuAttributes' | 'pmus' | 'pmceid'> {
  if (kvm.checkExtension(KVM_CAP.KVM_CAP_ARM_PMU_V3) <= 0)
    return { pmuAttributes: 0, pmus: {}, pmceid: null };
  const pmceid = runGuest(
    { kvm, target },
    TELL_EVENTS,
    ({ run, area }) => {
      const next = () => {
        run();
        return area.getBigUint64(MMIO_DATA, true).toString(16);
      };
      return [next(), next()] as const;
    },
    true,
  );
  return initialised(kvm, target, featureMask(['PMU_V3']), vcpu => ({
    pmuAttributes: range(64).findIndex(attr => vcpu.hasDeviceAttr(PMU_CTRL, BigInt(attr)) !== 0),
    pmus: Object.fromEntries(
      range(PMU_NUMBERS)
        .filter(pmu => vcpu.setDeviceAttr(PMU_CTRL, SET_PMU, Uint8Array.of(pmu, 0, 0, 0)) === 0)
        .map(pmu => [pmu, Number((expectValue(vcpu.getOneReg(PMCR_EL0)) >> 11n) & 0x1fn)]),
    ),
    pmceid,
  }));
}

function recordWritableMasks(kvm: KvmHandle): Record<string, string> {
  const masks = new BigUint64Array(FEATURE_ID_RANGE_SIZE);
  withVcpus(kvm, 0, ({ vm }) => vm.armGetRegWritableMasks(0, masks));
  return Object.fromEntries(
    [...masks.entries()].filter(([, mask]) => mask !== 0n).map(([i, mask]) => [i, mask.toString(16)]),
  );
}
