import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // A crash of the addon ends one process and names its file, instead of the whole run.
    pool: 'forks',
  },
});
