/** All figures that this machine can give: `npm run bench`. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { arch } from 'node:os';
import { probe } from 'kvm-arm64';
import { labStatus } from '#lib/lab/status.js';

interface Figures {
  readonly title: string;
  /** Why they cannot be taken here. */
  readonly lacking?: string | undefined;
  readonly commands: readonly (readonly string[])[];
}

const FOLDER = 'dist/test/bench';
const compile = (compiler: string, source: string, output: string, ...options: string[]) => [
  compiler,
  ...['-O2', ...options, '-o', `${FOLDER}/${output}`, `test/bench/${source}`],
];

const { device, addon } = probe();
const lab = labStatus();
const noPrebuild = existsSync('prebuilds/linux-arm64')
  ? undefined
  : 'no addon for arm64: npm run build:cross';

const noLab = lab.available ? undefined : lab.reason;

const FIGURES: readonly Figures[] = [
  { title: 'The package', commands: [['node', `${FOLDER}/package.js`]] },
  { title: 'The emulated host', commands: [['node', `${FOLDER}/emulated.js`]] },
  { title: 'Saved states, and many hosts', commands: [['node', `${FOLDER}/state.js`]] },
  { title: 'The emulated CPU', commands: [['node', `${FOLDER}/cpu.js`]] },
  {
    title: `This machine's /dev/kvm (${arch()}), against C`,
    lacking: addon.available
      ? device.fault && `${device.path}: ${device.fault.code}`
      : 'no addon: npm run build:native',
    commands: [compile('cc', 'twin.c', `twin-${process.arch}`), ['node', `${FOLDER}/native.js`]],
  },
  {
    title: 'A real arm64 kernel in the lab, against C',
    lacking: noLab ?? noPrebuild,
    commands: [
      compile('aarch64-linux-gnu-gcc', 'twin.c', 'twin-arm64', '-static'),
      ['node', 'dist/lib/cli/main.js', 'lab', 'run', '--', 'node', `${FOLDER}/native.js`],
      // Its files lie in memory, too.
      ['node', 'dist/lib/cli/main.js', 'lab', 'run', '--memory', '4096', '--', 'node', `${FOLDER}/state.js`],
    ],
  },
  {
    title: "The lab's start, against QEMU alone",
    lacking: noLab,
    commands: [
      compile('aarch64-linux-gnu-gcc', 'empty-init.c', 'empty-init', '-static', '-nostdlib'),
      ['node', `${FOLDER}/lab-start.js`],
    ],
  },
];

for (const { title, lacking, commands } of FIGURES) {
  console.log(`\n${title}${lacking === undefined ? '' : `: left out (${lacking})`}`);
  if (lacking !== undefined) continue;
  for (const [command = '', ...args] of commands) {
    const { status, error } = spawnSync(command, args, { stdio: 'inherit' });
    if (status !== 0)
      console.log(`left out: ${command} ${error === undefined ? `ended with ${status}` : error.message}`);
  }
}
