import { test } from 'vitest';
import { abuseCases } from './abuse-cases.ts';
import { addonPath, withAddon } from './support.ts';

withAddon('abuse of the addon', () => {
  for (const { title, run } of addonPath === undefined ? [] : abuseCases(addonPath)) test(title, run);
});
