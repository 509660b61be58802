import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { diffPolicies, diffText, type PolicyDiff } from '../../src/policy/diff-policy.ts';
import { policyOf } from './fixture.ts';

const diff = (before: string, after: string): PolicyDiff => diffPolicies(policyOf(before), policyOf(after));
const rules = (...list: readonly string[]): string =>
  `rules: [${list.map((one) => `{ ${one} }`).join(', ')}]`;

test('the same policy written otherwise has no difference in meaning', () => {
  const text = diffText(
    diff(
      rules('name: a, hosts: a.example.com'),
      '# comment\nrules:\n  - name: a\n    scheme: https\n    hosts: [A.example.com]\n    ports: 443\n',
    ),
  );
  assert.equal(text, 'no difference in meaning\n');
});

test('that refs may be deleted now is said', () => {
  const git = (changes: string): string =>
    rules(`name: a, hosts: a.example.com, git: { repository: a/b, operations: push${changes} }`);
  const text = diffText(diff(git(''), git(', changes: [create, update, delete]')));
  assert.match(text, /changes create, update → push; repository a\/b; any change \(widened\)/);
});

describe('what a change of one key does to what can be reached', () => {
  const rows: readonly (readonly [string, string, string])[] = [
    ['methods: GET', 'methods: [GET, HEAD]', 'methods widened'],
    ['methods: GET', '', 'methods widened'],
    ['paths: /a/*', 'paths: /a/b', 'paths narrowed'],
    ['paths: /a/*', 'paths: /b/*', 'paths changed'],
    ['', 'when: request.port > 1', 'when narrowed'],
    ['for: { team: a }', '', 'for widened'],
    ['require: jailed', 'require: [jailed, untraced]', 'require narrowed'],
    ['expires: 2031-01-01T00:00:00Z', 'expires: 2032-01-01T00:00:00Z', 'expires widened'],
    ['', 'ports: [443, 8443]', 'ports widened'],
    ['', 'inject: token', 'inject widened'],
    ['', 'addresses: 10.0.0.0/8', 'addresses widened'],
    ['', 'limits: { bodyBytes: 10 }', 'limits narrowed'],
    ['limits: { bodyBytes: 10 }', 'limits: { bodyBytes: 20 }', 'limits widened'],
    ['', 'mode: observe', 'mode widened'],
    ['', 'tls: passthrough', 'tls widened'],
    ['deny: true', 'deny: true, methods: PUT', 'methods widened'],
    ['deny: true, methods: PUT', 'deny: true, methods: [PUT, POST]', 'methods narrowed'],
    ['', 'deny: true', 'deny narrowed'],
  ];
  for (const [before, after, expected] of rows) {
    test(`${before || 'nothing'} → ${after || 'nothing'}: ${expected}`, () => {
      const base = 'name: r, hosts: a.example.com';
      const { changed } = diff(
        rules(before === '' ? base : `${base}, ${before}`),
        rules(after === '' ? base : `${base}, ${after}`),
      );
      const keys = (changed[0]?.keys ?? []).map(({ key, direction }) => `${key} ${direction}`);
      assert.ok(keys.includes(expected), keys.join());
    });
  }
});

test('hosts that open and close, credentials that reach others, rules added, removed and moved', () => {
  const result = diff(
    rules(
      'name: one, hosts: a.example.com, inject: token',
      'name: two, hosts: old.example.com',
      'name: three, hosts: c.example.com, paths: /x',
    ),
    rules(
      'name: three, hosts: c.example.com, paths: /x',
      'name: one, hosts: [a.example.com, "*.new.example.com"], inject: token',
      'name: four, hosts: db.example.com, scheme: tcp, ports: 5432',
    ),
  );
  assert.deepEqual(result.opened, ['https://*.new.example.com', 'tcp db.example.com:5432']);
  assert.deepEqual(result.closed, ['https://old.example.com']);
  assert.deepEqual(result.credentialsGained, [{ credential: 'token', host: '*.new.example.com' }]);
  assert.deepEqual(
    [result.added.map(({ name }) => name), result.removed.map(({ name }) => name)],
    [['four'], ['two']],
  );
  assert.equal(result.moved.length, 1);
  const text = diffText(result);
  assert.match(text, /credentials that reach new hosts:\n {2}token to \*\.new\.example\.com\n/);
  assert.match(
    text,
    /allow one \(policy\.yaml:1\): widened\n {6}hosts: a\.example\.com → a\.example\.com, \*\.new\.example\.com \(widened\)/,
  );
});

test('a host below a wildcard that was open before does not open', () => {
  const { opened } = diff(
    rules('name: w, hosts: "*.example.com"'),
    rules('name: w, hosts: "*.example.com"', 'name: a, hosts: b.example.com, ports: 8443'),
  );
  assert.deepEqual(opened, ['https://b.example.com:8443']);
});

test('a file that begins to observe is told', () => {
  assert.deepEqual(diff('rules: []', 'mode: observe').modes, ['files for every session: enforce → observe']);
});
