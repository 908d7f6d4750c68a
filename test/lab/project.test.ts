/** `kvm-arm64 lab run` from a user's project, as a process. */

import { execFile } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { archive } from '#lib/lab/cpio.js';
import { projectEntries, projectFolder } from '#lib/lab/project.js';
import { BIN } from '../cli/support.ts';
import { BOOT, describeLab } from './tier.ts';

let folder: string;
let project: string;

const FILES: Readonly<Record<string, string>> = {
  'around.txt': '',
  'linked/package.json': '{ "name": "linked", "main": "index.js" }',
  'linked/index.js': "module.exports = 'linked';",
  'linked/bin.js': '',
  'project/package.json': '{ "name": "project", "type": "module" }',
  'project/node_modules/own/package.json': '{ "name": "own", "main": "index.js" }',
  'project/node_modules/own/index.js': "module.exports = 'own';",
  'project/node_modules/tool-x64/package.json': '{ "name": "tool-x64", "cpu": ["x64"] }',
  'project/.git/config': '',
  'project/scripts/main.ts': `
    import { mkdirSync, writeFileSync } from 'node:fs';
    import { Kvm } from 'kvm-arm64';
    import linked from 'linked';
    import own from 'own';
    const backend: string = Kvm.open().backend;
    console.log(JSON.stringify([own, linked, backend, process.cwd(), process.argv.slice(2)]));
    console.error('to stderr');
    mkdirSync('../out/deep', { recursive: true });
    writeFileSync('../out/deep/bytes', Buffer.from([0, 255, 10, 13]));
    process.exitCode = 5;
  `,
};

beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'kvm-arm64-test-')));
  project = join(folder, 'project');
  for (const [name, content] of Object.entries(FILES)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  symlinkSync('../../linked', join(project, 'node_modules/linked'));
  symlinkSync('../..', join(project, 'node_modules/around'));
  mkdirSync(join(project, 'node_modules/.bin'));
  symlinkSync('../linked/bin.js', join(project, 'node_modules/.bin/linked'));
});
afterAll(() => rmSync(folder, { recursive: true }));

it('a project is the nearest folder with a package.json', () => {
  expect(projectFolder(join(project, 'scripts'))).toBe(project);
});

it('what is taken along has no .git and nothing for another CPU, but what links lead to', () => {
  const paths = [...projectEntries(project, undefined)].map(({ path }) => `/${path}`);
  expect(paths).toContain(join(project, 'node_modules/own/index.js'));
  expect(paths).toContain(join(folder, 'linked/index.js'));
  expect(paths.filter(path => /\.git|tool-x64/.test(path))).toEqual([]);
  expect([...archive(projectEntries(project, undefined))].length).toBeGreaterThan(paths.length);
});

it('a linked package is there as a whole, though the link of its command comes first', () => {
  const paths = [...projectEntries(project, ['node_modules/.bin', 'node_modules/linked'])].map(
    ({ path }) => `/${path}`,
  );
  const at = (path: string) => paths.indexOf(join(folder, path));
  expect(at('linked/bin.js')).toBeGreaterThan(-1);
  expect(at('linked/bin.js')).toBeLessThan(at('linked/index.js'));
});

it('what is around the project stays here, though a link leads to it', () => {
  const paths = [...projectEntries(project, undefined)].map(({ path }) => `/${path}`);
  expect(paths).toContain(join(project, 'node_modules/around'));
  expect(paths).not.toContain(join(folder, 'around.txt'));
});

describeLab('lab run', () => {
  it('runs in the project, and brings output, exit code and files back', { timeout: BOOT }, async () => {
    const args = ['lab', 'run', '--out', '../out', '--', 'node', 'main.ts', '--json', 'a b'];
    const cwd = join(project, 'scripts');
    const end = await new Promise(resolve => {
      execFile(process.execPath, [BIN, ...args], { cwd }, (error, stdout, stderr) =>
        resolve({ code: error?.code, stdout, stderr }),
      );
    });
    const printed = JSON.stringify(['own', 'linked', 'native', cwd, ['--json', 'a b']]);
    expect(end).toEqual({ code: 5, stdout: `${printed}\n`, stderr: 'to stderr\n' });
    expect([...readFileSync(join(project, 'out/deep/bytes'))]).toEqual([0, 255, 10, 13]);
  });

  it('needs enough memory', { timeout: BOOT }, async () => {
    const args = [BIN, 'lab', 'run', '--memory', '300', '--', 'node', '--version'];
    const end = await new Promise(resolve => {
      execFile(process.execPath, args, { cwd: project }, (error, _, stderr) =>
        resolve([error?.code, stderr]),
      );
    });
    const line = `kvm-arm64: 300 MiB of memory are too little for the lab's user space and the project ${project}\n`;
    expect(end).toEqual([99, line]);
  });
});
