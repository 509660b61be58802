// The rule that would let a refused request through: the policy reads it, it allows that request, and as little else as it says.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AuditEvent } from '../../../src/api/audit-event.ts';
import {
  allowRule,
  type AllowScope,
  pushedRefs,
  pushOf,
  ruleForAccess,
  scopesOf,
  whyNotAllowed,
  wouldOpen,
} from '../../../src/console/model/allow-rule.ts';
import { emptyDraft, draftText, withFirstRule } from '../../../src/console/model/policy-draft.ts';
import type { Access } from '../../../src/console/model/access-groups.ts';
import { askedRequest } from '../../../src/gateway/policies/asked-access.ts';
import { policyOf } from '../../policy/fixture.ts';
import { event } from '../support/event.ts';

const denied = (changes: Partial<AuditEvent> = {}): AuditEvent =>
  event('a', {
    verdict: 'deny',
    rule: 'default-deny',
    errorCode: 'policy_denied',
    port: 443,
    scheme: 'https',
    ...changes,
  });
const principal = { id: 'p', sessionId: 's', claims: { repository: 'acme/app' }, posture: [] };

function decides(text: string, method: string, url: string): string {
  return policyOf(text).decide(principal, askedRequest(method, url, []), Date.parse('2026-01-05T09:00:00Z'))
    .effect;
}

/** Paths whose characters mean something in a pattern, in YAML, or to nobody. */
const paths = [
  '/v1/items',
  '/v1/items:generate',
  '/a/(b)/{c}',
  '/a*b',
  '/a%20b',
  '/',
  '/x/%E2%80%AE',
  '/@scope/name',
  '/a//b',

  "/it's",
  '/null',
  '/1',
];

test('each path is allowed by its rule, and another is not', () => {
  for (const path of paths) {
    const one = denied({ path: `${path}?page=1` });
    const text = allowRule(one, 'this');
    assert.equal(decides(text, 'GET', `https://api.example.com${path}`), 'allow', text);
    assert.equal(
      decides(text, 'GET', `https://api.example.com${path === '/' ? '' : path}/other`),
      'deny',
      text,
    );
    assert.equal(decides(text, 'POST', `https://api.example.com${path}`), 'deny', text);
    const below = allowRule(one, 'below');
    assert.equal(decides(below, 'GET', `https://api.example.com${path}`), 'allow', below);
    assert.equal(decides(allowRule(one, 'host'), 'GET', 'https://api.example.com/any'), 'allow');
    assert.equal(decides(allowRule(one, 'host'), 'GET', 'https://other.example.com/any'), 'deny');
  }
});

test('port, scheme and claims are part of it where they are not the usual ones', () => {
  const one = denied({ port: 8443, host: '192.0.2.7' });
  assert.match(allowRule(one, 'this'), /hosts: "192\.0\.2\.7"\n {4}ports: 8443/);
  const text = allowRule(denied(), 'this', { name: 'repository', value: 'acme/app' });
  assert.equal(decides(text, 'GET', 'https://api.example.com/v1/items'), 'allow', text);
  const other = allowRule(denied(), 'this', { name: 'repository', value: 'acme/other: "x"\n- y' });
  assert.equal(decides(other, 'GET', 'https://api.example.com/v1/items'), 'deny', other);
  const plain = allowRule(denied({ scheme: 'http', port: 80 }), 'this');
  assert.equal(decides(plain, 'GET', 'http://api.example.com/v1/items'), 'allow', plain);
});

test('a push is allowed by its refs', () => {
  const git = {
    repository: 'acme/shop',
    operation: 'push',
    refs: [{ ref: 'refs/heads/main', change: 'update' }],
  } as const;
  const text = allowRule(denied({ git, method: 'POST', path: '/acme/shop.git/git-receive-pack' }), 'this');
  assert.match(
    text,
    /repository: "acme\/shop"\n {6}operations: push\n {6}refs: \["refs\/heads\/main"\]\n {6}changes: \["update"\]/,
  );
  policyOf(text);
});

test('where another rule, a field or the address guard refused, it says so instead', () => {
  assert.equal(whyNotAllowed(denied()), undefined);
  assert.match(whyNotAllowed(denied({ rule: 'no-orders' })) ?? '', /^The rule no-orders denies it/);
  assert.match(
    whyNotAllowed(denied({ errorCode: 'address_denied', rule: 'read' })) ?? '',
    /^The address guard/,
  );
  assert.match(
    whyNotAllowed(denied({ deniedField: 'x-http-method' })) ?? '',
    /but for the field x-http-method/,
  );
  assert.equal(whyNotAllowed(event('b', { observed: 'default-deny' })), undefined);
  assert.match(whyNotAllowed(event('b')) ?? '', /not refused/);
  assert.deepEqual(scopesOf(denied({ cut: { path: { bytes: 9000, sha256: 'x' } } })), ['host']);
});

test('what it would have opened is counted among those that were refused by default', () => {
  const events = [
    denied(),
    denied({ path: '/v1/other', count: 3 }),
    denied({ path: '/v2' }),
    denied({ method: 'POST' }),
    denied({ rule: 'no-orders' }),
    event('allowed', { port: 443, scheme: 'https' }),
  ];
  const opened = (scope: AllowScope): number => wouldOpen(events, denied(), scope);
  assert.deepEqual([opened('this'), opened('below'), opened('host')], [1, 4, 5]);
});

test('the refs of a push are for a grant where all are recorded and none is deleted, and are what explain is told', () => {
  const push = (
    refs: readonly { readonly ref: string; readonly change: string }[],
    more: object = {},
  ): AuditEvent =>
    event('push', {
      path: '/acme/app.git/git-receive-pack',
      method: 'POST',
      git: { repository: 'acme/app', operation: 'push', refs, ...more },
    } as never);
  const main = { ref: 'refs/heads/main', change: 'update' };
  const fix = { ref: 'refs/heads/fix', change: 'create' };
  assert.deepEqual(pushedRefs(push([main, fix, main])), ['refs/heads/main', 'refs/heads/fix']);
  assert.deepEqual(pushOf(push([main], { options: ['ci.skip'] })), {
    pushed: [main],
    pushOptions: ['ci.skip'],
  });
  for (const other of [
    push([main, { ref: 'refs/heads/old', change: 'delete' }]),
    push([main], { refsTotal: 100 }),
    event('fetch', { git: { repository: 'acme/app', operation: 'fetch' } } as never),
    event('none'),
  ])
    assert.deepEqual(pushedRefs(other), []);
  assert.equal(pushOf(push([main], { refsTotal: 100 })), 'partly');
  assert.equal(pushOf(event('none')), undefined);
});

type Bound = NonNullable<Access['question']>['bound'];

function question(path: string, bound: Bound): Access {
  const asked = { scheme: 'https', host: 'mcp.example.com', port: 443, method: 'POST', path } as const;
  return {
    id: 'q',
    kind: 'question',
    session: 's',
    principal: 'p',
    state: 'pending',
    asked,
    reason: '',
    created: '2026-01-05T09:00:00.000Z',
    pendingUntil: '2026-01-05T10:00:00.000Z',
    question: {
      until: '2026-01-05T09:01:00.000Z',
      rule: 'ask',
      bound: [{ name: 'request', value: `POST https://mcp.example.com${path}` }, ...bound],
      choices: ['always'],
      body: 'seen',
    },
  };
}

const comments = (text: string): readonly string[] => text.split('\n').filter((line) => line.includes('#'));

test('the rule of a question begins with what was asked about, where it opens more than that', () => {
  const rule = ruleForAccess(
    question('/mcp?key=1', [
      { name: 'message', value: 'tools/call tool search' },
      { name: 'body', value: '73 bytes' },
      { name: 'field x-team', value: 'blue' },
      { name: 'not bound: traceparent', value: '55 characters' },
    ]),
  );
  assert.match(rule, /^rules:\n {2}# What was asked about:\n/);
  assert.deepEqual(comments(rule), [
    '  # What was asked about:',
    '  #   message: tools/call tool search',
    '  #   field x-team',
    '  # This rule opens more: it looks at none of that, and not at the body.',
    '  # Narrow it before you publish it: mcp, graphql, llm, git or when.',
    '  # The query is left out: any query is allowed.',
  ]);
  assert.equal(decides(rule, 'POST', 'https://mcp.example.com/mcp?key=2'), 'allow', rule);
  for (const name of ['operation 1', 'model', 'push', 'upgrade', 'field x-a'])
    assert.match(ruleForAccess(question('/mcp', [{ name, value: 'x' }])), /This rule opens more/, name);
  const body = { name: 'body', value: 'none' };
  assert.deepEqual(comments(ruleForAccess(question('/mcp', [body]))), []);
  assert.deepEqual(comments(ruleForAccess(question('/mcp?a', [body]))), [
    '  # The query is left out: any query is allowed.',
  ]);
  const many = Array.from({ length: 1000 }, (_, i) => ({ name: `operation ${i}`, value: 'a'.repeat(4000) }));
  assert.ok(ruleForAccess(question('/mcp', many)).length < 5000);
  assert.match(ruleForAccess(question('/mcp', many)), /# {3}and 980 more\n/);
});

test('whatever was asked about, a comment stays a comment, also where the rule gets another name', () => {
  const odd =
    'x\n  - { name: evil, hosts: "*" }\r\u0085\u2028\u0000\ufeff\ud800  - name: mcp-example-com-post';
  const rule = (path: string): string =>
    ruleForAccess(
      question(path, [
        { name: 'message', value: odd },
        { name: `field ${odd}`, value: odd },
      ]),
    );
  const text = draftText(withFirstRule(withFirstRule(emptyDraft, rule('/a')), rule('/b')));
  assert.deepEqual(
    policyOf(text).rules.map(({ reference }) => reference.name),
    ['mcp-example-com-post-2', 'mcp-example-com-post'],
  );
  assert.equal(decides(text, 'GET', 'https://other.example.com/'), 'deny');
});
