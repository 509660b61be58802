// Hardens this process and prints what is true before and after, as JSON. Used by the tests of hardening.

import { readFileSync, statSync } from 'node:fs';
import { harden, setNonDumpable } from '../../../src/agent/hardening/posture.ts';

const first = process.argv[2];

function openable(path: string): string {
  try {
    readFileSync(path);
    return 'readable';
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}

function facts(): object {
  return {
    environ: openable('/proc/self/environ'),
    environOwner: statSync('/proc/self/environ').uid,
    core: /^Max core file size +(\S+) +(\S+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.slice(1),
  };
}

if (first === 'wait') {
  // A tracer attaches meanwhile.
  process.stdout.write('\n');
  for await (const chunk of process.stdin) if (String(chunk).includes('go')) break;
}
const before = facts();
const called = first === 'set' ? setNonDumpable() : undefined;
const hardening = first === 'set' ? undefined : harden({ environment: process.env });
const signals = /^SigCgt:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '0';
console.log(
  JSON.stringify({
    before,
    after: facts(),
    called,
    posture: hardening?.posture,
    failures: hardening?.failures,
    catchesSigusr1: (BigInt(`0x${signals}`) & (1n << 9n)) !== 0n,
  }),
);
hardening?.[Symbol.dispose]();
process.exit(0);
