import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import type { AuditEvent } from '../../../src/api/audit-event.ts';
import { useFields, UseTally } from '../../../src/store/uses/event-uses.ts';
import { jsonFields } from '../../../src/store/uses/json-fields.ts';
import { batchUsed, SharedUse } from '../../../src/store/uses/shared-use.ts';

const seed = 20_261_128;
const base: AuditEvent = {
  v: 1,
  id: 'a',
  time: '2026-01-01T00:00:00.000Z',
  kind: 'exchange',
  traceId: '0'.repeat(32),
  verdict: 'allow',
};

const name = fc.constantFrom('one', 'two', '', 'ä', '"', '\ud800', '\0', 'x'.repeat(1001));
const members = fc.record(
  {
    kind: fc.constantFrom<AuditEvent['kind']>('exchange', 'stream', 'session', 'alarm'),
    verdict: fc.constantFrom<AuditEvent['verdict']>('allow', 'deny', 'error', 'info', 'unknown'),
    rule: name,
    policyName: name,
    observed: name,
    injected: fc.array(name, { maxLength: 3 }),
    failedCredential: name,
    count: fc.constantFrom(0, 1, 7, 1.5, -1, Number.NaN),
    status: fc.constantFrom(200, 401, 403),
    errorCode: name,
    path: name,
  },
  { requiredKeys: ['kind', 'verdict'] },
);

test('what is said beside the JSON of generated events is counted as what the JSON says', () => {
  fc.assert(
    fc.property(fc.array(members, { maxLength: 60 }), (all) => {
      const shared = new SharedUse();
      const events = all.map((some) => ({ ...base, ...some }) as AuditEvent);
      const { facts, places } = structuredClone(
        batchUsed(events.map((event) => ({ used: shared.of(event) }) as { used: never })),
      );
      const [said, read] = [new UseTally(0), new UseTally(0)];
      for (const [at, event] of events.entries()) {
        const { verdict, kind } = event;
        const fields = jsonFields(Buffer.from(JSON.stringify(event)), useFields);
        said.add({ verdict, kind, timeMs: at }, facts[places[at]! - 1] ?? fields);
        read.add({ verdict, kind, timeMs: at }, fields);
      }
      assert.deepEqual([said.hours, said.sums], [read.hours, read.sums]);
    }),
    { seed, numRuns: 200 },
  );
});

test('events that used the same share one object, which nobody else changes', () => {
  const shared = new SharedUse();
  const injected = ['one'];
  const used = shared.of({ ...base, rule: 'a', injected });
  assert.deepEqual(used?.injected, ['one']);
  assert.equal(shared.of({ ...base, rule: 'a', injected: ['one'], path: '/b' }), used);
  injected.push('two');
  assert.deepEqual(used?.injected, ['one']);
  const others = Array.from({ length: 40 }, (_, i) => shared.of({ ...base, rule: `rule ${i}` }));
  assert.equal(new Set(others).size, 40);
  assert.deepEqual(batchUsed([{}, { used: used! }, { used: others[0]! }, { used: used! }]), {
    facts: [used, others[0]],
    places: Uint16Array.of(0, 1, 2, 1),
  });
});

test('where a failure is counted with its trace the JSON says it', () => {
  const shared = new SharedUse();
  assert.notEqual(shared.of(base), undefined);
  for (const some of [
    { verdict: 'error' },
    { verdict: 'unknown' },
    { status: 401 },
    { failedCredential: 'one' },
    { kind: 'session' },
  ] as const)
    assert.equal(shared.of({ ...base, ...some }), undefined);
});
