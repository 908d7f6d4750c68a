/**
 * What a guest is offered beside PSCI (`kvm_smccc_call_handler`, arch/arm64/kvm/hypercalls.c; trng.c; pvtime.c), and the
 * bit maps of firmware registers that switch it off.
 *
 * @packageDocumentation
 */
import { KVM_CAP } from '../../abi/capabilities.ts';
import { firmwareBitmapRegId, firmwareRegId } from '../../abi/register-id.ts';
import type { VcpuState } from '../state.ts';
import { answer, argument32, type Call, type CallOutcome, type CallRegisters } from './call.ts';
import { SMCCC_FN } from './function-ids.ts';

const NOT_SUPPORTED = -1;
const SMCCC_1_1 = 0x1_0001;

/** Firmware registers that are bit maps of services, and their bits (asm/kvm.h). */
const STD = firmwareBitmapRegId(0);
const STD_HYP = firmwareBitmapRegId(1);
const VENDOR_HYP = firmwareBitmapRegId(2);
const VENDOR_HYP_2 = firmwareBitmapRegId(3);
const FIRST = 1n;
const PTP = 2n;

interface Service {
  readonly call: (call: Call) => CallOutcome;
  /** The bit that the service needs. */
  readonly needs?: readonly [register: bigint, bit: bigint];
}

function bitmap(vcpu: VcpuState, register: bigint): bigint {
  const value = vcpu.configuration!.registers.get(register)?.get(vcpu);
  if (typeof value === 'bigint') return value;
  // Before Linux 5.19 nothing could be switched off. TRNG and the vendor's services came with KVM_CAP_PTP_KVM or about
  // then (5.12, 5.13), stolen time before.
  if (register === STD_HYP) return FIRST;
  return (vcpu.vm.host.profile.capabilities[KVM_CAP.KVM_CAP_PTP_KVM] ?? 0) > 0 ? FIRST | PTP : 0n;
}

const isOn = (vcpu: VcpuState, [register, bit]: NonNullable<Service['needs']>): boolean =>
  (bitmap(vcpu, register) & bit) !== 0n;

/** What the kernel says of a workaround, by the level that its firmware register has after init (asm/kvm.h). */
const WORKAROUND_ANSWERS: Readonly<Record<number, readonly [index: number, answers: readonly number[]]>> = {
  // NOT_AVAIL, AVAIL, NOT_REQUIRED: the last is SMCCC_ARCH_WORKAROUND_RET_UNAFFECTED.
  [SMCCC_FN.ARCH_WORKAROUND_1]: [1, [NOT_SUPPORTED, 0, 1]],
  [SMCCC_FN.ARCH_WORKAROUND_3]: [3, [NOT_SUPPORTED, 0, 1]],
  // NOT_AVAIL, UNKNOWN, AVAIL, NOT_REQUIRED: SMCCC_RET_NOT_REQUIRED.
  [SMCCC_FN.ARCH_WORKAROUND_2]: [2, [NOT_SUPPORTED, NOT_SUPPORTED, NOT_SUPPORTED, -2]],
};

function archFeatures(call: Call): CallOutcome {
  const { vcpu } = call;
  const asked = argument32(call, 1);
  if (asked === SMCCC_FN.PV_TIME_FEATURES)
    return answer(call, isOn(vcpu, [STD_HYP, FIRST]) ? 0 : NOT_SUPPORTED);
  const workaround = WORKAROUND_ANSWERS[asked];
  if (workaround === undefined) return answer(call, NOT_SUPPORTED);
  const [index, answers] = workaround;
  return answer(call, answers[workaroundLevel(vcpu, index)] ?? NOT_SUPPORTED);
}

/** The host's own state, whatever userspace has written: the register after init, or what it computes. */
function workaroundLevel(vcpu: VcpuState, index: number): number {
  const { registers, resets, vmResets } = vcpu.configuration!;
  const access = registers.get(firmwareRegId(index));
  if (access === undefined) return 0;
  // WORKAROUND_2 stores nothing, and depends on SSBS.
  if (index === 2) return Number((access.get(vcpu) as bigint) & 0xfn);
  return Number((access.scope === 'vm' ? vmResets : resets)[access.cell]! & 0xfn);
}

const TRNG_1_0 = 0x1_0000;
const TRNG_INVALID_PARAMETER = -2;
const TRNG_IDS: readonly number[] = [
  SMCCC_FN.TRNG_VERSION,
  SMCCC_FN.TRNG_FEATURES,
  SMCCC_FN.TRNG_GET_UUID,
  SMCCC_FN.TRNG_RND32,
  SMCCC_FN.TRNG_RND64,
];
/** `arm_smc_trng_uuid`. */
const TRNG_UUID = uuidWords('0d21e000-4384-11eb-8070-5244554e5a4c');

/** The bytes of a UUID as they are written, four at a time, as little-endian words. */
function uuidWords(uuid: string): number[] {
  const bytes = Uint8Array.from(uuid.replaceAll('-', '').match(/../g)!, digits =>
    Number.parseInt(digits, 16),
  );
  return Array.from({ length: 4 }, (_, n) => new DataView(bytes.buffer).getUint32(4 * n, true));
}

/** 64 bits that look random and are the same in each run: splitmix64 over a state of the VM. */
function random64(vcpu: VcpuState): bigint {
  const mask = (value: bigint) => BigInt.asUintN(64, value);
  const { vm } = vcpu;
  vm.randomState = mask(vm.randomState + 0x9e37_79b9_7f4a_7c15n);
  let z = vm.randomState;
  z = mask((z ^ (z >> 30n)) * 0xbf58_476d_1ce4_e5b9n);
  z = mask((z ^ (z >> 27n)) * 0x94d0_49bb_1331_11ebn);
  return z ^ (z >> 31n);
}

/** So many bits, the lowest in the last register. */
function random(size: 32 | 64) {
  return (call: Call): CallOutcome => {
    const count = argument32(call, 1);
    if (count > 3 * size) return answer(call, TRNG_INVALID_PARAMETER);
    let bits = 0n;
    for (let n = 0; n < Math.ceil(count / 64); n++) bits |= random64(call.vcpu) << BigInt(64 * n);
    bits = BigInt.asUintN(count, bits);
    const part = (n: number) => BigInt.asUintN(size, bits >> BigInt(size * n));
    return answer(call, 0, part(2), part(1), part(0));
  };
}

const hasStolenTime = ({ stolenTime }: VcpuState): boolean => stolenTime !== undefined;

function pvTimeFeatures(call: Call): CallOutcome {
  const asked = argument32(call, 1);
  const isKnown = asked === SMCCC_FN.PV_TIME_FEATURES || asked === SMCCC_FN.PV_TIME_ST;
  return answer(call, isKnown && hasStolenTime(call.vcpu) ? 0 : NOT_SUPPORTED);
}

const STOLEN_TIME_SIZE = 64;
const PAGE = 4096;

/** The structure begins as zeros: nothing is stolen from an emulated vCPU (`kvm_init_stolen_time`). */
function pvTimeSt(call: Call): CallOutcome {
  const { stolenTime, vm } = call.vcpu;
  if (stolenTime === undefined) return answer(call, NOT_SUPPORTED);
  const address = Number(stolenTime);
  const ram = vm.machine?.memory.ram(Math.floor(address / PAGE), true);
  ram?.u8.fill(0, address - ram.firstPage * PAGE, address - ram.firstPage * PAGE + STOLEN_TIME_SIZE);
  return answer(call, stolenTime);
}

const NANOSECONDS = 1_000_000_000n;

/** Virtual or physical counter, with the time of day, which is the VM's own time here (`kvm_ptp_get_time`). */
function ptp(call: Call): CallOutcome {
  const { vm } = call.vcpu;
  const offset = [vm.voffset, vm.poffset][argument32(call, 1)];
  if (offset === undefined) return answer(call, NOT_SUPPORTED);
  const now = vm.clock.now();
  const cycles = BigInt.asUintN(64, now - offset);
  const time = (now * NANOSECONDS) / BigInt(vm.host.profile.counterHz);
  const low = (value: bigint) => BigInt.asUintN(32, value);
  return answer(call, time >> 32n, low(time), cycles >> 32n, low(cycles));
}

/** `ARM_SMCCC_VENDOR_HYP_UID_KVM_REG_0` to 3. */
const KVM_UID = [0xb66f_b428, 0xe911_c52e, 0x564b_caa9, 0x743a_004d];

const trng = [STD, FIRST] as const;
const vendor = [VENDOR_HYP, FIRST] as const;
const pvTime = [STD_HYP, FIRST] as const;

/** The workarounds themselves are served before KVM looks (`el1_hvc_guest`, arch/arm64/kvm/hyp/hyp-entry.S). */
const WORKAROUNDS: readonly number[] = [
  SMCCC_FN.ARCH_WORKAROUND_1,
  SMCCC_FN.ARCH_WORKAROUND_2,
  SMCCC_FN.ARCH_WORKAROUND_3,
];

/** Whether an HVC is one of those, which then has been served: X0 and X1 are 0. */
export function serveWorkaround(id: number, registers: CallRegisters): boolean {
  if (!WORKAROUNDS.includes(id)) return false;
  registers.set(0, 0n);
  registers.set(1, 0n);
  return true;
}

/** By function id. */
export const SERVICES: ReadonlyMap<number, Service> = new Map<number, Service>([
  [SMCCC_FN.VERSION, { call: call => answer(call, SMCCC_1_1) }],
  [SMCCC_FN.ARCH_FEATURES, { call: archFeatures }],
  [SMCCC_FN.TRNG_VERSION, { needs: trng, call: call => answer(call, TRNG_1_0) }],
  [
    SMCCC_FN.TRNG_FEATURES,
    {
      needs: trng,
      // The kernel looks at all 64 bits here.
      call: call => answer(call, TRNG_IDS.includes(Number(call.registers.get(1))) ? 0 : NOT_SUPPORTED),
    },
  ],
  [SMCCC_FN.TRNG_GET_UUID, { needs: trng, call: call => answer(call, ...TRNG_UUID) }],
  [SMCCC_FN.TRNG_RND32, { needs: trng, call: random(32) }],
  [SMCCC_FN.TRNG_RND64, { needs: trng, call: random(64) }],
  [SMCCC_FN.PV_TIME_FEATURES, { needs: pvTime, call: pvTimeFeatures }],
  [SMCCC_FN.PV_TIME_ST, { needs: pvTime, call: pvTimeSt }],
  [SMCCC_FN.VENDOR_HYP_CALL_UID, { needs: vendor, call: call => answer(call, ...KVM_UID) }],
  [
    SMCCC_FN.VENDOR_HYP_KVM_FEATURES,
    {
      needs: vendor,
      call: call => answer(call, bitmap(call.vcpu, VENDOR_HYP), 0, secondWord(call.vcpu)),
    },
  ],
  [SMCCC_FN.VENDOR_HYP_KVM_PTP, { needs: [VENDOR_HYP, PTP], call: ptp }],
]);

/** Bits 95:64 of the features, where the kernel knows of them (Linux 6.15). */
function secondWord(vcpu: VcpuState): bigint {
  return vcpu.configuration!.registers.has(VENDOR_HYP_2) ? bitmap(vcpu, VENDOR_HYP_2) : 0n;
}

/** Whether a service that is there has been switched off for this guest. */
export const isSwitchedOff = (vcpu: VcpuState, { needs }: Service): boolean =>
  needs !== undefined && !isOn(vcpu, needs);
