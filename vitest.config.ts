import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    reporters: ['default', './test/skip-reporter.ts'],
    globalSetup: 'test/build-addon.ts',
    // For a test that hangs. Properties take seconds on a busy machine, which is no failure.
    testTimeout: 30_000,
    // A crash of the addon ends one process and names its file, instead of the whole run.
    pool: 'forks',
    // One core more than vitest's own choice leaves free: the lab's tests wait for QEMU.
    maxWorkers: '100%',
    // The tests run what is published: the compiled library, loaded by Node itself.
    server: { deps: { external: [/\/dist\/lib\//] } },
  },
});
