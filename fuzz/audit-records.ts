// Fuzz target: a batch of the audit as whoever stores it reads it, with octets changed, cut off or put in between. What comes out is what
// was written, in its order, up to where it was touched; there it is refused.

import { ProxyError } from '../src/protocol/error.ts';
import { readRecord } from '../src/protocol/spool-record.ts';
import { AuditRecordWriter, auditRecords } from '../src/store/audit-records.ts';
import type { AuditEntry } from '../src/store/store.ts';
import { pieces, pick, randomFrom, runTarget, type Random } from './run-target.ts';

const words = ['a', '0190', 'ä', '€', '😀', '\ud800', '"', '\n', '\0'];

function randomEntry(random: Random): AuditEntry {
  const sessionId = pieces(random, words, 4);
  return {
    id: pieces(random, words, 8),
    verdict: pick(random, ['allow', 'deny', 'error', 'info', 'unknown']) as AuditEntry['verdict'],
    kind: pick(random, ['exchange', 'stream', 'session', 'alarm']) as AuditEntry['kind'],
    timeMs: random(0x7fff_ffff) * 1000,
    json: JSON.stringify({ path: pieces(random, words, 40) }),
    ...(sessionId === '' ? {} : { sessionId }),
    ...(random(4) === 0 ? { wasOpen: true } : {}),
  };
}

/** What reading gives of an entry: ill-formed UTF-16 has no octets of its own. */
function asRead(entry: AuditEntry): unknown {
  const { id, sessionId, ...rest } = entry;
  return {
    ...rest,
    id: id.toWellFormed(),
    ...(sessionId === undefined ? {} : { sessionId: sessionId.toWellFormed() }),
  };
}

function touch(bytes: Buffer, random: Random): Buffer {
  const at = random(bytes.length);
  switch (random(4)) {
    case 0:
      return bytes.subarray(0, at);
    case 1:
      return Buffer.concat([bytes.subarray(0, at), Buffer.from([random(256)]), bytes.subarray(at)]);
    case 2:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]);
    default: {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ (1 << random(8));
      return changed;
    }
  }
}

await runTarget({
  name: 'audit-records',
  generate: (random) => JSON.stringify({ seed: random(0x7fff_ffff), isTouched: random(3) > 0 }),
  check: (input) => {
    const { seed, isTouched } = JSON.parse(input) as { seed: number; isTouched: boolean };
    const random = randomFrom(seed);
    const entries = Array.from({ length: 1 + random(6) }, () => randomEntry(random));
    const open = Array.from({ length: random(3) }, () => randomEntry(random));
    const written = Buffer.from(new AuditRecordWriter().write(entries, open));
    const bytes = isTouched ? touch(written, random) : written;
    // Whatever the octets are, a reader that begins anywhere neither throws nor leaves them.
    const found = readRecord(new Uint8Array(bytes), random(bytes.length + 1));
    if (typeof found !== 'string' && found.end > bytes.length)
      throw new Error('a record ends behind the octets');
    const expected = [
      ...open.map((entry) => JSON.stringify(['opened', sorted(asRead(entry))])),
      ...entries.map((entry) => JSON.stringify(['event', sorted(asRead(entry))])),
    ];
    let read = 0;
    try {
      for (const { kind, payload } of auditRecords(new Uint8Array(bytes))) {
        const json = Buffer.from(payload.json).toString();
        const { octets: _, ...facts } = payload;
        const one = JSON.stringify([kind, sorted({ ...facts, json })]);
        if (one !== expected[read]) throw new Error(`record ${read} is ${one} and not ${expected[read]}`);
        read += 1;
      }
    } catch (error) {
      if (!(error instanceof ProxyError) || error.code !== 'store_unavailable' || !isTouched) throw error;
      return false;
    }
    // A cut between two records looks like a shorter batch.
    const isCut = isTouched && bytes.length < written.length;
    if (read < expected.length && !isCut) throw new Error('a record is missing');
    return true;
  },
});

function sorted(value: unknown): unknown {
  return Object.fromEntries(Object.entries(value as object).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
