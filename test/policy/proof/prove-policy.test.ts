// Proofs beside trying every request of a small world, with every condition once true and once false.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HeaderList } from '../../../src/http/header-list.ts';
import type { CompiledPolicy } from '../../../src/policy/compiled-policy.ts';
import type { RequestAccess } from '../../../src/policy/decision.ts';
import { parsePolicy } from '../../../src/policy/parse-policy.ts';
import { parseProofQuestion, type ProofQuestion } from '../../../src/policy/proof/proof-question.ts';
import { type ProofResult, type ProofTask, provePolicy } from '../../../src/policy/proof/prove-policy.ts';
import { access, nowMs, policyOf, principal } from '../fixture.ts';

/** `npm run test:decisions` tries many more. */
const runs = Number(process.env['DECISIONS_RUNS'] ?? 12);
const statesMax = 2_000_000;

function questionOf(text: string): ProofQuestion {
  const question = parseProofQuestion(text);
  return typeof question === 'string' ? assert.fail(question) : question;
}

function prove(policies: readonly CompiledPolicy[], claim: ProofTask['claim']): ProofResult {
  return provePolicy({ policies, claim, asker: {}, nowMs, statesMax });
}

const never = (text: string, grants = false): ProofTask['claim'] => ({
  kind: 'never',
  question: questionOf(text),
  grants,
});

interface WrittenRule {
  readonly deny: boolean;
  readonly host: string;
  readonly methods: readonly string[];
  readonly paths: readonly string[];
  readonly port: number | undefined;
  /** Whether it has one, which is of this rule alone. */
  readonly condition: boolean;
  /** Whether it asks a decider, which is of this rule alone. */
  readonly decide: boolean;
}

const anyRule: fc.Arbitrary<WrittenRule> = fc.record({
  deny: fc.boolean(),
  host: fc.constantFrom('a.test', '*.a.test', 'b.a.test', '*.b.a.test', '*'),
  methods: fc.subarray(['GET', 'POST'], { minLength: 0 }),
  paths: fc.subarray(['/*', '/a', '/a/*', '/:x', '/@s/*', '/a%2Fb', '/a/b'], { minLength: 0, maxLength: 2 }),
  port: fc.constantFrom(undefined, undefined, 8443),
  condition: fc.integer({ min: 0, max: 2 }).map((n) => n === 0),
  decide: fc.integer({ min: 0, max: 5 }).map((n) => n === 0),
});
const anyRules = fc.array(anyRule, { minLength: 1, maxLength: 4 });

/** What is assumed of a rule: whether its condition is true, and its decider says so. */
interface Assumed {
  readonly condition: boolean;
  readonly decider: boolean;
}

interface Variant {
  readonly policy: CompiledPolicy;
  /** Names of deciders that allow. */
  readonly allowing: ReadonlySet<string>;
}

/** With all as it is assumed; a policy with a rule that decides nothing is refused, and not tried. */
function policyWith(rules: readonly WrittenRule[], assumed: readonly Assumed[]): Variant {
  const lines = rules.map(({ deny, host, methods, paths, port, condition, decide }, i) =>
    [
      `  - name: rule-${String(i)}`,
      `    hosts: '${host}'`,
      ...(methods.length === 0 ? [] : [`    methods: [${methods.join(', ')}]`]),
      ...(paths.length === 0 ? [] : [`    paths: [${paths.map((path) => `'${path}'`).join(', ')}]`]),
      ...(port === undefined ? [] : [`    ports: [${String(port)}]`]),
      ...(condition
        ? [`    when: request.path.size() ${assumed[i]?.condition === true ? '>=' : '<'} 0`]
        : []),
      ...(deny ? ['    deny: No.'] : decide ? [`    decide: { by: decider-${String(i)} }`] : []),
    ].join('\n'),
  );
  const result = parsePolicy([{ file: 'policy.yaml', text: `rules:\n${lines.join('\n')}\n` }]);
  fc.pre(!('problems' in result));
  const allowing = assumed.flatMap(({ decider }, i) => (decider ? [`decider-${String(i)}`] : []));
  return { policy: result.policy, allowing: new Set(allowing) };
}

const paths = [
  '/',
  '/a',
  '/a/',
  '/a/b',
  '/b',
  '/a/b/c',
  '/a%2Fb',
  '/%40s/x',
  '/@s/x',
  '/a;x',
  '/a//b',
  '/a;v%2Fb',
  '/a%252Fb',
];
const world: readonly RequestAccess[] = ['a.test', 'b.a.test', 'c.a.test', 'd.test'].flatMap((host) =>
  ['', ':8443'].flatMap((port) =>
    ['GET', 'POST', 'DELETE'].flatMap((method) =>
      paths.map((path) => {
        const asked = access(`${method} https://${host}${port}${path}`);
        return asked.depth === 'request' ? asked : assert.fail();
      }),
    ),
  ),
);

/** Every way in which the conditions of the rules and their deciders can go. */
const waysOf = (rules: readonly WrittenRule[]): readonly (readonly Assumed[])[] =>
  rules.reduce<readonly (readonly Assumed[])[]>(
    (ways, { condition, decide, deny }) => {
      const both = (isUnknown: boolean): readonly boolean[] => (isUnknown ? [true, false] : [false]);
      const next = both(condition).flatMap((one) =>
        both(decide && !deny).map((decider) => ({ condition: one, decider })),
      );
      return ways.flatMap((way) => next.map((one) => way.concat(one)));
    },
    [[]],
  );

const asks = (rules: readonly WrittenRule[]): boolean => rules.some(({ decide, deny }) => decide && !deny);

/** Whether it is allowed by none, some or all of the ways in which conditions can go. */
function verdictOf(variants: readonly Variant[], request: RequestAccess): 'never' | 'perhaps' | 'always' {
  const allowed = variants.filter(({ policy, allowing }) => {
    const decision = policy.decide(principal(), request, nowMs);
    return decision.effect === 'allow' && (decision.deciders ?? []).every(({ by }) => allowing.has(by));
  }).length;
  return allowed === 0 ? 'never' : allowed === variants.length ? 'always' : 'perhaps';
}

function requestOf({ method, url }: { readonly method: string; readonly url: string }): RequestAccess {
  const { protocol, hostname, port } = new URL(url);
  const path = url.replace(/^https?:\/\/[^/]*/, '');
  const scheme = protocol === 'http:' ? 'http' : 'https';
  const usual = scheme === 'http' ? 80 : 443;
  const destination = {
    scheme,
    host: hostname.replaceAll(/[[\]]/g, ''),
    port: port === '' ? usual : Number(port),
  } as const;
  return { depth: 'request', destination, method, path, query: '', headers: new HeaderList() };
}

const questions = [
  '* https://*/*',
  'GET https://a.test/a/*',
  'POST https://*.a.test/*',
  '* https://a.test:8443/a/b',
  'DELETE https://*/:x',
  '* https://b.a.test/@s/*',
];

/** Of the small world: by what the question says, in whatever reading. */
function isAsked(question: ProofQuestion, request: RequestAccess): boolean {
  const asks = policyOf(
    `rules:\n  - name: asked\n    hosts: '*'\n    scheme: https\n    deny: Asked.\n${
      question.path === undefined ? '' : `    paths: ['${question.path.source}']\n`
    }`,
  );
  const { host, port } = request.destination;
  const isHost =
    question.host.kind === 'any' ||
    (question.host.kind === 'exact'
      ? host === question.host.host
      : host.endsWith(`.${question.host.suffix}`));
  return (
    isHost &&
    (question.port === undefined || question.port === port) &&
    (question.method === undefined || question.method === request.method) &&
    asks.decide(principal(), request, nowMs).rule.name === 'asked'
  );
}

test('never is proven where no request of a small world is allowed, and a request against it is one', () => {
  const outcomes = { proven: 0, counterexample: 0, possible: 0, inconclusive: 0 };
  fc.assert(
    fc.property(anyRules, fc.constantFrom(...questions), (rules, text) => {
      const question = questionOf(text);
      const variants = waysOf(rules).map((conditions) => policyWith(rules, conditions));
      const [{ policy } = assert.fail()] = variants;
      const result = prove([policy], { kind: 'never', question, grants: false });
      outcomes[result.kind] += 1;
      const asked = world.filter((request) => isAsked(question, request));
      const verdicts = new Set(asked.map((request) => verdictOf(variants, request)));
      switch (result.kind) {
        case 'proven':
          assert.deepEqual(
            [...verdicts].filter((one) => one !== 'never'),
            [],
          );
          break;
        case 'possible':
          // Behind a decider more is left open than is.
          if (!asks(rules)) {
            assert.ok(!verdicts.has('always'));
            assert.equal(verdictOf(variants, requestOf(result.example)), 'perhaps', JSON.stringify(result));
          } else assert.notEqual(verdictOf(variants, requestOf(result.example)), 'never');
          assert.ok(result.example.needs.length > 0);
          break;
        case 'counterexample':
          assert.equal(verdictOf(variants, requestOf(result.example)), 'always', JSON.stringify(result));
          assert.ok(isAsked(question, requestOf(result.example)));
          break;
        case 'inconclusive':
          // Of two patterns that are read in several ways nothing is proven.
          assert.match(result.why, /read in several ways/);
          if (!asks(rules)) assert.ok(!verdicts.has('always'));
      }
    }),
    { numRuns: runs },
  );
  if (runs > 100) assert.ok(outcomes.proven > 5 && outcomes.possible > 5 && outcomes.counterexample > 5);
});

test('only is proven where no request of a small world is allowed beyond the bound', () => {
  fc.assert(
    fc.property(anyRules, anyRules, (rules, bounds) => {
      const variants = waysOf(rules).map((conditions) => policyWith(rules, conditions));
      const bound = waysOf(bounds).map((conditions) => policyWith(bounds, conditions));
      const [{ policy } = assert.fail()] = variants;
      const [{ policy: boundPolicy } = assert.fail()] = bound;
      const result = prove([policy], { kind: 'only', bound: boundPolicy });
      const isBeyond = (request: RequestAccess, by: 'certain' | 'possible'): boolean => {
        const [own, other] = [verdictOf(variants, request), verdictOf(bound, request)];
        return by === 'certain'
          ? own === 'always' && other === 'never'
          : own !== 'never' && other !== 'always';
      };
      switch (result.kind) {
        case 'proven':
          assert.equal(
            world.find((request) => isBeyond(request, 'possible')),
            undefined,
          );
          break;
        case 'possible':
          if (!asks([...rules, ...bounds]))
            assert.equal(
              world.find((request) => isBeyond(request, 'certain')),
              undefined,
            );
          assert.ok(asks(bounds) || isBeyond(requestOf(result.example), 'possible'), JSON.stringify(result));
          break;
        case 'counterexample':
          assert.ok(isBeyond(requestOf(result.example), 'certain'), JSON.stringify(result));
          break;
        case 'inconclusive':
          assert.match(result.why, /read in several ways/);
          if (asks([...rules, ...bounds])) break;
          assert.equal(
            world.find((request) => isBeyond(request, 'certain')),
            undefined,
          );
      }
    }),
    { numRuns: Math.ceil(runs / 2) },
  );
});

const api = `rules:
  - { name: api, hosts: api.test, methods: [GET, POST], paths: [/v1/*] }
  - { name: no-admin, hosts: api.test, paths: [/v1/admin/*], deny: "No." }
`;

test('a denied path is never allowed in any reading, and what is beside it is', () => {
  const policy = policyOf(api);
  assert.equal(prove([policy], never('* api.test/v1/admin/*')).kind, 'proven');
  const beside = prove([policy], never('POST https://api.test/v1/*'));
  assert.equal(beside.kind, 'counterexample');
});

test('what no rule denies may be granted, and what one denies, or a ceiling does not allow, may not', () => {
  const policy = policyOf(api);
  const granted = prove([policy], never('DELETE https://api.test/v1/x', true));
  assert.deepEqual(granted, {
    kind: 'possible',
    example: {
      method: 'DELETE',
      url: 'https://api.test/v1/x',
      fromMs: undefined,
      needs: ['somebody grants a request for access'],
    },
  });
  assert.equal(prove([policy], never('DELETE https://api.test/v1/admin/x', true)).kind, 'proven');
  const ceiling = policyOf('rules: [{ name: reads, hosts: api.test, methods: [GET] }]');
  assert.equal(prove([policy, ceiling], never('DELETE https://api.test/*', true)).kind, 'proven');
});

test('the request that needs claims, a posture, a time or an observed session says so', () => {
  const needsOf = (text: string, question: string): unknown => {
    const result = prove([policyOf(text)], never(question));
    return 'example' in result ? [result.kind, result.example.needs, result.example.fromMs] : result;
  };
  const rule = (more: string): string => `rules: [{ name: r, hosts: a.test, ${more} }]`;
  const needs = (key: string): unknown => [
    'possible',
    [`the rule r (policy.yaml:1) allows it: \`${key}\` holds`],
    undefined,
  ];
  assert.deepEqual(needsOf(rule('for: { team: web }'), '* a.test/*'), needs('for'));
  assert.deepEqual(needsOf(rule('require: [jailed]'), '* a.test/*'), needs('require'));
  assert.deepEqual(needsOf(rule('paths: [/mcp], mcp: { tools: [search] }'), '* a.test/*'), needs('mcp'));
  const later = `rules:
  - { name: all, hosts: a.test }
  - { name: not-yet, hosts: a.test, expires: 2031-01-01T00:00:00Z, deny: "Wait." }
`;
  assert.deepEqual(needsOf(later, 'GET https://a.test/'), [
    'counterexample',
    [],
    Date.parse('2031-01-01T00:00:00Z'),
  ]);
  assert.deepEqual(needsOf('mode: observe\nrules: [{ name: r, hosts: b.test }]', 'GET https://a.test/'), [
    'counterexample',
    [],
    undefined,
  ]);
});

test('a connection that is passed on unopened lets every request through', () => {
  const policy = policyOf('rules: [{ name: blind, hosts: a.test, tls: passthrough }]');
  const result = prove([policy], never('DELETE https://a.test/x'));
  assert.equal(result.kind, 'counterexample');
});

test('what is no question says what to write', () => {
  for (const text of [
    '',
    'GET',
    'get https://a.test/',
    'GET https://a.test/(x)',
    'GET https://a.b.*/',
    'GET a.test:0/',
    'GET https://a.test/a?b',
  ])
    assert.equal(typeof parseProofQuestion(text), 'string', text);
  assert.deepEqual(questionOf('* *.a.test').path, undefined);
});

test('more states than are allowed is said, and nothing is proven', () => {
  const task: ProofTask = {
    policies: [policyOf(api)],
    claim: never('* api.test/v1/admin/*'),
    asker: {},
    nowMs,
    statesMax: 50,
  };
  assert.equal(provePolicy(task).kind, 'inconclusive');
});

const jailed = 'rules: [{ name: r, hosts: a.test, for: { team: web }, require: [jailed] }]';
const proofOf = (text: string, question: string, asker: ProofTask['asker']): string =>
  provePolicy({ policies: [policyOf(text)], claim: never(question), asker, nowMs, statesMax }).kind;

test('claims without a posture, and a posture without claims, leave the other open', () => {
  assert.equal(proofOf(jailed, 'GET https://a.test/x', { posture: ['jailed'] }), 'possible');
  assert.equal(proofOf(jailed, 'GET https://a.test/x', { claims: { team: 'web' } }), 'possible');
  assert.equal(proofOf(jailed, 'GET https://a.test/x', { claims: { team: 'other' } }), 'proven');
  const both = { claims: { team: 'web' }, posture: ['jailed'] };
  assert.equal(proofOf(jailed, 'GET https://a.test/x', both), 'counterexample');
});

test('wildcards below wildcards have hosts of their own', () => {
  const policy = policyOf(`rules:
  - { name: r, hosts: "*.example.com" }
  - { name: d, hosts: "*.admin.example.com", deny: "No." }
`);
  const result = prove([policy], never('GET https://*.example.com/x'));
  assert.equal(result.kind, 'counterexample');
  assert.equal(prove([policy], never('GET https://*.admin.example.com/x')).kind, 'proven');
});

test('a bound that observes some sessions alone bounds the others', () => {
  const policy = policyOf('rules: [{ name: r, hosts: a.test }]');
  const bound = policyOf(
    'mode: observe\nrules: [{ name: x, hosts: a.test, mode: enforce, for: { team: web }, methods: [GET] }]',
  );
  assert.notEqual(prove([policy], { kind: 'only', bound }).kind, 'proven');
});

test('a bound that changes a body needs one that can be read', () => {
  const rule = '- { name: g, hosts: a.test, methods: [POST]';
  const policy = policyOf(`rules:\n  ${rule} }\n`);
  const bound = policyOf(`rules:\n  ${rule}, rewrite: { request: { set: { /model: small } } } }\n`);
  assert.equal(prove([policy], { kind: 'only', bound }).kind, 'possible');
});

test('what a ceiling denies beyond hosts and paths is no counterexample', () => {
  const blind = policyOf('rules: [{ name: r, hosts: a.test, tls: passthrough }]');
  const ceiling = policyOf('rules: [{ name: c, hosts: a.test }]');
  assert.notEqual(prove([blind, ceiling], never('GET https://a.test/')).kind, 'counterexample');
});

test('a connection that one rule would pass on and another has to see is refused', () => {
  const policy = policyOf(`rules:
  - { name: pass, hosts: a.test, tls: passthrough, for: { team: web } }
  - { name: g, hosts: a.test, methods: [GET] }
  - { name: d, hosts: a.test, paths: [/x], for: { role: ops }, deny: "No." }
`);
  const asker = { claims: { team: 'web', role: 'ops' }, posture: [] };
  const claim = never('GET https://a.test/y');
  assert.equal(provePolicy({ policies: [policy], claim, asker, nowMs, statesMax }).kind, 'proven');
});

test('nothing is proven of patterns of which one is read in one way and another in the next', () => {
  const policy = policyOf("rules: [{ name: r, hosts: a.test, paths: ['/%3B*', '/;@/;%252F'] }]");
  const request = access('GET https://a.test/%3B%40/');
  assert.equal(policy.decide(principal(), request, nowMs).effect, 'allow');
  assert.notEqual(prove([policy], never('GET https://a.test/%3B%40/')).kind, 'proven');
  const alone = policyOf("rules: [{ name: r, hosts: a.test, paths: '/@:scope%2F:name' }]");
  assert.equal(prove([alone], never('POST https://b.test/*')).kind, 'proven');
  assert.equal(prove([alone], never('* https://a.test/admin/*')).kind, 'proven');
});
