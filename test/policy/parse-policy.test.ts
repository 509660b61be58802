import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parsePolicy, type ParsePolicyOptions } from '../../src/policy/parse-policy.ts';
import { brokenConditions } from './broken-conditions.ts';
import { brokenDocumentsAndHosts } from './broken-documents-and-hosts.ts';
import { brokenFirstAttempts } from './broken-first-attempts.ts';
import { brokenValuesAndOrders } from './broken-values-and-orders.ts';
import { policyOf, principal, problemsOf, verdict } from './fixture.ts';

describe('a broken policy is refused with file, line, column, what is wrong and what to write', () => {
  const brokenPolicies = [
    ...brokenDocumentsAndHosts,
    ...brokenConditions,
    ...brokenFirstAttempts,
    ...brokenValuesAndOrders,
  ];
  for (const [name, text, expected, options] of brokenPolicies) {
    test(name, () => assert.deepEqual(problemsOf(text, options), expected));
  }
});

describe('a doubtful policy is taken with a warning', () => {
  const rows: readonly [string, string, readonly string[]][] = [
    [
      'a host twice',
      'rules: [{ name: a, hosts: [a.example.com, A.example.com] }]',
      ['p:1:43: warning: the host a.example.com stands twice in this rule; remove one'],
    ],
    [
      'a path that every operation shares',
      'rules: [{ name: a, hosts: a.example.com, methods: [POST], paths: /graphql }]',
      [
        'p:1:66: warning: every operation of /graphql goes to this one path, so the rule does not bound what is done there; give the credential fewer rights, or allow GET only',
      ],
    ],
    [
      'JSON-RPC, with any method',
      'rules: [{ name: a, hosts: a.example.com, paths: [/x, /api/jsonrpc] }]',
      [
        'p:1:54: warning: every operation of /api/jsonrpc goes to this one path, so the rule does not bound what is done there; give the credential fewer rights, or allow GET only',
      ],
    ],
    [
      'git without its operations',
      'rules: [{ name: a, hosts: a.example.com, git: { repository: acme/app } }]',
      [
        'p:1:47: warning: "operations" is not written, so the rule allows pushes beside fetches; write operations: fetch, or [fetch, push] if that is meant',
      ],
    ],
    [
      'git with them, and a rule that denies all of git',
      'rules: [{ name: a, hosts: a.example.com, git: { repository: acme/app, operations: [fetch, push] } }, { name: b, hosts: b.example.com, git: {}, deny: true }]',
      [],
    ],
    [
      'a deny for https beside raw TCP on another port',
      'rules: [{ name: a, hosts: a.example.com, scheme: tcp, ports: 22 }, { name: b, hosts: a.example.com, scheme: https, deny: true }]',
      [],
    ],
    [
      'the same path for reading only',
      'rules: [{ name: a, hosts: a.example.com, methods: GET, paths: /graphql }]',
      [],
    ],
  ];
  for (const [name, text, expected] of rows) {
    test(name, () => assert.deepEqual(problemsOf(text), expected));
  }
});

test('a credential that goes wherever the workload writes it is told where a rule bounds nothing of that', () => {
  const warned = (more: string): readonly string[] =>
    problemsOf(`rules: [{ name: a, hosts: a.example.com, inject: [key, other]${more} }]`, {
      placeholders: ['key'],
    });
  const [line = '', ...more] = warned('');
  assert.match(line, /^p:1:51: warning: key is put wherever the workload writes its placeholder/);
  assert.deepEqual(more, []);
  assert.equal(warned(', methods: [GET, POST]').length, 1);
  assert.deepEqual(warned(', methods: [GET, HEAD]'), []);
  assert.deepEqual(warned(', paths: /oauth/token'), []);
});

test('no file at all denies everything, an empty one is a mistake that is told', () => {
  const none = parsePolicy([]);
  assert.ok('policy' in none);
  assert.equal(verdict(none.policy, 'GET https://example.com/'), 'deny default-deny');
  assert.deepEqual(problemsOf(''), ['p:1:1: error: the document is empty; write a map with the key rules']);
});

test('groups are known in all files, whatever their order, and may come from tools', () => {
  const texts = [
    'rules: [{ name: a, include: [registries, tools], hosts: own.example.com }]',
    'groups: { registries: { hosts: ["*.registry.example.com"] }, tools: { discover: npm, hosts: b.example.com } }',
  ];
  const policy = policyOf(texts, { discovered: new Map([['npm', ['npm.example.com']]]) });
  for (const host of ['own.example.com', 'x.registry.example.com', 'npm.example.com', 'b.example.com']) {
    assert.equal(verdict(policy, `GET https://${host}/`), 'allow a');
  }
});

test('problems of several files are all told, errors first', () => {
  const lines = problemsOf([
    'rules: [{ name: a, hosts: [a.example.com, a.example.com] }]',
    'rules: [{ name: b, hosts: "*" }]',
  ]);
  assert.deepEqual(
    lines.map((line) => line.split(': ', 2).join(': ')),
    ['p1:1:27: error', 'p0:1:43: warning'],
  );
});

test('the version is told by the caller, or follows the text', () => {
  const version = (text: string, options?: ParsePolicyOptions): string => policyOf(text, options).version;
  const text = 'rules: [{ name: a, hosts: a.example.com }]';
  assert.equal(version(text, { version: 'v7' }), 'v7');
  assert.equal(version(text), version(text));
  assert.notEqual(version(text), version(`${text} `));
});

test('names that objects have by nature are claims and groups like others', () => {
  assert.match(
    problemsOf('rules: [{ name: a, include: constructor }]').join(),
    /there is no group "constructor"/,
  );
  const policy = policyOf(
    'rules: [{ name: a, hosts: a.example.com, for: { constructor: x, toString: "*" } }]',
  );
  assert.equal(verdict(policy, 'GET https://a.example.com/'), 'deny default-deny');
  const claims = { constructor: 'x', toString: 'y' };
  assert.equal(verdict(policy, 'GET https://a.example.com/', principal({ claims })), 'allow a');
});

test('hosts are counted in each rule that includes their group, and too many are refused before they are indexed', () => {
  const hosts = Array.from({ length: 2001 }, (_, i) => `h${i}.example.com`);
  const rules = Array.from({ length: 100 }, (_, i) => `  - { name: r${i}, include: many, paths: /a${i} }\n`);
  const text = `groups: { many: { hosts: [${hosts.join(', ')}] } }\nrules:\n${rules.join('')}`;
  assert.match(problemsOf(text).join('\n'), /^p:1:1: error: the rules have 200100 hosts.*at most 200000/);
});

test('five thousand rules are read, checked against each other, and decide', () => {
  const rules = Array.from(
    { length: 5000 },
    (_, i) =>
      `  - { name: r${i}, hosts: [h${i}.example.com, "*.w${i}.example.com"], methods: [GET], paths: "/a/${i}/*" }\n`,
  );
  const policy = policyOf(`rules:\n${rules.join('')}`);
  assert.equal(verdict(policy, 'GET https://x.w4999.example.com/a/4999/x'), 'allow r4999');
});

test('a version that there is not is refused', () => {
  assert.ok('problems' in parsePolicy([{ file: 'p', text: 'version: 2\nrules: []' }]));
});
