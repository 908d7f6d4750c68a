/** What installing and publishing the package does: nothing is compiled, and nothing superfluous is shipped. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const manifest = JSON.parse(readFileSync(`${ROOT}/package.json`, 'utf8')) as Record<string, unknown>;

describe('the package', () => {
  it('has no script that npm runs by itself, and tells npm not to look for binding.gyp', () => {
    const scripts = Object.keys(manifest['scripts'] as object);
    const automatic =
      /^(pre|post)?(install|prepare|pack|publish|build:native)$|^(prepare|prepack|prepublishOnly)$/;
    expect(scripts.filter(name => automatic.test(name))).toEqual(['build:native']);
    expect(manifest['gypfile']).toBe(false);
    expect(readFileSync(`${ROOT}/.npmrc`, 'utf8')).toMatch(/^ignore-scripts=true$/m);
  });

  it('needs no other package', () => {
    expect(manifest['dependencies']).toBeUndefined();
    expect(manifest['optionalDependencies']).toBeUndefined();
  });

  it('ships the compiled library, the addon and the documents, but no way to compile', () => {
    const [{ files }] = JSON.parse(
      execFileSync('npm', ['pack', '--dry-run', '--json', '--loglevel=silent'], {
        cwd: ROOT,
        encoding: 'utf8',
      }),
    ) as [{ files: { path: string }[] }];
    const paths = files.map(({ path }) => path);
    expect(paths).toContain('dist/lib/index.js');
    expect(paths).toContain('dist/lib/index.d.ts');
    expect(paths).toContain('dist/lib/emulator/hosts/linux-6.12-neoverse-n1.json');
    expect(paths).not.toContain('binding.gyp');
    const expected =
      /^(dist\/lib\/|prebuilds\/|(README|CHANGELOG|ARCHITECTURE)\.md$|LICENSE$|package\.json$)/;
    expect(paths.filter(path => !expected.test(path))).toEqual([]);
  });

  it('has a lockfile that names no registry', () => {
    expect(readFileSync(`${ROOT}/package-lock.json`, 'utf8')).not.toMatch(/"resolved"/);
  });
});
