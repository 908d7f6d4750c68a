/** `compare --matrix --html`: one file that loads nothing, with what stands behind each cell. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { loadHost } from '#lib/emulator/load-host.js';
import { cli } from './support.ts';

const folder = mkdtempSync(join(tmpdir(), 'kvm-arm64-page-'));
afterAll(() => rmSync(folder, { recursive: true }));
const page = join(folder, 'hosts.html');

test('has a cell for each pair, which leads to its findings', async () => {
  const hosts = ['linux-6.12-max', 'linux-6.18-max', 'linux-7.3-max'];
  const { code, stdout } = await cli(`compare --matrix ${hosts.join(' ')} --html ${page}`);
  expect(code).toBe(0);
  expect(stdout).toContain('1 linux-6.12-max');
  const html = readFileSync(page, 'utf8');
  const links = [...html.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id);
  expect(new Set(links).size).toBe(hosts.length ** 2);
  for (const id of links) expect(html.split(`id="${id}"`)).toHaveLength(2);
  expect(html).toContain('title="linux-6.18-max to linux-6.12-max: incompatible, ');
  expect(html).toContain(
    'KVM_REG_ARM_PSCI_VERSION: the destination refuses it (EINVAL): 1.3, there 1.1</code><div class="remedy">pin PSCI to 1.1 before the guest starts',
  );
});

test('loads nothing from elsewhere', () => {
  const html = readFileSync(page, 'utf8');
  expect(html).not.toMatch(/\b(src|srcset)=|<link|@import|url\(|https?:/);
  expect([...html.matchAll(/href="(.)/g)].map(([, first]) => first).every(first => first === '#')).toBe(true);
});

test('shows the name of a host as text, whatever it is', async () => {
  const name = '<img onerror="alert(1)">&\'';
  const file = join(folder, 'odd.json');
  writeFileSync(file, JSON.stringify({ ...loadHost('linux-6.12-max'), name }));
  const { code } = await cli(`compare --matrix ${file} linux-6.12-max --html ${page}`);
  expect(code).toBe(0);
  const html = readFileSync(page, 'utf8');
  expect(html).not.toContain('<img');
  expect(html).toContain('&lt;img onerror=&quot;alert(1)&quot;&gt;&amp;&#39;');
});

test('is part of a matrix, and a file that can be written', async () => {
  expect(await cli(`compare linux-6.12-max linux-6.18-max --html ${page}`)).toMatchObject({ code: 2 });
  expect(await cli(`compare --matrix linux-6.12-max --html ${folder}`)).toMatchObject({ code: 2 });
});
