/**
 * The PSCI functions (`kvm_psci_call`, arch/arm64/kvm/psci.c).
 *
 * @packageDocumentation
 */
import { KVM_CAP } from '../../abi/capabilities.ts';
import {
  KVM_EXIT,
  KVM_SYSTEM_EVENT,
  KVM_SYSTEM_EVENT_RESET_FLAG_PSCI_RESET2,
  KVM_SYSTEM_EVENT_SHUTDOWN_FLAG_PSCI_OFF2,
} from '../../abi/exits.ts';
import { KVM_MP_STATE } from '../../abi/mp-state.ts';
import { KVM_PSCI_FN, PSCI_0_2_64BIT, PSCI_FN, PSCI_RET, PSCI_VALUE } from '../../abi/psci.ts';
import { sysRegId } from '../../abi/register-id.ts';
import { guestPsciVersion } from '../psci.ts';
import type { VcpuState } from '../state.ts';
import { answer, argument32, type Call, type CallOutcome } from './call.ts';
import { SMCCC_FN } from './function-ids.ts';

const { PSCI_RET_SUCCESS, PSCI_RET_NOT_SUPPORTED, PSCI_RET_INVALID_PARAMS } = PSCI_RET;
const { KVM_SYSTEM_EVENT_SHUTDOWN, KVM_SYSTEM_EVENT_RESET, KVM_SYSTEM_EVENT_SUSPEND } = KVM_SYSTEM_EVENT;

const PSCI_0_1 = 1n;
const PSCI_0_2 = 2n;
const PSCI_1_0 = 0x1_0000n;
const PSCI_1_1 = 0x1_0001n;
const PSCI_1_3 = 0x1_0003n;

/** Affinity fields of MPIDR_EL1 (`MPIDR_HWID_BITMASK`); PSCI takes no other bits. */
const AFFINITY = 0xff_00ff_ffffn;
const MPIDR_EL1 = sysRegId(3, 0, 0, 0, 5);
const SCTLR_EL1 = sysRegId(3, 0, 1, 0, 0);
const SCTLR_EE = 1n << 25n;

/** What is compared of an affinity, from a level up (`psci_affinity_mask`). */
const LEVEL_MASKS = [AFFINITY, AFFINITY & ~0xffn, AFFINITY & ~0xffffn, AFFINITY & ~0xff_ffffn];

interface Function {
  /** The first PSCI version that has it. */
  readonly since: bigint;
  readonly call: (call: Call) => CallOutcome;
  /** What PSCI_FEATURES says of it (default 0); undefined: not supported. */
  readonly features?: (call: Call) => number | undefined;
}

const isOff = ({ mpState }: VcpuState): boolean => mpState === KVM_MP_STATE.KVM_MP_STATE_STOPPED;

function read(vcpu: VcpuState, id: bigint): bigint {
  return (vcpu.configuration ?? vcpu.vm.configuration)?.registers.get(id)?.get(vcpu) as bigint;
}

/** A vCPU that was not initialised has no MPIDR yet that could be met. */
const affinityOf = (vcpu: VcpuState): bigint | undefined =>
  vcpu.configuration === undefined ? undefined : read(vcpu, MPIDR_EL1) & AFFINITY;

/** SMC32 arguments are the low halves (`kvm_psci_narrow_to_32bit`), which the guest's registers then keep. */
function narrow({ id, registers }: Call): void {
  if ((id & PSCI_0_2_64BIT) !== 0) return;
  for (let n = 1; n < 4; n++) registers.set(n, BigInt.asUintN(32, registers.get(n)));
}

/** What a call names a vCPU by; kernels differ in what they make of its reserved bits. */
function affinityArgument({ vcpu, registers }: Call): bigint {
  const given = registers.get(1);
  return vcpu.vm.host.profile.behaviours.reservedAffinityIgnored ? given & AFFINITY : given;
}

/** `kvm_psci_vcpu_on`: the target's registers are reset when somebody looks at them, or it runs. */
function cpuOn(call: Call): CallOutcome {
  const { vcpu, registers } = call;
  const affinity = affinityArgument(call);
  const target = [...vcpu.vm.vcpus.values()].find(other => affinityOf(other) === affinity);
  if (target === undefined) return answer(call, PSCI_RET_INVALID_PARAMS);
  if (!isOff(target)) {
    const isFirst = guestPsciVersion(vcpu) === PSCI_0_1;
    return answer(call, isFirst ? PSCI_RET_INVALID_PARAMS : PSCI_RET.PSCI_RET_ALREADY_ON);
  }
  target.pendingReset = {
    pc: registers.get(2),
    x0: registers.get(3),
    isBigEndian: (read(vcpu, SCTLR_EL1) & SCTLR_EE) !== 0n,
  };
  target.mpState = KVM_MP_STATE.KVM_MP_STATE_RUNNABLE;
  return answer(call, PSCI_RET_SUCCESS);
}

function affinityInfo(call: Call): CallOutcome {
  const { vcpu, registers } = call;
  const affinity = affinityArgument(call);
  const mask = LEVEL_MASKS[Number(registers.get(2))];
  if ((affinity & ~AFFINITY) !== 0n || mask === undefined) return answer(call, PSCI_RET_INVALID_PARAMS);
  const matching = [...vcpu.vm.vcpus.values()].filter(other => {
    const own = affinityOf(other);
    return own !== undefined && (own & mask) === (affinity & mask);
  });
  if (matching.length === 0) return answer(call, PSCI_RET_INVALID_PARAMS);
  const { PSCI_0_2_AFFINITY_LEVEL_ON, PSCI_0_2_AFFINITY_LEVEL_OFF } = PSCI_VALUE;
  return answer(call, matching.every(isOff) ? PSCI_0_2_AFFINITY_LEVEL_OFF : PSCI_0_2_AFFINITY_LEVEL_ON);
}

function cpuOff(call: Call): CallOutcome {
  call.vcpu.mpState = KVM_MP_STATE.KVM_MP_STATE_STOPPED;
  return answer(call, PSCI_RET_SUCCESS);
}

/** KVM takes no power state: the call is a WFI, which keeps everything. */
function cpuSuspend(call: Call): CallOutcome {
  answer(call, PSCI_RET_SUCCESS);
  return { kind: 'wait' };
}

/** Ends the system as far as the kernel goes: no vCPU runs on until the program says so (`kvm_prepare_system_event`). */
function systemEvent({ vcpu }: Call, type: number, flags: bigint): CallOutcome {
  for (const other of vcpu.vm.vcpus.values()) other.mpState = KVM_MP_STATE.KVM_MP_STATE_STOPPED;
  return systemExit(vcpu, type, [flags]);
}

function systemExit({ vm }: VcpuState, type: number, data: readonly bigint[]): CallOutcome {
  // Before Linux 5.18 there was a word of flags, which nobody set, at the place of the first of the data.
  const hasData = (vm.host.profile.capabilities[KVM_CAP.KVM_CAP_SYSTEM_EVENT_DATA] ?? 0) > 0;
  return {
    kind: 'exit',
    reason: KVM_EXIT.KVM_EXIT_SYSTEM_EVENT,
    fill(run) {
      run.setUint32(32, type, true);
      run.setUint32(36, hasData ? data.length : 0, true);
      for (let n = 0; n < 16; n++) run.setBigUint64(40 + 8 * n, hasData ? (data[n] ?? 0n) : 0n, true);
    },
  };
}

/** A guest that is run on after its end finds that the call has failed. */
function end(call: Call, type: number, flags = 0n): CallOutcome {
  answer(call, PSCI_RET.PSCI_RET_INTERNAL_FAILURE);
  return systemEvent(call, type, flags);
}

function reset2(call: Call): CallOutcome {
  const type = argument32(call, 1);
  const { PSCI_1_1_RESET_TYPE_SYSTEM_WARM_RESET: warm, PSCI_1_1_RESET_TYPE_VENDOR_START: vendor } =
    PSCI_VALUE;
  if (type > warm && type < vendor) return answer(call, PSCI_RET_INVALID_PARAMS);
  // The arguments stay for the program to read.
  call.registers.set(0, BigInt.asUintN(64, BigInt(PSCI_RET.PSCI_RET_INTERNAL_FAILURE)));
  return systemEvent(call, KVM_SYSTEM_EVENT_RESET, KVM_SYSTEM_EVENT_RESET_FLAG_PSCI_RESET2);
}

function off2(call: Call): CallOutcome {
  const isKnown =
    call.registers.get(1) <= PSCI_VALUE.PSCI_1_3_OFF_TYPE_HIBERNATE_OFF && call.registers.get(2) === 0n;
  if (!isKnown) return answer(call, PSCI_RET_INVALID_PARAMS);
  return end(call, KVM_SYSTEM_EVENT_SHUTDOWN, KVM_SYSTEM_EVENT_SHUTDOWN_FLAG_PSCI_OFF2);
}

/** Nothing is changed: the program reads the arguments, and does what it takes for a suspend. */
function systemSuspend(call: Call): CallOutcome {
  if (!call.vcpu.vm.systemSuspend) return answer(call, PSCI_RET_NOT_SUPPORTED);
  return systemExit(call.vcpu, KVM_SYSTEM_EVENT_SUSPEND, []);
}

function psciFeatures(call: Call): CallOutcome {
  const asked = FUNCTIONS.get(argument32(call, 1));
  if (argument32(call, 1) === SMCCC_FN.VERSION) return answer(call, PSCI_RET_SUCCESS);
  const isThere = asked !== undefined && asked.since <= guestPsciVersion(call.vcpu);
  if (!isThere) return answer(call, PSCI_RET_NOT_SUPPORTED);
  const features = asked.features === undefined ? 0 : asked.features(call);
  return answer(call, features ?? PSCI_RET_NOT_SUPPORTED);
}

const suspendFeatures = ({ vcpu }: Call) => (vcpu.vm.systemSuspend ? 0 : undefined);
/** A mask of the types: HIBERNATE_OFF. */
const off2Features = () => 1;

const narrowed =
  (call: Function['call']): Function['call'] =>
  made => {
    narrow(made);
    return call(made);
  };

/** By id, from version 0.2 on. What is not here is not supported. */
const FUNCTIONS: ReadonlyMap<number, Function> = new Map([
  [
    PSCI_FN.PSCI_0_2_FN_PSCI_VERSION,
    { since: PSCI_0_2, call: call => answer(call, guestPsciVersion(call.vcpu)) },
  ],
  [PSCI_FN.PSCI_0_2_FN_CPU_SUSPEND, { since: PSCI_0_2, call: cpuSuspend }],
  [PSCI_FN.PSCI_0_2_FN64_CPU_SUSPEND, { since: PSCI_0_2, call: cpuSuspend }],
  [PSCI_FN.PSCI_0_2_FN_CPU_OFF, { since: PSCI_0_2, call: cpuOff }],
  [PSCI_FN.PSCI_0_2_FN_CPU_ON, { since: PSCI_0_2, call: narrowed(cpuOn) }],
  [PSCI_FN.PSCI_0_2_FN64_CPU_ON, { since: PSCI_0_2, call: cpuOn }],
  [PSCI_FN.PSCI_0_2_FN_AFFINITY_INFO, { since: PSCI_0_2, call: narrowed(affinityInfo) }],
  [PSCI_FN.PSCI_0_2_FN64_AFFINITY_INFO, { since: PSCI_0_2, call: affinityInfo }],
  [
    PSCI_FN.PSCI_0_2_FN_MIGRATE_INFO_TYPE,
    { since: PSCI_0_2, call: call => answer(call, PSCI_VALUE.PSCI_0_2_TOS_MP) },
  ],
  [PSCI_FN.PSCI_0_2_FN_SYSTEM_OFF, { since: PSCI_0_2, call: call => end(call, KVM_SYSTEM_EVENT_SHUTDOWN) }],
  [PSCI_FN.PSCI_0_2_FN_SYSTEM_RESET, { since: PSCI_0_2, call: call => end(call, KVM_SYSTEM_EVENT_RESET) }],
  [PSCI_FN.PSCI_1_0_FN_PSCI_FEATURES, { since: PSCI_1_0, call: psciFeatures }],
  [
    PSCI_FN.PSCI_1_0_FN_SYSTEM_SUSPEND,
    { since: PSCI_1_0, call: narrowed(systemSuspend), features: suspendFeatures },
  ],
  [PSCI_FN.PSCI_1_0_FN64_SYSTEM_SUSPEND, { since: PSCI_1_0, call: systemSuspend, features: suspendFeatures }],
  [PSCI_FN.PSCI_1_1_FN_SYSTEM_RESET2, { since: PSCI_1_1, call: narrowed(reset2) }],
  [PSCI_FN.PSCI_1_1_FN64_SYSTEM_RESET2, { since: PSCI_1_1, call: reset2 }],
  [PSCI_FN.PSCI_1_3_FN_SYSTEM_OFF2, { since: PSCI_1_3, call: narrowed(off2), features: off2Features }],
  [PSCI_FN.PSCI_1_3_FN64_SYSTEM_OFF2, { since: PSCI_1_3, call: off2, features: off2Features }],
] satisfies [number, Function][]);

/** Those of version 0.1, under ids of KVM's own; SUSPEND and MIGRATE were never there (`kvm_psci_0_1_call`). */
const FUNCTIONS_0_1: ReadonlyMap<number, Function['call']> = new Map([
  [KVM_PSCI_FN.KVM_PSCI_FN_CPU_OFF, cpuOff],
  [KVM_PSCI_FN.KVM_PSCI_FN_CPU_ON, cpuOn],
]);

/** A call that no other service has taken. */
export function psciCall(call: Call): CallOutcome {
  const version = guestPsciVersion(call.vcpu);
  const found = FUNCTIONS.get(call.id);
  const serve =
    version === PSCI_0_1
      ? FUNCTIONS_0_1.get(call.id)
      : found !== undefined && found.since <= version
        ? found.call
        : undefined;
  return serve === undefined ? answer(call, PSCI_RET_NOT_SUPPORTED) : serve(call);
}
