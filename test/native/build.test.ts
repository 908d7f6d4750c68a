import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ROOT } from './support.ts';

const read = (name: string) => readFileSync(join(ROOT, name), 'utf8');

describe('the two builds', () => {
  const sources = readdirSync(join(ROOT, 'native')).filter(name => name.endsWith('.cc'));

  test('node-gyp and CMake compile the same sources, and all there are', () => {
    const gyp = [...read('binding.gyp').matchAll(/'native\/(\w+\.cc)'/g)].map(match => match[1]);
    const list = /add_library\(kvm_arm64 SHARED([^)]*)\)/.exec(read('native/CMakeLists.txt'))![1]!;
    const cmake = list.trim().split(/\s+/);
    expect(gyp).toEqual(sources);
    expect(cmake).toEqual(sources);
  });

  test('they ask for the same version of Node-API, which package.json tells too', () => {
    const versions = [
      /'NAPI_VERSION=(\d+)'/.exec(read('binding.gyp'))?.[1],
      /^ +NAPI_VERSION=(\d+)$/m.exec(read('native/CMakeLists.txt'))?.[1],
      ...JSON.parse(read('package.json')).binary.napi_versions,
      ...JSON.parse(read('native/package.json')).binary.napi_versions,
    ];
    expect(versions.map(Number)).toEqual([9, 9, 9, 9]);
  });
});

const PREBUILT = join(ROOT, 'prebuilds/linux-arm64/kvm_arm64.glibc.node');
const missing = !existsSync(PREBUILT)
  ? 'not built: npm run build:cross'
  : spawnSync('readelf', ['--version']).error && 'no readelf here';

describe.skipIf(missing)(`the prebuilt addon${missing ? ` [skipped: ${missing}]` : ''}`, () => {
  const readelf = (...options: string[]) =>
    spawnSync('readelf', ['-W', ...options, PREBUILT], { encoding: 'utf8' }).stdout;

  test('is for AArch64', () => {
    expect(readelf('-h')).toMatch(/Machine:\s+AArch64/);
  });

  // RHEL 8 has glibc 2.28 and libstdc++ 3.4.25, Debian 11 has 2.31 and 3.4.28. A std::condition_variable alone
  // would ask for 3.4.30.
  test('asks for no newer symbols than GLIBC_2.17 and GLIBCXX_3.4.22', () => {
    const LIMITS: Record<string, number[]> = {
      GLIBC: [2, 17],
      GLIBCXX: [3, 4, 22],
      CXXABI: [1, 3, 9],
      GCC: [3, 0],
    };
    const needed = [...readelf('-V').matchAll(/Name: (\w+?)_([\d.]+)/g)];
    expect(needed.length).toBeGreaterThan(0);
    for (const [, library, version] of needed) {
      const limit = LIMITS[library!]!;
      const parts = version!.split('.').map(Number);
      const newer = parts.findIndex((part, i) => part !== (limit[i] ?? 0));
      expect(newer === -1 || parts[newer]! < (limit[newer] ?? 0), `${library}_${version}`).toBe(true);
    }
  });

  test('needs nothing but the C and C++ libraries', () => {
    const needed = [...readelf('-d').matchAll(/\(NEEDED\).*\[(.*)\]/g)].map(match => match[1]!);
    const ALLOWED = ['libstdc++.so.6', 'libgcc_s.so.1', 'libc.so.6', 'ld-linux-aarch64.so.1'];
    expect(needed.filter(name => !ALLOWED.includes(name))).toEqual([]);
    expect(needed).toContain('libc.so.6');
  });

  test('is stripped, and at most 150 KB', () => {
    expect(readelf('-S')).not.toMatch(/\.symtab/);
    expect(statSync(PREBUILT).size).toBeLessThanOrEqual(150_000);
  });
});
