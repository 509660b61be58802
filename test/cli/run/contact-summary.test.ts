import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { AuditEvent } from '../../../src/api/audit-event.ts';
import { Contacts } from '../../../src/cli/run/contact-summary.ts';

function contactSummary(events: readonly AuditEvent[], learnCommand: string): string {
  const contacts = new Contacts();
  for (const event of events) contacts.add(event);
  return contacts.summary(learnCommand);
}

const exchange = (fields: Partial<AuditEvent>): AuditEvent => ({
  v: 1,
  id: '1',
  time: '2026-01-01T10:20:30.456Z',
  kind: 'exchange',
  traceId: 't',
  verdict: 'allow',
  scheme: 'https',
  host: 'a.example.com',
  port: 443,
  method: 'GET',
  ...fields,
});

test('each host stands once with its methods and counts, most used first', () => {
  const text = contactSummary(
    [
      exchange({ host: 'b.example.com' }),
      exchange({}),
      exchange({ method: 'POST', verdict: 'unknown', decided: 'allow' }),
      exchange({ verdict: 'deny', host: 'c.example.com', port: 8443 }),
      { ...exchange({}), kind: 'session', action: 'enrolled' },
    ],
    'the command',
  );
  const lines = text.split('\n').map((line) => line.trim().replaceAll(/ +/g, ' '));
  assert.equal(lines[1], 'https://a.example.com GET,POST 2 allowed');
  assert.equal(lines[2], 'https://b.example.com GET 1 allowed');
  assert.equal(lines[3], 'https://c.example.com:8443 GET 1 refused');
  assert.ok(text.endsWith('To allow this, without what was refused or failed:\n  the command\n'));
});

test('what policy learn proposes is promised, and no more', () => {
  const raw = exchange({
    kind: 'stream',
    scheme: 'tcp',
    port: 22,
    verdict: 'deny',
    errorCode: 'protocol_denied',
  });
  const failed = exchange({ host: 'none.example.com', verdict: 'error', errorCode: 'name_not_found' });
  assert.ok(contactSummary([exchange({}), raw], 'learn').endsWith('To allow just this:\n  learn\n'));
  const partly = contactSummary([exchange({}), failed], 'learn');
  assert.match(partly, /none\.example\.com +GET +1 failed\n/);
  assert.ok(partly.endsWith('To allow this, without what was refused or failed:\n  learn\n'));
  assert.doesNotMatch(contactSummary([failed], 'learn'), /learn|To allow/);
});

test('a run that contacted nothing has nothing to say', () => {
  assert.equal(contactSummary([], 'x'), '');
});

test('a long list is cut and says by how much', () => {
  const events = Array.from({ length: 30 }, (_, index) => exchange({ host: `h${index}.example.com` }));
  assert.match(contactSummary(events, 'x'), /and 10 more/);
});

test('what an event says of a method or a host cannot disturb a terminal', () => {
  const text = contactSummary(
    [exchange({ method: 'G\u001b[2JET', host: 'a\u009b.example.com' })],
    'the command',
  );
  assert.match(text, /^[\x20-\x7e\n]*$/);
});
