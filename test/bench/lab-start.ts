/**
 * What the lab needs to start a script, as a ratio to QEMU booting the same kernel to an empty init, and where the time
 * goes. Run by `npm run bench`; the empty init must lie beside it.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { archive, S_IFREG } from '#lib/lab/cpio.js';
import { QEMU, shellArguments } from '#lib/lab/machine.js';
import { runInLab, startLab } from '#lib/lab/run.js';
import { labStatus } from '#lib/lab/status.js';

const ROUNDS = 3;

const folder = mkdtempSync(join(tmpdir(), 'kvm-arm64-bench-'));
process.once('exit', () => rmSync(folder, { recursive: true }));
const lab = labStatus();
if (!lab.available) throw new Error(lab.reason);

const initrd = join(folder, 'initrd');
const init = readFileSync(fileURLToPath(new URL('empty-init', import.meta.url)));
writeFileSync(initrd, Buffer.concat([...archive([{ path: 'init', mode: S_IFREG | 0o755, data: init }])]));
const boot = shellArguments({ kernel: lab.kernel.image, initrd }, { memory: 2048 });

/** Says when things happened, in seconds from the kernel's start; the clock of its log begins with the monotonic one. */
const TIMES = `
import { execFileSync } from 'node:child_process';
const script = Number(process.hrtime.bigint()) / 1e9;
const node = script - performance.now() / 1000;
const log = execFileSync('/bin/busybox', ['dmesg'], { encoding: 'utf8' });
const logged = text => Number(new RegExp('\\\\[ *([0-9.]+)\\\\] ' + text).exec(log)?.[1]);
const [unpack, unpacked] = ['Trying to unpack rootfs', 'Freeing initrd memory'].map(logged);
console.log(JSON.stringify({ unpack, unpacked, node, script }));
`;

const inLab = (source: string) => ({
  script: 'main.mjs',
  files: { 'main.mjs': Buffer.from(source) },
  cwd: folder,
});

async function secondsOf(action: () => unknown): Promise<number> {
  const start = performance.now();
  await action();
  return (performance.now() - start) / 1000;
}

/** Where the time of a run goes, in seconds. */
async function stages(): Promise<Readonly<Record<string, number>>> {
  const begun = performance.now();
  const run = await startLab(inLab(TIMES));
  const started = performance.now();
  const [{ bootMs, scriptMs }, stdout] = await Promise.all([run.exit, text(run.stdout)]);
  const ended = performance.now();
  const at = JSON.parse(stdout) as Record<'unpack' | 'unpacked' | 'node' | 'script', number>;
  return {
    'initrd written': (started - begun) / 1000,
    'QEMU, up to the kernel': bootMs / 1000 - at.node,
    'kernel, up to the initrd': at.unpack,
    'initrd unpacked': at.unpacked - at.unpack,
    'kernel and init, up to Node': at.node - at.unpacked,
    'Node, up to the script': at.script - at.node,
    'power-off': (ended - started - bootMs - scriptMs) / 1000,
  };
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]!;

/** In turns, so that a busy machine slows all. */
const empty: number[] = [];
const script: number[] = [];
const parts: Readonly<Record<string, number>>[] = [];
for (let round = 0; round < ROUNDS; round++) {
  empty.push(await secondsOf(() => spawnSync(QEMU, boot, { stdio: ['ignore', 'ignore', 'inherit'] })));
  script.push(await secondsOf(() => runInLab(inLab(''))));
  parts.push(await stages());
}
const ratio = median(script) / median(empty);
const cells = [`empty init ${median(empty).toFixed(1)} s`, `Node script ${median(script).toFixed(1)} s`];
console.log(`${cells.join(', ')}, ratio ${ratio.toFixed(2)} (aim: below 3); of a script's time:`);
for (const name of Object.keys(parts[0]!)) {
  console.log(`  ${name.padEnd(30)}${median(parts.map(part => part[name]!)).toFixed(1)} s`);
}
