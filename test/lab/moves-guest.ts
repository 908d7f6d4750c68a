/** Runs on a kernel of the lab: saves guests, or loads those of other hosts, and prints what came of it as JSON. */
import { readFileSync } from 'node:fs';
import { Kvm } from 'kvm-arm64';
import { startWatchdog } from '#lib/patience.js';
import { type Job, loadAll, saveAll } from './moves.ts';

/** Where what came along is, from the working directory. */
const CARGO = 'moves';

// For timers whose interrupts QEMU loses: `Machine` in ../guests/machine.ts.
startWatchdog();
const [action, out = ''] = process.argv.slice(2);
const job = JSON.parse(readFileSync(`${CARGO}/job.json`, 'utf8')) as Job;
const kvm = Kvm.open({ backend: 'native' });
const did = await (action === 'save' ? saveAll(kvm, job, out) : loadAll(kvm, job, CARGO));
kvm.close();
console.log(JSON.stringify(did));
