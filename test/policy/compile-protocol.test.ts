import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { parsePolicy } from '../../src/policy/parse-policy.ts';
import { access, principal } from './fixture.ts';

const known = { credentials: ['orders', 'token'], logins: ['orders'], trust: ['own'] };

function read(rule: string) {
  return parsePolicy(
    [{ file: 'p.yaml', text: `rules: [{ name: db, hosts: db.example.com, ${rule} }]` }],
    known,
  );
}

const postgres = 'postgres: { databases: a }';

test('a rule with a protocol opens its port to it, with the credential that logs in', () => {
  const result = read(
    'protocol: postgres, postgres: { databases: [a, b, a], parameters: { Role: x, jit: false } }, inject: orders, trust: own',
  );
  assert.ok('policy' in result);
  const decide = (port: number, scheme: 'tcp' | 'https' = 'tcp') =>
    result.policy.decide(
      principal(),
      { depth: 'connect', destination: { scheme, host: 'db.example.com', port } },
      0,
    );
  const decision = decide(5432);
  assert.ok(decision.effect === 'allow');
  assert.deepEqual(decision.end, {
    protocol: 'postgres',
    databases: ['a', 'b'],
    parameters: { role: 'x', jit: 'false' },
    authentication: ['scram-sha-256'],
    clientAuthentication: 'none',
    allowsPlaintext: false,
  });
  assert.deepEqual(
    [decision.handling, decision.inject, decision.trust],
    ['raw', [{ credential: 'orders' }], ['own']],
  );
  assert.equal(decide(5433).effect, 'deny');
  assert.deepEqual(result.policy.capturePorts(principal()), [5432]);
  // Whatever is said in HTTP there, the rule is none for it.
  assert.equal(
    result.policy.decide(principal(), access('GET https://db.example.com:5432/'), 0).effect,
    'deny',
  );
});

test('what a rule with a protocol cannot mean is refused, and what goes with it alone elsewhere', () => {
  for (const [rule, said] of [
    [`protocol: postgres, ${postgres}`, /logs in with one credential/],
    [`protocol: postgres, ${postgres}, inject: [orders, token]`, /logs in with one credential/],
    [`protocol: postgres, ${postgres}, inject: token`, /needs one of kind login/],
    [`protocol: postgres, ${postgres}, inject: unknown`, /there is no credential/],
    ['protocol: postgres, inject: orders', /does not say which databases/],
    [`${postgres}, scheme: tcp, ports: 1`, /goes with protocol/],
    ['inject: orders', /of kind login, which is put on no request/],
    ['scheme: tcp, ports: 5432, inject: orders', /raw TCP is not looked into|of kind login/],
    [`protocol: postgres, ${postgres}, inject: orders, scheme: https`, /is spoken over TCP/],
    [`protocol: postgres, ${postgres}, inject: orders, methods: GET`, /no requests of HTTP in it/],
    [`protocol: postgres, ${postgres}, inject: orders, paths: /a`, /no requests of HTTP in it/],
    [`protocol: postgres, ${postgres}, inject: orders, mode: observe`, /nothing to observe/],
    [`protocol: postgres, ${postgres}, inject: orders, tls: passthrough`, /never opened/],
    [`protocol: postgres, ${postgres}, inject: orders, limits: { requestsPerSession: 1 }`, /bytesPerSession/],
    [`protocol: postgres, ${postgres}, deny: true`, /no meaning in a rule that denies/],
    ['protocol: mongodb, inject: orders', /write postgres, mysql, redis or ssh/],
    ['protocol: mysql', /logs in with one credential/],
    ['mysql: {}, scheme: tcp, ports: 1', /goes with protocol: mysql/],
    ['protocol: mysql, inject: orders, mysql: { databases: [] }', /name of a database/],
    [
      'protocol: mysql, inject: orders, mysql: { authentication: sha256_password }',
      /write caching_sha2_password, client_ed25519/,
    ],
    ['protocol: redis', /logs in with one credential/],
    ['redis: {}, scheme: tcp, ports: 1', /goes with protocol: redis/],
    [`protocol: redis, inject: orders, ${postgres}`, /goes with protocol: postgres/],
    ['protocol: redis, inject: orders, redis: { commands: { allow: auth } }', /never passed on as they are/],
    ['protocol: redis, inject: orders, redis: { commands: { deny: HELLO } }', /never passed on as they are/],
    ['protocol: redis, inject: orders, redis: { commands: { allow: "get key" } }', /names of Redis/],
    ['protocol: postgres, postgres: {}, inject: orders', /databases/],
    ['protocol: postgres, postgres: { databases: a, parameters: { user: x } }, inject: orders', /settings/],
    [
      'protocol: postgres, postgres: { databases: a, parameters: { options: x } }, inject: orders',
      /settings/,
    ],
    [
      'protocol: postgres, postgres: { databases: a, parameters: { a: 1, A: 2 } }, inject: orders',
      /stands twice/,
    ],
    [
      'protocol: postgres, postgres: { databases: a, authentication: trust }, inject: orders',
      /scram-sha-256/,
    ],
  ] as const) {
    const result = read(rule);
    assert.ok('problems' in result, rule);
    assert.match(result.problems.map(({ message }) => message).join('; '), said, rule);
  }
});

test('one rule for a host and port ends its protocol: raw TCP or HTTP beside it is refused', () => {
  const rule = `{ name: db, hosts: db.example.com, protocol: postgres, ${postgres}, inject: orders }`;
  for (const [other, said] of [
    ['{ name: other, hosts: db.example.com, scheme: tcp, ports: 5432 }', /can never decide/],
    ['{ name: other, hosts: db.example.com, ports: 5432 }', /would take the connections/],
    [
      '{ name: other, hosts: db.example.com, protocol: postgres, postgres: { databases: b }, inject: orders }',
      /can never decide/,
    ],
  ] as const) {
    const result = parsePolicy([{ file: 'p.yaml', text: `rules: [${rule}, ${other}]` }], known);
    assert.ok('problems' in result, other);
    assert.match(result.problems.map(({ message }) => message).join('; '), said);
  }
});

test('the rule for MySQL in the guide is a rule', () => {
  const guide = new URL('../../docs/guides/database-without-a-password.md', import.meta.url);
  const keys = /```yaml\n( {4}protocol: mysql\n[^]*?)```/.exec(readFileSync(guide, 'utf8'))?.[1] ?? '';
  const text = `version: 1\nrules:\n  - name: shop-db\n    hosts: shop-db.example.com\n${keys}`;
  const result = parsePolicy([{ file: 'p.yaml', text }], {
    credentials: ['shop-login'],
    logins: ['shop-login'],
  });
  assert.ok('policy' in result, JSON.stringify(result));
  assert.match(text, /mysql: \{ databases: shop \}/);
});

test('the rules of the guides are rules, and each logs in with the credential beside it', () => {
  for (const [guide, login, protocol] of [
    ['database-without-a-password', 'orders-login', 'postgres'],
    ['redis-without-a-password', 'cache-login', 'redis'],
  ] as const) {
    const text = readFileSync(new URL(`../../docs/guides/${guide}.md`, import.meta.url), 'utf8');
    const policy = /```yaml\n# policy\.yaml\n([^]*?)```/.exec(text)?.[1] ?? '';
    const own = `${policy}    ${/```yaml\n(redis: [^\n]*)\n```/.exec(text)?.[1] ?? ''}\n`;
    for (const rules of [policy, own]) {
      const result = parsePolicy([{ file: 'p.yaml', text: rules }], {
        credentials: [login],
        logins: [login],
        trust: ['company'],
      });
      assert.ok('policy' in result, JSON.stringify(result));
      assert.match(rules, new RegExp(`protocol: ${protocol}\n`));
    }
    assert.match(text, new RegExp(`${login}:\n {4}kind: login\n`));
  }
});
