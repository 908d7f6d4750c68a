/** Emulated hosts for one test, which closes them. */
import { afterEach } from 'vitest';
import { Kvm } from '#lib/emulator.js';

const opened: Kvm[] = [];
afterEach(() => {
  for (const kvm of opened.splice(0)) kvm.close();
});

export function open(host: string): Kvm {
  const kvm = Kvm.open({ host });
  opened.push(kvm);
  return kvm;
}
