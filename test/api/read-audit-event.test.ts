import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import type { AuditEvent } from '../../src/api/audit-event.ts';
import { isOfLaterVersion, readAuditEvent } from '../../src/api/read-audit-event.ts';
import { readAuditFile } from '../../src/cli/operator/audit-file.ts';
import { exchangeTable } from '../../src/cli/operator/exchange-table.ts';
import { CompiledPolicy } from '../../src/policy/compiled-policy.ts';
import { openStore } from '../../src/store/open-store.ts';
import { compilePolicy } from '../gateway/support/request-path.ts';
import { assertValidEvent } from '../support/valid-event.ts';
import { proposePolicy, replay, sessionsOfEvents } from '../cli/policy-learning.ts';

/** What the gateway wrote when its events had no version, before and after it was killed. */
const file = fileURLToPath(new URL('../vectors/audit-events-without-version.jsonl', import.meta.url));
const lines = readFileSync(file, 'utf8').trimEnd().split('\n');

test('events from before there was a version are events of this one', () => {
  const seen = new Set<string>();
  for (const line of lines) {
    const stored = JSON.parse(line) as Partial<AuditEvent>;
    assert.equal('v' in stored, false);
    const event = readAuditEvent(stored);
    assert.ok(event !== undefined);
    assertValidEvent(event);
    assert.deepEqual({ ...event, v: undefined }, { v: undefined, ...stored });
    seen.add(`${event.kind} ${event.verdict}`);
  }
  assert.deepEqual([...seen].toSorted(), [
    'exchange allow',
    'exchange deny',
    'exchange unknown',
    'session info',
    'stream unknown',
  ]);
});

test('they come so from a file and from the store, open ones of a killed gateway too', async () => {
  const fromFile = await Array.fromAsync(readAuditFile(file));
  const folder = await mkdtemp(join(tmpdir(), 'upstreamproxy-versions-'));
  try {
    await using store = await openStore(`sqlite:${join(folder, 'state.db')}`);
    await store.audit.append(
      lines.map((json) => {
        const { id, verdict, kind } = JSON.parse(json) as AuditEvent;
        return { id, verdict, kind, timeMs: 1000, json };
      }),
    );
    assert.deepEqual(await store.audit.query({ limit: 100 }), fromFile);
  } finally {
    await rm(folder, { recursive: true });
  }
  for (const event of fromFile) assertValidEvent(event);
});

test('the commands read them as they read those of today', async () => {
  const events = await Array.fromAsync(readAuditFile(file));
  const table = exchangeTable(events, { title: false });
  assert.match(table, /deny +GET https:\/\/other\.test\/secret\?q=1 +403/);
  const policy = compilePolicy('rules:\n  - { name: all, hosts: [api.test, other.test] }\n');
  assert.ok(policy instanceof CompiledPolicy);
  const { replayed, flips, notReplayed } = replay(events, policy, sessionsOfEvents(events));
  assert.deepEqual([replayed, notReplayed], [7, []]);
  assert.deepEqual(
    flips.map(({ change, request }) => `${change} ${request}`).toSorted(),
    [
      'allow → deny GET https://socket.test/endless',
      'allow → deny https://closed.test',
      'allow → deny raw.test:443',
      'deny → allow GET https://other.test/secret',
      'injection GET https://api.test/endless',
      'injection GET https://api.test/short',
    ].toSorted(),
  );
  assert.match(proposePolicy(events), /hosts: api\.test/);
});

test('an event of a newer program is shown, and nothing is concluded from it', () => {
  const { v, ...rest } = readAuditEvent(JSON.parse(lines[2] ?? '')) ?? assert.fail();
  assert.equal(v, 1);
  const event = readAuditEvent({ v: 2, ...rest }) ?? assert.fail();
  assert.ok(isOfLaterVersion(event));
  assert.match(exchangeTable([event], { title: false }), /\/short/);
  assert.match(proposePolicy([event]), /Nothing was contacted/);
  const policy = compilePolicy('rules: []\n');
  assert.ok(policy instanceof CompiledPolicy);
  const { replayed, notReplayed } = replay([event], policy, new Map());
  assert.deepEqual(
    [replayed, notReplayed],
    [0, [{ reason: 'written by a newer program, which this one cannot read', count: 1 }]],
  );
});

test('what is no event is none', () => {
  for (const value of [undefined, null, 1, 'text', [], {}, { id: '1' }, { kind: 'exchange' }])
    assert.equal(readAuditEvent(value), undefined);
});
