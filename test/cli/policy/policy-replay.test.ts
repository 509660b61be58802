import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { replayText } from '../../../src/cli/policy/policy-replay.ts';
import type { SessionFacts } from '../../../src/cli/operator/session-facts.ts';
import type { AuditEvent } from '../../../src/api/audit-event.ts';
import { PolicyReplay, type Replay } from '../../../src/gateway/policies/policy-replay.ts';
import { assumeSteps } from '../../../src/policy/assumed-policy.ts';
import { policyOf } from '../../policy/fixture.ts';
import { exchange, refused } from '../policy-events.ts';
import { replay, sessionsOfEvents } from '../policy-learning.ts';

const known: SessionFacts = new Map([['s', { claims: { team: 'a' }, posture: ['jailed'] }]]);

function run(events: readonly AuditEvent[], policy: string, sessions = known): Replay {
  return replay(events, policyOf(policy), sessions);
}

const changes = ({ flips, others }: Replay): readonly string[] =>
  [...flips, ...others].map(({ count, change, request }) => `${count} ${change} ${request}`);

describe('what flips is told, and what does not flip is not', () => {
  const policy = `
rules:
  - { name: read, hosts: a.example.com, methods: GET, paths: /x/* }
  - { name: api, hosts: api.example.com, inject: token }
`;
  const rows: readonly (readonly [string, AuditEvent, readonly string[]])[] = [
    ['allowed before and after', exchange({ rule: 'read', path: '/x/1' }), []],
    [
      'allowed, denied after',
      exchange({ rule: 'read', path: '/y?q=1' }),
      ['1 allow → deny GET https://a.example.com/y'],
    ],
    ['denied, allowed after', refused({ path: '/x/1' }), ['1 deny → allow GET https://a.example.com/x/1']],
    ['denied before and after', refused({ path: '/y' }), []],
    ['another rule', exchange({ rule: 'old', path: '/x/1' }), ['1 rule GET https://a.example.com/x/1']],
    ['another rule denies', refused({ rule: 'no-y', path: '/y' }), ['1 rule GET https://a.example.com/y']],
    [
      'a credential more',
      exchange({ rule: 'api', host: 'api.example.com' }),
      ['1 injection GET https://api.example.com/'],
    ],
    ['the same credential', exchange({ rule: 'api', host: 'api.example.com', injected: ['token'] }), []],
    [
      'a credential that was offered',
      exchange({ rule: 'api', host: 'api.example.com', injected: [], offered: ['token'] }),
      [],
    ],
    [
      'a failure that is denied',
      exchange({ rule: 'read', verdict: 'error', errorCode: 'timeout', path: '/y' }),
      ['1 failed → deny GET https://a.example.com/y'],
    ],
    [
      'allowed, and the gateway ended first',
      exchange({ rule: 'read', verdict: 'unknown', decided: 'allow', path: '/y' }),
      ['1 allow → deny GET https://a.example.com/y'],
    ],
    [
      'denied, and the gateway ended first',
      exchange({ rule: 'read', verdict: 'unknown', decided: 'deny', path: '/x/1' }),
      ['1 deny → allow GET https://a.example.com/x/1'],
    ],
    ['not decided when the gateway ended', exchange({ verdict: 'unknown', path: '/x/1' }), []],
    ['a grant for a time', exchange({ rule: 'access-grant:1', path: '/y' }), []],
    [
      'a WebSocket that the change of a policy ended',
      exchange({ rule: 'read', verdict: 'deny', errorCode: 'policy_denied', status: 101, path: '/x/1' }),
      [],
    ],
    [
      'raw TCP',
      exchange({ kind: 'stream', rule: 'db', scheme: 'tcp', protocol: 'raw', port: 22 }),
      ['1 allow → deny a.example.com:22'],
    ],
  ];
  for (const [name, event, expected] of rows)
    test(name, () => {
      const { observed: _, ...plain } = event;
      assert.deepEqual(changes(run([plain], policy)), expected);
    });
});

test('rules on trial and observing files let through what they would deny, so it does not flip', () => {
  const result = run([exchange({ path: '/z' })], 'mode: observe\nrules: [{ name: r, hosts: b.example.com }]');
  assert.deepEqual([result.unchanged, result.flips.length], [1, 0]);
});

test('equal changes are one group with their count, the most frequent first', () => {
  const result = run(
    [exchange({ path: '/b' }), exchange({ path: '/a?1' }), exchange({ path: '/a?2' })],
    'rules: [{ name: r, hosts: b.example.com }]',
  );
  assert.deepEqual(changes(result), [
    '2 allow → deny GET https://a.example.com/a',
    '1 allow → deny GET https://a.example.com/b',
  ]);
  assert.match(replayText(result), /3 decisions replayed, 0 unchanged, 3 flip\n/);
  assert.match(replayText(result), /was: allow by observe; would be: deny by default-deny \(trace t\d+\)/);
});

test('where only the rule differs the text counts by rules, and the result has each request', () => {
  const result = run(
    [exchange({ path: '/a' }), exchange({ path: '/b' })],
    'rules: [{ name: r, hosts: a.example.com }]',
  );
  assert.equal(result.others.length, 2);
  assert.match(replayText(result), /\nnot a flip:\n {2}2× allow by observe; would be by r\n$/);
});

describe('an event is decided only where the recorded facts say enough', () => {
  const events = [exchange({ rule: 'r' })];
  const none: SessionFacts = new Map();
  const rows: readonly (readonly [string, string, SessionFacts, RegExp | 'sure'])[] = [
    ['no rule asks for them', 'rules: [{ name: r, hosts: a.example.com }]', none, 'sure'],
    [
      'claims of a session that is unknown',
      'rules: [{ name: r, hosts: a.example.com, for: { team: a } }]',
      none,
      /claims and posture.*allow by r or deny by default-deny/,
    ],
    [
      'claims of a session that is known',
      'rules: [{ name: r, hosts: a.example.com, for: { team: a } }]',
      known,
      'sure',
    ],
    ['posture', 'rules: [{ name: r, hosts: a.example.com, require: jailed }]', none, /posture/],
    [
      'a header field',
      `rules: [{ name: r, hosts: a.example.com, when: '"x-a" in request.headers' }]`,
      known,
      /header fields/,
    ],
    [
      'a condition without header fields',
      'rules: [{ name: r, hosts: a.example.com, when: claims.team == "a" }]',
      known,
      'sure',
    ],
    [
      'a header field of a rule behind one that decides',
      `rules: [{ name: r, hosts: a.example.com }, { name: s, hosts: a.example.com, paths: /, when: '"x-a" in request.headers', deny: true }]`,
      known,
      /allow by r or deny by s/,
    ],
    [
      'the mode of a file for some sessions',
      'mode: observe\nfor: { team: a }\nrules: []',
      none,
      /allow by observe or deny by default-deny/,
    ],
  ];
  for (const [name, policy, sessions, expected] of rows)
    test(name, () => {
      const { unsure } = run(events, policy, sessions);
      if (expected === 'sure') assert.deepEqual(unsure, []);
      else assert.match(unsure[0]?.reason ?? '', expected);
    });
});

test('the time of an event counts, not the time of the replay', () => {
  const policy = 'rules: [{ name: r, hosts: a.example.com, expires: 2026-01-01T11:00:00Z }]';
  assert.deepEqual(run([exchange({ rule: 'r' })], policy).flips, []);
  assert.equal(run([exchange({ rule: 'r', time: '2026-01-01T11:00:00Z' })], policy).flips.length, 1);
});

test('events without a decision are counted with the reason', () => {
  const { rule: _, ...unjudged } = refused({ errorCode: 'request_malformed' });
  const result = run(
    [unjudged, exchange({ rule: 'access-requests' }), { ...exchange(), kind: 'session', action: 'renewed' }],
    'rules: []',
  );
  assert.equal(result.replayed, 0);
  assert.deepEqual(
    result.notReplayed.map(({ reason }) => reason),
    ['refused before the policy was asked (request_malformed)', 'served by the gateway itself'],
  );
});

test('claims and posture are known from the event of the enrolment', () => {
  const posture = {
    nondumpable: true,
    execOnly: false,
    untraced: true,
    coreLimitZero: true,
    inspectorClosed: true,
    environmentClean: true,
    jailed: true,
  };
  const enrolled = {
    ...exchange(),
    kind: 'session',
    action: 'enrolled',
    details: { claims: { team: 'a' }, posture },
  } as const;
  const sessions = sessionsOfEvents([enrolled, exchange({ sessionId: 'other' })]);
  assert.deepEqual([...sessions.keys()], ['s']);
  assert.deepEqual(sessions.get('s')?.claims, { team: 'a' });
  assert.ok(sessions.get('s')?.posture.length === 6);
  const policy = 'rules: [{ name: r, hosts: a.example.com, for: { team: a }, require: jailed }]';
  assert.deepEqual(run([exchange({ rule: 'r' })], policy, sessions).unchanged, 1);
});

describe('a push by git is decided again by its refs', () => {
  const policy = `
rules:
  - { name: agents, hosts: a.example.com, git: { repository: acme/app, operations: push, refs: refs/heads/agent/** } }
`;
  const push = (ref: string, more: object = {}) => ({
    method: 'POST',
    path: '/acme/app.git/git-receive-pack',
    git: {
      repository: 'acme/app',
      operation: 'push' as const,
      refs: [{ ref, change: 'update' as const }],
      ...more,
    },
  });
  const main = 'a push of refs/heads/main to https://a.example.com/acme/app';
  const rows: readonly (readonly [string, AuditEvent, readonly string[]])[] = [
    ['allowed before and after', exchange({ rule: 'agents', ...push('refs/heads/agent/a') }), []],
    [
      'allowed, denied after',
      exchange({ rule: 'agents', ...push('refs/heads/main') }),
      [`1 allow → deny ${main}`],
    ],
    ['refused by a report', refused({ status: 200, ...push('refs/heads/main') }), []],
    [
      'ended by a change of the policy while it ran',
      refused({ status: 200, rule: 'agents', responseBytes: 0, ...push('refs/heads/agent/a') }),
      [],
    ],
  ];
  for (const [name, event, expected] of rows)
    test(name, () => {
      assert.deepEqual(changes(run([event], policy)), expected);
    });
  test('a ref cannot act on the terminal', () => {
    const text = replayText(
      run([exchange({ rule: 'agents', ...push('refs/heads/\u{9b}2J\u{202e}') })], policy),
    );
    assert.match(text, /a push of refs\/heads\/\\u\{9b\}2J\\u\{202e\} to https/);
  });

  test('without its refs, or with some of them, it cannot be told', () => {
    const { git: _, ...unread } = push('');
    const some = push('refs/heads/agent/a', { refsTotal: 100 });
    for (const fields of [unread, some])
      assert.match(
        run([exchange({ rule: 'r', ...fields })], policy).unsure[0]?.reason ?? '',
        /refs of the push/,
      );
  });
});

test('of a path that was too long for an event nothing is told: its beginning is another path', () => {
  const cut = { path: { bytes: 5000, sha256: '0'.repeat(64) } };
  const policy = 'rules: [{ name: read, hosts: a.example.com, paths: /x/* }]';
  for (const event of [exchange({ rule: 'read', path: '/x/1', cut }), refused({ path: '/y', cut })]) {
    const result = run([event], policy);
    assert.deepEqual([result.replayed, result.unchanged, result.flips, result.others], [1, 0, [], []]);
    assert.deepEqual(result.unsure, [
      {
        request: `GET https://a.example.com${event.path}[cut: 5000 bytes in all]`,
        reason: 'only the beginning of its path is recorded',
        count: 1,
      },
    ]);
    assert.match(replayText(result), /1 that cannot be told:/);
  }
});

test('what was cut beside what is judged changes nothing', () => {
  const cut = { message: { bytes: 5000, sha256: '0'.repeat(64) } };
  const policy = 'rules: [{ name: read, hosts: a.example.com, paths: /x/* }]';
  assert.deepEqual(changes(run([exchange({ rule: 'read', path: '/y', cut })], policy)), [
    '1 allow → deny GET https://a.example.com/y',
  ]);
});

describe('what was refused for a request field', () => {
  const denied = refused({
    rule: 'store',
    host: 'store.example.com',
    method: 'PUT',
    path: '/x',
    deniedField: 'X-Amz-Copy-Source',
  });
  const store = (more: string): string =>
    `rules: [{ name: store, hosts: store.example.com, methods: [GET, PUT], paths: /*${more} }]`;

  test('stays refused where its name decides', () => {
    const result = run([denied], store(''));
    assert.deepEqual([result.unchanged, changes(result), result.unsure], [1, [], []]);
    const other = refused({ rule: 'store', host: 'store.example.com', path: '/x', deniedField: 'X-Secret' });
    assert.equal(run([other], store(', requestFields: { only: [range] }')).unchanged, 1);
  });

  test('cannot be told where its value decides', () => {
    const result = run([denied], store(', requestFields: x-amz-copy-source'));
    assert.deepEqual(changes(result), []);
    assert.match(
      result.unsure[0]?.reason ?? '',
      /depends on its field X-Amz-Copy-Source, for which it was refused/,
    );
    assert.match(replayText(result), /1 that cannot be told/);
  });

  test('flips where no rule looks at fields any more, or none allows it', () => {
    const open = 'rules: [{ name: store, hosts: store.example.com }]';
    assert.match(run([denied], open).unsure[0]?.reason ?? '', /depends on its field/);
    assert.deepEqual(changes(run([denied], 'rules: [{ name: r, hosts: b.example.com }]')), [
      '1 rule PUT https://store.example.com/x',
    ]);
  });

  test('what is allowed by a rule that refuses some is counted, for nobody knows which fields it had', () => {
    const event = exchange({ rule: 'store', host: 'store.example.com', path: '/x' });
    const result = run([event, event], store(''));
    assert.deepEqual([result.unchanged, result.fieldsUnseen], [2, 2]);
    assert.match(replayText(result), /not seen:\n  2× allowed by a rule that refuses some request fields/);
    const same = { ...event, policyVersion: policyOf(store('')).version };
    assert.equal(run([same], store('')).fieldsUnseen, 0);
    assert.equal(run([event], 'rules: [{ name: store, hosts: store.example.com }]').fieldsUnseen, 0);
  });
});

test('what is prepared in turns is what is made at once, and rules are taken in steps', async () => {
  const list = Array.from(
    { length: 300 },
    (_, i) => `{ name: r${i}, hosts: a${i}.example.com, for: { team: a } }`,
  );
  const policy = policyOf(`rules: [${list.join(', ')}]`);
  const steps = [...assumeSteps(policy, { session: false, headers: false }, 'open')];
  assert.equal(steps.length, 300);
  const prepared = new PolicyReplay(policy, new Map());
  await prepared.prepare(false);
  const atOnce = new PolicyReplay(policy, new Map());
  const event = exchange({ host: 'a7.example.com' });
  for (const one of [prepared, atOnce]) one.note(event);
  assert.deepEqual(prepared.result(), atOnce.result());
  assert.equal(prepared.result().unsure.length, 1);
});

describe('of rules about bodies nothing is said that the record does not have', () => {
  const called = exchange({
    rule: 'r',
    method: 'POST',
    path: '/v1/chat/completions',
    mcp: { method: 'tools/call', tool: 'search' },
  });
  for (const keys of [
    'mcp: { tools: search }',
    'graphql: { queries: a }',
    'llm: { api: openai-chat, models: m }',
    `when: 'has(json.a)'`,
  ])
    test(keys, () => {
      const result = run(
        [called],
        `rules: [{ name: r, hosts: a.example.com, paths: /v1/chat/completions, ${keys} }]`,
      );
      assert.deepEqual([changes(result), result.unchanged], [[], 0]);
      assert.match(result.unsure[0]?.reason ?? '', /or its body, which are not recorded: allow by r or deny/);
    });

  for (const keys of ['leaks: { on: block }', 'screen: { on: block }', 'rewrite: { response: { drop: /a } }'])
    test(`${keys} decides nothing`, () => {
      const result = run([called], `rules: [{ name: r, hosts: a.example.com, paths: /v1/*, ${keys} }]`);
      assert.deepEqual([changes(result), result.unchanged, result.unsure], [[], 1, []]);
    });
});
