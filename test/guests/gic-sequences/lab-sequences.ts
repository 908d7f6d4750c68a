/**
 * Runs on an ARM machine: plays the sequences of some seeds on its KVM, and prints the answers as JSON:
 * `kvm-arm64 lab run --kernel 6.12 --cpu max -- node dist/test/guests/gic-sequences/lab-sequences.js 0 30 | brotli > linux-6.12-max.json.br`.
 */
import { Kvm } from '#lib/index.js';
import { modelOf } from '../gic-guest.ts';
import { play } from './play.ts';
import { makeSequence } from './sequence.ts';

const [from = 0, count = 0] = process.argv.slice(2).map(Number);
const kvm = Kvm.open({ backend: 'native' });
const model = modelOf(kvm);
const answers = Array.from({ length: count }, (_, i) => {
  process.stderr.write(`${from + i} `); // which one a kernel hangs with
  return play(kvm, model, makeSequence(from + i, model));
});
process.stdout.write(JSON.stringify({ model, from, answers }), () => process.exit());
