/**
 * `kvm-arm64 doctor`
 *
 * @packageDocumentation
 */
import { styleText } from 'node:util';
import { KVM_API_VERSION } from '../../abi/ioctls.ts';
import { KvmError } from '../../errors.ts';
import { probe } from '../../index.ts';
import type { Facts } from '../../native/facts.ts';
import type { Command, Context } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { table } from '../table.ts';

type State = 'ok' | 'failed' | 'not reached';

interface Check {
  readonly name: string;
  /** `undefined` where nobody could look. */
  readonly passes: (facts: Facts) => boolean | undefined;
  readonly detail: (facts: Facts) => string;
}

/** Machine, device, addon, kernel: as a call goes. */
const CHECKS: readonly Check[] = [
  {
    name: 'Linux',
    passes: ({ platform }) => platform === 'linux',
    detail: ({ platform }) => `this is ${platform}`,
  },
  {
    name: 'ARM64',
    passes: ({ arch }) => arch === 'arm64',
    detail: ({ arch }) => `this Node runs on ${arch}`,
  },
  {
    name: 'device',
    passes: ({ device }) => device.exists,
    detail: ({ device }) => `${device.path} ${device.exists ? 'exists' : 'does not exist'}`,
  },
  {
    name: 'permission',
    passes: ({ device }) => (device.exists ? device.fault?.syscall !== 'open' : undefined),
    detail: ({ device }) =>
      device.fault?.syscall === 'open' ? `open says ${device.fault.code}` : 'it can be opened',
  },
  {
    name: 'addon',
    passes: ({ addon }) => addon.available,
    detail: ({ addon: { path, attempts } }) =>
      path ?? (attempts.map(({ message }) => message).join('; ') || 'the package has none for this machine'),
  },
  {
    name: 'KVM',
    passes: ({ device: { fault, apiVersion } }) => {
      if (fault?.syscall === 'ioctl') return false;
      return apiVersion === undefined ? undefined : apiVersion === KVM_API_VERSION;
    },
    detail: ({ device: { fault, apiVersion } }) =>
      fault === undefined ? `API version ${apiVersion}` : `KVM_GET_API_VERSION says ${fault.code}`,
  },
  {
    name: 'Arm KVM',
    passes: ({ device }) => device.isArm,
    detail: ({ device }) => (device.isArm ? 'it runs Arm guests' : 'it runs no Arm guests'),
  },
];

const COLOURS = { ok: 'green', failed: 'red', 'not reached': 'gray' } as const;

/** Why there is no native KVM here, and the cure. */
export const doctor: Command = {
  name: 'doctor',
  summary: 'whether native KVM can be used here, and if not why and what to do',
  details: `The exit code is ${EXIT.ok} where it can be used and ${EXIT.noNative} where it cannot, whatever KVM_ARM64_BACKEND asks for.`,
  json: {
    usable: 'whether native KVM can be used here',
    situation: 'the case in a word: usable, not-linux, x86-kvm, not-arm64, no-device, no-access, …',
    reason: 'the case in a sentence',
    cure: 'what to do about it; empty where it is usable',
    checks: 'what was looked at: name, state (ok, failed, not reached), detail',
  },
  examples: ['doctor', 'doctor --json'],

  run(context) {
    tryOpen(context);
    const found = probe();
    const { usable, situation, reason, cure } = found;
    const checks = examine(found);
    const rows = checks.map(({ name, state, detail }) => [name, styleText(COLOURS[state], state), detail]);
    return {
      data: { usable, situation, reason, cure, checks },
      text: `${table(rows, ['CHECK', 'STATE', 'DETAIL'])}\n\n${[reason, cure].join('\n').trimEnd()}`,
      exitCode: usable ? EXIT.ok : EXIT.noNative,
    };
  },
};

/** Opens KVM so that the report begins with the backend; where there is none the checks say why. */
function tryOpen(context: Context): void {
  try {
    context.open();
  } catch (error) {
    if (!(error instanceof KvmError)) throw error;
  }
}

/** What was looked at, and how that went. */
export function examine(facts: Facts): { name: string; state: State; detail: string }[] {
  return CHECKS.map(({ name, passes, detail }) => {
    const passed = passes(facts);
    if (passed === undefined) return { name, state: 'not reached', detail: '' };
    return { name, state: passed ? 'ok' : 'failed', detail: detail(facts) };
  });
}
