/**
 * Gives a VM the devices of a state: its interrupt controller, and what vCPUs have of it. Whether that is a trial or the real
 * thing, and what a refusal means, is the caller's, as in `write-state.ts`.
 *
 * @packageDocumentation
 */
import { KVM_ARM_VCPU_CTRL, KVM_DEV_ARM_VGIC_GRP } from '../abi/device-attributes.ts';
import { findGicRegister, GIC_REGISTERS, type GicRegister } from '../abi/gic-registers.ts';
import type { Gic } from '../gic.ts';
import type { Vcpu } from '../vcpu.ts';
import type { Vm } from '../vm.ts';
import { type GicState, type GicValue, gicRegisterName, readRegister } from './gic-state.ts';
import type { SavedState, VcpuState } from './vcpu-state.ts';
import { attempt, type Refusal } from './write-state.ts';

const GROUP = KVM_DEV_ARM_VGIC_GRP;

/**
 * What comes behind the vCPUs and before their registers: the GIC, complete but for its registers; then the PPIs of the
 * timers, PMUs, and where stolen time is told, which wants the memory to be there.
 *
 * @param vcpus - those of the VM, each with its state
 */
export function prepareDevices(
  vm: Vm,
  { vm: settings, gic }: Pick<SavedState, 'vm' | 'gic'>,
  vcpus: ReadonlyMap<VcpuState, Vcpu>,
): Refusal[] {
  const refusals = gic === undefined ? [] : prepareGic(vm, gic);
  const refuse = (what: 'VM' | 'vcpu', name: string, vcpu: number | undefined, call: () => void) => {
    const error = attempt(call);
    if (error !== undefined) refusals.push({ phase: 'devices', device: { what, name, vcpu }, error });
  };
  const [first] = vcpus.values();
  for (const [timer, ppi] of (settings?.timerIrqs ?? []).entries()) {
    if (first !== undefined && timerIrq(first, timer) !== ppi)
      refuse('VM', `PPI ${ppi} for ${TIMERS[timer]}`, undefined, () => setTimerIrq(first, timer, ppi));
  }
  for (const [{ id, pmu, pvTime }, vcpu] of vcpus) {
    if (pmu !== undefined && vcpu.pmu === undefined)
      refuse(
        'vcpu',
        `PMU${pmu.irq === undefined ? '' : ` with interrupt ${pmu.irq}`}${pmu.filter?.length ? ' and a filter' : ''}`,
        id,
        () => vcpu.initPmu(pmu),
      );
    if (pvTime !== undefined && attemptValue(() => vcpu.getPvTime()) !== pvTime)
      refuse('vcpu', `stolen time at 0x${pvTime.toString(16)}`, id, () => vcpu.setPvTime(pvTime));
  }
  return refusals;
}

/** By their attributes: `KVM_ARM_VCPU_TIMER_IRQ_*`. */
const TIMERS = ['the virtual timer', 'the physical timer', 'the EL2 virtual timer', 'the EL2 physical timer'];

/** The PPI of a timer; undefined where the kernel does not tell. */
export function timerIrq(vcpu: Vcpu, timer: number): number | undefined {
  const bytes = attemptValue(() => vcpu.getDeviceAttr(KVM_ARM_VCPU_CTRL.KVM_ARM_VCPU_TIMER_CTRL, timer, 4));
  return bytes && Buffer.from(bytes).readInt32LE();
}

function setTimerIrq(vcpu: Vcpu, timer: number, ppi: number): void {
  vcpu.setDeviceAttr(
    KVM_ARM_VCPU_CTRL.KVM_ARM_VCPU_TIMER_CTRL,
    timer,
    new Uint8Array(Int32Array.of(ppi).buffer),
  );
}

function attemptValue<Value>(read: () => Value): Value | undefined {
  let value: Value | undefined;
  attempt(() => {
    value = read();
  });
  return value;
}

function prepareGic(vm: Vm, state: GicState): Refusal[] {
  const { placement, irqs, maintenanceIrq, initialized } = state;
  const refused = (name: string, call: () => void): Refusal[] => {
    const error = attempt(call);
    return error === undefined ? [] : [{ phase: 'devices', device: { what: 'GIC', name }, error }];
  };
  const { version } = placement;
  if (vm.gic?.version !== version) {
    const refusals = refused(`GICv${version}`, () => vm.createGic(placement));
    if (refusals.length === 0 && irqs !== undefined)
      refusals.push(
        ...refused(`${irqs} interrupts`, () => vm.gic!.setU32(GROUP.KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, irqs)),
      );
    if (refusals.length > 0) return refusals;
  }
  const gic = vm.gic!;
  if (!initialized || gic.initialized) return [];
  const refusals: Refusal[] = [];
  if (maintenanceIrq !== undefined && maintenanceOf(gic) !== maintenanceIrq)
    refusals.push(
      ...refused(`maintenance interrupt ${maintenanceIrq}`, () =>
        gic.setU32(GROUP.KVM_DEV_ARM_VGIC_GRP_MAINT_IRQ, 0, maintenanceIrq),
      ),
    );
  for (const [register, entries] of byRegister(state)) {
    // Only here on Linux 7, only later on kernels before, for which it is fixed: what came of it is seen in the end.
    if (register.name === 'GICD_TYPER2') attempt(() => writeGicRegister(gic, register, entries[0]!));
  }
  refusals.push(...refused(`GICv${gic.version} that is initialised`, () => gic.init()));
  return refusals;
}

function maintenanceOf(gic: Gic): number | undefined {
  return attemptValue(() => gic.getU32(GROUP.KVM_DEV_ARM_VGIC_GRP_MAINT_IRQ, 0));
}

/** Writes the registers of a GIC that is initialised; goes on after a refusal where `all` are wanted. */
export function writeGic(gic: Gic, state: GicState, all: boolean): Refusal[] {
  const refusals: Refusal[] = [];
  for (const [register, entries] of byRegister(state)) {
    for (const entry of entries) {
      const error = attempt(() => writeGicRegister(gic, register, entry));
      if (error === undefined) continue;
      const { name, cpu } = findGicRegister(gic.version, entry.group, entry.attr)!;
      refusals.push({
        phase: 'GIC',
        device: { what: 'GIC', name: gicRegisterName(name, cpu), entry },
        error,
      });
      if (!all) return refusals;
    }
  }
  return refusals;
}

/** The values of a state by register, in the order of a restore, whatever the order in which it has them. */
function byRegister({ placement, registers }: GicState): ReadonlyMap<GicRegister, GicValue[]> {
  const all = new Map<GicRegister, GicValue[]>(GIC_REGISTERS[placement.version].map(each => [each, []]));
  for (const entry of registers) {
    const found = findGicRegister(placement.version, entry.group, entry.attr);
    if (found !== undefined) all.get(found.register)!.push(entry);
  }
  return new Map([...all].filter(([, entries]) => entries.length > 0));
}

/** Writes one register. All that is set is cleared first: a VM that had a state before may have more set than this one. */
export function writeGicRegister(gic: Gic, register: GicRegister, { group, attr, value }: GicValue): void {
  const { clear, offset, bytes } = register;
  if (clear !== undefined) gic.setU32(group, attr - BigInt(offset - clear), 0xffff_ffff);
  if (bytes === 8) gic.setU64(group, attr, value);
  else gic.setU32(group, attr, Number(value));
}

/** The values that a GIC has of the registers of a state; a register that it lacks has none. */
export function presentValues(gic: Gic, { registers }: GicState): (bigint | undefined)[] {
  return registers.map(({ group, attr }) => {
    const found = findGicRegister(gic.version, group, attr);
    return found && readRegister(gic, found.register, attr);
  });
}
