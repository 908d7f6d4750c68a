/**
 * `kvm-arm64 record`
 *
 * @packageDocumentation
 */
import { version as kernelVersion, release } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { HostProfile } from '../../emulator/profile.ts';
import { KvmError } from '../../errors.ts';
import { PACKAGE_FOLDER, PACKAGE_PARTS } from '../../lab/initrd.ts';
import { DEFAULT_KERNEL } from '../../lab/kernels.ts';
import { describeMachine } from '../../lab/machine.ts';
import { runInLab } from '../../lab/run.ts';
import { openDevice } from '../../native/open.ts';
import { probe } from '../../native/probe.ts';
import { formatProfile } from '../../record/format-profile.ts';
import { identifyMachine } from '../../record/identify-machine.ts';
import { recordHost } from '../../record/record-host.ts';
import { version } from '../../version.ts';
import type { Command, Context } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { MACHINE_OPTIONS, machineOf } from '../machine-options.ts';
import { checkOutput, writeOutput } from '../output-file.ts';
import { clearProgress, showProgress } from '../progress.ts';

/** In which a machine that is busy with other things records all the same. */
const LAB_TIMEOUT = 15 * 60_000;

/** A host becomes a profile. */
export const record: Command = {
  name: 'record',
  summary: 'record a real KVM as a host profile, which --host FILE then emulates',
  details: `What is recorded is the KVM of this machine; or, with any of the options from --kernel to --cpus, that of a kernel in
the lab, on a machine as with lab run. All is tried on VMs that are closed again. The profile is JSON and goes to
stdout, or with --output to a file, which then appears when it is complete. Recording a host again gives the same
but for date and version.`,
  options: {
    name: {
      value: 'NAME',
      summary: 'the name of the host; default: linux-SERIES-CPU, such as linux-6.12-neoverse-n1',
    },
    machine: {
      value: 'TEXT',
      summary: 'the machine, for people; default: what the system says of CPU and board',
    },
    output: { value: 'FILE', summary: 'the file to write; one that is there is replaced' },
    ...MACHINE_OPTIONS,
  },
  json: {
    name: "the host's name; without --output the document is the profile, and has none of these fields",
    file: 'what was written',
    bytes: 'its size',
    registers: 'how many there are',
    featureSets: 'how many sets of vCPU features are accepted',
  },
  examples: [
    'record --output host.json',
    "record --name linux-6.8-my-board --machine 'My Board, revision 2' --output my-board.json",
    'record --kernel 6.12 --cpu max --output linux-6.12-max.json',
  ],

  async run(context) {
    const { options } = context;
    const file = options.get('output');
    if (file !== undefined) checkOutput(file);
    const inLab = Object.keys(MACHINE_OPTIONS).some(name => options.has(name));
    if (inLab) showProgress(`booting and recording ${describeMachine(machineOf(context))}: a minute or two`);
    else if (process.stderr.isTTY) showProgress('recording');
    const profile = await (inLab ? recordInLab(context) : recordHere(options)).finally(clearProgress);
    const text = formatProfile(profile);
    if (file === undefined) {
      process.stdout.write(text);
      return EXIT.ok;
    }
    writeOutput(file, text);
    const { name, registers, configurations } = profile;
    const featureSets = configurations.flatMap(({ features }) => features).length;
    return {
      data: { name, file, bytes: Buffer.byteLength(text), registers: registers.length, featureSets },
      text: `${name}: ${registers.length} registers, ${featureSets} sets of vCPU features, in ${file}`,
    };
  },
};

async function recordHere(options: Context['options']): Promise<HostProfile> {
  const { cpu, board } = identifyMachine();
  const kvm = openDevice(probe());
  try {
    return await recordHost(kvm, options.get('name') ?? hostName(release(), cpu), {
      kernel: `${release()} ${kernelVersion()}`,
      machine: options.get('machine') ?? `${cpu} (${board})`,
      recorded: new Date().toISOString().slice(0, 10),
      tool: `kvm-arm64 ${version()}`,
    });
  } catch (cause) {
    const why = `This host answers what a profile cannot hold: ${(cause as Error).message}`;
    throw new KvmError('ERR_NOT_EMULATED', why, { cause });
  } finally {
    kvm.close();
  }
}

/** The same command in there; what the machine is, is known better here. */
async function recordInLab(context: Context): Promise<HostProfile> {
  const { options } = context;
  const machine = machineOf(context);
  const { status, stdout, stderr } = await runInLab({
    ...machine,
    kernel: options.get('kernel') ?? DEFAULT_KERNEL,
    script: fileURLToPath(new URL('../main.js', import.meta.url)),
    args: ['record'],
    cwd: PACKAGE_FOLDER,
    parts: PACKAGE_PARTS,
    timeoutMs: LAB_TIMEOUT,
  });
  if (status !== 0) {
    const why = stderr
      .toString()
      .replace(/^kvm-arm64: /, '')
      .trim();
    const code = status === EXIT.noNative ? 'ERR_BACKEND_UNAVAILABLE' : 'ERR_NOT_EMULATED';
    throw new KvmError(code, `The machine in the lab could not be recorded: ${why}`);
  }
  const profile = JSON.parse(stdout.toString()) as HostProfile;
  const { cpu = 'neoverse-n1', gic, mode } = machine;
  const special = [...(gic === undefined ? [] : [`gicv${gic}`]), ...(mode === undefined ? [] : [mode])];
  return {
    ...profile,
    name: options.get('name') ?? hostName(profile.provenance.kernel, [cpu, ...special].join('-')),
    provenance: { ...profile.provenance, machine: options.get('machine') ?? describeMachine(machine) },
  };
}

/** `linux-6.12-neoverse-n1`. */
function hostName(kernel: string, cpu: string): string {
  return `linux-${/^\d+\.\d+/.exec(kernel)?.[0] ?? kernel}-${cpu.replaceAll(/[^\w.]+/g, '-')}`;
}
