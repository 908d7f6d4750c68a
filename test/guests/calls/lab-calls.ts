/**
 * Runs on an ARM machine: makes every call of {@link file://./cases.ts} in a guest of its KVM, and prints what came of
 * each as JSON.
 */
import { openDevice } from '#lib/native/open.js';
import { probe } from '#lib/native/probe.js';
import { CASES } from './cases.ts';
import { enterWithin } from './enter.ts';
import { play } from './play.ts';

const kvm = openDevice(probe());
const answers: Record<string, string> = {};
for (const [name, one] of CASES) {
  const answer = await play(kvm, one, enterWithin(1500));
  if (answer !== undefined) answers[name] = answer;
}
kvm.close();
process.stdout.write(JSON.stringify(answers));
process.exit();
