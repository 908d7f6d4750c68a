/**
 * Rules of modelled hosts, and the changes of a profile that they are made of.
 *
 * @packageDocumentation
 */
import { decodeRegisterId, type RegisterId } from '../../abi/register-id.ts';
import type { HostProfile, ProfileBehaviours, ProfileRegister } from '../profile.ts';

/** One thing that a modelled host does otherwise, or that is to be known of it. */
export interface Rule {
  readonly rule: string;
  readonly source: string;
  /** Makes a host that does it; absent where the host before does so, too, or where it is not modelled. */
  readonly apply?: (host: HostProfile) => HostProfile;
}

/** A register id as profiles have it. */
export const hexId = (id: bigint) => id.toString(16).padStart(16, '0');

/** The fields of a register's id. */
export const fieldsOf = ({ id }: ProfileRegister): RegisterId => decodeRegisterId(BigInt(`0x${id}`));

/** A change of behaviours. */
export const behave =
  (behaviours: Partial<ProfileBehaviours>) =>
  (host: HostProfile): HostProfile => ({ ...host, behaviours: { ...host.behaviours, ...behaviours } });

/** A change of registers one by one: none, the same, or others in its place. */
export const eachRegister =
  (change: (register: ProfileRegister) => ProfileRegister | readonly ProfileRegister[]) =>
  (host: HostProfile): HostProfile => ({ ...host, registers: host.registers.flatMap(change) });

/** Registers that are not there. */
export const without = (...ids: readonly bigint[]) => {
  const gone = new Set(ids.map(hexId));
  return eachRegister(register => (gone.has(register.id) ? [] : register));
};

/** Another value after a reset. */
export const resetTo = (id: bigint, reset: string) =>
  eachRegister(register => (register.id === hexId(id) ? { ...register, reset } : register));

/** A change of capabilities: undefined takes one away. */
export const capabilities =
  (change: (cap: number, value: number) => number | undefined) =>
  (host: HostProfile): HostProfile => ({
    ...host,
    capabilities: Object.fromEntries(
      Object.entries(host.capabilities)
        .map(([cap, value]) => [cap, change(Number(cap), value)] as const)
        .filter((entry): entry is readonly [string, number] => entry[1] !== undefined),
    ),
  });
