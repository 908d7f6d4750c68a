/**
 * HVC and SMC of a guest (`handle_hvc` and `handle_smc`, arch/arm64/kvm/handle_exit.c; `kvm_smccc_get_action`,
 * hypercalls.c).
 *
 * @packageDocumentation
 */
import { KVM_EXIT } from '../../abi/exits.ts';
import { filterAction } from '../smccc-filter.ts';
import type { VcpuState } from '../state.ts';
import { answer, type Call, type CallOutcome, type CallRegisters, RESUME } from './call.ts';
import { psciCall } from './psci.ts';
import { isSwitchedOff, SERVICES, serveWorkaround } from './services.ts';

const NOT_SUPPORTED = -1;
const ALL_ONES = 0xffff_ffff_ffff_ffffn;

/** In the flags of KVM_EXIT_HYPERCALL. */
const KVM_HYPERCALL_EXIT_SMC = 1n;

/** Serves a call. The PC of the caller is past the instruction. */
export function guestCall(
  vcpu: VcpuState,
  conduit: 'hvc' | 'smc',
  immediate: number,
  registers: CallRegisters,
): CallOutcome {
  const isSmc = conduit === 'smc';
  // SMCs are calls since Linux 6.4, as the SMCCC filter is, and only with the immediate 0 (DEN 0028, 2.9).
  if (isSmc && (immediate !== 0 || !vcpu.vm.host.profile.behaviours.vmAttributes)) {
    registers.set(0, ALL_ONES);
    return RESUME;
  }
  const call: Call = { vcpu, isSmc, registers, id: Number(BigInt.asUintN(32, registers.get(0))) };
  if (!isSmc && serveWorkaround(call.id, registers)) return RESUME;
  const service = SERVICES.get(call.id);
  switch (filterAction(vcpu.vm, call.id)) {
    case 'deny':
      return answer(call, NOT_SUPPORTED);
    case 'forward':
      return forward(call);
    case 'handle':
      if (service === undefined) return psciCall(call);
      return isSwitchedOff(vcpu, service) ? answer(call, NOT_SUPPORTED) : service.call(call);
  }
}

/** The program answers in the registers (`kvm_prepare_hypercall_exit`). */
function forward({ id, isSmc }: Call): CallOutcome {
  return {
    kind: 'exit',
    reason: KVM_EXIT.KVM_EXIT_HYPERCALL,
    fill(run) {
      run.setBigUint64(32, BigInt(id), true);
      for (let offset = 40; offset < 96; offset += 8) run.setBigUint64(offset, 0n, true);
      run.setBigUint64(96, isSmc ? KVM_HYPERCALL_EXIT_SMC : 0n, true);
    },
  };
}
