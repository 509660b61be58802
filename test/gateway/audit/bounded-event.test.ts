import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';

import fc from 'fast-check';

import type { AuditEvent } from '../../../src/api/audit-event.ts';
import { boundedEventJson } from '../../../src/gateway/audit/bounded-event.ts';
import { assertValidEvent } from '../../support/valid-event.ts';

const seed = 20_261_127;
const bytesMax = 2048;
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

const base: AuditEvent = {
  v: 1,
  id: '01a217c3-81eb-7078-9a9c-bf382e627b4c',
  time: '2026-01-01T00:00:00.000Z',
  kind: 'exchange',
  traceId: '0'.repeat(32),
  sessionId: 'session-alice',
  principal: 'issuer|alice',
  verdict: 'deny',
  rule: 'default-deny',
  policyVersion: 'abc',
  method: 'GET',
  scheme: 'https',
  host: 'api.test',
  port: 443,
  path: '/a',
};

function bounded(event: AuditEvent): AuditEvent {
  const json = boundedEventJson(event, bytesMax);
  assert.ok(Buffer.byteLength(json) <= bytesMax, `${Buffer.byteLength(json)} bytes: ${json}`);
  const cut = JSON.parse(json) as AuditEvent;
  assertValidEvent(cut);
  return cut;
}

test('an event that fits is stored as it is', () => {
  assert.deepEqual(bounded(base), base);
  assert.equal(boundedEventJson(base, bytesMax), JSON.stringify(base));
});

test('of a long path the beginning stays, with length and hash of the whole', () => {
  const path = `/${'a/b?c=%20&'.repeat(5000)}`;
  const event = bounded({ ...base, path });
  assert.ok(event.path !== undefined && path.startsWith(event.path) && event.path.length > 1000);
  assert.deepEqual(event.cut, { path: { bytes: path.length, sha256: sha256(path) } });
});

test('everything else is cut before the path', () => {
  const path = `/${'p'.repeat(1000)}`;
  const event = bounded({
    ...base,
    path,
    message: 'm'.repeat(3000),
    details: { operator: 'o'.repeat(3000), refused: 3 },
    aliases: Array.from({ length: 8 }, (_, i) => `${i}.${'x'.repeat(240)}.test`),
  });
  assert.equal(event.path, path);
  assert.deepEqual(event.details, { refused: 3 });
  assert.deepEqual(Object.keys(event.cut ?? {}).toSorted(), ['aliases', 'details.operator', 'message']);
  assert.deepEqual(event.cut?.['message'], { bytes: 3000, sha256: sha256('m'.repeat(3000)) });
});

test('of many refs the first stay, and their number', () => {
  const refs = Array.from({ length: 64 }, (_, i) => ({
    ref: `refs/heads/${'r'.repeat(100)}${i}`,
    change: 'update' as const,
  }));
  const { git, cut } = bounded({ ...base, git: { repository: 'team/tool', operation: 'push', refs } });
  assert.equal(git?.refsTotal, 64);
  assert.deepEqual(git?.refs, refs.slice(0, git?.refs?.length));
  assert.equal(cut?.['git.refs']?.sha256, sha256(JSON.stringify(refs)));
});

test('options of a push, which can be of any length, are cut before its refs', () => {
  const refs = [{ ref: 'refs/heads/main', change: 'update' as const }];
  for (const options of [
    Array.from({ length: 64 }, (_, i) => `ci.variable=${'v'.repeat(100)}${i}`),
    ['o'.repeat(60_000)],
  ]) {
    const { git, cut } = bounded({
      ...base,
      git: { repository: 'team/tool', operation: 'push', refs, options },
    });
    assert.deepEqual(git?.refs, refs);
    assert.equal(git?.optionsTotal, options.length);
    assert.deepEqual(git?.options, options.slice(0, git?.options?.length));
    assert.equal(cut?.['git.options']?.sha256, sha256(JSON.stringify(options)));
    assert.equal(cut?.['git.refs'], undefined);
  }
});

test('claims of a session go as a whole, so that nobody takes a part of them for all', () => {
  const claims = { sub: 'a', long: 'c'.repeat(4000) };
  const { details, cut } = bounded({
    ...base,
    kind: 'session',
    action: 'enrolled',
    details: { claims, agentVersion: '1' },
  });
  assert.equal(details?.['claims'], undefined);
  assert.equal(cut?.['details.claims']?.bytes, JSON.stringify(claims).length);
});

test('what JSON cannot hold is no reason to lose an event', () => {
  const details: Record<string, unknown> = {};
  details['self'] = details;
  assert.deepEqual(bounded({ ...base, details }).details, { unserialisable: true });
});

test('whatever is in it, an event is in bounds, valid, and what is cut is a beginning with its length and hash', () => {
  const long = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 3000 }),
    fc.string({ unit: 'binary', maxLength: 3000 }),
    fc.nat(20_000).map((length) => '"'.repeat(length)),
    fc.nat(20_000).map((length) => '\u0001😀'.repeat(length / 2)),
    fc.nat(70_000).map((length) => `/${'a'.repeat(length)}`),
  );
  const event = fc.record(
    {
      path: long,
      message: long,
      host: long,
      method: long,
      principal: long,
      rule: long,
      observed: long,
      claimed: fc.dictionary(long, long, { maxKeys: 3 }),
      aliases: fc.array(long, { maxLength: 8 }),
      injected: fc.array(long, { maxLength: 8 }),
      offered: fc.array(long, { maxLength: 8 }),
      details: fc.dictionary(fc.string({ maxLength: 12 }), fc.oneof(long, fc.nat()), { maxKeys: 4 }),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(event, (fields) => {
      const whole = JSON.parse(JSON.stringify({ ...base, ...fields })) as AuditEvent;
      const stored = bounded(whole);
      assert.deepEqual(
        [stored.id, stored.time, stored.kind, stored.verdict, stored.traceId],
        [whole.id, whole.time, whole.kind, whole.verdict, whole.traceId],
      );
      for (const name of ['path', 'host', 'method', 'principal', 'rule', 'message'] as const) {
        const [was, is, mark] = [whole[name], stored[name], stored.cut?.[name]];
        if (mark === undefined) assert.equal(is, was, name);
        else {
          assert.ok((was ?? '').startsWith(is ?? ''), name);
          assert.deepEqual(mark, { bytes: Buffer.byteLength(was ?? ''), sha256: sha256(was ?? '') });
        }
      }
    }),
    { seed, numRuns: 60, endOnFailure: true },
  );
});
