// `tls: auto`: which connections pass unopened, and what opens them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BoundPolicies } from '../../src/policy/bound-policies.ts';
import type { AllowDecision, Policy, Principal } from '../../src/policy/decision.ts';
import { explain } from '../../src/policy/explain.ts';
import { NarrowedPolicy } from '../../src/policy/narrowed-policy.ts';
import { policySchema } from '../../src/policy/policy-schema.ts';
import { access, nowMs, policyOf, principal, problemsOf } from './fixture.ts';
import { keysOf } from './schema-keys.ts';

const connection = access('https://a.example.com');
const host = 'hosts: a.example.com';
const auto = `{ name: auto, ${host}, tls: auto }`;
const rules = (...all: readonly string[]): string => `rules: [${all.join(', ')}]`;

function handlingOf(policy: Policy, who: Principal = principal()): string {
  const decision = policy.decide(who, connection, nowMs);
  return decision.effect === 'allow'
    ? `${decision.handling}${decision.isAuto === true ? ' auto' : ''}`
    : 'denied';
}

const passes = 'passthrough auto';

/** A value for each key of a rule. Some have others beside them. */
const keys: Readonly<Record<string, readonly [keys: string, handling: string]>> = {
  description: ['description: Ours.', passes],
  include: ['include: group', passes],
  dangerouslyAllowWideHosts: ['dangerouslyAllowWideHosts: true', passes],
  scheme: ['scheme: [https, http]', passes],
  ports: ['ports: [443, 8443]', passes],
  for: ['for: { team: a }', passes],
  require: ['require: jailed', passes],
  expires: ['expires: 2031-01-01T00:00:00Z', passes],
  addresses: ['addresses: 10.0.0.0/8', passes],
  exit: ['exit: direct', passes],
  methods: ['methods: GET', 'intercept'],
  paths: ['paths: /a', 'intercept'],
  git: ['git: { repository: acme/app }', 'intercept'],
  mcp: ['paths: /mcp, mcp: { tools: a }', 'intercept'],
  graphql: ['paths: /graphql, graphql: { queries: a }', 'intercept'],
  llm: ['llm: { api: openai-chat }', 'intercept'],
  when: ['when: request.path == "/a"', 'intercept'],
  inject: ['inject: token', 'intercept'],
  requestFields: ['requestFields: destination', 'intercept'],
  scrub: ['inject: token, scrub: { quietMs: 5 }', 'intercept'],
  trust: ['trust: ours', 'intercept'],
  bodies: ['bodies: where-defined', 'intercept'],
  homeCredentials: ['homeCredentials: write', 'intercept'],
  logIn: ['logIn: github', 'intercept'],
  trace: ['trace: continue', 'intercept'],
  capture: ['capture: { bodies: true }', 'intercept'],
  leaks: ['leaks: { on: alert }', 'intercept'],
  rewrite: ['rewrite: { response: { drop: /a } }', 'intercept'],
  screen: ['screen: { on: alert }', 'intercept'],
  decide: ['decide: { by: opa }', 'intercept'],
  ask: ['ask: true', 'intercept'],
  packages: ['packages: { registry: npm }', 'intercept'],
  limits: ['limits: { requestsPerSession: 5 }', 'intercept'],
  mode: ['mode: observe', 'intercept'],
};
// Of datagrams, a protocol that the gateway ends, and what it signs, there is no TLS that could pass; what a rule includes of the catalogue has keys of its own.
const others = new Set([
  'name',
  'hosts',
  'tls',
  'deny',
  'catalog',
  'protocol',
  'postgres',
  'mysql',
  'redis',
  'ssh',
  'sign',
  'dns',
]);

test('every key of a rule is known: what is looked at, changed, counted or kept opens its connections', () => {
  const written = keysOf(policySchema).flatMap((key) => /^rules\[\]\.(\w+)$/.exec(key)?.[1] ?? []);
  assert.deepEqual(written.filter((key) => !others.has(key)).toSorted(), Object.keys(keys).toSorted());
  const who = principal({ claims: { team: 'a' }, posture: ['jailed'] });
  for (const [key, [text, expected]] of Object.entries(keys)) {
    const groups = 'groups: { group: { hosts: b.example.com } }\n';
    assert.equal(
      handlingOf(policyOf(groups + rules(`{ name: r, ${host}, tls: auto, ${text} }`)), who),
      expected,
      key,
    );
    // The same of a rule of its host that stands behind it.
    const behind =
      groups +
      rules(
        `{ name: r, ${host}, tls: auto, ports: 443 }`,
        `{ name: s, ${host}, ports: [443, 8443], ${text.replace('ports: [443, 8443]', 'description: x')} }`,
      );
    assert.equal(handlingOf(policyOf(behind), who), expected, `${key} behind`);
  }
});

test('it is never the default, and a file can say it for its rules', () => {
  assert.equal(handlingOf(policyOf(rules(`{ name: r, ${host} }`))), 'intercept');
  assert.equal(handlingOf(policyOf(rules(auto))), passes);
  assert.equal(handlingOf(policyOf(`tls: auto\n${rules(`{ name: r, ${host} }`)}`)), passes);
  assert.equal(
    handlingOf(policyOf(`tls: auto\n${rules(`{ name: r, ${host}, tls: intercept }`)}`)),
    'intercept',
  );
  assert.equal(
    handlingOf(policyOf(`tls: auto\nleaks: { on: alert }\n${rules(`{ name: r, ${host} }`)}`)),
    'intercept',
  );
  assert.equal(handlingOf(policyOf(`mode: observe\n${rules(auto)}`)), 'intercept');
  // What another file observes sees everything.
  assert.equal(handlingOf(policyOf([rules(auto), 'mode: observe'])), 'intercept');
});

test('a rule that denies opens what it has to look into, and closes the rest', () => {
  const deny = (more: string): string => `{ name: no, ${host}, ${more} }`;
  assert.equal(handlingOf(policyOf(rules(auto, deny('methods: POST, deny: true')))), 'intercept');
  assert.equal(
    handlingOf(policyOf(rules(auto, deny('methods: POST, deny: true, mode: observe')))),
    'intercept',
  );
  assert.equal(handlingOf(policyOf(rules(auto, deny('deny: true, for: { team: b }')))), passes);
  assert.equal(
    handlingOf(
      policyOf(rules(auto, deny('deny: true, for: { team: b }'))),
      principal({ claims: { team: 'b' } }),
    ),
    'denied',
  );
  const byWildcard = policyOf(rules(auto, '{ name: w, hosts: "*.example.com", methods: POST, deny: true }'));
  assert.equal(handlingOf(byWildcard), 'intercept');
});

test('requests of it can be decided, where they are opened, and its budget of bytes is kept', () => {
  const policy = policyOf(
    rules(`{ name: r, ${host}, tls: auto, addresses: 10.0.0.0/8, limits: { bytesPerSession: 5 } }`),
  );
  const request = policy.decide(principal(), access('POST https://a.example.com/x'), nowMs);
  assert.equal(request.effect, 'allow');
  const decision = policy.decide(principal(), connection, nowMs) as AllowDecision;
  assert.equal(decision.isAuto, true);
  assert.deepEqual([decision.addresses, decision.limits], [['10.0.0.0/8'], { bytesPerSession: 5 }]);
});

test('under a ceiling it passes only if both let it', () => {
  const bound = (ceiling: string, own: string): string =>
    handlingOf(
      new BoundPolicies('v', [
        { name: 'main', policy: policyOf(rules(own)) },
        { name: 'ceiling', policy: policyOf(ceiling) },
      ]),
    );
  const intercepts = `{ name: r, ${host} }`;
  assert.equal(bound(rules(auto), auto), passes);
  assert.equal(bound(rules(intercepts), auto), 'intercept');
  assert.equal(bound(rules(auto), intercepts), 'intercept');
  assert.equal(bound(`mode: observe\n${rules('{ name: o, hosts: other.example.com }')}`, auto), 'intercept');
  assert.equal(bound(rules(intercepts), `{ name: r, ${host}, tls: passthrough }`), 'denied');
});

test('the agent is told where it may pass, and of no host where a rule itself needs more', () => {
  const policy = policyOf(
    `tls: auto\n${rules('{ name: a, hosts: [a.example.com, "*.b.example.com"] }', '{ name: c, hosts: c.example.com, methods: GET }', '{ name: d, hosts: d.example.com, ports: 8443 }')}`,
  );
  assert.deepEqual(policy.blindHosts(principal()), [
    'a.example.com:80',
    'a.example.com:443',
    '*.b.example.com:80',
    '*.b.example.com:443',
    'd.example.com:8443',
  ]);
});

test('policy check says what is lost, and where it has no effect', () => {
  assert.match(problemsOf(rules(auto)).join(), /warning: connections for which no rule needs more/);
  assert.match(
    problemsOf(rules(`{ name: r, ${host}, tls: auto, methods: GET }`)).join(),
    /warning: "methods" of this rule needs to see requests, so its connections are always opened/,
  );
  assert.match(
    problemsOf(`tls: auto\n${rules(`{ name: r, ${host} }`)}`).join(),
    /p:1:\d+: warning: connections/,
  );
  assert.deepEqual(problemsOf(`tls: auto\n${rules(`{ name: r, ${host}, methods: GET }`)}`), []);
  assert.match(problemsOf(rules(`{ name: r, ${host}, scheme: http, tls: auto }`)).join(), /no TLS over http/);
  assert.match(problemsOf(`tls: passthrough\n${rules(auto)}`).join(), /write auto, or leave it out/);
});

test('policy explain says for which rule a connection is opened', () => {
  const policy = policyOf(rules(auto, `{ name: posts, ${host}, methods: POST, deny: true }`));
  const asked = { principal: principal(), access: connection, nowMs };
  assert.match(explain(policy, asked).text, /tls: auto opens it for: posts .*\(methods\)/);
  assert.match(explain(policyOf(rules(auto)), asked).text, /connection: passthrough/);
  assert.doesNotMatch(explain(policyOf(rules(auto)), asked).text, /opens it for/);
});

test('a session that was made with less opens what its own rules look into', () => {
  const base = policyOf(rules(auto));
  const handled = (own: string): string => {
    const steps = [{ sessionId: 'child', policy: policyOf(own) }];
    return handlingOf(new NarrowedPolicy(base), principal({ narrowed: { rootId: 'root', steps } }));
  };
  assert.equal(handled(rules(auto)), passes);
  assert.equal(handled(rules(`{ name: r, ${host} }`)), 'intercept');
  assert.equal(handled(rules(`{ name: r, ${host}, methods: GET }`)), 'intercept');
});
