/** What is inside the guest: the user space that every run shares, and the script that starts a run. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Entry, S_IFCHR, S_IFDIR, S_IFLNK, S_IFREG } from './cpio.ts';

/** The folder of the kernel's modules. */
export const MODULES = 'modules';

/** Debian's packages of the user space, with the files that Node and the init script need of them. */
const FILES_OF_PACKAGES: Readonly<Record<string, readonly string[]>> = {
  'busybox-static': ['usr/bin/busybox'],
  libc6: ['ld-linux-aarch64.so.1', 'libc.so.6', 'libdl.so.2', 'libm.so.6', 'libpthread.so.0'].map(
    inLibraries,
  ),
  'libgcc-s1': [inLibraries('libgcc_s.so.1')],
  'libstdc++6': [inLibraries('libstdc++.so.6')],
};

/** Names of the Debian packages that {@link userSpace} takes files from. */
export const USER_SPACE_PACKAGES: readonly string[] = Object.keys(FILES_OF_PACKAGES);

/** The shared part of the root file system, from a folder with the unpacked packages and Node's binary. */
export function userSpace(packages: string, node: string): Entry[] {
  const folder = (path: string): Entry => ({ path, mode: S_IFDIR | 0o755 });
  const program = (path: string, source: string): Entry => ({
    path,
    mode: S_IFREG | 0o755,
    data: readFileSync(source),
  });
  return [
    ...['bin', 'dev', 'lib', 'proc', 'run', 'sys', 'tmp'].map(folder),
    // The kernel opens /dev/console for init before anything is mounted.
    { path: 'dev/console', mode: S_IFCHR | 0o600, device: [5, 1] },
    { path: 'bin/sh', mode: S_IFLNK | 0o777, data: Buffer.from('busybox') },
    program('bin/node', node),
    ...Object.values(FILES_OF_PACKAGES)
      .flat()
      .map(file => program(file.replace(/^usr\/(bin|lib)\/(.*\/)?/, '$1/'), join(packages, file))),
  ];
}

/** The ports of the guest's virtio-serial device: bytes pass unchanged, unlike through a terminal. */
export const PORTS = { control: 1, stdout: 2, stderr: 3, files: 4 } as const;

/** What a run starts in the guest. */
export interface GuestCommand {
  /** What follows `node`. */
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The working directory. */
  readonly cwd: string;
  /** A folder that is there from the start, and comes back at the end. */
  readonly out: string | undefined;
  /** The mode that the kernel's KVM must be in. */
  readonly mode: string | undefined;
}

const MOUNTS = `#!/bin/sh
/bin/busybox mount -t proc proc /proc
mount -t devtmpfs dev /dev
mount -t sysfs sys /sys
`;

/**
 * The first process. It tells the host through the control port: `mode MODE` where KVM is in another mode than was
 * asked for; else `start` before the script, then `exit STATUS` when all output is through.
 *
 * - busybox finds its applets through /proc/self/exe, so /proc comes first.
 * - The script writes to pipes: Node's writes to a pipe are complete, those to a port may fall short.
 * - The control port ends when the host's process does, however that died; then the machine powers off.
 *   A port can be opened once only, hence the one descriptor 3.
 */
export function initScript({ words, env, cwd, out, mode }: GuestCommand): string {
  const settings = Object.entries({ PATH: '/bin', HOME: '/tmp', ...env }).map(
    ([name, value]) => `${name}=${value}`,
  );
  const start = quoted(['env', '-i', ...settings, '/bin/node', ...words]);
  return `${MOUNTS}
for module in /${MODULES}/*.ko; do [ -e $module ] && insmod $module; done
tries=0
until [ -c /dev/vport0p${PORTS.files} ]; do
  tries=$((tries + 1))
  [ $tries -gt 500 ] && echo 'lab: this kernel has no virtio-serial ports' >/dev/console && poweroff -f
  sleep 0.02
done
exec 3<>/dev/vport0p${PORTS.control}
${
  mode === undefined
    ? ''
    : `${MODE}
[ $mode = ${mode} ] || { echo mode $mode >&3; poweroff -f; }`
}
echo start >&3
(cat <&3; poweroff -f) >/dev/null &
mkfifo /run/stdout /run/stderr
cat </run/stdout >/dev/vport0p${PORTS.stdout} 3>&- & stdout=$!
cat </run/stderr >/dev/vport0p${PORTS.stderr} 3>&- & stderr=$!
${out === undefined ? '' : quoted(['mkdir', '-p', out])}
(${quoted(['cd', cwd])} && exec ${start}) </dev/null >/run/stdout 2>/run/stderr 3>&-
status=$?
wait $stdout $stderr
${out === undefined ? '' : `${quoted(['tar', '-c', '-C', out, '.'])} >/dev/vport0p${PORTS.files} 3>&-`}
echo exit $status >&3
poweroff -f
`;
}

/** The kernel says it once, in words that have changed: "Hyp mode", and from 6.9 "Hyp nVHE mode". */
const MODE = `mode=nvhe; dmesg | grep -q ']: VHE mode initialized' && mode=vhe`;

/** The first process of a shell on the console, with the names of busybox's programs. */
export function shellScript(cwd: string): string {
  return `${MOUNTS}
/bin/busybox --install -s /bin
export PATH=/bin HOME=/tmp
${quoted(['cd', cwd])}
setsid cttyhack sh
poweroff -f
`;
}

function inLibraries(name: string): string {
  return `usr/lib/aarch64-linux-gnu/${name}`;
}

/** Words for the shell, whatever is in them. */
function quoted(words: readonly string[]): string {
  return words.map(word => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
}
