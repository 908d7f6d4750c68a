/** The contract on the emulated host. */
import { describe, it } from 'vitest';
import { Kvm } from '#lib/index.js';
import { suites } from './index.ts';

for (const [name, suite] of Object.entries(suites)) {
  describe(name, () => suite({ describe, it }, () => Kvm.open({ backend: 'emulated' })));
}
