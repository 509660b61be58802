// The rule of the catalogue that the console proposes: the policy reads it, and it allows what was refused where the entry does.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { AuditEvent } from '../../../src/api/audit-event.ts';
import { accessesOf, catalogRule, servicesOf } from '../../../src/console/model/catalog-rule.ts';
import { askedRequest } from '../../../src/gateway/policies/asked-access.ts';
import { policyOf } from '../../policy/fixture.ts';
import { event } from '../support/event.ts';

const denied = (changes: Partial<AuditEvent>): AuditEvent =>
  event('a', {
    verdict: 'deny',
    rule: 'default-deny',
    errorCode: 'policy_denied',
    port: 443,
    scheme: 'https',
    ...changes,
  });
const principal = { id: 'p', sessionId: 's', claims: { repository: 'acme/app' }, posture: [] };

function effectOf(text: string, method: string, url: string): string {
  const asked = askedRequest(method, url, []);
  return policyOf(text).decide(principal, asked, Date.parse('2026-01-05T09:00:00Z')).effect;
}

/** With the most that is offered. */
function ruleOf(changes: Partial<AuditEvent>): string {
  const one = denied(changes);
  const [service] = servicesOf(one);
  assert.ok(service !== undefined, `nobody knows ${String(changes.host)}`);
  return catalogRule(one, { service, access: accessesOf(one).at(-1) ?? 'read' });
}

test('a read opens the reads of the service, a write its writes too, and neither what reveals secrets', () => {
  const read = ruleOf({ host: 'api.github.com', method: 'GET', path: '/repos/acme/app' });
  const write = ruleOf({ host: 'api.github.com', method: 'POST', path: '/repos/acme/app/issues' });
  const issues = 'https://api.github.com/repos/acme/app/issues';
  assert.deepEqual(
    [read, write].map((text) => [effectOf(text, 'GET', issues), effectOf(text, 'POST', issues)]),
    [
      ['allow', 'deny'],
      ['allow', 'allow'],
    ],
  );
  for (const text of [read, write])
    assert.equal(
      effectOf(text, 'GET', 'https://api.github.com/repos/acme/app/actions/jobs/1/logs'),
      'deny',
      text,
    );
});

test('what posts is offered the reads alone, too: a query or a call of a model is one', () => {
  const one = denied({ host: 'api.github.com', method: 'POST', path: '/graphql' });
  assert.deepEqual(accessesOf(one), ['read', 'write']);
  assert.deepEqual(accessesOf(denied({ host: 'api.github.com', method: 'HEAD', path: '/user' })), ['read']);
  const [service] = servicesOf(one);
  assert.ok(service !== undefined);
  assert.match(catalogRule(one, { service, access: 'read' }), /catalog: \{ access: read \}/);
});

test('git is for the repository that was asked for', () => {
  const git = { repository: '/acme/app', operation: 'fetch' } as const;
  const text = ruleOf({
    host: 'github.com',
    method: 'GET',
    path: '/acme/app.git/info/refs?service=git-upload-pack',
    git,
  });
  const refs = (name: string): string =>
    effectOf(text, 'GET', `https://github.com/${name}.git/info/refs?service=git-upload-pack`);
  assert.deepEqual([refs('acme/app'), refs('acme/other')], ['allow', 'deny']);
});

test('a tenant is taken from the host, and only one that can be one', () => {
  const text = ruleOf({ host: 'acme.atlassian.net', method: 'GET', path: '/rest/api/3/issue/A-1' });
  assert.match(text, /tenant: "acme"/);
  assert.equal(effectOf(text, 'GET', 'https://acme.atlassian.net/rest/api/3/issue/A-1'), 'allow');
  for (const host of ['a.b.atlassian.net', '.atlassian.net', 'atlassian.net', 'acme.atlassian.net.example'])
    assert.deepEqual(servicesOf(denied({ host, method: 'GET', path: '/' })), [], host);
});

test('nothing is proposed for another host, port or scheme, or for a connection', () => {
  const known = { host: 'api.github.com', method: 'GET', path: '/' } as const;
  assert.equal(servicesOf(denied(known)).length, 1);
  assert.deepEqual(servicesOf(denied({ ...known, host: 'api.github.com.example' })), []);
  assert.deepEqual(servicesOf(denied({ ...known, port: 8443 })), []);
  assert.deepEqual(servicesOf(denied({ ...known, scheme: 'http' })), []);
  assert.deepEqual(servicesOf(denied({ ...known, kind: 'stream' })), []);
});

test('whatever a repository or a claim is called, it is one text', () => {
  const git = { repository: '/a"\n- name: x/b', operation: 'push' } as const;
  const one = denied({ host: 'github.com', method: 'POST', path: '/a/git-receive-pack', git });
  const [service] = servicesOf(one);
  assert.ok(service !== undefined);
  const text = catalogRule(one, { service, access: 'write' }, { name: 'a: b', value: '}\n' });
  assert.equal(text.split('\n').filter((line) => line.startsWith('  - name: ')).length, 1, text);
});
