// Imports exports in a process of its own, and says what it took: `node import-measured.ts INDEX FILE...`

import { readFileSync } from 'node:fs';
import { importAdvisories } from '../../../src/gateway/packages/advisories/import-advisories.ts';

const [index = '', ...sources] = process.argv.slice(2);
const began = performance.now();
const report = await importAdvisories({
  sources,
  index,
  nowMs: Date.parse('2030-01-01T00:00:00Z'),
  replaces: false,
  signal: new AbortController().signal,
});
// What getrusage(2) says begins with the memory of who started the process.
const [, peakKib = ''] = /VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
console.log(
  JSON.stringify({
    records: report.records,
    withdrawn: report.withdrawn,
    bytes: report.bytes,
    added: report.added.count,
    gone: report.gone.count,
    registries: Object.fromEntries(report.registries),
    seconds: (performance.now() - began) / 1000,
    maxRssBytes: Number(peakKib) * 1024,
  }),
);
