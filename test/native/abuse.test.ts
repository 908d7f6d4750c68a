import { test } from 'vitest';
import { abuseCases } from './abuse-cases.ts';
import { addon, withAddon } from './support.ts';

withAddon('abuse of the addon', () => {
  for (const { title, run } of addon === undefined ? [] : abuseCases(addon)) test(title, run);
});
