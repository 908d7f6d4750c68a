/**
 * Runs on an ARM machine and prints a trace of its kernel: `node dist/lib/fidelity/trace-guest.js HOST`.
 *
 * @packageDocumentation
 */
import { loadHost } from '../emulator/load-host.ts';
import { openDevice } from '../native/open.ts';
import { probe } from '../native/probe.ts';
import { startWatchdog } from '../patience.ts';
import { recordTrace } from './trace.ts';

startWatchdog();
const found = probe();
const profile = loadHost(process.argv[2] ?? '');
process.stdout.write(recordTrace(() => openDevice(found), profile));
