// Rules about publishing: which requests they let through, with which operation, and what is said of others.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Decision, RequestAccess } from '../../src/policy/decision.ts';
import { diffPolicies } from '../../src/policy/diff-policy.ts';
import { sourceOf } from '../../src/policy/known-package.ts';
import { type PackageRegistry, UnreadablePackage } from '../../src/understand/packages/package-request.ts';
import type { Publication } from '../../src/understand/packages/published-body.ts';
import { access, nowMs, policyOf, principal, problemsOf } from './fixture.ts';

const host = 'registry.example.com';
const publishing = (registry: PackageRegistry, allow: string, more = ''): string =>
  `rules:
  - { name: read, hosts: ${host}, packages: { registry: ${registry} } }
  - { name: publish, hosts: ${host}, inject: token, packages: { registry: ${registry}, publish: { allow: ${allow}${more} } } }`;

function asked(
  text: string,
  registry: PackageRegistry,
  read?: Publication | UnreadablePackage,
): RequestAccess {
  const [target = '', query = ''] = text.split('?');
  const one = access(target.replace(' /', ` https://${host}/`));
  assert.ok(one.depth === 'request');
  const whole = { ...one, query: query === '' ? '' : `?${query}` };
  if (read === undefined) return whole;
  const source = sourceOf({ registry, root: undefined }, one.destination);
  return { ...whole, body: { kind: 'unreadable', reason: 'was read' }, publication: { source, read } };
}

const decide = (
  policy: string,
  registry: PackageRegistry,
  text: string,
  read?: Publication | UnreadablePackage,
): Decision =>
  policyOf(policy, { credentials: ['token'] }).decide(principal(), asked(text, registry, read), nowMs);

/** `rule`, with what is awaited, and the credential that it gives. */
function outcome(decision: Decision): string {
  if (decision.effect === 'deny') return 'deny';
  const awaits = decision.awaits === undefined ? '' : ` awaits ${decision.awaits}`;
  return `${decision.rule.name}${awaits}${decision.inject.length > 0 ? ' with token' : ''}`;
}

describe('by address', () => {
  const digest = `sha256:${'0'.repeat(64)}`;
  for (const [registry, allow, text, expected] of [
    ['npm', '"@acme/*"', 'PUT /@acme%2ftool', 'publish awaits publication with token'],
    ['npm', '"@acme/*"', 'PUT /@other%2ftool', 'deny'],
    ['npm', '"@acme/*"', 'PUT /@ACME%2ftool', 'deny'],
    ['npm', '"@acme/*"', 'PUT /@acme%2ftool?write=true', 'deny'],
    ['npm', '"@acme/*"', 'PUT /-/package/@acme%2ftool/dist-tags/latest', 'deny'],
    ['npm', '"@acme/*"', 'DELETE /@acme%2ftool/-rev/1-a', 'deny'],
    ['npm', '"@acme/*"', 'DELETE /@acme%2ftool', 'deny'],
    ['npm', '"@acme/*"', 'POST /@acme%2ftool', 'deny'],
    ['npm', '"@acme/*"', 'PUT /-/user/org.couchdb.user:x', 'deny'],
    ['npm', '"@acme/*"', 'GET /@acme%2ftool', 'read'],
    ['npm', '"@acme/*"', 'GET /@acme%2ftool?write=true', 'read'],
    ['npm', '"@acme/*"', 'GET /@acme%2ftool?write=false', 'deny'],
    ['npm', '"@acme/*"', 'GET /@acme%2ftool/1.0.0?write=true', 'deny'],
    ['npm', '"@acme/*"', 'GET /-/whoami', 'deny'],
    ['npm', 'a, operations: [tag, unpublish]', 'PUT /-/package/a/dist-tags/latest', 'publish with token'],
    ['npm', 'a, operations: [tag, unpublish]', 'PUT /-/package/b/dist-tags/latest', 'deny'],
    ['npm', 'a, operations: [tag, unpublish]', 'POST /-/package/a/access', 'deny'],
    ['npm', 'a, operations: [tag, unpublish]', 'DELETE /a/-rev/1-a', 'publish with token'],
    ['npm', 'a, operations: [tag, unpublish]', 'DELETE /a/-/a-1.0.0.tgz/-rev/1-a', 'publish with token'],
    ['npm', '"a@>=1.0.0", operations: unpublish', 'DELETE /a/-rev/1-a', 'deny'],
    ['npm', '"a@>=1.0.0", operations: unpublish', 'DELETE /a/-/a-0.9.0.tgz/-rev/1-a', 'deny'],
    ['pypi', 'acme-tool', 'POST /legacy/', 'publish awaits publication with token'],
    ['pypi', 'acme-tool', 'POST /', 'publish awaits publication with token'],
    ['pypi', 'acme-tool', 'PUT /legacy/', 'deny'],
    ['pypi', 'acme-tool', 'POST /legacy/?:action=x', 'deny'],
    ['pypi', 'acme-tool', 'POST /pypi', 'deny'],
    ['cargo', 'acme_tool', 'PUT /api/v1/crates/new', 'publish awaits publication with token'],
    ['cargo', 'acme_tool', 'DELETE /api/v1/crates/acme-tool/1.0.0/yank', 'deny'],
    ['cargo', 'acme_tool', 'PUT /api/v1/crates/acme-tool/owners', 'deny'],
    [
      'cargo',
      'acme_tool, operations: yank',
      'DELETE /api/v1/crates/Acme-Tool/1.0.0/yank',
      'publish with token',
    ],
    ['cargo', 'acme_tool, operations: yank', 'PUT /api/v1/crates/acme-tool/1.0.0/unyank', 'deny'],
    ['cargo', 'acme_tool, operations: owners', 'PUT /api/v1/crates/acme-tool/owners', 'publish with token'],
    ['oci', 'acme/app', 'POST /v2/acme/app/blobs/uploads/', 'publish with token'],
    ['oci', 'acme/app', 'PATCH /v2/acme/app/blobs/uploads/u-1?_state=abc', 'publish with token'],
    [
      'oci',
      'acme/app',
      `PUT /v2/acme/app/blobs/uploads/u-1?_state=a%3D&digest=${digest}`,
      'publish with token',
    ],
    ['oci', 'acme/app', `PUT /v2/acme/app/blobs/upload/u-1?digest=${digest}`, 'publish with token'],
    ['oci', 'acme/app', 'PUT /v2/acme/app/blobs/uploads/u-1?digest=a&digest=b', 'deny'],
    ['oci', 'acme/app', 'PUT /v2/acme/app/blobs/uploads/u-1/x', 'deny'],
    ['oci', 'acme/app', 'POST /v2/other/app/blobs/uploads/', 'deny'],
    [
      'oci',
      'acme/app',
      `POST /v2/acme/app/blobs/uploads/?mount=${digest}&from=acme/app`,
      'publish with token',
    ],
    [
      'oci',
      'acme/*',
      `POST /v2/acme/app/blobs/uploads/?from=acme%2Fbase&mount=${digest}`,
      'publish with token',
    ],
    ['oci', 'acme/app', `POST /v2/acme/app/blobs/uploads/?mount=${digest}&from=secret/app`, 'deny'],
    ['oci', 'acme/app', `POST /v2/acme/app/blobs/uploads/?mount=${digest}`, 'deny'],
    ['oci', 'acme/app', `POST /v2/acme/app/blobs/uploads/?mount=${digest}&from=acme/app&FROM=x`, 'deny'],
    ['oci', 'acme/app', `POST /v2/acme/app/blobs/uploads/?mount=${digest}&from=acme/app&x=1`, 'deny'],
    ['oci', 'acme/app', 'PUT /v2/acme/app/manifests/v1', 'publish awaits publication with token'],
    ['oci', 'acme/app', 'PUT /v2/acme/app/manifests/v1?tag=v2', 'deny'],
    ['oci', 'acme/app', 'DELETE /v2/acme/app/manifests/v1', 'deny'],
    ['oci', 'acme/app, operations: unpublish', 'DELETE /v2/acme/app/manifests/v1', 'publish with token'],
    ['oci', 'acme/app', 'GET /v2/acme/app/manifests/v1', 'read'],
  ] as const)
    test(`${registry} ${text} under ${allow}: ${expected}`, () =>
      assert.equal(outcome(decide(publishing(registry, allow), registry, text)), expected));
});

describe('by body', () => {
  const published = (name: string, version?: string): Publication => ({
    operation: 'publish',
    name,
    ...(version === undefined ? {} : { version }),
  });
  for (const [registry, allow, text, read, expected] of [
    ['npm', '"a@>=2.0.0"', 'PUT /a', published('a', '2.0.0'), 'publish with token'],
    ['npm', '"a@>=2.0.0"', 'PUT /a', published('a', '1.9.0'), 'deny'],
    ['npm', 'a', 'PUT /a', { operation: 'deprecate', name: 'a' }, 'deny'],
    [
      'npm',
      'a, operations: deprecate',
      'PUT /a',
      { operation: 'deprecate', name: 'a' },
      'publish with token',
    ],
    ['npm', 'a', 'PUT /a', new UnreadablePackage('is odd'), 'deny'],
    ['pypi', 'acme.tool', 'POST /legacy/', published('acme-tool', '1.0'), 'publish with token'],
    ['pypi', 'acme.tool', 'POST /legacy/', published('other', '1.0'), 'deny'],
    ['cargo', 'acme_tool', 'PUT /api/v1/crates/new', published('acme-tool', '1.0.0'), 'publish with token'],
    ['cargo', 'acme_tool', 'PUT /api/v1/crates/new', published('other', '1.0.0'), 'deny'],
  ] as const)
    test(`${registry} ${text} of ${JSON.stringify(read)} under ${allow}: ${expected}`, () =>
      assert.equal(outcome(decide(publishing(registry, allow), registry, text, read)), expected));

  test('what was read as another registry, a request without a body and a WebSocket publish nothing', () => {
    const policy = policyOf(publishing('pypi', 'x'), { credentials: ['token'] });
    const one = asked('POST /legacy/', 'npm', published('x', '1.0'));
    assert.equal(policy.decide(principal(), one, nowMs).effect, 'deny');
    const plain = asked('POST /legacy/', 'pypi');
    for (const body of [
      { kind: 'none' },
      { kind: 'unreadable', reason: 'is of a WebSocket', webSocket: [] },
    ] as const)
      assert.equal(policy.decide(principal(), { ...plain, body }, nowMs).effect, 'deny');
  });
});

test('a WebSocket is no upload', () => {
  const policy = policyOf(publishing('oci', 'acme/app'), { credentials: ['token'] });
  const upload = asked('GET /v2/acme/app/blobs/uploads/u-1', 'oci');
  assert.equal(outcome(policy.decide(principal(), upload, nowMs)), 'publish with token');
  const body = { kind: 'unreadable', reason: 'is that of a WebSocket', webSocket: [] } as const;
  assert.equal(policy.decide(principal(), { ...upload, body }, nowMs).effect, 'deny');
});

describe('a rule that denies', () => {
  const policy = `rules:
  - { name: no, hosts: ${host}, deny: true, packages: { registry: pypi, deny: left-pad } }
  - { name: all, hosts: ${host} }`;
  test('has to know what is published', () => {
    const decision = decide(policy, 'pypi', 'POST /legacy/');
    assert.equal(outcome(decision), 'all awaits publication');
    assert.deepEqual(decision.awaitsOf, { registry: 'pypi', root: undefined });
    const published = { operation: 'publish', name: 'left-pad', version: '1.0' } as const;
    assert.equal(outcome(decide(policy, 'pypi', 'POST /legacy/', published)), 'deny');
    assert.equal(outcome(decide(policy, 'pypi', 'POST /legacy/', { ...published, name: 'x' })), 'all');
    assert.equal(outcome(decide(policy, 'pypi', 'POST /legacy/', new UnreadablePackage('is odd'))), 'deny');
  });

  test('takes a blob of a repository that it names, too', () => {
    const images = policy.replace('pypi', 'oci').replace('left-pad', 'secret/app');
    const from = (name: string): string =>
      `POST /v2/acme/app/blobs/uploads/?mount=sha256:${'0'.repeat(64)}&from=${name}`;
    assert.equal(outcome(decide(images, 'oci', from('secret/app'))), 'deny');
    assert.equal(outcome(decide(images, 'oci', from('acme/base'))), 'all');
  });
});

test('a refusal says what the rule about publishing lets through, and one of a read what the other rule does', () => {
  const reason = (text: string, read?: Publication | UnreadablePackage): string => {
    const decision = decide(publishing('npm', '"@acme/*"'), 'npm', text, read);
    assert.ok(decision.effect === 'deny');
    return decision.reason;
  };
  assert.match(
    reason('PUT /other'),
    /rule publish .*other is not in what it lets be published \(@acme\/\*\)/,
  );
  assert.match(reason('DELETE /@acme%2fa/-rev/1-a'), /unpublish is not in its operations \(publish\)/);
  assert.match(reason('PUT /@acme%2fa', new UnreadablePackage('is odd')), /the request is odd/);
  assert.match(reason('PUT /@acme%2fa/x'), /changes something at the registry that no rule allows/);
  assert.match(reason('GET /a/b/c'), /rule read /);
});

test('a description that is sent back comes whole, or not at all', () => {
  const reads = (keys: string): string =>
    outcome(
      decide(
        `rules: [{ name: read, hosts: ${host}, packages: { registry: npm${keys} } }]`,
        'npm',
        'GET /a?write=true',
      ),
    );
  assert.deepEqual([reads(''), reads(', minAge: 3d'), reads(', deny: "a@1.0.0"')], ['read', 'deny', 'deny']);
});

test('the decision says what is published, for the audit', () => {
  const read = { operation: 'publish', name: 'a', version: '1.0.0', digest: 'sha512-x' } as const;
  const decision = decide(publishing('npm', 'a'), 'npm', 'PUT /a', read);
  assert.deepEqual(decision.package, {
    registry: 'npm',
    root: undefined,
    name: 'a',
    version: '1.0.0',
    operation: 'publish',
    publishes: 'sha512-x',
  });
  // What a rule about publishing does not say of reads: no time, and nothing that is hidden.
  const young = decide(
    `rules:
  - { name: publish, hosts: ${host}, inject: token, packages: { registry: npm, publish: { allow: a } } }
  - { name: read, hosts: ${host}, packages: { registry: npm, minAge: 3d } }`,
    'npm',
    'GET /a',
  );
  assert.equal(young.package?.hides, true);
});

test('of two rules one covers the other only with its names and its operations', () => {
  const changed = (one: string, other: string): readonly string[] =>
    diffPolicies(
      policyOf(publishing('npm', one), { credentials: ['token'] }),
      policyOf(publishing('npm', other), { credentials: ['token'] }),
    ).changed.map(({ direction }) => direction);
  assert.deepEqual(changed('a', '[a, b]'), ['widened']);
  assert.deepEqual(changed('a, operations: [publish, tag]', 'a'), ['narrowed']);
});

test('problems of the policy', () => {
  const rule = (keys: string): string => `rules: [{ name: r, hosts: ${host}, ${keys} }]`;
  for (const [text, problem] of [
    [
      rule('packages: { registry: go, publish: { allow: x } }'),
      /does not read what is published to a registry of go/,
    ],
    [
      rule('packages: { registry: pypi, publish: { allow: x, operations: yank } }'),
      /a registry of pypi has no yank/,
    ],
    [rule('packages: { registry: npm, publish: { allow: x }, minAge: 3d }'), /write two rules/],
    [rule('packages: { registry: npm, publish: { allow: x }, allow: x }'), /write two rules/],
    [rule('packages: { registry: npm, publish: { allow: "x@latest" } }'), /not a whole version/],
    [rule('packages: { registry: npm, publish: {} }'), /allow/],
    [rule('packages: { registry: npm, publish: { allow: x, via: trusted } }'), /via/],
    [
      rule('deny: true, packages: { registry: npm, deny: y, publish: { allow: x } }'),
      /no meaning in a rule that denies/,
    ],
  ] as const)
    assert.match(problemsOf(text).join('\n'), problem, text);
});
