import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import fc from 'fast-check';

import { HeaderList } from '../../src/http/header-list.ts';
import { changingWhat, tellingWho } from '../../src/http/request-field-table.ts';
import type { Decision, RequestAccess } from '../../src/policy/decision.ts';
import { access, nowMs, policyOf, principal } from './fixture.ts';

function decide(
  policy: ReturnType<typeof policyOf>,
  request: string,
  ...fields: [string, string][]
): Decision {
  const asked = access(request);
  assert.ok(asked.depth === 'request');
  const full: RequestAccess = { ...asked, headers: new HeaderList([['accept', '*/*'], ...fields]) };
  return policy.decide(principal(), full, nowMs);
}

const shown = (decision: Decision): string => `${decision.effect} ${decision.rule.name}`;

const bounded = policyOf(`
rules:
  - { name: paths, hosts: a.test.example, paths: /x }
  - { name: inject, hosts: b.test.example, inject: token }
  - { name: git, hosts: c.test.example, git: { repository: r, operations: fetch } }
  - { name: open, hosts: d.test.example }
`);

describe('under a rule that is bounded by a path, or injects', () => {
  const requests = {
    paths: 'GET https://a.test.example/x',
    inject: 'GET https://b.test.example/x',
    git: 'POST https://c.test.example/r/git-upload-pack',
  };
  for (const [name, request] of Object.entries(requests)) {
    test(`${name}: every name that changes what is asked is refused, in every spelling`, () => {
      for (const field of changingWhat) {
        for (const separator of ['-', '_', '.', '~']) {
          const spelled = field.replaceAll('-', separator);
          for (const written of [spelled, spelled.toUpperCase()]) {
            const decision = decide(bounded, request, [written, '/admin']);
            assert.equal(shown(decision), `deny ${name}`, written);
            assert.match(
              decision.effect === 'deny' ? decision.reason : '',
              new RegExp(RegExp.escape(written)),
            );
          }
        }
      }
    });

    test(`${name}: every name that tells who asks is taken off`, () => {
      for (const field of tellingWho) {
        const written = field.replaceAll('-', '_').toUpperCase();
        const decision = decide(bounded, request, [written, 'root'], ['x-other', '1']);
        assert.deepEqual(decision.effect === 'allow' && decision.removedFields, [written.toLowerCase()]);
      }
    });
  }

  test('all other fields go on', () => {
    for (const name of [
      'x-request-id',
      'x-amz-date',
      'content-type',
      'x-goog-api-client',
      'if-match',
      'depth',
      'origin',
    ])
      assert.equal(shown(decide(bounded, requests.inject, [name, '1'])), 'allow inject', name);
  });
});

test('a rule that is bounded by nothing lets all fields through, and every method', () => {
  const decision = decide(
    bounded,
    'COPY https://d.test.example/x',
    ['Destination', '/y'],
    ['x-remote-user', 'root'],
  );
  assert.equal(shown(decision), 'allow open');
  assert.equal(decision.effect === 'allow' && decision.removedFields, undefined);
});

test('a method that acts on a second resource has to be named', () => {
  const policy = policyOf(`
rules:
  - { name: any, hosts: a.test.example, paths: /x/* }
  - { name: move, hosts: b.test.example, paths: /x/*, methods: [GET, PUT, MOVE], requestFields: destination }
  - { name: closed, hosts: b.test.example, paths: /x/locked/*, methods: [PUT, MOVE], deny: true }
`);
  assert.equal(shown(decide(policy, 'PUT https://a.test.example/x/1')), 'allow any');
  for (const method of ['COPY', 'MOVE', 'LINK', 'REBIND'])
    assert.equal(shown(decide(policy, `${method} https://a.test.example/x/1`)), 'deny default-deny', method);
  const move = (destination: string): string =>
    shown(decide(policy, 'MOVE https://b.test.example/x/1', ['Destination', destination]));
  assert.equal(move('/x/2'), 'allow move');
  assert.equal(move('https://b.test.example/x/2'), 'allow move');
  assert.equal(move('/y'), 'deny move');
  assert.equal(move('/x/locked/2'), 'deny move');
  assert.equal(move('/x/%6Cocked/2'), 'deny move');
  assert.equal(move('https://a.test.example/x/2'), 'allow move', 'where another rule lets it be written');
  assert.equal(move('https://c.test.example/x/2'), 'deny move');
  assert.equal(move('//c.test.example/x/2'), 'deny move');
  assert.equal(move('ftp://b.test.example/x/2'), 'deny move');
  assert.equal(move('/x/../y'), 'deny move');
});

describe('a copy source that the rule names is judged as a read of what it names', () => {
  const policy = policyOf(`
rules:
  - { name: secret, hosts: s3.eu-west-1.amazonaws.com, paths: /mine/secret/*, deny: true }
  - { name: write, hosts: mine.s3.eu-west-1.amazonaws.com, methods: PUT, inject: aws, requestFields: [x-amz-copy-source] }
  - { name: read, hosts: mine.s3.eu-west-1.amazonaws.com, methods: GET, inject: aws }
  - { name: shared, hosts: shared.s3.eu-west-1.amazonaws.com, methods: GET, paths: /public/*, inject: aws }
  - { name: anonymous, hosts: open.s3.eu-west-1.amazonaws.com, methods: GET }
  - { name: guarded, hosts: guarded.s3.eu-west-1.amazonaws.com, methods: GET, inject: aws, decide: { by: opa } }
  - { name: asked, hosts: asked.s3.eu-west-1.amazonaws.com, methods: GET, inject: aws, ask: true }
  - { name: in-path, hosts: storage.googleapis.com, methods: [GET, PUT], paths: [/b1/*, /b2/pub/*], inject: gcs, requestFields: x-goog-copy-source }
  - { name: azure, hosts: "acct.blob.core.windows.net", methods: [GET, PUT], paths: /c1/*, inject: az, requestFields: x-ms-copy-source }
  - { name: unknown, hosts: files.example.com, methods: [GET, PUT], inject: x, requestFields: x-amz-copy-source }
`);
  const rows: readonly [request: string, field: string, value: string, expected: string][] = [
    ['mine.s3.eu-west-1.amazonaws.com/k', 'x-amz-copy-source', '/mine/other', 'allow write'],
    ['mine.s3.eu-west-1.amazonaws.com/k', 'x-amz-copy-source', 'mine/other?versionId=3', 'allow write'],
    ['mine.s3.eu-west-1.amazonaws.com/k', 'x-amz-copy-source', '/shared/public/a', 'allow write'],
    ['mine.s3.eu-west-1.amazonaws.com/k', 'x-amz-copy-source', '/shared/private/a', 'deny write'],
    [
      'mine.s3.eu-west-1.amazonaws.com/k',
      'x-amz-copy-source',
      '/shared/public%2F..%2Fprivate/a',
      'deny write',
    ],
    ['mine.s3.eu-west-1.amazonaws.com/k', 'x-amz-copy-source', '/elsewhere/a', 'deny write'],
    ['mine.s3.eu-west-1.amazonaws.com/k', 'x-amz-copy-source', '/open/a', 'deny write'],
    ['mine.s3.eu-west-1.amazonaws.com/k', 'x-amz-copy-source', '/mine/secret/a', 'deny write'],
    ['mine.s3.eu-west-1.amazonaws.com/k', 'x-amz-copy-source', '/guarded/a', 'deny write'],
    ['mine.s3.eu-west-1.amazonaws.com/k', 'x-amz-copy-source', '/asked/a', 'deny write'],
    [
      'mine.s3.eu-west-1.amazonaws.com/k',
      'x-amz-copy-source',
      'arn:aws:s3:eu-west-1:1:accesspoint/x/object/a',
      'deny write',
    ],
    ['mine.s3.eu-west-1.amazonaws.com/k', 'x-amz-copy-source', '', 'deny write'],
    ['mine.s3.eu-west-1.amazonaws.com/k', 'x-amz-rename-source', '/mine/a', 'deny write'],
    ['storage.googleapis.com/b1/k', 'x-goog-copy-source', '/b2/pub/a', 'allow in-path'],
    ['storage.googleapis.com/b1/k', 'x-goog-copy-source', '/b2/a', 'deny in-path'],
    [
      'acct.blob.core.windows.net/c1/k',
      'x-ms-copy-source',
      'https://acct.blob.core.windows.net/c1/a?sv=1',
      'allow azure',
    ],
    [
      'acct.blob.core.windows.net/c1/k',
      'x-ms-copy-source',
      'https://acct.blob.core.windows.net/c2/a',
      'deny azure',
    ],
    ['acct.blob.core.windows.net/c1/k', 'x-ms-copy-source', 'https://evil.test/a', 'deny azure'],
    [
      'acct.blob.core.windows.net/c1/k',
      'x-ms-copy-source',
      'https://u@acct.blob.core.windows.net/c1/a',
      'deny azure',
    ],
    ['files.example.com/k', 'x-amz-copy-source', '/b/a', 'deny unknown'],
  ];
  for (const [request, field, value, expected] of rows) {
    test(`${field}: ${value} → ${expected}`, () => {
      assert.equal(shown(decide(policy, `PUT https://${request}`, [field, value])), expected);
    });
  }
});

test('a list of the only fields refuses every other, and still takes off and refuses those of the tables', () => {
  const policy = policyOf(
    'rules: [{ name: r, hosts: a.test.example, requestFields: { only: [x-a, destination] } }]',
  );
  const request = 'GET https://a.test.example/x';
  assert.equal(shown(decide(policy, request, ['X-A', '1'], ['User-Agent', 'c'])), 'allow r');
  assert.equal(shown(decide(policy, request, ['x-b', '1'])), 'deny r');
  assert.equal(shown(decide(policy, request, ['x-path', '/y'])), 'deny r');
  const removed = decide(policy, request, ['x-remote-user', 'root']);
  assert.deepEqual(removed.effect === 'allow' && removed.removedFields, ['x-remote-user']);
});

test('whatever is sent, no field of the tables goes on under a bounded rule', () => {
  const name = fc
    .tuple(
      fc.constantFrom(...changingWhat, ...tellingWho, 'x-a', 'accept'),
      fc.array(fc.constantFrom('-', '_', '.')),
      fc.boolean(),
    )
    .map(([field, separators, isUpper]) => {
      let at = 0;
      const text = field.replaceAll('-', () => separators[at++] ?? '-');
      return isUpper ? text.toUpperCase() : text;
    });
  fc.assert(
    fc.property(fc.array(name, { maxLength: 6 }), (names) => {
      const decision = decide(
        bounded,
        'GET https://a.test.example/x',
        ...names.map((one): [string, string] => [one, '/y']),
      );
      const keys = names.map((one) => one.toLowerCase().replaceAll(/[_.]/g, '-'));
      if (keys.some((key) => changingWhat.has(key))) return assert.equal(decision.effect, 'deny');
      assert.ok(decision.effect === 'allow');
      const removed = new Set(decision.removedFields);
      for (const [i, key] of keys.entries())
        if (tellingWho.has(key)) assert.ok(removed.has(names[i]?.toLowerCase() ?? ''), key);
    }),
    { numRuns: 1000, seed: 14 },
  );
});
