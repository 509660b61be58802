// Fuzz target: policy files, most of them nearly right, and requests against those that are taken. Options as in
// run-target.ts.

import assert from 'node:assert/strict';

import { parseAuthority } from '../src/http/authority.ts';
import { HeaderList } from '../src/http/header-list.ts';
import { canonicalTarget } from '../src/http/request-target.ts';
import type { CompiledPolicy } from '../src/policy/compiled-policy.ts';
import type { AccessRequest } from '../src/policy/decision.ts';
import { explain } from '../src/policy/explain.ts';
import { parsePolicy } from '../src/policy/parse-policy.ts';
import { pick, pieces, runTarget, type Random } from './run-target.ts';

const hosts = [
  'a.example.com',
  '"*.example.com"',
  '"*.b.example.com"',
  '192.0.2.1',
  '"2001:db8::1"',
  '"*"',
  '"*.com"',
  '[a.example.com, c.test.example]',
];
const keys: Readonly<Record<string, readonly string[]>> = {
  methods: ['GET', '[GET, PUT]', 'get', '[]'],
  paths: ['/a/*', '/:x', '["/a{/b}?", /c]', '"/@:s%2f:n"', '/a(b)', '"/x:y"', '/:x+', '/*?', '/**/b'],
  scheme: ['https', 'http', 'tcp', '[http, https]'],
  ports: ['443', '[80, 8443]', '0'],
  deny: ['true', 'no', '{ reason: x }'],
  inject: ['token', '[token, other]'],
  tls: ['passthrough', 'intercept'],
  addresses: ['10.0.0.0/8', '0.0.0.0/0', '"fd00::/8"'],
  for: ['{ n: 1 }', '{ t: "a*" }', '{}'],
  require: ['jailed', '[nondumpable]'],
  mode: ['observe', 'enforce'],
  when: ['request.method == "GET"', 'claims.n == 1', 'request.path.matches("a")', '1 +'],
  limits: ['{ bodyBytes: 1 MiB }', '{ bodyBytes: -1 }'],
  expires: ['2030-01-01T00:00:00Z', 'soon'],
};
const noise = [
  '{',
  '}',
  '[',
  ']',
  ':',
  ',',
  '-',
  '\n',
  '  ',
  '&a',
  '*a',
  '!t',
  '"',
  "'",
  '#',
  '---',
  '<<',
  '%',
  '|',
  '?',
  '\t',
  '__proto__',
];

function rule(random: Random, number: number): string {
  const chosen = Object.entries(keys).filter(() => random(7) === 0);
  const rest = chosen.map(([key, values]) => `, ${key}: ${pick(random, values)}`).join('');
  return `  - { name: r${number}, hosts: ${pick(random, hosts)}${rest} }\n`;
}

/** A policy of a few rules; every fourth has a piece of noise in it. */
function generate(random: Random): string {
  const head = pick(random, ['', '', 'version: 1\n', 'mode: observe\n', 'for: { n: 1 }\n']);
  const count = 1 + random(4);
  const text = `${head}rules:\n${Array.from({ length: count }, (_, i) => rule(random, i)).join('')}`;
  if (random(4) !== 0) return text;
  const at = random(text.length + 1);
  return text.slice(0, at) + pieces(random, noise, 3) + text.slice(at + random(3));
}

const principals = [{}, { n: 1 }, { n: 1, t: 'ab' }].map((claims) => ({
  id: 'i',
  sessionId: 's',
  claims,
  posture: ['jailed'],
}));
const targets = ['/', '/a/b', '/a%2Fb', '/c', '/@s%2Fn', '//a', '/a;x/b', '/%61'];
const accesses: readonly AccessRequest[] = [
  'a.example.com',
  'x.b.example.com',
  'other.test',
  '192.0.2.1',
  '[2001:db8::1]',
].flatMap((name) => {
  const { host, port } = parseAuthority(name, { defaultPort: 443 });
  const connect = (['https', 'http', 'tcp'] as const).map((scheme): AccessRequest => ({
    depth: 'connect',
    destination: { scheme, host, port },
  }));
  const requests = targets.flatMap((target) =>
    ['GET', 'PUT'].map((method): AccessRequest => {
      const destination = { scheme: 'https', host, port } as const;
      const { path, query } = canonicalTarget(target);
      return { depth: 'request', destination, method, path, query, headers: new HeaderList() };
    }),
  );
  return connect.concat(requests);
});

/** What must hold for every decision of every policy that is taken. */
function checkDecisions(policy: CompiledPolicy): void {
  for (const principal of principals) {
    for (const access of accesses) {
      const decision = policy.decide(principal, access, 0);
      const rule = policy.rules.find(({ reference }) => reference.name === decision.rule.name);
      assert.deepEqual(explain(policy, { principal, access, nowMs: 0 }).decision, decision);
      if (decision.effect === 'deny') {
        assert.ok(rule === undefined ? decision.rule.name === 'default-deny' : rule.effect === 'deny');
        continue;
      }
      const isObserved = decision.rule.name === 'observe';
      assert.ok(isObserved || rule?.effect === 'allow');
      assert.ok(
        decision.inject.length === 0 || (access.depth === 'request' && access.destination.scheme === 'https'),
      );
      assert.ok(!isObserved || (decision.inject.length === 0 && decision.addresses.length === 0));
      assert.ok(access.destination.scheme !== 'tcp' || decision.handling === 'raw');
      assert.ok(access.depth === 'connect' || decision.handling === 'intercept');
    }
  }
}

function check(text: string): boolean {
  const result = parsePolicy([{ file: 'p', text }], { credentials: ['token', 'other'] });
  if ('problems' in result) {
    const lines = text.split('\n').length;
    assert.ok(result.problems.some(({ severity }) => severity === 'error'));
    for (const { line, column, message } of result.problems) {
      assert.ok(
        line >= 1 && line <= lines + 1 && column >= 1 && message !== '',
        `${line}:${column} ${message}`,
      );
    }
    return false;
  }
  checkDecisions(result.policy);
  return true;
}

await runTarget({ name: 'policy', generate, check });
