/**
 * Runs a suite's cases in the guest, on its kernel's KVM, and tells of each: `guest.js SUITE TIMEOUT FIRST WORD`, with
 * the number of the first case to run and the word of the marks.
 */
import { Kvm } from '../index.ts';
import { casesOf, collect } from './collect.ts';
import { loadSuite } from './load-suite.ts';
import { portable, type Verdict, writeMark } from './marks.ts';

const [address = '', timeout, first, word = ''] = process.argv.slice(2);
const suite = await loadSuite(address);
const { stdout, stderr } = process;
const cases = casesOf(collect(suite, () => Kvm.open({ backend: 'native' }), Number(timeout)));
for (const { path, run } of cases.filter(({ skip }) => skip === undefined).slice(Number(first))) {
  await writeMark(stdout, word, { path });
  const verdict: Verdict = await run().then(
    skipped => ({ skipped }),
    (error: unknown) => ({ error: portable(error) }),
  );
  await writeMark(stderr, word, { path });
  await writeMark(stdout, word, { path, verdict });
}
process.exit(); // whatever a case left running
