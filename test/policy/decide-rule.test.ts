// What `decide` of a rule takes and refuses, and what it covers.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bothDeciders, decideCovers, decidersStill, type RuleDecide } from '../../src/policy/decide-rule.ts';
import { explain } from '../../src/policy/explain.ts';
import { access, nowMs, policyOf, principal, problemsOf } from './fixture.ts';

const rule = (keys: string): string => `rules: [{ name: r, hosts: a.example.com, ${keys} }]`;
const known = { deciders: ['opa', 'judge'] };

test('what cannot be kept is a problem with its place', () => {
  const table = [
    ['decide: { by: opa }', undefined],
    ['decide: { by: opa, onError: deny, body: unseen, cacheMs: 5 }', undefined],
    ['decide: { by: other }', /no decider "other" in the gateway's configuration; it has opa, judge/],
    ['decide: { url: https://opa.example.com }', /deciders stand in the gateway's configuration/],
    ['decide: opa', /write decide: \{ by: NAME \}/],
    ['decide: { by: opa, onError: allow }', /a decider that cannot be asked allows nothing/],
    ['decide: { by: opa, timeoutMs: 0 }', /milliseconds from 1 to 60000/],
    ['decide: { by: opa, timeoutMs: 60001 }', /milliseconds from 1 to 60000/],
    ['decide: { by: opa, cacheMs: 3600001 }', /milliseconds from 1 to 3600000/],
    ['decide: { by: opa }, deny: true', /"decide" has no meaning in a rule that denies/],
    ['decide: { by: opa }, tls: passthrough', /"decide" cannot be kept/],
    ['decide: { by: opa }, scheme: tcp, ports: 22', /"decide" cannot be kept/],
    [
      `decide: { by: opa, mayAdd: [${Array.from({ length: 33 }, (_, i) => `x-${String(i)}`).join()}] }`,
      /deciderFieldsMax/,
    ],
    ...[
      'host',
      'Authorization',
      'cookie',
      'content-length',
      'Content-Type',
      'transfer-encoding',
      'connection',
      'proxy-authorization',
      'x-forwarded-for',
      'x-http-method-override',
      'X_HTTP_Method_Override',
      'x-original-url',
      'x-remote-user',
      'x-amz-copy-source',
      'if-match',
      'expect',
      'sec-websocket-key',
      'upgrade',
      'via',
      'range',
      'x-api-key',
      'private-token',
      'x-goog-api-key',
      'x-amz-security-token',
      'x-amz-target',
      'soapaction',
    ].map((name) => [`decide: { by: opa, mayAdd: ${name} }`, /remove it/] as const),
    ...['host', 'content-type', 'if-match', 'transfer-encoding', 'expect', 'range'].map(
      (name) => [`decide: { by: opa, mayRemove: ${name} }`, /remove it/] as const,
    ),
    ['decide: { by: opa, mayRemove: [authorization, cookie] }', undefined],
  ] as const;
  for (const [keys, expected] of table) {
    const problems = problemsOf(rule(keys), known).join('\n');
    if (expected === undefined) assert.equal(problems, '', keys);
    else assert.match(problems, expected, keys);
  }
  // Without the configuration names are not compared.
  assert.deepEqual(problemsOf(rule('decide: { by: other }')), []);
});

const plain: RuleDecide = {
  by: 'opa',
  timeoutMs: 1000,
  body: 'whole',
  cacheMs: 0,
  mayAdd: [],
  mayRemove: [],
  isOnTrial: false,
};

test('one decider covers another if nothing comes by the other that it would not have allowed', () => {
  const table: readonly (readonly [
    outer: Partial<RuleDecide>,
    inner: Partial<RuleDecide>,
    covers: boolean,
  ])[] = [
    [{}, {}, true],
    [{}, { timeoutMs: 5 }, true],
    [{}, { by: 'judge' }, false],
    [{}, { body: 'unseen' }, false],
    [{ body: 'unseen' }, {}, true],
    [{}, { cacheMs: 5 }, false],
    [{ cacheMs: 5 }, {}, true],
    [{}, { mayAdd: ['x-a'] }, false],
    [{ mayAdd: ['x-a', 'x-b'] }, { mayAdd: ['x-a'] }, true],
    [{}, { mayRemove: ['x-a'] }, false],
    [{}, { isOnTrial: true }, false],
    [{ isOnTrial: true }, {}, true],
  ];
  for (const [outer, inner, covers] of table)
    assert.equal(
      decideCovers({ ...plain, ...outer }, { ...plain, ...inner }),
      covers,
      JSON.stringify([outer, inner]),
    );
  assert.equal(decideCovers(undefined, plain), true);
  assert.equal(decideCovers(plain, undefined), false);
  assert.deepEqual(bothDeciders([plain], [{ ...plain }]), [plain]);
});

test('what runs goes on only if all that have to allow it now have done so', () => {
  const judge = { ...plain, by: 'judge' };
  assert.equal(decidersStill(undefined, undefined), true);
  assert.equal(decidersStill(undefined, [plain]), true);
  assert.equal(decidersStill([plain], undefined), false);
  assert.equal(decidersStill([plain], [plain, judge]), true);
  assert.equal(decidersStill([plain, judge], [plain]), false);
});

test('policy explain says who else has to allow it', () => {
  const policy = policyOf(
    rule('decide: { by: opa, timeoutMs: 5, body: unseen, cacheMs: 9, mayAdd: x-a, mayRemove: x-b }'),
  );
  const { text } = explain(policy, {
    principal: principal(),
    access: access('GET https://a.example.com/'),
    nowMs,
  });
  assert.match(
    text,
    /if this allows it too: opa within 5 ms, the body unseen, cached for 9 ms, may add x-a, may remove x-b/,
  );
});
