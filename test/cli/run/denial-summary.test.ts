import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { AuditEvent } from '../../../src/api/audit-event.ts';
import { refusalOf } from '../../../src/api/refusal-of-event.ts';
import { Denials } from '../../../src/cli/run/denial-summary.ts';
import { exchange, refused } from '../policy-events.ts';

function denialSummary(events: readonly AuditEvent[], auditPlace: string, others?: number): string {
  const denials = new Denials();
  for (const refusal of events.map(refusalOf)) if (refusal !== undefined) denials.add(refusal);
  return denials.summary(auditPlace, others);
}

test('what was refused is told once with its rule and how often, raw TCP with the rule that would allow it', () => {
  const raw = {
    kind: 'stream',
    host: 'db.example.com',
    port: 5432,
    scheme: 'tcp',
    errorCode: 'protocol_denied',
  } as const;
  const text = denialSummary(
    [
      exchange({}),
      exchange({ verdict: 'error', errorCode: 'origin_unreachable' }),
      refused({ host: 'a.example.com', path: '/x?token=1' }),
      refused({ host: 'a.example.com', path: '/x?token=2' }),
      refused(raw),
      refused({ ...raw, rule: 'no-databases' }),
    ],
    '/state/audit.jsonl',
  );
  assert.equal(
    text,
    `upstreamproxy: refused in this run (all of it: /state/audit.jsonl):
  GET https://a.example.com/x: policy_denied, rule default-deny (2 times)
  a connection to db.example.com:5432: protocol_denied, rule default-deny
    the rule that would allow it: { name: db-example-com-tcp-5432, hosts: db.example.com, scheme: tcp, ports: 5432 }
  a connection to db.example.com:5432: protocol_denied, rule no-databases
`,
  );
});

test('nothing is said where nothing was refused; a long list is cut, and nothing in it acts on a terminal', () => {
  assert.equal(denialSummary([exchange({})], 'x'), '');
  const many = Array.from({ length: 30 }, (_, i) =>
    refused({ host: `h${i}.example.com`, path: '/\u001b[2J' }),
  );
  const text = denialSummary(many, 'x');
  assert.match(text, /and 10 more\n$/);
  assert.match(text, /^[\x20-\x7e\n]*$/);
  assert.match(denialSummary(many, 'x', 7), /and 10 more, and what else was refused 7 times\n$/);
});

test('what else was refused is told after a short list too, and after none', () => {
  const others = denialSummary([refused({ host: 'a.example.com' })], 'x', 7);
  assert.match(others, /a\.example\.com.*\n  and what else was refused 7 times\n$/);
  assert.match(
    denialSummary([], 'x', 1),
    /^upstreamproxy: refused in this run.*\n  and what else was refused once\n$/,
  );
});

test('refusals that share an event are counted as what they are', () => {
  const flood = refused({ errorCode: 'limit_exceeded', rule: undefined, count: 400 });
  const streams = { kind: 'stream', host: undefined, path: undefined, details: { refused: 30 } } as const;
  const text = denialSummary([flood, refused(streams)], 'x');
  assert.match(text, /limit_exceeded \(400 times\)\n/);
  assert.match(text, /a connection to \?.*\(30 times\)\n/);
});
