import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { AuditEvent } from '../../src/api/audit-event.ts';
import { proposePolicy } from '../../src/cli/policy-proposal.ts';
import { HeaderList } from '../../src/http/header-list.ts';
import type { Principal } from '../../src/policy/decision.ts';
import { parsePolicy } from '../../src/policy/parse-policy.ts';

const principal: Principal = { id: 'p', sessionId: 's', claims: {}, posture: [] };

const exchange = (fields: Partial<AuditEvent>): AuditEvent => ({
  id: '1',
  time: '2026-01-01T10:20:30.456Z',
  kind: 'exchange',
  traceId: 't',
  verdict: 'allow',
  scheme: 'https',
  host: 'a.example.com',
  port: 443,
  method: 'GET',
  path: '/',
  ...fields,
});

function compile(text: string) {
  const result = parsePolicy([{ file: 'learnt.yaml', text }]);
  assert.ok('policy' in result, JSON.stringify(result));
  return result.policy;
}

test('the proposal allows what was seen and nothing beside it', () => {
  const policy = compile(
    proposePolicy([
      exchange({}),
      exchange({ method: 'POST' }),
      exchange({ host: 'b.example.com', port: 8443 }),
      exchange({ host: 'c.example.com', scheme: 'http', port: 80 }),
    ]),
  );
  const effect = (scheme: 'http' | 'https', host: string, port: number, method: string): string => {
    const destination = { scheme, host, port };
    const access = {
      depth: 'request',
      destination,
      method,
      path: '/x',
      query: '',
      headers: new HeaderList(),
    } as const;
    return policy.decide(principal, access, 0).effect;
  };
  assert.equal(effect('https', 'a.example.com', 443, 'GET'), 'allow');
  assert.equal(effect('https', 'a.example.com', 443, 'POST'), 'allow');
  assert.equal(effect('https', 'a.example.com', 443, 'DELETE'), 'deny');
  assert.equal(effect('https', 'b.example.com', 8443, 'GET'), 'allow');
  assert.equal(effect('https', 'b.example.com', 443, 'GET'), 'deny');
  assert.equal(effect('http', 'c.example.com', 80, 'GET'), 'allow');
  assert.equal(effect('https', 'c.example.com', 443, 'GET'), 'deny');
  assert.equal(effect('https', 'd.example.com', 443, 'GET'), 'deny');
});

test('what was refused, failed or is no request is not proposed', () => {
  const text = proposePolicy([
    exchange({ host: 'denied.example.com', verdict: 'deny' }),
    exchange({ host: 'failed.example.com', verdict: 'error' }),
    { ...exchange({ host: 'session.example.com' }), kind: 'session' },
  ]);
  assert.ok(!text.includes('example.com'));
  compile(text);
});

test('the most used host comes first and the text is the same each time', () => {
  const events = [exchange({ host: 'z.example.com' }), exchange({}), exchange({})];
  const text = proposePolicy(events);
  assert.ok(text.indexOf('a.example.com') < text.indexOf('z.example.com'));
  assert.match(text, /# 2 requests\n {2}- name: a-example-com/);
  assert.equal(proposePolicy(events), text);
});

test('one host on several ports and schemes gives rules of different names', () => {
  const policy = compile(
    proposePolicy([exchange({}), exchange({ port: 8443 }), exchange({ scheme: 'http', port: 80 })]),
  );
  assert.equal(new Set(policy.rules.map((rule) => rule.reference.name)).size, 3);
});
