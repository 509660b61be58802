import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeaderList } from '../../../src/http/header-list.ts';
import type { RequestAccess } from '../../../src/policy/decision.ts';
import { askChoices } from '../../../src/policy/ask-rule.ts';
import { type HeldRequest, questionOf } from '../../../src/gateway/exchange/question-of.ts';
import { holdMsFor } from '../../../src/gateway/exchange/hold-time.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { jsonBody, principal as principalOf } from '../../policy/fixture.ts';

interface Changes {
  readonly method?: string;
  readonly path?: string;
  readonly query?: string;
  readonly fields?: readonly (readonly [string, string])[];
  readonly body?: string;
  readonly read?: Partial<RequestAccess>;
  readonly held?: Partial<HeldRequest>;
}

function asked({
  method = 'POST',
  path = '/issues',
  query = '',
  fields = [],
  body = '{}',
  read,
  held,
}: Changes = {}) {
  const destination = { scheme: 'https', host: 'api.test', port: 443 } as const;
  const headers = new HeaderList([['content-type', 'application/json'], ...fields]);
  const head = { destination, method, path, query, headers, httpVersion: '1.1' } as const;
  return questionOf({
    head,
    access: { depth: 'request', destination, method, path, query, headers, ...read },
    isUpgrade: false,
    body: Buffer.from(body),
    asks: { rule: 'ask', body: 'seen', choices: askChoices },
    principal,
    policyName: undefined,
    policyVersion: 'v1',
    traceId: 'trace',
    ...held,
  });
}

const principal = principalOf();

const message = (name: string, args: object) => ({
  body: jsonBody(
    JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: args } }),
  ),
});

// What an answer of once, and a wider one, is bound to.
const table: readonly (readonly [
  what: string,
  changes: Changes,
  once: 'same' | 'other',
  wide: 'same' | 'other',
])[] = [
  ['the same again', {}, 'same', 'same'],
  ['another body', { body: '[]' }, 'other', 'same'],
  ['another method', { method: 'PUT' }, 'other', 'other'],
  ['another path', { path: '/issues/' }, 'other', 'other'],
  ['another query', { query: '?a' }, 'other', 'other'],
  ['another type', { fields: [['content-type', 'text/plain']] }, 'other', 'same'],
  ['a field that acts', { fields: [['X-HTTP-Method-Override', 'DELETE']] }, 'other', 'other'],
  ['another tenant', { fields: [['x-tenant', 'other']] }, 'other', 'other'],
  ['another token of the workload', { fields: [['authorization', 'Bearer b']] }, 'other', 'other'],
  ['a digest of the body', { fields: [['Content-MD5', 'x']] }, 'other', 'same'],
  ['another client', { fields: [['user-agent', 'curl']] }, 'other', 'same'],
  ['a WebSocket', { held: { isUpgrade: true } }, 'other', 'other'],
  ['a trace', { fields: [['traceparent', '00-1-2-01']] }, 'same', 'same'],
  [
    'another try of an SDK',
    {
      fields: [
        ['Idempotency-Key', 'x'],
        ['x-stainless-retry-count', '2'],
      ],
    },
    'same',
    'same',
  ],
  [
    'a session that it made',
    { held: { principal: { ...principal, sessionId: 'child', narrowed: { rootId: 'session', steps: [] } } } },
    'same',
    'other',
  ],
  ['another session', { held: { principal: { ...principal, sessionId: 'other' } } }, 'other', 'other'],
  ['another rule', { held: { asks: { rule: 'r', body: 'seen', choices: askChoices } } }, 'other', 'other'],
  ['another version of the policy', { held: { policyVersion: 'v2' } }, 'other', 'other'],
  ['another policy', { held: { policyName: 'team' } }, 'other', 'other'],
  ['a body that nobody saw', { held: { body: undefined } }, 'other', 'other'],
  ['a body that nobody can look at', { held: { body: Uint8Array.of(0x1f, 0x8b) } }, 'other', 'other'],
  ['a message', { read: message('create', {}) }, 'other', 'other'],
];

for (const [what, changes, once, wide] of table)
  test(`${what} is ${once === 'same' ? 'the same' : 'another'} question${once === wide ? '' : ', and alike'}`, () => {
    const [first, second] = [asked(), asked(changes)];
    assert.equal(second.onceKey === first.onceKey ? 'same' : 'other', once);
    assert.equal(second.wideKey === first.wideKey ? 'same' : 'other', wide);
  });

test('a wider answer holds for what readers see alike, whatever the arguments', () => {
  const [first, second, third] = [
    message('create', {}),
    message('create', { a: 1 }),
    message('delete', {}),
  ].map((read) => asked({ read }).wideKey);
  assert.equal(first, second);
  assert.notEqual(first, third);
});

test('a signature of AWS is another one each time, and what it is of is not', () => {
  const signed = (by: string, signature: string, name = 'authorization'): string =>
    asked({ fields: [[name, `AWS4-HMAC-SHA256 Credential=${by}/20261127, Signature=${signature}`]] }).onceKey;
  const [one, other] = ['0f'.repeat(32), 'a1'.repeat(32)];
  assert.equal(signed('a', one), signed('a', other));
  assert.notEqual(signed('a', one), signed('b', one));
  // What only looks like one is bound whole.
  assert.notEqual(signed('a', one, 'x-note'), signed('a', other, 'x-note'));
  assert.notEqual(signed('a', `${one}&do=this`), signed('a', `${one}&do=that`));
  assert.notEqual(signed('a', '00ff'), signed('a', '1234'));
});

test('fields that are not bound are listed with their lengths, and not what they say', () => {
  const { content } = asked({
    fields: [
      ['Idempotency-Key', 'run-this'],
      ['content-length', '2'],
    ],
  });
  assert.deepEqual(content.bound.at(-1), { name: 'not bound: idempotency-key', value: '8 characters' });
  assert.ok(!content.bound.some(({ name }) => name.includes('content-length')));
});

test('people are told the request, its body and unusual fields, and no secret of the workload', () => {
  const { content, shown } = asked({
    query: '?q=1',
    body: 'title=x',
    fields: [
      ['x-org', 'acme'],
      ['x-api-key', 'hidden'],
      ['accept', '*/*'],
    ],
  });
  const bound = Object.fromEntries(content.bound.map(({ name, value }) => [name, value]));
  assert.deepEqual(bound, {
    request: 'POST https://api.test/issues?q=1',
    body: '7 bytes of application/json, SHA-256 b9782aa572484c19cfb52c4c1f00138d423e08100bd1e7337681d352d40e58a0',
    'field x-api-key': 'not shown',
    'field x-org': 'acme',
  });
  assert.equal(shown, 'title=x');
});

test('what is shown of a body is its beginning, and nothing of what is no text', () => {
  const max = defaultLimits.askShownBodyBytesMax;
  // The last character that fits is cut in two.
  const long = `${'a'.repeat(max - 1)}é and more`;
  const { shown, content } = asked({ body: long });
  assert.equal(shown, 'a'.repeat(max - 1));
  assert.equal(content.body, 'seen');
  assert.match(content.bound[1]?.value ?? '', /^16394 bytes of .*, of which the first 16384 are shown$/);
  const hidden = [
    asked({ held: { body: Uint8Array.of(0xff, 0xfe) } }),
    asked({ body: 'a\0b' }),
    // An encoding can make one text of another.
    asked({ body: 'text', fields: [['content-encoding', 'deflate']] }),
  ];
  for (const one of hidden) {
    assert.deepEqual([one.shown, one.content.body], [undefined, 'unseen']);
    assert.match(one.content.bound[1]?.value ?? '', /SHA-256 [0-9a-f]{64}, of which nothing can be shown$/);
  }
});

test('what is too long to be read is cut, and bound all the same', () => {
  const query = `?${'a'.repeat(5000)}`;
  const [one, other] = [asked({ query }), asked({ query: `${query}b` })];
  const { askBoundCharactersMax: max } = defaultLimits;
  for (const { value } of one.content.bound) assert.ok(value.length <= max);
  assert.ok(one.content.path.length <= max);
  assert.notEqual(one.onceKey, other.onceKey);
});

test('clients that wait for less than others are held for less, and none for longer than the limit', () => {
  const held = (agent: string, askTimeoutMs = 50_000): number =>
    holdMsFor(new HeaderList([['user-agent', agent]]), { ...defaultLimits, askTimeoutMs });
  assert.deepEqual(
    ['curl/8.5.0', 'pip/24.0 {}', 'python-httpx/0.28', 'okhttp/4.12', 'uv/0.9.1', 'cargo 1.90'].map((one) =>
      held(one),
    ),
    [50_000, 12_000, 4000, 8000, 25_000, 25_000],
  );
  assert.equal(held('pip/24.0', 5000), 5000);
});
