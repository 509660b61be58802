// Each key of a policy, with what it changes: one policy with the key and one without, the same question to both.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HeaderList } from '../../src/http/header-list.ts';
import type { AccessRequest, Decision, Principal, RequestAccess } from '../../src/policy/decision.ts';
import { policySchema } from '../../src/policy/policy-schema.ts';
import { JsonObject, UnreadableBody } from '../../src/understand/json-value.ts';
import { loadGraphqlParser } from '../../src/understand/graphql-parser.ts';
import { readGraphql } from '../../src/understand/graphql-request.ts';
import { access, jsonBody, nowMs, policyOf, principal } from './fixture.ts';
import { askRows } from './ask-rows.ts';
import { catalogRows } from './catalog/catalog-rows.ts';
import { decideRows } from './decide-rows.ts';
import { logInRows } from './log-in-rows.ts';
import { llmRows } from './llm-rows.ts';
import { packageKeyRows } from './package-key-rows.ts';
import { protocolRows } from './protocol-rows.ts';
import { keysOf } from './schema-keys.ts';
import { signRows } from './sign-rows.ts';
import { tlsRows } from './tls-rows.ts';
import { wayRows } from './way-rows.ts';

interface Row {
  readonly key: string;
  readonly with: string;
  readonly without: string;
  readonly asked?: string;
  readonly fields?: readonly [string, string][];
  /** What was read of its body. */
  readonly read?: Pick<RequestAccess, 'pushed' | 'pushOptions' | 'body' | 'graphql' | 'package' | 'signs'>;
  readonly who?: Principal;
  /** What of the decision the key is about; its effect and rule by default. */
  readonly sees?: (decision: Decision) => unknown;
  readonly expected: readonly [withKey: unknown, withoutKey: unknown];
}

const get = 'GET https://a.example.com/x';
const [rule, host] = [(keys: string) => `rules: [{ name: r, ${keys} }]`, 'hosts: a.example.com'];
const fetched = 'POST https://a.example.com/acme/app.git/git-upload-pack';
const pushed = 'POST https://a.example.com/acme/app.git/git-receive-pack';
const [allowed, denied] = ['allow r', 'deny default-deny'];
const message = 'POST https://a.example.com/mcp';
const asking = (method: string, params: object): object => ({ jsonrpc: '2.0', id: 1, method, params });
const called = (name: string, input: object = {}): object => asking('tools/call', { name, arguments: input });
const pin = `sha256:${'a'.repeat(64)}`;
/** A message that the rule allows with the key, and without it not; or the other way round. */
const mcpRow = (
  key: string,
  withKey: string,
  without: string,
  sent: object,
  opens = true,
): readonly Row[] => [
  {
    key: `rules[].mcp.${key}`,
    with: rule(`${host}, paths: /mcp, mcp: { ${withKey} }`),
    without: rule(`${host}, paths: /mcp, mcp: { ${without} }`),
    asked: message,
    read: { body: jsonBody(JSON.stringify(sent)) },
    expected: opens ? [allowed, denied] : [denied, allowed],
  },
];
const graphqlAsked = 'POST https://a.example.com/graphql';
const parser = await loadGraphqlParser();
/** Operations that the rule allows with the key, and without it not; or the other way round. */
const graphqlRow = (key: string, withKey: string, without: string, body: object, opens = true): Row => {
  const read = jsonBody(JSON.stringify(body));
  const source = { method: 'POST', query: '', body: read };
  return {
    key: `rules[].graphql.${key}`,
    with: rule(`${host}, paths: /graphql, graphql: { ${withKey} }`),
    without: rule(`${host}, paths: /graphql, graphql: { ${without} }`),
    asked: graphqlAsked,
    read: { body: read, graphql: readGraphql(source, { parser, sha256: () => '' }) },
    expected: opens ? [allowed, denied] : [denied, allowed],
  };
};
const learning = 'ids: { from: { a: { x: 1 } }, at: c.id }';
const mutated = { query: 'mutation { b(id: "x") }' };
const form = { value: new JsonObject(new Map([['query', '{ a }']])), octets: 13 };
const formBody = { kind: 'unreadable', reason: 'is a form', form } as const;
const withFiles = {
  body: formBody,
  graphql: readGraphql({ method: 'POST', query: '', body: formBody }, { parser, sha256: () => '' }),
};
const graphqlRows: readonly Row[] = [
  graphqlRow('queries', 'queries: a', 'mutations: a', { query: '{ a }' }),
  graphqlRow('mutations', 'mutations: a', 'queries: a', { query: 'mutation { a }' }),
  graphqlRow('subscriptions', 'subscriptions: a', 'queries: a', { query: 'subscription { a }' }),
  graphqlRow(
    'arguments',
    'queries: a, arguments: { a: { owner: acme } }',
    'queries: a',
    { query: '{ a(owner: "other") }' },
    false,
  ),
  graphqlRow('introspection', 'queries: a, introspection: true', 'queries: "*"', {
    query: '{ __schema { x } }',
  }),
  graphqlRow('names', 'queries: a, names: Known', 'queries: a', { query: '{ a }' }, false),
  graphqlRow('depthMax', 'queries: a, depthMax: 1', 'queries: a', { query: '{ a { b } }' }, false),
  graphqlRow('aliasesMax', 'queries: a, aliasesMax: 1', 'queries: a', { query: '{ x: a y: a }' }, false),
  graphqlRow('costMax', 'queries: a, costMax: 9', 'queries: a', { query: '{ a(first: 10) }' }, false),
  graphqlRow('batch', 'queries: a, batch: true', 'queries: a', [{ query: '{ a }' }]),
  graphqlRow('ids', `queries: a, mutations: b, ${learning}`, 'mutations: b', mutated, false),
  graphqlRow(
    'ids.text',
    `queries: a, mutations: b, ${learning.replace('c.id', 'c.id, text: id')}`,
    `queries: a, mutations: b, ${learning}`,
    mutated,
  ),
  {
    ...graphqlRow('ids.from', `queries: [a, b], ${learning}`, 'queries: [a, b]', { query: '{ a }' }),
    sees: (decision) => (decision.effect === 'allow' ? decision.learnsIds?.[0]?.from : undefined),
    expected: [{ a: { x: 1 } }, undefined],
  },
  {
    ...graphqlRow('ids.at', `queries: [a, b], ${learning}`, 'queries: [a, b]', { query: '{ a }' }),
    sees: (decision) => (decision.effect === 'allow' ? decision.learnsIds?.[0]?.at : undefined),
    expected: [['c.id'], undefined],
  },
  {
    ...graphqlRow('uploads', 'queries: a, uploads: true', 'queries: a', {}),
    read: withFiles,
  },
  {
    ...graphqlRow('webSocket', 'queries: a, webSocket: true', 'queries: a', {}),
    asked: 'GET https://a.example.com/graphql',
    read: {
      body: { kind: 'unreadable', reason: 'is that of a WebSocket', webSocket: ['graphql-ws'] },
      graphql: new UnreadableBody('is that of a WebSocket'),
    },
  },
  graphqlRow('persisted', 'persisted: x', 'queries: "*"', { documentId: 'x' }),
];
const observing = 'rules: [{ name: other, hosts: b.example.com }]';
const limit = (key: string, value: string, expected: number): Row => ({
  key: `rules[].limits.${key}`,
  with: rule(`${host}, limits: { ${key}: ${value} }`),
  without: rule(host),
  sees: (decision) => (decision.effect === 'allow' ? decision.limits : undefined),
  expected: [{ [key]: expected }, {}],
});

/** Of a file and of a rule. */
function leakRows(key: string, policyOfLeaks: (leaks: string) => string): readonly Row[] {
  const sees = (decision: Decision): unknown => (decision.effect === 'allow' ? decision.leaks : undefined);
  const all = ['credential', 'canary', 'shape'];
  const hash = '0123456789abcdef0123456789abcdef';
  const blocks = policyOfLeaks('{ on: block }');
  const found = { on: 'block', find: all, allow: [] };
  return [
    { key, with: blocks, without: policyOfLeaks(''), sees, expected: [found, undefined] },
    {
      key: `${key}.on`,
      with: policyOfLeaks('{ on: alert }'),
      without: blocks,
      sees,
      expected: [{ ...found, on: 'alert' }, found],
    },
    {
      key: `${key}.find`,
      with: policyOfLeaks('{ on: block, find: canary }'),
      without: blocks,
      sees,
      expected: [{ ...found, find: ['canary'] }, found],
    },
    {
      key: `${key}.allow`,
      with: policyOfLeaks(`{ on: block, allow: "${hash}" }`),
      without: blocks,
      sees,
      expected: [{ ...found, allow: [hash] }, found],
    },
  ];
}

const rows: readonly Row[] = [
  { key: 'version', with: `version: 1\n${rule(host)}`, without: rule(host), expected: [allowed, allowed] },
  {
    key: 'mode',
    with: `mode: observe\n${observing}`,
    without: observing,
    expected: ['allow observe', denied],
  },
  { key: 'for', with: `for: { team: a }\n${rule(host)}`, without: rule(host), expected: [denied, allowed] },
  {
    key: 'require',
    with: `require: jailed\n${rule(`${host}, inject: token`)}`,
    without: rule(`${host}, inject: token`),
    expected: [denied, allowed],
  },
  {
    key: 'groups',
    with: `groups: { g: { hosts: a.example.com } }\n${rule('hosts: b.example.com, include: g')}`,
    without: rule('hosts: b.example.com'),
    expected: [allowed, denied],
  },
  {
    key: 'groups.<name>.description',
    with: `groups: { g: { description: The hosts., hosts: a.example.com } }\n${rule('include: g')}`,
    without: `groups: { g: { hosts: a.example.com } }\n${rule('include: g')}`,
    expected: [allowed, allowed],
  },
  {
    key: 'groups.<name>.hosts',
    with: `groups: { g: { hosts: [a.example.com, b.example.com] } }\n${rule('include: g')}`,
    without: `groups: { g: { hosts: [b.example.com] } }\n${rule('include: g')}`,
    expected: [allowed, denied],
  },
  {
    key: 'groups.<name>.discover',
    with: `groups: { g: { hosts: b.example.com, discover: tool } }\n${rule('include: g')}`,
    without: `groups: { g: { hosts: b.example.com } }\n${rule('include: g')}`,
    expected: [allowed, denied],
  },
  { key: 'rules', with: rule(host), without: 'rules: []', expected: [allowed, denied] },
  {
    key: 'rules[].name',
    with: `rules: [{ name: named, ${host} }]`,
    without: rule(host),
    expected: ['allow named', allowed],
  },
  {
    key: 'rules[].description',
    with: rule(`description: For people., ${host}`),
    without: rule(host),
    expected: [allowed, allowed],
  },
  {
    key: 'rules[].hosts',
    with: rule(host),
    without: rule('hosts: b.example.com'),
    expected: [allowed, denied],
  },
  {
    key: 'rules[].include',
    with: `groups: { g: { hosts: a.example.com } }\n${rule('hosts: b.example.com, include: g')}`,
    without: `groups: { g: { hosts: a.example.com } }\n${rule('hosts: b.example.com')}`,
    expected: [allowed, denied],
  },
  ...catalogRows,
  {
    key: 'rules[].dangerouslyAllowWideHosts',
    with: rule('hosts: "*", dangerouslyAllowWideHosts: true'),
    without: rule('hosts: "*.example.org"'),
    expected: [allowed, denied],
  },
  {
    key: 'rules[].scheme',
    with: rule(`${host}, scheme: http`),
    without: rule(host),
    expected: [denied, allowed],
  },
  {
    key: 'rules[].ports',
    with: rule(`${host}, ports: 8443`),
    without: rule(host),
    expected: [denied, allowed],
  },
  {
    key: 'rules[].methods',
    with: rule(`${host}, methods: PUT`),
    without: rule(host),
    expected: [denied, allowed],
  },
  {
    key: 'rules[].paths',
    with: rule(`${host}, paths: /y`),
    without: rule(host),
    expected: [denied, allowed],
  },
  {
    key: 'rules[].git',
    with: rule(`${host}, git: { repository: acme/app }`),
    without: rule(host),
    expected: [denied, allowed],
  },
  {
    key: 'rules[].git.repository',
    with: rule(`${host}, git: { repository: acme/other }`),
    without: rule(`${host}, git: { repository: acme/app }`),
    asked: fetched,
    expected: [denied, allowed],
  },
  {
    key: 'rules[].git.operations',
    with: rule(`${host}, git: { repository: acme/app, operations: push }`),
    without: rule(`${host}, git: { repository: acme/app }`),
    asked: fetched,
    expected: [denied, allowed],
  },
  {
    key: 'rules[].git.refs',
    with: rule(`${host}, git: { repository: acme/app, operations: push, refs: refs/heads/a }`),
    without: rule(
      `${host}, git: { repository: acme/app, operations: push, changes: [create, update, delete] }`,
    ),
    asked: pushed,
    sees: (decision) => decision.awaits,
    expected: ['git-commands', undefined],
  },
  {
    key: 'rules[].git.changes',
    with: rule(`${host}, git: { repository: acme/app, operations: push, changes: [create, update, delete] }`),
    without: rule(`${host}, git: { repository: acme/app, operations: push }`),
    asked: pushed,
    sees: (decision) => decision.awaits,
    expected: [undefined, 'git-commands'],
  },
  {
    key: 'rules[].git.options',
    with: rule(`${host}, git: { repository: acme/app, operations: push, options: ci.skip }`),
    without: rule(`${host}, git: { repository: acme/app, operations: push }`),
    asked: pushed,
    read: { pushed: [{ ref: 'refs/heads/a', change: 'update' }], pushOptions: ['ci.skip'] },
    expected: [allowed, denied],
  },
  {
    key: 'rules[].mcp',
    with: rule(`${host}, paths: /mcp, mcp: { tools: search }`),
    without: rule(`${host}, paths: /mcp`),
    asked: message,
    sees: (decision) => decision.awaits,
    expected: ['body', undefined],
  },
  {
    key: 'rules[].graphql',
    with: rule(`${host}, paths: /graphql, graphql: { queries: a }`),
    without: rule(`${host}, paths: /graphql`),
    asked: graphqlAsked,
    read: { body: jsonBody('{}'), graphql: new UnreadableBody('is not read') },
    expected: [denied, allowed],
  },
  ...graphqlRows,
  ...mcpRow('tools', 'tools: search', 'prompts: x', called('search')),
  ...mcpRow(
    'arguments',
    'tools: "*", arguments: { to: a }',
    'tools: "*"',
    called('search', { to: 'b' }),
    false,
  ),
  ...mcpRow(
    'resources',
    'resources: "file:///a/*"',
    'tools: x',
    asking('resources/read', { uri: 'file:///a/b' }),
  ),
  ...mcpRow('prompts', 'prompts: hello', 'tools: x', asking('prompts/get', { name: 'hello' })),
  ...mcpRow('methods', 'methods: tasks/*', 'tools: x', asking('tasks/get', {})),
  ...mcpRow(
    'argumentsSchema',
    'tools: search, argumentsSchema: { properties: { to: { pattern: ^me$ } } }',
    'tools: search',
    called('search', { to: 'you' }),
    false,
  ),
  ...mcpRow(
    'pins',
    `pins: { search: ${pin} }, beforeList: allow`,
    `pins: { other: ${pin} }, beforeList: allow`,
    called('search'),
  ),
  ...mcpRow(
    'beforeList',
    `pins: { search: ${pin} }, beforeList: allow`,
    `pins: { search: ${pin} }`,
    called('search'),
  ),
  ...mcpRow('input', 'tools: x, input: [roots, sampling]', 'tools: x, input: elicitation', {
    jsonrpc: '2.0',
    id: 1,
    result: { roots: [] },
  }),
  ...packageKeyRows,
  {
    key: 'rules[].mcp.sessions',
    with: rule(`${host}, paths: /x, mcp: { tools: x, sessions: end }`),
    without: rule(`${host}, paths: /x, mcp: { tools: x }`),
    read: { body: { kind: 'none' } },
    expected: [denied, allowed],
  },
  {
    key: 'rules[].when',
    with: rule(`${host}, when: request.method == "PUT"`),
    without: rule(host),
    expected: [denied, allowed],
  },
  {
    key: 'rules[].for',
    with: rule(`${host}, for: { team: a }`),
    without: rule(host),
    expected: [denied, allowed],
  },
  {
    key: 'rules[].require',
    with: rule(`${host}, require: jailed`),
    without: rule(host),
    expected: [denied, allowed],
  },
  {
    key: 'rules[].expires',
    with: rule(`${host}, expires: 2029-12-31T23:59:59Z`),
    without: rule(host),
    expected: [denied, allowed],
  },
  {
    key: 'rules[].deny',
    with: rule(`${host}, deny: true`),
    without: rule(host),
    expected: ['deny r', allowed],
  },
  {
    key: 'rules[].deny.reason',
    with: rule(`${host}, deny: { reason: Ask first. }`),
    without: rule(`${host}, deny: true`),
    sees: (decision) => decision.effect === 'deny' && decision.reason,
    expected: ['Ask first.', `The rule r refuses ${get}.`],
  },
  {
    key: 'rules[].deny.operator',
    with: rule(`${host}, deny: { reason: Ask first., operator: Ticket 12. }`),
    without: rule(`${host}, deny: { reason: Ask first. }`),
    sees: (decision) => decision.effect === 'deny' && decision.operatorReason,
    expected: ['Ticket 12.', `r (policy.yaml:1) denies ${get}.`],
  },
  {
    key: 'rules[].inject',
    with: rule(`${host}, inject: [token, other]`),
    without: rule(host),
    sees: (decision) => decision.effect === 'allow' && decision.inject.map(({ credential }) => credential),
    expected: [['token', 'other'], []],
  },
  {
    key: 'rules[].requestFields',
    with: rule(`${host}, paths: /x, requestFields: x-symlink-target`),
    without: rule(`${host}, paths: /x`),
    fields: [['X-Symlink-Target', 'a']],
    expected: [allowed, 'deny r'],
  },
  {
    key: 'rules[].requestFields.only',
    with: rule(`${host}, requestFields: { only: [x-b] }`),
    without: rule(host),
    fields: [
      ['x-b', '1'],
      ['x-a', '1'],
    ],
    expected: ['deny r', allowed],
  },
  {
    key: 'requestFields',
    with: `requestFields: { refused: x-route-to }\n${rule(`${host}, paths: /x`)}`,
    without: rule(`${host}, paths: /x`),
    fields: [['X_Route_To', 'a']],
    expected: ['deny r', allowed],
  },
  {
    key: 'requestFields.refused',
    with: `requestFields: { refused: [x-route-to] }\n${rule(`${host}, inject: token`)}`,
    without: `requestFields: {}\n${rule(`${host}, inject: token`)}`,
    fields: [['x.route.to', 'a']],
    expected: ['deny r', allowed],
  },
  {
    key: 'requestFields.removed',
    with: `requestFields: { removed: x-tenant }\n${rule(`${host}, paths: /x`)}`,
    without: rule(`${host}, paths: /x`),
    fields: [['X-Tenant', 'a']],
    sees: (decision) => decision.effect === 'allow' && decision.removedFields,
    expected: [['x-tenant'], undefined],
  },
  ...protocolRows,
  ...signRows,
  ...tlsRows,
  ...wayRows,
  {
    key: 'rules[].trust',
    with: rule(`${host}, trust: internal`),
    without: rule(host),
    sees: (decision) => decision.effect === 'allow' && decision.trust,
    expected: [['internal'], undefined],
  },
  {
    key: 'rules[].addresses',
    with: rule(`${host}, addresses: 10.0.0.0/8`),
    without: rule(host),
    sees: (decision) => decision.effect === 'allow' && decision.addresses,
    expected: [['10.0.0.0/8'], []],
  },
  {
    key: 'rules[].limits',
    with: rule(`${host}, limits: { bodyBytes: 1 kB, requestsPerSession: 3 }`),
    without: rule(host),
    sees: (decision) => decision.effect === 'allow' && decision.limits,
    expected: [{ bodyBytes: 1000, requestsPerSession: 3 }, {}],
  },
  {
    key: 'rules[].bodies',
    with: rule(`${host}, bodies: where-defined`),
    without: rule(host),
    sees: (decision) => decision.effect === 'allow' && decision.bodies,
    expected: ['where-defined', undefined],
  },
  {
    key: 'rules[].trace',
    with: rule(`${host}, trace: continue`),
    without: rule(`${host}, trace: new`),
    sees: (decision) => decision.effect === 'allow' && decision.continuesTrace,
    expected: [true, undefined],
  },
  ...leakRows('leaks', (leaks) => `${leaks === '' ? '' : `leaks: ${leaks}\n`}${rule(host)}`),
  ...leakRows('rules[].leaks', (leaks) => rule(leaks === '' ? host : `${host}, leaks: ${leaks}`)),
  ...(['request', 'response'] as const).flatMap((side): readonly Row[] => {
    const sees = (decision: Decision): unknown =>
      decision.effect === 'allow' ? decision.rewrite?.[side] : undefined;
    const withPart = (part: string): string => rule(`${host}, rewrite: { ${side}: { ${part} } }`);
    const nothing = { set: [], drop: [], redact: [] };
    const [set, drop, redact] = ['set: { /a~1b: 1 }', 'drop: /a/*/c', 'redact: [/a]'];
    const row = (key: string, part: string, expected: object): Row => ({
      key: `rules[].rewrite.${side}${key}`,
      with: withPart(part),
      without: rule(host),
      sees,
      expected: [{ ...nothing, ...expected }, undefined],
    });
    return [
      row('', set, { set: [{ path: ['a/b'], value: 1 }] }),
      row('.set', set, { set: [{ path: ['a/b'], value: 1 }] }),
      row('.drop', drop, { drop: [['a', '*', 'c']] }),
      row('.redact', redact, { redact: [['a']] }),
    ];
  }),
  {
    key: 'rules[].rewrite',
    with: rule(`${host}, rewrite: { request: { drop: /a } }`),
    without: rule(host),
    sees: (decision) => decision.effect === 'allow' && decision.awaits,
    expected: ['body', undefined],
  },
  ...askRows,
  {
    key: 'rules[].screen',
    with: rule(`${host}, screen: { on: block }`),
    without: rule(host),
    sees: (decision) => decision.effect === 'allow' && decision.screen?.on,
    expected: ['block', undefined],
  },
  {
    key: 'rules[].screen.on',
    with: rule(`${host}, screen: { on: annotate }`),
    without: rule(`${host}, screen: { on: alert }`),
    sees: (decision) => decision.effect === 'allow' && decision.screen?.on,
    expected: ['annotate', 'alert'],
  },
  {
    key: 'rules[].screen.find',
    with: rule(`${host}, screen: { on: alert, find: phrase }`),
    without: rule(`${host}, screen: { on: alert }`),
    sees: (decision) => decision.effect === 'allow' && decision.screen?.find,
    expected: [['phrase'], ['hidden-text', 'canary', 'phrase']],
  },
  {
    key: 'rules[].screen.by',
    with: rule(`${host}, screen: { on: alert, by: judge }`),
    without: rule(`${host}, screen: { on: alert }`),
    sees: (decision) => decision.effect === 'allow' && decision.screen?.judges,
    expected: [[{ by: 'judge', timeoutMs: 1000, onError: 'deny' }], []],
  },
  {
    key: 'rules[].screen.timeoutMs',
    with: rule(`${host}, screen: { on: alert, by: judge, timeoutMs: 7 }`),
    without: rule(`${host}, screen: { on: alert, by: judge }`),
    sees: (decision) => decision.effect === 'allow' && decision.screen?.judges[0]?.timeoutMs,
    expected: [7, 1000],
  },
  {
    key: 'rules[].screen.onError',
    with: rule(`${host}, screen: { on: alert, by: judge, onError: allow }`),
    without: rule(`${host}, screen: { on: alert, by: judge }`),
    sees: (decision) => decision.effect === 'allow' && decision.screen?.judges[0]?.onError,
    expected: ['allow', 'deny'],
  },
  {
    key: 'rules[].capture',
    with: rule(`${host}, capture: { bodies: true }`),
    without: rule(host),
    sees: (decision) => decision.effect === 'allow' && decision.capture,
    expected: [{ bytesMax: 65_536, redact: [] }, undefined],
  },
  {
    key: 'rules[].capture.bodies',
    with: rule(`${host}, capture: { bodies: true }`),
    without: rule(host),
    sees: (decision) => decision.effect === 'allow' && decision.capture?.redact,
    expected: [[], undefined],
  },
  {
    key: 'rules[].capture.bytesMax',
    with: rule(`${host}, capture: { bodies: true, bytesMax: 2 kB }`),
    without: rule(`${host}, capture: { bodies: true }`),
    sees: (decision) => decision.effect === 'allow' && decision.capture?.bytesMax,
    expected: [2000, 65_536],
  },
  {
    key: 'rules[].capture.redact',
    with: rule(`${host}, capture: { bodies: true, redact: [Password, password] }`),
    without: rule(`${host}, capture: { bodies: true }`),
    sees: (decision) => decision.effect === 'allow' && decision.capture?.redact,
    expected: [['password'], []],
  },
  {
    key: 'rules[].homeCredentials',
    with: rule(`${host}, homeCredentials: write`),
    without: rule(`${host}, homeCredentials: read`),
    sees: (decision) => decision.effect === 'allow' && decision.homeWrites,
    expected: [true, undefined],
  },
  {
    key: 'rules[].scrub',
    with: rule(`${host}, inject: api, scrub: { quietMs: 200 }`),
    without: rule(`${host}, inject: api`),
    sees: (decision) => decision.effect === 'allow' && decision.scrub?.quietMs,
    expected: [200, undefined],
  },
  {
    key: 'rules[].scrub.quietMs',
    with: rule(`${host}, inject: api, scrub: { quietMs: 200 }`),
    without: rule(`${host}, inject: api`),
    sees: (decision) => decision.effect === 'allow' && decision.scrub?.quietMs,
    expected: [200, undefined],
  },
  ...llmRows,
  ...decideRows,
  ...logInRows,
  limit('bodyBytes', '2 MiB', 2 * 1024 * 1024),
  limit('requestsPerSecond', '0.5', 0.5),
  limit('requestsPerSession', '7', 7),
  limit('bytesOutPerSession', '2 kB', 2000),
  limit('urlsPerSession', '20', 20),
  limit('urlBytesPerSession', '1 KiB', 1024),
  limit('bytesPerSession', '1 GB', 1e9),
  {
    key: 'rules[].limits.budget',
    with: rule(`${host}, limits: { requestsPerSession: 7, budget: tickets }`),
    without: rule(`${host}, limits: { requestsPerSession: 7 }`),
    sees: (decision) => decision.effect === 'allow' && decision.budget?.split(' ')[0],
    expected: ['budget', 'hash'],
  },
  {
    key: 'rules[].limits.whenStoreAway',
    with: rule(`${host}, limits: { requestsPerSession: 7, whenStoreAway: continue }`),
    without: rule(`${host}, limits: { requestsPerSession: 7 }`),
    sees: (decision) => decision.effect === 'allow' && decision.limits.whenStoreAway,
    expected: ['continue', undefined],
  },
  {
    key: 'rules[].mode',
    with: rule(`${host}, methods: PUT, mode: observe`),
    without: rule(`${host}, methods: PUT`),
    sees: (decision) => [decision.effect, decision.effect === 'allow' ? decision.observed : undefined],
    expected: [
      ['allow', 'default-deny'],
      ['deny', undefined],
    ],
  },
];

function withFields(
  asked: AccessRequest,
  { fields = [], read }: Pick<Row, 'fields' | 'read'>,
): AccessRequest {
  return asked.depth === 'connect' ? asked : { ...asked, ...read, headers: new HeaderList(fields) };
}

describe('every key changes what it says, and nothing without it', () => {
  const options = { discovered: new Map([['tool', ['a.example.com']]]) };
  for (const { key, asked = get, fields, read, who = principal(), sees, expected, ...texts } of rows) {
    test(key, () => {
      const outcome = (text: string): unknown => {
        const decision = policyOf(text, options).decide(
          who,
          withFields(access(asked), { fields, read }),
          nowMs,
        );
        return sees === undefined ? `${decision.effect} ${decision.rule.name}` : sees(decision);
      };
      assert.deepEqual([outcome(texts.with), outcome(texts.without)], expected);
    });
  }
});

test('every key of the schema has its row, and no other', () => {
  assert.deepEqual(rows.map(({ key }) => key).toSorted(), keysOf(policySchema).toSorted());
});
