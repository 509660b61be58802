import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BoundPolicies } from '../../src/policy/bound-policies.ts';
import type { RuleDecide } from '../../src/policy/decide-rule.ts';
import type { AllowDecision, Decision } from '../../src/policy/decision.ts';
import type { GraphqlIds } from '../../src/policy/graphql-ids.ts';
import { allowWithin } from '../../src/policy/within-ceiling.ts';
import { access, nowMs, policyOf, principal } from './fixture.ts';
import type { PostgresEnd } from '../../src/policy/postgres-end.ts';
import type { ProtocolEnd } from '../../src/policy/protocol-rule.ts';
import type { MysqlEnd } from '../../src/policy/mysql-end.ts';
import type { RedisEnd } from '../../src/policy/redis-end.ts';

type Part = Partial<AllowDecision>;
type Case = readonly [own: Part, bound: Part, expected: Part | 'deny'];

function allow(part: Part): AllowDecision {
  return {
    effect: 'allow',
    rule: { name: 'r' },
    handling: 'intercept',
    inject: [],
    addresses: [],
    limits: {},
    ...part,
  };
}

function call(outputTokens: number | undefined): NonNullable<AllowDecision['llm']> {
  const open = {
    models: undefined,
    streaming: undefined,
    tools: undefined,
    unbounded: [],
    budget: undefined,
  };
  return { api: 'anthropic', outputTokens, ...open };
}

const judge = (by: string, timeoutMs: number, onError: 'deny' | 'allow') => ({ by, timeoutMs, onError });

/** Of a value that is the looser one and one that is the stricter one; the stricter holds, whoever says it. */
function stricter(loose: Part, strict: Part): readonly Case[] {
  return [
    [loose, loose, loose],
    [strict, strict, strict],
    [loose, strict, strict],
    [strict, loose, strict],
  ];
}

const passthrough = { handling: 'passthrough' } as const;
const credential = { inject: [{ credential: 'npm' }] };

const asked = (by: string): RuleDecide => ({
  by,
  timeoutMs: 1000,
  body: 'whole',
  cacheMs: 0,
  mayAdd: [],
  mayRemove: [],
  isOnTrial: false,
});

const one = { kind: 'exact', host: 'one.test', isAddress: false } as const;
const other = { kind: 'suffix', suffix: 'test' } as const;
const npm = { registry: 'npm', root: undefined, name: 'a' } as const;
const ownRoot = { scheme: 'https', host: 'npm.test', port: 443, path: '/own' } as const;
const ids = (at: string): GraphqlIds => ({ from: { repository: { owner: 'acme' } }, at: [at], text: [] });

const raw = { handling: 'raw' } as const;
const mysql = (more: Partial<MysqlEnd> = {}): { readonly end: ProtocolEnd } => ({
  end: {
    protocol: 'mysql',
    databases: ['a'],
    authentication: ['client_ed25519'],
    allowsPlaintext: false,
    ...more,
  },
});
const redis = (more: Partial<RedisEnd> = {}): { readonly end: ProtocolEnd } => ({
  end: { protocol: 'redis', allow: ['default'], deny: [], isPlaintext: false, ...more },
});
const ended = (more: Partial<PostgresEnd> = {}): { readonly end: ProtocolEnd } => ({
  end: {
    protocol: 'postgres',
    databases: ['a'],
    parameters: {},
    authentication: ['scram-sha-256'],
    clientAuthentication: 'none',
    allowsPlaintext: false,
    ...more,
  },
});

// With every key of a decision but what narrowed policies add behind it: a new one has to say here which of two holds.
const table: { readonly [Key in Exclude<keyof AllowDecision, 'effect' | 'narrowed'>]-?: readonly Case[] } = {
  rule: [[{ rule: { name: 'own' } }, { rule: { name: 'bound' } }, { rule: { name: 'own' } }]],
  handling: (['passthrough', 'raw'] as const).flatMap((handling): readonly Case[] => [
    [{ handling }, { handling }, { handling }],
    [{ handling }, {}, 'deny'],
    [{}, { handling }, 'deny'],
  ]),
  // Any bytes are more than one protocol, and each of its keys only narrows it.
  end: [
    [{ ...raw, ...ended() }, { ...raw }, { ...raw, ...ended() }],
    [{ ...raw }, { ...raw, ...ended() }, 'deny'],
    [
      { ...raw, ...ended() },
      { ...raw, ...ended() },
      { ...raw, ...ended() },
    ],
    [
      { ...raw, ...ended({ databases: ['b'] }) },
      { ...raw, ...ended({ databases: ['a', 'b'] }) },
      { ...raw, ...ended({ databases: ['b'] }) },
    ],
    [{ ...raw, ...ended({ databases: ['a', 'b'] }) }, { ...raw, ...ended() }, 'deny'],
    [{ ...raw, ...ended() }, { ...raw, ...ended({ parameters: { role: 'x' } }) }, 'deny'],
    [{ ...raw, ...ended({ authentication: ['md5'] }) }, { ...raw, ...ended() }, 'deny'],
    [{ ...raw, ...ended({ allowsPlaintext: true }) }, { ...raw, ...ended() }, 'deny'],
    [{ ...raw, ...redis() }, { ...raw, ...ended() }, 'deny'],
    [{ ...raw, ...mysql() }, { ...raw, ...ended() }, 'deny'],
    ...(
      [
        [{}, {}, true],
        [{}, { databases: [] }, true],
        [{ databases: [] }, {}, false],
        [{ databases: ['a', 'b'] }, {}, false],
        [{}, { databases: ['a', 'b'] }, true],
        [{ authentication: ['mysql_native_password'] }, {}, false],
        [{ allowsPlaintext: true }, {}, false],
        [{}, { allowsPlaintext: true }, true],
      ] as const
    ).map(([own, bound, isCovered]): Case => {
      const inner = { ...raw, ...mysql(own) };
      return [inner, { ...raw, ...mysql(bound) }, isCovered ? inner : 'deny'];
    }),
    [{ ...raw, ...ended() }, { ...raw, ...redis() }, 'deny'],
    ...(
      [
        [{}, {}, true],
        [{ allow: ['get'] }, {}, true],
        [{ allow: ['default', 'eval'] }, {}, false],
        [{ allow: ['default', 'eval'], deny: ['eval'] }, {}, true],
        [{}, { deny: ['keys'] }, false],
        [{ deny: ['keys', 'sort'] }, { deny: ['keys'] }, true],
        [{ allow: ['client|kill'] }, { allow: ['client'] }, true],
        [{ allow: ['client'] }, { allow: ['client|kill'] }, false],
        [{ allow: ['client'] }, { allow: ['client'], deny: ['client|kill'] }, false],
        [{ allow: ['client'], deny: ['client|kill'] }, { allow: ['client'], deny: ['client|kill'] }, true],
        [{ isPlaintext: true }, {}, false],
        [{}, { isPlaintext: true }, true],
      ] as const
    ).map(([own, bound, isCovered]): Case => {
      const inner = { ...raw, ...redis(own) };
      return [inner, { ...raw, ...redis(bound) }, isCovered ? inner : 'deny'];
    }),
  ],
  inject: [
    [credential, credential, credential],
    [{}, credential, {}],
    [credential, {}, 'deny'],
  ],
  llm: [
    ...stricter({}, { llm: call(undefined) }),
    ...stricter({ llm: call(2) }, { llm: call(1) }),
    ...stricter({ llm: call(undefined) }, { llm: call(1) }),
  ],
  package: [
    [
      { package: { registry: 'npm', root: undefined, name: 'a' } },
      {},
      { package: { registry: 'npm', root: undefined, name: 'a' } },
    ],
    ...stricter({ package: npm }, { package: { ...npm, hides: true, minAgeMs: 5, keptUntilMs: 9 } }),
    ...stricter({ package: npm }, { package: { ...npm, integrity: 'asked' } }),
    ...stricter({ package: { ...npm, integrity: 'asked' } }, { package: { ...npm, integrity: 'required' } }),
    [
      { package: { ...npm, minAgeMs: 5 } },
      { package: { ...npm, root: ownRoot, minAgeMs: 7 }, awaits: 'publish-times' },
      { package: { ...npm, root: ownRoot, minAgeMs: 7 }, awaits: 'publish-times' },
    ],
  ],
  registryFile: stricter({}, { registryFile: { registry: 'cargo', root: undefined } }),
  showsLists: stricter({}, { showsLists: true }),
  readsOperations: [
    [{ readsOperations: true }, {}, { readsOperations: true }],
    [{}, { readsOperations: true }, { readsOperations: true }],
  ],
  learnsIds: [
    [{ learnsIds: [ids('a')] }, {}, { learnsIds: [ids('a')] }],
    [{}, { learnsIds: [ids('b')] }, { learnsIds: [ids('b')] }],
    [{ learnsIds: [ids('a')] }, { learnsIds: [ids('b')] }, { learnsIds: [ids('a'), ids('b')] }],
  ],
  addresses: [
    ...stricter({ addresses: ['10.0.0.0/8'] }, { addresses: ['10.1.0.0/16'] }),
    ...stricter({ addresses: ['10.0.0.0/8'] }, { addresses: [] }),
  ],
  limits: [
    ...stricter({ limits: { bodyBytes: 2 } }, { limits: { bodyBytes: 1 } }),
    ...stricter({ limits: {} }, { limits: { bodyBytes: 1 } }),
    // What counts is the policy's alone: a ceiling with it is refused.
    [
      { limits: { requestsPerSession: 5, whenStoreAway: 'continue' } },
      {},
      { limits: { requestsPerSession: 5, whenStoreAway: 'continue' } },
    ],
  ],
  budget: [[{ budget: 'one' }, {}, { budget: 'one' }]],
  bodies: stricter({}, { bodies: 'where-defined' }),
  asks: [
    ...stricter({}, { asks: { rule: 'own', body: 'seen', choices: ['once'] } }),
    // Unseen only where both say so, and as far as both let an answer go.
    ...stricter(
      { asks: { rule: 'own', body: 'unseen', choices: ['once', 'session'] } },
      { asks: { rule: 'own', body: 'seen', choices: ['once'] } },
    ),
    [
      { asks: { rule: 'own', body: 'seen', choices: ['minutes'] } },
      { asks: { rule: 'bound', body: 'seen', choices: ['session'] } },
      { asks: { rule: 'own', body: 'seen', choices: ['once'] } },
    ],
  ],
  homeWrites: stricter({ homeWrites: true }, {}),
  // What is handed out is kept if either says so; what was kept goes on if both do.
  logIn: [
    [{ logIn: { name: 'a', isIssuer: true } }, {}, { logIn: { name: 'a', isIssuer: true } }],
    [{}, { logIn: { name: 'a', isIssuer: true } }, { logIn: { name: 'a', isIssuer: true } }],
    [
      { logIn: { name: 'a' } },
      { logIn: { name: 'a', isIssuer: true } },
      { logIn: { name: 'a', isIssuer: true } },
    ],
    [{ logIn: { name: 'a' } }, { logIn: { name: 'a' } }, { logIn: { name: 'a' } }],
    [{ logIn: { name: 'a' } }, { logIn: { name: 'b' } }, {}],
    [{ logIn: { name: 'a' } }, {}, {}],
    [{}, { logIn: { name: 'a' } }, {}],
  ],
  continuesTrace: stricter({ continuesTrace: true }, {}),
  // What either keeps, and nothing that either leaves out: a ceiling is how an operator keeps for all.
  capture: [
    ...stricter({}, { capture: { bytesMax: 9, redact: ['a'] } }),
    [
      { capture: { bytesMax: 9, redact: ['a'] } },
      { capture: { bytesMax: 5, redact: ['b'] } },
      { capture: { bytesMax: 9, redact: ['a', 'b'] } },
    ],
  ],
  leaks: [
    ...stricter({}, { leaks: { on: 'alert', find: ['shape'], allow: [] } }),
    ...stricter(
      { leaks: { on: 'alert', find: ['shape'], allow: ['a', 'b'] } },
      { leaks: { on: 'block', find: ['credential', 'shape'], allow: ['a'] } },
    ),
    [
      { leaks: { on: 'block', find: ['shape'], allow: ['a'] } },
      { leaks: { on: 'redact', find: ['canary'], allow: ['b'] } },
      { leaks: { on: 'block', find: ['canary', 'shape'], allow: [] } },
    ],
  ],
  rewrite: [
    ...stricter({}, { rewrite: { request: { set: [], drop: [['a']], redact: [] } } }),
    [
      { rewrite: { request: { set: [], drop: [['a']], redact: [] } } },
      { rewrite: { request: { set: [], drop: [], redact: [['b']] } } },
      { rewrite: { request: { set: [], drop: [['a']], redact: [['b']] } } },
    ],
  ],
  // What one of them opens is opened.
  isAuto: [
    [
      { ...passthrough, isAuto: true },
      { ...passthrough, isAuto: true },
      { ...passthrough, isAuto: true },
    ],
    [passthrough, { ...passthrough, isAuto: true }, { ...passthrough, isAuto: true }],
    [{ ...passthrough, isAuto: true, addresses: ['10.0.0.0/8'] }, {}, {}],
    [{}, { ...passthrough, isAuto: true, addresses: ['10.0.0.0/8'] }, {}],
  ],
  // Both are asked, and what is the same twice once.
  deciders: [
    ...stricter({}, { deciders: [asked('opa')] }),
    [
      { deciders: [asked('opa')] },
      { deciders: [asked('judge'), asked('opa')] },
      { deciders: [asked('opa'), asked('judge')] },
    ],
  ],
  screen: [
    ...stricter({}, { screen: { on: 'alert', find: ['phrase'], judges: [] } }),
    [
      {
        screen: { on: 'alert', find: ['phrase'], judges: [judge('a', 10, 'allow'), judge('b', 10, 'allow')] },
      },
      { screen: { on: 'block', find: ['canary'], judges: [judge('c', 10, 'allow'), judge('b', 7, 'deny')] } },
      {
        screen: {
          on: 'block',
          find: ['canary', 'phrase'],
          judges: [judge('a', 10, 'allow'), judge('b', 7, 'deny'), judge('c', 10, 'allow')],
        },
      },
    ],
  ],
  refusesEch: stricter(passthrough, { ...passthrough, refusesEch: true }),
  // A name has to be one of each.
  dns: [
    [{ dns: [[one]] }, {}, { dns: [[one]] }],
    [{}, { dns: [[one]] }, { dns: [[one]] }],
    [{ dns: [[one]] }, { dns: [[other]] }, { dns: [[one], [other]] }],
  ],
  // Two ways out are none.
  exit: [
    [{ exit: 'a' }, { exit: 'a' }, { exit: 'a' }],
    [{ exit: 'a' }, {}, { exit: 'a' }],
    [{}, { exit: 'a' }, { exit: 'a' }],
    [{ exit: 'a' }, { exit: 'b' }, 'deny'],
  ],
  trust: [
    ...stricter({ trust: ['a', 'b'] }, { trust: ['a'] }),
    ...stricter({ trust: ['a'] }, {}),
    [{ trust: ['a'] }, { trust: ['b'] }, {}],
  ],
  removedFields: stricter({}, { removedFields: ['x-a'] }),
  scrub: [
    ...stricter({ scrub: { quietMs: 100 } }, { scrub: { quietMs: 200 } }),
    ...stricter({ scrub: { quietMs: 60_000 } }, {}),
  ],
  isByDestination: stricter({ isByDestination: true }, {}),
  awaits: stricter({}, { awaits: 'git-commands' }),
  // On trial only where all that look at it are.
  awaitsOnTrial: [
    ...stricter({}, { awaits: 'body', awaitsOnTrial: true }),
    ...stricter({ awaits: 'body', awaitsOnTrial: true }, { awaits: 'body' }),
    ...stricter({ awaits: 'git-commands' }, { awaits: 'body', awaitsOnTrial: true }),
  ],
  // What is published is read before anything else of the body.
  awaitsOf: [
    ...stricter({}, { awaits: 'publication', awaitsOf: npm }),
    [{ awaits: 'body' }, { awaits: 'publication', awaitsOf: npm }, { awaits: 'publication', awaitsOf: npm }],
  ],
  observed: [
    [{ observed: 'own' }, {}, { observed: 'own' }],
    [{}, { observed: 'bound' }, { observed: 'bound' }],
    // A rule on trial that denies does not take away what the rule that allows bounds.
    [credential, { observed: 'bound' }, 'deny'],
    [{ addresses: ['10.0.0.0/8'] }, { observed: 'bound' }, { observed: 'bound' }],
    [credential, { rule: { name: 'observe' }, observed: 'x' }, { ...credential, observed: 'x' }],
  ],
};

for (const [key, cases] of Object.entries(table))
  test(`of what a policy and its ceiling say of ${key} the stricter holds`, () => {
    for (const [own, bound, expected] of cases) {
      const decision: Decision = allowWithin(allow(own), allow(bound));
      const what = JSON.stringify([own, bound]);
      if (expected === 'deny') assert.equal(decision.effect, 'deny', what);
      else assert.deepEqual(decision, allow(expected), what);
    }
  });

test('a rule of the ceiling that would deny and is on trial leaves the credentials of its rules as they are', () => {
  const policies = new BoundPolicies('v', [
    {
      name: 'ceiling',
      policy: policyOf(
        'rules: [{ name: all, hosts: a.example.com }, { name: soon, hosts: a.example.com, deny: true, mode: observe }]',
      ),
    },
    {
      name: 'main',
      policy: policyOf('rules: [{ name: npm, hosts: a.example.com, inject: npm }]', { credentials: ['npm'] }),
    },
  ]);
  const { effect, rule } = policies.decide(principal(), access('GET https://a.example.com/'), nowMs);
  assert.deepEqual([effect, rule.policy, rule.name], ['deny', 'ceiling', 'all']);
});
